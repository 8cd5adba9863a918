//! Who really talks on one side of a connection, and which Service was used.

use std::fmt;
use std::sync::Arc;

use crate::flow::names;

/// What an endpoint is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointKind {
    /// A pod with an address of its own.
    Pod,
    /// A node (or a process or hostNetwork pod on it, or traffic it masquerades).
    Node,
    /// A Service's address whose backend is not known.
    Service,
    /// Outside the cluster: every object is known and none has the address.
    External,
    /// No object known here has the address, and not every object is known.
    #[default]
    Unknown,
}

names!(EndpointKind {
    Pod = "pod", Node = "node", Service = "service", External = "external", Unknown = "unknown",
});

/// One side of a connection. Shared behind `Arc`: many flows name the same endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// What it is.
    pub kind: EndpointKind,
    /// Namespace of the pod or Service.
    pub namespace: Option<Arc<str>>,
    /// Name of the pod, node or Service; of an address outside, that of its network where one is configured.
    pub name: Option<Arc<str>>,
    /// Kind of the workload that owns the pod (`Deployment`, `StatefulSet`, ...; `Pod` for one without owner).
    pub workload_kind: Option<Arc<str>>,
    /// Name of that workload.
    pub workload: Option<Arc<str>>,
    /// Node that the pod runs on, or the node itself.
    pub node: Option<Arc<str>>,
    /// Zone of that node.
    pub zone: Option<Arc<str>>,
    /// Chosen labels of the pod, `key=value`, sorted.
    pub labels: Vec<Arc<str>>,
    /// The name that the other side of the connection resolved to this address; only of an address that no object has.
    pub dns_name: Option<Arc<str>>,
}

impl Endpoint {
    /// The pod, where it is one.
    pub fn pod(&self) -> Option<PodRef> {
        match (self.kind, &self.namespace, &self.name) {
            (EndpointKind::Pod, Some(namespace), Some(name)) => {
                Some(PodRef { namespace: Arc::clone(namespace), name: Arc::clone(name) })
            }
            _ => None,
        }
    }
}

/// A pod's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodRef {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// The type of a Service as it was used, from `spec.type` and `spec.clusterIP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceType {
    /// Type `ClusterIP` with an address.
    ClusterIp,
    /// `clusterIP: None`.
    Headless,
    /// Type `NodePort`.
    NodePort,
    /// Type `LoadBalancer`.
    LoadBalancer,
    /// Type `ExternalName`.
    ExternalName,
}

names!(ServiceType {
    ClusterIp = "cluster-ip", Headless = "headless", NodePort = "node-port", LoadBalancer = "load-balancer",
    ExternalName = "external-name",
});

/// How a Service was found, surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceMethod {
    /// The tap saw the ClusterIP and port.
    ClusterIp,
    /// The tap saw a node's address and the node port.
    NodePort,
    /// The tap saw a load balancer's address and port.
    LoadBalancer,
    /// The tap saw one of `spec.externalIPs` and the port.
    ExternalIp,
    /// A node's connection tracking says that such an address and port was dialled.
    Conntrack,
    /// Another leg of the same connection showed it.
    Join,
    /// A gateway dialled the pod, and the rule that it followed leads to this one of the Services that have the pod.
    Route,
    /// The opener's pod had resolved the Service's name to the address that it dialled.
    Dns,
    /// Inferred: the pod and port are endpoints of exactly one Service.
    EndpointSlice,
}

names!(ServiceMethod {
    ClusterIp = "cluster-ip", NodePort = "node-port", LoadBalancer = "load-balancer", ExternalIp = "external-ip",
    Conntrack = "conntrack", Join = "join", Route = "route", Dns = "dns", EndpointSlice = "endpoint-slice",
});

/// A Service and its port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceRef {
    /// Namespace.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Type.
    pub service_type: ServiceType,
    /// Name of the Service port; `None` for an unnamed single port.
    pub port_name: Option<Arc<str>>,
}

impl ServiceMethod {
    /// Whether the tap itself saw the address that was dialled.
    pub const fn is_seen(self) -> bool {
        matches!(self, Self::ClusterIp | Self::NodePort | Self::LoadBalancer | Self::ExternalIp)
    }
}

/// What is known about the Service that a connection used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Service {
    /// The Service, where it is known which.
    pub used: Option<ServiceRef>,
    /// How it was found; `None` without `used`.
    pub method: Option<ServiceMethod>,
    /// The Services it may have been, `namespace/name`, sorted, where there is no telling (or none was used at all).
    pub candidates: Vec<Arc<str>>,
}
