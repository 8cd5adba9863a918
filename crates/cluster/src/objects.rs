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
mod label_selector;
mod meta;
mod network_policy;
mod node;
mod pod;
mod policy_port;
mod reference_grant;
mod route_filter;
mod route_parent;
mod service;
mod tier_policy;
mod tier_rule;
mod tls_route;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

pub use backend_ref::BackendRef;
pub use draft::Fault;
pub use endpoint_slice::{AddressType, Conditions, EndpointSlice, ObjectReference, SliceEndpoint, SlicePort};
pub use field::Address;
pub use foreign_policy::{ForeignPolicy, ForeignSubject};
pub use gateway::{
    AllowedKind, AllowedNamespaces, AllowedRoutes, Gateway, GatewayClass, GatewayClassSpec, GatewaySpec, Listener,
    ListenerTls, SecretRef,
};
pub use grpc_route::{GrpcMatch, GrpcMethodMatch, GrpcRoute, GrpcRouteSpec, GrpcRule};
pub use http_route::{HttpMatch, HttpPathMatch, HttpRoute, HttpRouteSpec, HttpRule, ValueMatch};
pub use ingress::{
    Ingress, IngressBackend, IngressClass, IngressClassSpec, IngressHttp, IngressPath, IngressPort, IngressResource,
    IngressRule, IngressService, IngressSpec, IngressTls,
};
pub use label_selector::{LabelSelector, Requirement};
pub use meta::{ObjectMeta, OwnerReference};
pub use network_policy::{NetworkPolicy, NetworkPolicySpec, PolicyPeer, PolicyRule};
pub use node::{Namespace, Node, NodeAddress, NodeSpec, NodeStatus};
pub use pod::{
    Container, ContainerPort, ContainerRun, ContainerState, ContainerStatus, HostIp, Phase, Pod, PodCondition, PodIp,
    PodSpec, PodStatus,
};
pub use policy_port::{PolicyPort, PortChoice};
pub use reference_grant::{GrantFrom, GrantTo, ReferenceGrant, ReferenceGrantSpec};
pub use route_filter::{Fraction, Header, HeaderModifier, Mirror, PathModifier, Redirect, Rewrite, RouteFilter};
pub use route_parent::ParentRef;
pub use service::{
    ClusterIp, LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus, SpecType,
    TargetPort, TrafficPolicy,
};
pub use tier_policy::{
    Action, AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy, NamespaceChoice, TierPeer,
    TierPolicySpec, TierRule,
};
pub use tls_route::{TlsRoute, TlsRouteSpec, TlsRule};

/// Metadata of an object that owns pods, directly or through another. Its specification says nothing about flows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Workload {
    /// Name, labels and owners.
    pub metadata: ObjectMeta,
}

/// The name of a kind: that of its variant, unless it has another one.
macro_rules! name_of {
    ($kind:ident) => {
        stringify!($kind)
    };
    ($kind:ident $name:literal) => {
        $name
    };
}

/// Declares the kinds: `Variant(Type) = group/version | others of the same shape, scope, name where it is not the
/// variant's;`.
macro_rules! kinds {
    ($($kind:ident($type:ty) = $api_version:literal $(| $older:literal)*, $namespaced:literal $(, $name:literal)?;)+) => {
        /// The kinds of objects that are kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ObjectKind { $(
            #[doc = concat!("`", name_of!($kind $($name)?), "` of `", $api_version, "`.")]
            $kind,
        )+ }

        impl ObjectKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The name as in `kind:`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => name_of!($kind $($name)?)),+ }
            }

            /// Group and version as in `apiVersion:`.
            pub const fn api_version(self) -> &'static str {
                match self { $(Self::$kind => $api_version),+ }
            }

            /// Groups and versions whose objects are read alike, the one of [`ObjectKind::api_version`] first.
            pub const fn api_versions(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$api_version $(, $older)*]),+ }
            }

            /// Whether objects of this kind live in a namespace.
            pub const fn is_namespaced(self) -> bool {
                match self { $(Self::$kind => $namespaced),+ }
            }

            /// Reads one object of this kind; unknown fields are passed over.
            pub fn read<'de, D: Deserializer<'de>>(self, from: D) -> Result<Object, D::Error> {
                match self { $(Self::$kind => <$type>::deserialize(from).map(|object| Object::$kind(Box::new(object)))),+ }
            }
        }

        /// One object.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Object { $(
            #[doc = concat!("A `", stringify!($kind), "`.")]
            $kind(Box<$type>),
        )+ }

        impl Object {
            /// The kind.
            pub const fn kind(&self) -> ObjectKind {
                match self { $(Self::$kind(_) => ObjectKind::$kind),+ }
            }

            /// Namespace, name, labels and owners.
            pub const fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.metadata),+ }
            }

            const fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$kind(object) => &mut object.metadata),+ }
            }
        }
    };
}

kinds! {
    Namespace(Namespace) = "v1", false;
    Node(Node) = "v1", false;
    Pod(Pod) = "v1", true;
    ReplicaSet(Workload) = "apps/v1", true;
    Deployment(Workload) = "apps/v1", true;
    StatefulSet(Workload) = "apps/v1", true;
    DaemonSet(Workload) = "apps/v1", true;
    Job(Workload) = "batch/v1", true;
    CronJob(Workload) = "batch/v1", true;
    Service(Service) = "v1", true;
    EndpointSlice(EndpointSlice) = "discovery.k8s.io/v1", true;
    Ingress(Ingress) = "networking.k8s.io/v1", true;
    IngressClass(IngressClass) = "networking.k8s.io/v1" | "networking.k8s.io/v1beta1", false;
    GatewayClass(GatewayClass) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1", false;
    Gateway(Gateway) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1", true;
    HTTPRoute(HttpRoute) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1", true;
    GRPCRoute(GrpcRoute) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1alpha2", true;
    TLSRoute(TlsRoute) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1alpha3"
        | "gateway.networking.k8s.io/v1alpha2", true;
    ReferenceGrant(ReferenceGrant) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1"
        | "gateway.networking.k8s.io/v1alpha2", true;
    NetworkPolicy(NetworkPolicy) = "networking.k8s.io/v1", true;
    AdminNetworkPolicy(AdminNetworkPolicy) = "policy.networking.k8s.io/v1alpha1", false;
    BaselineAdminNetworkPolicy(BaselineAdminNetworkPolicy) = "policy.networking.k8s.io/v1alpha1", false;
    ClusterNetworkPolicy(ClusterNetworkPolicy) = "policy.networking.k8s.io/v1alpha2", false;
    CalicoNetworkPolicy(ForeignPolicy) = "projectcalico.org/v3", true, "NetworkPolicy";
    CalicoGlobalNetworkPolicy(ForeignPolicy) = "projectcalico.org/v3", false, "GlobalNetworkPolicy";
    CalicoStoredNetworkPolicy(ForeignPolicy) = "crd.projectcalico.org/v1", true, "NetworkPolicy";
    CalicoStoredGlobalNetworkPolicy(ForeignPolicy) = "crd.projectcalico.org/v1", false, "GlobalNetworkPolicy";
    CiliumNetworkPolicy(ForeignPolicy) = "cilium.io/v2", true;
    CiliumClusterwideNetworkPolicy(ForeignPolicy) = "cilium.io/v2", false;
    AntreaNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1beta1", true, "NetworkPolicy";
    AntreaClusterNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1beta1", false, "ClusterNetworkPolicy";
    AntreaAlphaNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1alpha1", true, "NetworkPolicy";
    AntreaAlphaClusterNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1alpha1", false, "ClusterNetworkPolicy";
}

impl ObjectKind {
    /// Whether its objects say which connections may be opened.
    pub const fn is_policy(self) -> bool {
        matches!(
            self,
            Self::NetworkPolicy
                | Self::AdminNetworkPolicy
                | Self::BaselineAdminNetworkPolicy
                | Self::ClusterNetworkPolicy
                | Self::CalicoNetworkPolicy
                | Self::CalicoGlobalNetworkPolicy
                | Self::CalicoStoredNetworkPolicy
                | Self::CalicoStoredGlobalNetworkPolicy
                | Self::CiliumNetworkPolicy
                | Self::CiliumClusterwideNetworkPolicy
                | Self::AntreaNetworkPolicy
                | Self::AntreaClusterNetworkPolicy
                | Self::AntreaAlphaNetworkPolicy
                | Self::AntreaAlphaClusterNetworkPolicy
        )
    }

    /// The kind called `kind` in `api_version`, where it is one that is kept.
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.name() == kind && k.api_versions().contains(&api_version))
    }

    /// Whether objects of this kind only say where requests go. One that cannot be read is left out, not a failure:
    /// it says nothing about who has an address.
    pub const fn is_routing(self) -> bool {
        use ObjectKind::{
            GRPCRoute, Gateway, GatewayClass, HTTPRoute, Ingress, IngressClass, ReferenceGrant, TLSRoute,
        };
        matches!(
            self,
            Ingress | IngressClass | GatewayClass | Gateway | HTTPRoute | GRPCRoute | TLSRoute | ReferenceGrant
        )
    }

    /// Reads one object of this kind from its JSON text.
    pub fn read_json(self, text: &str) -> Result<Object, serde_json::Error> {
        self.read(&mut serde_json::Deserializer::from_str(text))
    }
}

/// What an object is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: ObjectKind,
    /// The namespace; empty for kinds without one.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The key of an object of `kind` in `api_version`, where that is a kind that is kept.
    pub fn find(api_version: &str, kind: &str, namespace: &Arc<str>, name: &Arc<str>) -> Option<Self> {
        let kind = ObjectKind::find(api_version, kind)?;
        Some(Self { kind, namespace: Arc::clone(namespace), name: Arc::clone(name) })
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

impl Object {
    /// What is wrong with it and has no effect. Only policies can be read in spite of faults.
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::NetworkPolicy(policy) => &policy.faults,
            Self::AdminNetworkPolicy(policy) => &policy.faults,
            Self::BaselineAdminNetworkPolicy(policy) => &policy.faults,
            Self::ClusterNetworkPolicy(policy) => &policy.faults,
            _ => &[],
        }
    }

    /// The policy, where it is one of a kind that only some CNI knows.
    pub fn foreign_policy(&self) -> Option<&ForeignPolicy> {
        match self {
            Self::CalicoNetworkPolicy(policy)
            | Self::CalicoGlobalNetworkPolicy(policy)
            | Self::CalicoStoredNetworkPolicy(policy)
            | Self::CalicoStoredGlobalNetworkPolicy(policy)
            | Self::CiliumNetworkPolicy(policy)
            | Self::CiliumClusterwideNetworkPolicy(policy)
            | Self::AntreaNetworkPolicy(policy)
            | Self::AntreaClusterNetworkPolicy(policy)
            | Self::AntreaAlphaNetworkPolicy(policy)
            | Self::AntreaAlphaClusterNetworkPolicy(policy) => Some(policy),
            _ => None,
        }
    }

    /// The key. An object of a namespaced kind that names no namespace is in `default`, as for `kubectl`.
    pub fn key(&self) -> ObjectKey {
        let (kind, metadata) = (self.kind(), self.metadata());
        let namespace = match (kind.is_namespaced(), &*metadata.namespace) {
            (false, _) => Arc::from(""),
            (true, "") => Arc::from("default"),
            (true, _) => Arc::clone(&metadata.namespace),
        };
        ObjectKey { kind, namespace, name: Arc::clone(&metadata.name) }
    }
}

/// All objects that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    objects: BTreeMap<ObjectKey, Object>,
}

impl Objects {
    /// Adds an object and returns the one it takes the place of. Its namespace becomes that of [`Object::key`].
    pub fn insert(&mut self, mut object: Object) -> Option<Object> {
        let key = object.key();
        object.metadata_mut().namespace = Arc::clone(&key.namespace);
        self.objects.insert(key, object)
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Object> {
        self.objects.remove(key)
    }

    /// Puts `objects` in the place of all objects of `kind`: what a watcher does after it listed anew. Objects of
    /// other kinds among them are added as by [`Objects::insert`].
    pub fn replace(&mut self, kind: ObjectKind, objects: impl IntoIterator<Item = Object>) {
        self.objects.retain(|key, _| key.kind != kind);
        for object in objects {
            self.insert(object);
        }
    }

    /// The object with this key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Every object, by kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        self.objects.iter()
    }

    /// Every policy, those of foreign kinds among them, by kind, namespace and name.
    pub fn policies(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        ObjectKind::ALL.iter().filter(|kind| kind.is_policy()).flat_map(|kind| self.keyed(*kind))
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    fn of(&self, kind: ObjectKind) -> impl Iterator<Item = &Object> {
        self.keyed(kind).map(|(_, object)| object)
    }

    fn keyed(&self, kind: ObjectKind) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        let first = ObjectKey { kind, namespace: Arc::from(""), name: Arc::from("") };
        self.objects.range(first..).take_while(move |(key, _)| key.kind == kind)
    }
}

/// Declares the readers of one kind each.
macro_rules! readers {
    ($($reader:ident: $kind:ident($type:ty), $doc:literal;)+) => {
        impl Objects { $(
            #[doc = $doc]
            pub fn $reader(&self) -> impl Iterator<Item = &$type> {
                self.of(ObjectKind::$kind).filter_map(|object| match object {
                    Object::$kind(object) => Some(&**object),
                    _ => None,
                })
            }
        )+ }
    };
}

readers! {
    namespaces: Namespace(Namespace), "All Namespaces, by name.";
    nodes: Node(Node), "All Nodes, by name.";
    pods: Pod(Pod), "All Pods, by namespace and name.";
    services: Service(Service), "All Services, by namespace and name.";
    endpoint_slices: EndpointSlice(EndpointSlice), "All EndpointSlices, by namespace and name.";
    ingresses: Ingress(Ingress), "All Ingresses, by namespace and name.";
    ingress_classes: IngressClass(IngressClass), "All IngressClasses, by name.";
    gateway_classes: GatewayClass(GatewayClass), "All GatewayClasses, by name.";
    gateways: Gateway(Gateway), "All Gateways, by namespace and name.";
    http_routes: HTTPRoute(HttpRoute), "All HTTPRoutes, by namespace and name.";
    grpc_routes: GRPCRoute(GrpcRoute), "All GRPCRoutes, by namespace and name.";
    tls_routes: TLSRoute(TlsRoute), "All TLSRoutes, by namespace and name.";
    reference_grants: ReferenceGrant(ReferenceGrant), "All ReferenceGrants, by namespace and name.";
    network_policies: NetworkPolicy(NetworkPolicy), "All `NetworkPolicies`, by namespace and name.";
    admin_network_policies: AdminNetworkPolicy(AdminNetworkPolicy), "All `AdminNetworkPolicies`, by name.";
    baseline_admin_network_policies: BaselineAdminNetworkPolicy(BaselineAdminNetworkPolicy), "All `BaselineAdminNetworkPolicies`, by name.";
    cluster_network_policies: ClusterNetworkPolicy(ClusterNetworkPolicy), "All `ClusterNetworkPolicies`, by name.";
}
