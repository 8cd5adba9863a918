//! The cluster's objects, cut down to what attribution and policies need, in a store keyed by kind, namespace and name.
//!
//! Objects come in one by one (from manifests or from a watcher); a [`crate::Snapshot`] is built from all of them.
//! The store holds no index and never follows a reference.

mod backend_ref;
mod draft;
mod endpoint_slice;
mod field;
mod foreign_policy;
mod gateway;
mod grpc_route;
mod http_route;
mod ingress;
mod key;
mod kind;
mod label_selector;
mod meta;
mod network_policy;
mod node;
mod part;
mod pod;
mod pod_choice;
mod policy_port;
mod reference_grant;
mod route_filter;
mod route_parent;
mod service;
mod store;
mod tier_policy;
mod tier_rule;
mod tls_route;
mod workload;

pub use backend_ref::BackendRef;
pub use draft::Fault;
pub use endpoint_slice::{AddressType, Conditions, EndpointSlice, ObjectReference, SliceEndpoint, SlicePort};
pub use field::Address;
pub use foreign_policy::ForeignPolicy;
pub use gateway::{
    AllowedKind, AllowedNamespaces, AllowedRoutes, Gateway, GatewayAddress, GatewayClass, GatewayClassSpec,
    GatewaySpec, GatewayStatus, Listener, ListenerTls, SecretRef,
};
pub use grpc_route::{GrpcMatch, GrpcMethodMatch, GrpcRoute, GrpcRouteSpec, GrpcRule};
pub use http_route::{HttpMatch, HttpPathMatch, HttpRoute, HttpRouteSpec, HttpRule, ValueMatch};
pub use ingress::{
    Ingress, IngressBackend, IngressClass, IngressClassSpec, IngressHttp, IngressPath, IngressPort, IngressResource,
    IngressRule, IngressService, IngressSpec, IngressTls,
};
pub use key::ObjectKey;
pub use kind::{Object, ObjectKind};
pub use label_selector::{LabelSelector, Requirement};
pub use meta::{ObjectMeta, OwnerReference};
pub use network_policy::{NetworkPolicy, NetworkPolicySpec, PolicyPeer, PolicyRule};
pub use node::{Namespace, Node, NodeAddress, NodeSpec, NodeStatus};
pub use part::{Ignored, Part};
pub use pod::{
    Container, ContainerPort, ContainerRun, ContainerState, ContainerStatus, HostIp, Phase, Pod, PodCondition, PodIp,
    PodSpec, PodStatus,
};
pub use pod_choice::{LabelHolder, PodChoice, TextTest};
pub use policy_port::{PolicyPort, PortChoice};
pub use reference_grant::{GrantFrom, GrantTo, ReferenceGrant, ReferenceGrantSpec};
pub use route_filter::{Fraction, Header, HeaderModifier, Mirror, PathModifier, Redirect, Rewrite, RouteFilter};
pub use route_parent::ParentRef;
pub use service::{
    ClusterIp, LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus, SpecType,
    TargetPort, TrafficPolicy,
};
pub use store::Objects;
pub use tier_policy::{
    Action, AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy, NamespaceChoice, TierPeer,
    TierPolicySpec, TierRule,
};
pub use tls_route::{TlsRoute, TlsRouteSpec, TlsRule};
pub use workload::Workload;
