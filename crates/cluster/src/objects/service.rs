//! Services: their addresses, ports and types.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weir_model::{Protocol, ServiceMethod, ServiceType};

use super::field;
use super::meta::ObjectMeta;

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Service {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: ServiceSpec,
    /// The status.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub status: ServiceStatus,
}

/// `spec` of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// The type.
    #[serde(default, rename = "type", deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec_type: SpecType,
    /// The main cluster address.
    #[serde(
        default,
        rename = "clusterIP",
        deserialize_with = "field::nullable",
        skip_serializing_if = "field::is_default"
    )]
    pub cluster_ip: ClusterIp,
    /// All cluster addresses, at most one for each family.
    #[serde(
        default,
        rename = "clusterIPs",
        deserialize_with = "field::nullable",
        skip_serializing_if = "field::is_default"
    )]
    pub cluster_ips: Vec<ClusterIp>,
    /// Ports.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub ports: Vec<ServicePort>,
    /// Addresses that every node takes traffic for.
    #[serde(
        default,
        rename = "externalIPs",
        deserialize_with = "field::ips",
        skip_serializing_if = "field::is_default"
    )]
    pub external_ips: Vec<IpAddr>,
    /// Where traffic from outside may go.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub external_traffic_policy: TrafficPolicy,
    /// Where traffic from inside may go.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub internal_traffic_policy: TrafficPolicy,
    /// Labels of its pods; empty = its EndpointSlices are made by hand.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub selector: BTreeMap<Arc<str>, Arc<str>>,
    /// The name that an `ExternalName` Service stands for.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub external_name: Option<Arc<str>>,
}

/// `spec.type` of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum SpecType {
    /// A cluster address, or none (headless).
    #[default]
    ClusterIP,
    /// Also a port on every node.
    NodePort,
    /// Also addresses of a load balancer.
    LoadBalancer,
    /// A DNS alias, no addresses.
    ExternalName,
}

/// A cluster address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClusterIp {
    /// Not given (yet).
    #[default]
    Unassigned,
    /// `None`: headless.
    Headless,
    /// An address.
    Ip(IpAddr),
}

impl<'de> Deserialize<'de> for ClusterIp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match &*field::text(from)? {
            "" => Ok(Self::Unassigned),
            "None" => Ok(Self::Headless),
            text => field::parse_ip(text).map(Self::Ip),
        }
    }
}

impl Serialize for ClusterIp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unassigned => to.serialize_str(""),
            Self::Headless => to.serialize_str("None"),
            Self::Ip(ip) => to.collect_str(ip),
        }
    }
}

/// Which endpoints traffic may go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum TrafficPolicy {
    /// All of them.
    #[default]
    Cluster,
    /// Those of the node where the traffic is.
    Local,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// The name; `None` only where it is the only port.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub name: Option<Arc<str>>,
    /// The protocol.
    #[serde(default = "field::tcp", with = "field::protocol")]
    pub protocol: Protocol,
    /// The port at the Service's addresses.
    pub port: u16,
    /// What the port is at the pods. EndpointSlices hold the number for each pod; this is not resolved.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub target_port: Option<TargetPort>,
    /// The port on every node.
    #[serde(default, deserialize_with = "field::port", skip_serializing_if = "field::is_default")]
    pub node_port: Option<u16>,
}

/// A port number, or the name of a container's port.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum TargetPort {
    /// The number.
    Number(u16),
    /// The name.
    Name(Arc<str>),
}

/// `status` of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// The load balancer's.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub load_balancer: LoadBalancerStatus,
}

/// `status.loadBalancer` of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct LoadBalancerStatus {
    /// Its addresses.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub ingress: Vec<LoadBalancerIngress>,
}

/// An address or name of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerIngress {
    /// The address.
    #[serde(default, deserialize_with = "field::ip", skip_serializing_if = "field::is_default")]
    pub ip: Option<IpAddr>,
    /// The name, where the load balancer has no address of its own. It is not resolved.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub hostname: Option<Arc<str>>,
    /// `VIP` (nodes take traffic for the address) or `Proxy` (traffic passes the load balancer).
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub ip_mode: Option<Box<str>>,
}

impl Service {
    /// The type as flows know it.
    pub fn service_type(&self) -> ServiceType {
        match self.spec.spec_type {
            SpecType::ExternalName => ServiceType::ExternalName,
            SpecType::NodePort => ServiceType::NodePort,
            SpecType::LoadBalancer => ServiceType::LoadBalancer,
            SpecType::ClusterIP if self.is_headless() => ServiceType::Headless,
            SpecType::ClusterIP => ServiceType::ClusterIp,
        }
    }

    fn is_headless(&self) -> bool {
        self.spec.cluster_ip == ClusterIp::Headless || self.spec.cluster_ips.contains(&ClusterIp::Headless)
    }

    /// Its cluster addresses, each once; none for `ExternalName`.
    pub fn cluster_ips(&self) -> impl Iterator<Item = IpAddr> {
        let single = Some(self.spec.cluster_ip).filter(|ip| !self.spec.cluster_ips.contains(ip));
        let named = self.spec.spec_type != SpecType::ExternalName;
        self.spec.cluster_ips.iter().copied().chain(single).filter(move |_| named).filter_map(|ip| match ip {
            ClusterIp::Ip(ip) => Some(ip),
            ClusterIp::Headless | ClusterIp::Unassigned => None,
        })
    }

    /// The addresses of its load balancer; none for other types.
    pub fn load_balancer_ips(&self) -> impl Iterator<Item = IpAddr> {
        let named = self.spec.spec_type == SpecType::LoadBalancer;
        self.status.load_balancer.ingress.iter().filter(move |_| named).filter_map(|ingress| ingress.ip)
    }

    /// Addresses that every node takes its traffic for; none for `ExternalName`.
    pub fn external_ips(&self) -> impl Iterator<Item = IpAddr> {
        let named = self.spec.spec_type != SpecType::ExternalName;
        self.spec.external_ips.iter().copied().filter(move |_| named)
    }

    /// Whether traffic that came by such an address only goes to endpoints of the node that takes it.
    pub fn is_local_only(&self, method: ServiceMethod) -> bool {
        let policy = match method {
            ServiceMethod::ClusterIp => self.spec.internal_traffic_policy,
            _ => self.spec.external_traffic_policy,
        };
        policy == TrafficPolicy::Local
    }

    /// Whether the node ports of its ports count.
    pub const fn has_node_ports(&self) -> bool {
        matches!(self.spec.spec_type, SpecType::NodePort | SpecType::LoadBalancer)
    }
}
