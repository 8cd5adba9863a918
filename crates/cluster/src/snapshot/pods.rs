//! Pods that have addresses of their own, by position, name and node.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, PodRef};

use super::{HashMap, HashSet, SnapshotOptions, owner};
use crate::objects::{Objects, Pod};

/// A pod that has addresses of its own.
///
/// Pods of the host's network are none, nor are pods that are over or have no address yet. Where two pods claim one
/// address, the one that started later has it; a pod that lost all its addresses so is not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEntry {
    /// Namespace and name.
    pub pod: PodRef,
    /// Its addresses.
    pub ips: Vec<IpAddr>,
    /// The node it is bound to.
    pub node: Option<Arc<str>>,
    /// The pod as an endpoint.
    pub endpoint: Arc<Endpoint>,
}

#[derive(Debug)]
pub(super) struct Pods {
    entries: Vec<PodEntry>,
    by_name: HashMap<PodRef, u32>,
    by_node: HashMap<Arc<str>, Vec<u32>>,
}

impl Pods {
    pub(super) fn build(objects: &Objects, options: &SnapshotOptions) -> Self {
        let zones: HashMap<&str, &Arc<str>> =
            objects.nodes().filter_map(|node| Some((&*node.metadata.name, node.zone()?))).collect();
        let addresses = won(objects);
        let mut pods = Self { entries: Vec::new(), by_name: HashMap::default(), by_node: HashMap::default() };
        for (position, pod) in objects.pods().enumerate() {
            let mut ips: Vec<IpAddr> = pod.ips().filter(|ip| addresses.get(ip) == Some(&position)).collect();
            ips.sort_unstable();
            if ips.is_empty() {
                continue;
            }
            let zone = pod.spec.node_name.as_ref().and_then(|node| zones.get(&**node));
            let endpoint = endpoint(objects, pod, zone.copied(), &options.labels);
            let name = PodRef { namespace: Arc::clone(&pod.metadata.namespace), name: Arc::clone(&pod.metadata.name) };
            let index = pods.entries.len() as u32;
            pods.by_name.insert(name.clone(), index);
            if let Some(node) = &pod.spec.node_name {
                pods.by_node.entry(Arc::clone(node)).or_default().push(index);
            }
            let node = pod.spec.node_name.clone();
            pods.entries.push(PodEntry { pod: name, ips, node, endpoint: Arc::new(endpoint) });
        }
        pods
    }

    pub(super) fn get(&self, index: u32) -> Option<&PodEntry> {
        self.entries.get(index as usize)
    }

    pub(super) fn named(&self, pod: &PodRef) -> Option<&PodEntry> {
        self.by_name.get(pod).and_then(|index| self.get(*index))
    }

    pub(super) fn on(&self, node: &str) -> impl Iterator<Item = &PodEntry> {
        self.by_node.get(node).into_iter().flatten().filter_map(|index| self.get(*index))
    }

    /// Every address, and the pod that has it with its position.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (IpAddr, u32, &PodEntry)> {
        (0..).zip(&self.entries).flat_map(|(index, entry)| entry.ips.iter().map(move |ip| (*ip, index, entry)))
    }
}

/// For each pod address, the position in [`Objects::pods`] of the pod that has it.
pub(crate) fn won(objects: &Objects) -> HashMap<IpAddr, usize> {
    let nodes: HashSet<IpAddr> = super::addresses::of_nodes(objects).map(|(ip, _)| ip).collect();
    let mut addresses: HashMap<IpAddr, (usize, &Pod)> = HashMap::default();
    for (position, pod) in objects.pods().enumerate() {
        if pod.is_over() || pod.spec.host_network {
            continue;
        }
        for ip in pod.ips().filter(|ip| !nodes.contains(ip) && !ip.is_unspecified()) {
            let holder = addresses.entry(ip).or_insert((position, pod));
            if claim(pod) > claim(holder.1) {
                *holder = (position, pod);
            }
        }
    }
    addresses.into_iter().map(|(ip, (position, _))| (ip, position)).collect()
}

/// Orders pods that claim one address: the later start, then the one that is not going away.
fn claim(pod: &Pod) -> impl Ord {
    (pod.started(), pod.metadata.deletion_timestamp.is_none())
}

fn endpoint(objects: &Objects, pod: &Pod, zone: Option<&Arc<str>>, labels: &[String]) -> Endpoint {
    let (workload_kind, workload) = owner::workload(objects, pod);
    let chosen = labels.iter().filter_map(|label| pod.metadata.labels.get_key_value(&**label));
    let mut labels: Vec<Arc<str>> = chosen.map(|(key, value)| Arc::from(format!("{key}={value}"))).collect();
    labels.sort();
    labels.dedup();
    Endpoint {
        kind: EndpointKind::Pod,
        namespace: Some(Arc::clone(&pod.metadata.namespace)),
        name: Some(Arc::clone(&pod.metadata.name)),
        workload_kind: Some(workload_kind),
        workload: Some(workload),
        node: pod.spec.node_name.clone(),
        zone: zone.cloned(),
        labels,
    }
}
