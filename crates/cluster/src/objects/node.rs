//! Namespaces and Nodes.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::field::{self, Address};
use super::meta::ObjectMeta;

/// A Namespace; its labels are its metadata's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Namespace {
    /// Name and labels.
    pub metadata: ObjectMeta,
}

/// A Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Node {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: NodeSpec,
    /// The status.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub status: NodeStatus,
}

/// `spec` of a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct NodeSpec {
    /// The range that pods of the node get addresses from.
    #[serde(default, rename = "podCIDR", with = "field::cidr", skip_serializing_if = "field::is_default")]
    pub pod_cidr: Option<IpNet>,
    /// The same, one for each address family.
    #[serde(default, rename = "podCIDRs", with = "field::cidrs", skip_serializing_if = "field::is_default")]
    pub pod_cidrs: Vec<IpNet>,
}

/// `status` of a Node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct NodeStatus {
    /// Addresses and names.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub addresses: Vec<NodeAddress>,
}

/// One address of a Node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct NodeAddress {
    /// The address or name.
    pub address: Address,
}

impl Node {
    /// The zone, from its well-known label or the one before Kubernetes 1.17.
    pub fn zone(&self) -> Option<&Arc<str>> {
        let labels = &self.metadata.labels;
        labels.get("topology.kubernetes.io/zone").or_else(|| labels.get("failure-domain.beta.kubernetes.io/zone"))
    }

    /// Its IP addresses, of whatever type.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        self.status.addresses.iter().filter_map(|address| address.address.ip())
    }

    /// The ranges of its pods.
    pub fn pod_cidrs(&self) -> impl Iterator<Item = IpNet> {
        let single = self.spec.pod_cidr.filter(|cidr| !self.spec.pod_cidrs.contains(cidr));
        self.spec.pod_cidrs.iter().copied().chain(single)
    }
}
