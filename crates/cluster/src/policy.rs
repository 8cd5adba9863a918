//! What the policies of a cluster say about a connection: allowed, denied or undecided, in each direction, and why.
//!
//! [`Objects`] come in once and are compiled: selectors to sets of pods, blocks to sorted ranges of addresses, ports to
//! ranges. A verdict then costs a few look-ups for each policy that selects one of the two pods, however many pods and
//! policies there are. Nothing here reads a clock, and nothing outgrows the objects.

mod addresses;
mod bits;
mod cluster;
mod compiled;
mod judge;
mod labels;
mod near_miss;
mod party;
mod profile;
mod ranges;
mod rule;
mod verdict;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::Protocol;

use crate::objects::{Object, ObjectKey, ObjectKind, Objects};
use cluster::Cluster;
use compiled::{Compiled, Compiler, Stage};
pub use near_miss::{NearMiss, Refused};
pub use party::Party;
use party::Who;
use profile::Profiles;
pub use verdict::{ConnectionVerdict, SideVerdict};

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;

/// How the CNI differs from what the API leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyOptions {
    /// Whether an `ipBlock` also means pods with such an address, as the suites of Kubernetes ask. Some CNIs know pods
    /// by identity alone. Default: true.
    pub ipblock_matches_pods: bool,
    /// Not every object of the cluster is known, so an address that nobody has may be anybody's. Default: false.
    pub partial: bool,
}

impl Default for PolicyOptions {
    fn default() -> Self {
        Self { ipblock_matches_pods: true, partial: false }
    }
}

/// The compiled policies of a cluster. Share it behind `Arc`.
#[derive(Debug)]
pub struct PolicySet {
    options: PolicyOptions,
    cluster: Arc<Cluster>,
    /// In the order of evaluation.
    policies: Vec<Arc<Compiled>>,
    ingress: Profiles,
    egress: Profiles,
}

/// A policy by name, in the version that was compiled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyRef {
    /// The kind.
    pub kind: ObjectKind,
    /// The namespace; empty for kinds without one.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// Its `resourceVersion`, where the object has one.
    pub version: Option<Arc<str>>,
}

/// `namespace/name`, or the name alone.
impl fmt::Display for PolicyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// A connection that is to be opened, as it arrives: after the translation of a Service's address and port.
#[derive(Clone, Copy, Debug)]
pub struct Connection<'a> {
    /// Who opens it.
    pub src: Party,
    /// Who it is opened to.
    pub dst: Party,
    /// Its protocol.
    pub protocol: Protocol,
    /// The port at the destination; without meaning for protocols that have none.
    pub port: u16,
    /// The DNS name that the source knows the destination by, for rules about domain names. `None` = not known.
    pub dst_dns_name: Option<&'a str>,
}

impl PolicySet {
    /// Compiles the policies among `objects`. Faults of policies cost those or their rules; see [`Object::faults`].
    pub fn build(objects: &Objects, options: PolicyOptions) -> Self {
        let cluster = Arc::new(Cluster::build(objects));
        Self::assemble(objects, options, cluster, |_| None)
    }

    /// The set after some policies among `objects` have changed, and nothing else. All others are kept as they are.
    #[must_use]
    pub fn with_changed(&self, objects: &Objects, changed: &[ObjectKey]) -> Self {
        let kept = self.policies.iter().filter(|policy| !changed.iter().any(|key| policy.name.is(key)));
        let kept: HashMap<ObjectKey, &Arc<Compiled>> = kept.map(|policy| (policy.name.key(), policy)).collect();
        Self::assemble(objects, self.options, Arc::clone(&self.cluster), |key| kept.get(key).map(|p| Arc::clone(p)))
    }

    fn assemble(
        objects: &Objects,
        options: PolicyOptions,
        cluster: Arc<Cluster>,
        known: impl Fn(&ObjectKey) -> Option<Arc<Compiled>>,
    ) -> Self {
        let compiler = Compiler { cluster: &cluster, options };
        let compile = |(key, object)| known(key).or_else(|| compiler.compile(key, object).map(Arc::new));
        let mut policies: Vec<Arc<Compiled>> = objects.policies().filter_map(compile).collect();
        policies.sort_by(|a, b| (a.stage, &a.name).cmp(&(b.stage, &b.name)));
        let pods = cluster.pods.len();
        let ingress = Profiles::build(&policies, pods, |policy| policy.ingress.as_ref());
        let egress = Profiles::build(&policies, pods, |policy| policy.egress.as_ref());
        Self { options, cluster, policies, ingress, egress }
    }

    /// Every policy by name, those of foreign kinds among them, in the order of evaluation.
    pub fn names(&self) -> impl Iterator<Item = &PolicyRef> {
        self.policies.iter().map(|policy| &policy.name)
    }

    /// What it was compiled with.
    pub const fn options(&self) -> PolicyOptions {
        self.options
    }

    /// The party that has an address. An address that nobody has is external, or unknown if the set is partial.
    pub fn party(&self, ip: IpAddr) -> Party {
        let ip = ip.to_canonical();
        let who = self.cluster.holder(ip).unwrap_or_else(|| {
            let is_link_local = match ip {
                IpAddr::V4(v4) => v4.is_link_local(),
                IpAddr::V6(v6) => v6.is_unicast_link_local(),
            };
            match (is_link_local, self.options.partial) {
                (true, _) => Who::Link,
                (false, true) => Who::Unknown,
                (false, false) => Who::External,
            }
        });
        Party { who, ip: Some(ip) }
    }

    /// A pod by its name, with the one of its addresses that the other side can talk to.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<Party> {
        Some(Party { who: Who::Pod(self.cluster.pod_named(namespace, name)?), ip: None })
    }

    /// A node by its name, with the one of its addresses that the other side can talk to.
    pub fn node(&self, name: &str) -> Option<Party> {
        Some(Party { who: Who::Node(self.cluster.node_named(name)?), ip: None })
    }

    /// Policies of one tier that have the same priority, so that the API does not say which comes first. Here it is
    /// the first by name.
    pub fn ambiguous(&self) -> impl Iterator<Item = (&PolicyRef, &PolicyRef)> {
        let pairs = self.policies.iter().zip(self.policies.iter().skip(1));
        pairs.filter_map(|(first, second)| {
            let is_ordered = matches!(first.stage, Stage::Admin(_) | Stage::Baseline(_));
            (is_ordered && first.stage == second.stage).then_some((&first.name, &second.name))
        })
    }

    /// Of the addresses of a party, the first one of a family that the other side speaks too.
    fn address(&self, party: &Party, other: &Party) -> Option<IpAddr> {
        let (own, others) = (self.addresses(party), self.addresses(other));
        let speaks = |ip: &&IpAddr| match other.ip {
            Some(other) => other.is_ipv4() == ip.is_ipv4(),
            None => others.iter().any(|other| other.is_ipv4() == ip.is_ipv4()),
        };
        own.iter().find(speaks).or(own.first()).copied()
    }

    fn addresses(&self, party: &Party) -> &[IpAddr] {
        match party.who {
            Who::Pod(position) => self.cluster.pod(position).map_or(&[], |facts| &facts.ips),
            Who::Node(position) => self.cluster.nodes.get(position as usize).map_or(&[], |ips| ips),
            Who::Link | Who::External | Who::Unknown => &[],
        }
    }
}

impl PolicyRef {
    fn key(&self) -> ObjectKey {
        ObjectKey { kind: self.kind, namespace: Arc::clone(&self.namespace), name: Arc::clone(&self.name) }
    }

    fn is(&self, key: &ObjectKey) -> bool {
        self.kind == key.kind && self.namespace == key.namespace && self.name == key.name
    }
}

impl Compiler<'_> {
    fn compile(&self, key: &ObjectKey, object: &Object) -> Option<Compiled> {
        let name = PolicyRef {
            kind: key.kind,
            namespace: Arc::clone(&key.namespace),
            name: Arc::clone(&key.name),
            version: object.metadata().resource_version.clone(),
        };
        let spec = match object {
            Object::NetworkPolicy(policy) => return self.network_policy(name, policy),
            Object::AdminNetworkPolicy(policy) => &policy.spec,
            Object::BaselineAdminNetworkPolicy(policy) => &policy.spec,
            Object::ClusterNetworkPolicy(policy) => &policy.spec,
            _ => return object.foreign_policy().map(|policy| self.foreign_policy(name, policy)),
        };
        spec.as_ref().map(|spec| self.tier_policy(name, spec))
    }
}
