//! Who has an address: a node, a pod or a Service; and what an address is that nobody has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixSet;
use weir_model::{Endpoint, EndpointKind};

use super::pods::Pods;
use super::services::Services;
use super::socket::Ip;
use super::{HashMap, SnapshotOptions};
use crate::objects::{Node, Objects};

/// Who has an address.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) kind: HolderKind,
    pub(super) endpoint: Arc<Endpoint>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HolderKind {
    /// A node, for itself, for its pods of the host's network or for its bridge.
    Node,
    /// The pod at this position.
    Pod(u32),
    /// A Service, at whatever port.
    Service,
}

#[derive(Debug)]
pub(super) struct Addresses {
    holders: HashMap<Ip, Holder>,
    pod_cidrs_v4: PrefixSet<Ipv4Net>,
    pod_cidrs_v6: PrefixSet<Ipv6Net>,
    partial: bool,
    external: Arc<Endpoint>,
    unknown: Arc<Endpoint>,
}

impl Addresses {
    pub(super) fn build(objects: &Objects, options: &SnapshotOptions, pods: &Pods, services: &Services) -> Self {
        let of_kind = |kind| Arc::new(Endpoint { kind, ..Endpoint::default() });
        let mut addresses = Self {
            holders: HashMap::default(),
            pod_cidrs_v4: PrefixSet::new(),
            pod_cidrs_v6: PrefixSet::new(),
            partial: options.partial,
            external: of_kind(EndpointKind::External),
            unknown: of_kind(EndpointKind::Unknown),
        };
        // Later ones never take an address from earlier ones.
        let known: HashMap<&str, &Node> = objects.nodes().map(|node| (&*node.metadata.name, node)).collect();
        let mut nodes: HashMap<Arc<str>, Arc<Endpoint>> = HashMap::default();
        for (ip, name) in of_nodes(objects) {
            let node = || Arc::new(node_endpoint(name, known.get(&**name).copied()));
            let endpoint = nodes.entry(Arc::clone(name)).or_insert_with(node);
            addresses.hold(ip, HolderKind::Node, endpoint);
        }
        for (ip, position, pod) in pods.addresses() {
            addresses.hold(ip, HolderKind::Pod(position), &pod.endpoint);
        }
        for (ip, endpoint) in services.addresses() {
            addresses.hold(*ip, HolderKind::Service, endpoint);
        }
        for node in objects.nodes() {
            let name = &node.metadata.name;
            let endpoint = nodes.entry(Arc::clone(name)).or_insert_with(|| Arc::new(node_endpoint(name, Some(node))));
            for cidr in node.pod_cidrs() {
                for ip in bridges(cidr) {
                    addresses.hold(ip, HolderKind::Node, endpoint);
                }
                match cidr {
                    IpNet::V4(cidr) => addresses.pod_cidrs_v4.insert(cidr),
                    IpNet::V6(cidr) => addresses.pod_cidrs_v6.insert(cidr),
                };
            }
        }
        addresses
    }

    /// Gives an address to who asks first.
    fn hold(&mut self, ip: IpAddr, kind: HolderKind, endpoint: &Arc<Endpoint>) {
        self.holders.entry(ip.into()).or_insert_with(|| Holder { kind, endpoint: Arc::clone(endpoint) });
    }

    /// Who has an address.
    pub(super) fn holder(&self, ip: IpAddr) -> Option<&Holder> {
        self.holders.get(&Ip::from(ip))
    }

    /// What an address is that nobody has.
    pub(super) fn elsewhere(&self, ip: IpAddr) -> &Arc<Endpoint> {
        let known = match ip.to_canonical() {
            IpAddr::V4(v4) => leaves_the_link_v4(v4) && self.pod_cidrs_v4.get_lpm(&Ipv4Net::from(v4)).is_none(),
            IpAddr::V6(v6) => leaves_the_link_v6(v6) && self.pod_cidrs_v6.get_lpm(&Ipv6Net::from(v6)).is_none(),
        };
        if known && !self.partial { &self.external } else { &self.unknown }
    }

    /// Whether not every object was known.
    pub(super) const fn is_partial(&self) -> bool {
        self.partial
    }
}

const fn leaves_the_link_v4(ip: Ipv4Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast())
}

const fn leaves_the_link_v6(ip: Ipv6Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast())
}

/// The addresses of nodes, from their own objects first, then as the pods on them name their host. The first one
/// that names an address has it.
pub(crate) fn of_nodes(objects: &Objects) -> impl Iterator<Item = (IpAddr, &Arc<str>)> {
    let own = objects.nodes().flat_map(|node| node.ips().map(|ip| (ip, &node.metadata.name)));
    let told = objects.pods().filter(|pod| !pod.is_over()).filter_map(|pod| Some((pod, pod.spec.node_name.as_ref()?)));
    let told = told.flat_map(|(pod, node)| {
        let shared = pod.ips().filter(|_| pod.spec.host_network);
        pod.host_ips().chain(shared).map(move |ip| (ip, node))
    });
    own.chain(told).filter(|(ip, _)| !ip.is_unspecified() && !ip.is_loopback())
}

/// The addresses of a node's bridge or tunnel device: the network address of its pods' range, and the one after. A range
/// of one address has none.
pub(crate) fn bridges(cidr: IpNet) -> impl Iterator<Item = IpAddr> {
    let network = cidr.network();
    let after = match network {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4).saturating_add(1))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6).saturating_add(1))),
    };
    [network, after].into_iter().filter(move |_| cidr.prefix_len() < cidr.max_prefix_len())
}

fn node_endpoint(name: &Arc<str>, node: Option<&Node>) -> Endpoint {
    Endpoint {
        kind: EndpointKind::Node,
        name: Some(Arc::clone(name)),
        node: Some(Arc::clone(name)),
        zone: node.and_then(Node::zone).cloned(),
        ..Endpoint::default()
    }
}
