//! Whose an address is, from all objects at once.

use std::net::IpAddr;
use std::sync::Arc;

use super::HashMap;
use super::party::Who;
use crate::objects::{Node, Objects, Pod};
use crate::snapshot::bridges;

/// Who has an address: a node, a pod, a node for its bridge. The first one that names it has it.
pub(super) fn holders(objects: &Objects, nodes: &HashMap<Arc<str>, u32>) -> HashMap<IpAddr, Who> {
    let mut holders: HashMap<IpAddr, Who> = HashMap::default();
    for (ip, name) in of_nodes(objects) {
        if let Some(node) = nodes.get(name) {
            holders.entry(ip).or_insert(Who::Node(*node));
        }
    }
    for (ip, pod) in of_pods(objects) {
        holders.entry(ip).or_insert(Who::Pod(pod));
    }
    for (node, object) in objects.nodes().filter_map(|node: &Node| Some((nodes.get(&node.metadata.name)?, node))) {
        for ip in object.pod_cidrs().flat_map(bridges) {
            holders.entry(ip).or_insert(Who::Node(*node));
        }
    }
    holders
}

/// The addresses of nodes, from their own objects first, then as the pods on them name their host. The first one
/// that names an address has it.
pub(super) fn of_nodes(objects: &Objects) -> impl Iterator<Item = (IpAddr, &Arc<str>)> {
    let own = objects.nodes().flat_map(|node| node.ips().map(|ip| (ip, &node.metadata.name)));
    let told = objects.pods().filter(|pod| !pod.is_over()).filter_map(|pod| Some((pod, pod.spec.node_name.as_ref()?)));
    let told = told.flat_map(|(pod, node)| {
        let shared = pod.ips().filter(|_| pod.spec.host_network);
        pod.host_ips().chain(shared).map(move |ip| (ip, node))
    });
    own.chain(told).filter(|(ip, _)| !ip.is_unspecified() && !ip.is_loopback())
}

/// Each pod address, and the position in [`Objects::pods`] of the pod that has it: of two that claim it, the one that
/// started later.
fn of_pods(objects: &Objects) -> impl Iterator<Item = (IpAddr, u32)> {
    let mut addresses: HashMap<IpAddr, (u32, &Pod)> = HashMap::default();
    for (position, pod) in (0..).zip(objects.pods()) {
        if pod.is_over() || pod.spec.host_network {
            continue;
        }
        for ip in pod.ips().filter(|ip| !ip.is_unspecified()) {
            let holder = addresses.entry(ip).or_insert((position, pod));
            if claim(pod) > claim(holder.1) {
                *holder = (position, pod);
            }
        }
    }
    addresses.into_iter().map(|(ip, (position, _))| (ip, position))
}

/// Orders pods that claim one address: the later start, then the one that is not going away.
fn claim(pod: &Pod) -> impl Ord {
    (pod.started(), pod.metadata.deletion_timestamp.is_none())
}
