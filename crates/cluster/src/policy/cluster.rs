//! The cluster as policies see it: pods, namespaces and nodes by position, with their labels, addresses and ports.
//!
//! A namespace exists where an object names it; a node too. Nothing here knows a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use super::addresses::{holders, of_nodes};
use super::bits::Bits;
use super::labels::LabelIndex;
use super::ranges::{NamedPort, PortNames};
use super::{HashMap, party::Who};
use crate::objects::{LabelHolder, LabelSelector, Objects, Pod, PodChoice};

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) pods: Vec<PodFacts>,
    pub(super) nodes: Vec<Box<[IpAddr]>>,
    /// The labels of each namespace, `kubernetes.io/metadata.name` among them.
    pub(super) namespace_labels: Vec<BTreeMap<Arc<str>, Arc<str>>>,
    pub(super) port_names: PortNames,
    pod_index: LabelIndex,
    namespace_index: LabelIndex,
    node_index: LabelIndex,
    pod_names: HashMap<Arc<str>, HashMap<Arc<str>, u32>>,
    namespace_names: HashMap<Arc<str>, u32>,
    node_names: HashMap<Arc<str>, u32>,
    addresses: HashMap<IpAddr, Who>,
    /// The positions of the pods of each namespace.
    spans: Vec<Range<u32>>,
    /// The pods that policies can select: all but those of the host's network.
    selectable: Bits,
}

/// What policies ask of a pod.
#[derive(Debug)]
pub(super) struct PodFacts {
    pub(super) namespace: u32,
    pub(super) node: Option<u32>,
    pub(super) is_host_network: bool,
    pub(super) ips: Box<[IpAddr]>,
    /// Its named ports.
    pub(super) named: Box<[NamedPort]>,
}

impl Cluster {
    pub(super) fn build(objects: &Objects) -> Self {
        let (namespace_names, namespace_labels) = namespaces(objects);
        let node_names = nodes(objects);
        let mut port_names = PortNames::default();
        let pods: Vec<PodFacts> =
            objects.pods().map(|pod| facts(pod, &namespace_names, &node_names, &mut port_names)).collect();
        let mut selectable = Bits::none(pods.len());
        let mut spans = vec![0..0; namespace_labels.len()];
        let mut pod_names: HashMap<Arc<str>, HashMap<Arc<str>, u32>> = HashMap::default();
        for ((position, facts), pod) in (0..).zip(&pods).zip(objects.pods()) {
            if !facts.is_host_network {
                selectable.insert(position);
            }
            if let Some(span) = spans.get_mut(facts.namespace as usize) {
                // Pods come by namespace.
                *span = if span.start == span.end { position..position + 1 } else { span.start..position + 1 };
            }
            let metadata = &pod.metadata;
            let names = pod_names.entry(Arc::clone(&metadata.namespace)).or_default();
            names.insert(Arc::clone(&metadata.name), position);
        }
        let mut node_ips: Vec<Vec<IpAddr>> = vec![Vec::new(); node_names.len()];
        for (ip, name) in of_nodes(objects) {
            let ips = node_names.get(name).and_then(|node| node_ips.get_mut(*node as usize));
            if let Some(ips) = ips.filter(|ips| !ips.contains(&ip)) {
                ips.push(ip);
            }
        }
        let no_labels = BTreeMap::new();
        let mut node_labels = vec![&no_labels; node_names.len()];
        for node in objects.nodes() {
            let position = node_names.get(&node.metadata.name);
            if let Some(labels) = position.and_then(|position| node_labels.get_mut(*position as usize)) {
                *labels = &node.metadata.labels;
            }
        }
        Self {
            addresses: holders(objects, &node_names),
            pod_index: LabelIndex::build(objects.pods().map(|pod| &pod.metadata.labels)),
            namespace_index: LabelIndex::build(namespace_labels.iter()),
            node_index: LabelIndex::build(node_labels.into_iter()),
            pods,
            nodes: node_ips.into_iter().map(Vec::into_boxed_slice).collect(),
            namespace_labels,
            port_names,
            pod_names,
            namespace_names,
            node_names,
            spans,
            selectable,
        }
    }

    pub(super) fn pod(&self, position: u32) -> Option<&PodFacts> {
        self.pods.get(position as usize)
    }

    pub(super) fn pod_named(&self, namespace: &str, name: &str) -> Option<u32> {
        self.pod_names.get(namespace)?.get(name).copied()
    }

    pub(super) fn node_named(&self, name: &str) -> Option<u32> {
        self.node_names.get(name).copied()
    }

    pub(super) fn holder(&self, ip: IpAddr) -> Option<Who> {
        self.addresses.get(&ip).copied()
    }

    /// The selectable pods of a namespace, and of these labels.
    pub(super) fn pods_in(&self, namespace: &str, pods: &LabelSelector) -> Bits {
        let mut namespaces = Bits::none(self.spans.len());
        self.namespace_names.get(namespace).iter().for_each(|position| namespaces.insert(**position));
        self.pods_of(&namespaces, pods)
    }

    /// The selectable pods of the namespaces that one selector matches, and of the labels that the other one does.
    pub(super) fn pods_matching(&self, namespaces: &LabelSelector, pods: &LabelSelector) -> Bits {
        self.pods_of(&self.namespace_index.select(namespaces), pods)
    }

    fn pods_of(&self, namespaces: &Bits, pods: &LabelSelector) -> Bits {
        let mut inside = self.inside(namespaces);
        inside.keep(&self.selectable);
        if !pods.requirements.is_empty() {
            inside.keep(&self.pod_index.select(pods));
        }
        inside
    }

    /// The selectable pods that a choice may be of.
    pub(super) fn pods_chosen(&self, choice: &PodChoice) -> Bits {
        let mut may = self.bounds(choice).may;
        may.keep(&self.selectable);
        may
    }

    fn bounds(&self, choice: &PodChoice) -> Bounds {
        let len = self.pods.len();
        let of = |bits: Bits| Bounds { may: bits.clone(), must: bits };
        match choice {
            PodChoice::All => of(Bits::all(len)),
            PodChoice::Open => Bounds { may: Bits::all(len), must: Bits::none(len) },
            PodChoice::Label(LabelHolder::Pod, requirement) => of(self.pod_index.meets(requirement)),
            PodChoice::Label(LabelHolder::Namespace, requirement) => {
                of(self.inside(&self.namespace_index.meets(requirement)))
            }
            PodChoice::Text(LabelHolder::Pod, key, test) => of(self.pod_index.looks_like(key, test)),
            PodChoice::Text(LabelHolder::Namespace, key, test) => {
                of(self.inside(&self.namespace_index.looks_like(key, test)))
            }
            PodChoice::Not(inner) => {
                let Bounds { mut may, mut must } = self.bounds(inner);
                may.invert();
                must.invert();
                Bounds { may: must, must: may }
            }
            PodChoice::Every(choices) => {
                choices.iter().map(|choice| self.bounds(choice)).fold(of(Bits::all(len)), |mut all, one| {
                    all.may.keep(&one.may);
                    all.must.keep(&one.must);
                    all
                })
            }
            PodChoice::Any(choices) => {
                choices.iter().map(|choice| self.bounds(choice)).fold(of(Bits::none(len)), |mut any, one| {
                    any.may.add(&one.may);
                    any.must.add(&one.must);
                    any
                })
            }
        }
    }

    /// All pods of namespaces.
    fn inside(&self, namespaces: &Bits) -> Bits {
        let mut inside = Bits::none(self.pods.len());
        for namespace in namespaces.iter() {
            inside.insert_all(self.spans.get(namespace as usize).cloned().unwrap_or_default());
        }
        inside
    }

    /// The nodes whose labels a selector matches.
    pub(super) fn nodes_matching(&self, selector: &LabelSelector) -> Bits {
        self.node_index.select(selector)
    }
}

/// The pods that a choice may be of, and those that it surely is of.
struct Bounds {
    may: Bits,
    must: Bits,
}

type Positions = HashMap<Arc<str>, u32>;
type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// The namespaces that objects are in, and those that have an object themselves.
fn namespaces(objects: &Objects) -> (Positions, Vec<Labels>) {
    let named = objects.namespaces().map(|namespace| &namespace.metadata.name);
    let lived_in = objects.pods().map(|pod| &pod.metadata.namespace);
    let names: BTreeSet<&Arc<str>> = named.chain(lived_in).collect();
    let positions: Positions = names.iter().map(|name| Arc::clone(name)).zip(0..).collect();
    let mut labels: Vec<BTreeMap<Arc<str>, Arc<str>>> = vec![BTreeMap::new(); names.len()];
    for namespace in objects.namespaces() {
        let position = positions.get(&namespace.metadata.name);
        if let Some(labels) = position.and_then(|position| labels.get_mut(*position as usize)) {
            labels.clone_from(&namespace.metadata.labels);
        }
    }
    let key: Arc<str> = Arc::from("kubernetes.io/metadata.name");
    for (labels, name) in labels.iter_mut().zip(names) {
        labels.insert(Arc::clone(&key), Arc::clone(name));
    }
    (positions, labels)
}

/// The nodes that have an object, and those that pods are bound to.
fn nodes(objects: &Objects) -> Positions {
    let named = objects.nodes().map(|node| &node.metadata.name);
    let used = objects.pods().filter_map(|pod| pod.spec.node_name.as_ref());
    let names: BTreeSet<&Arc<str>> = named.chain(used).collect();
    names.into_iter().cloned().zip(0..).collect()
}

fn facts(pod: &Pod, namespaces: &Positions, nodes: &Positions, port_names: &mut PortNames) -> PodFacts {
    let named = pod.ports().filter_map(|port| {
        let name = port_names.insert(port.name.as_ref()?);
        Some(NamedPort { name, protocol: port.protocol, port: port.container_port })
    });
    PodFacts {
        namespace: namespaces.get(&pod.metadata.namespace).copied().unwrap_or(u32::MAX),
        node: pod.spec.node_name.as_ref().and_then(|node| nodes.get(node)).copied(),
        is_host_network: pod.spec.host_network,
        ips: pod.ips().collect(),
        named: named.collect(),
    }
}
