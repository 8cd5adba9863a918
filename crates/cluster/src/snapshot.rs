//! An immutable index of the cluster's objects as of a time: who has an address, which Service is at a port.
//!
//! [`History`] writes it and shares it: a snapshot is a handful of pointers, and changes after it copy what they touch.
//! Every question is one or two look-ups in a hash table that give a shared value out. A snapshot never changes and
//! reads no clock.

mod addresses;
mod dns;
mod few;
mod life;
mod naming;
mod networks;
mod services;
mod shards;
mod socket;
mod steps;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, PodRef, Protocol, Service, ServiceMethod, ServiceRef, Timestamp};

use crate::History;
use crate::objects::Objects;
pub(crate) use addresses::{Holder, Holders, Ranges, Rank, bridges};
pub(crate) use dns::{Meant, NamedService, key as name_key};
pub(crate) use few::Few;
pub use life::PodEntry;
pub(crate) use life::{Life, OPEN};
pub(crate) use naming::{Naming, PortName, candidates};
pub(crate) use networks::Networks;
pub use networks::{NamedNetwork, NamedNetworkError};
pub use services::Backend;
pub(crate) use services::{At, Claim, sorted};
pub(crate) use shards::Shards;
pub(crate) use socket::{Ip, Port, Socket};
pub(crate) use steps::{News, Steps};

pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
pub(crate) type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// What a snapshot is built to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// Labels of pods that go into endpoints. Default: `app`, `app.kubernetes.io/name`.
    pub labels: Vec<String>,
    /// Not every object of the cluster is known, so nothing can be said to be outside it. Default: false.
    pub partial: bool,
    /// The domain of the cluster's DNS names, in lower case. Default: `cluster.local`.
    pub domain: String,
    /// Names for networks outside the cluster. Default: none.
    pub networks: Vec<NamedNetwork>,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        let labels = vec!["app".to_owned(), "app.kubernetes.io/name".to_owned()];
        Self { labels, partial: false, domain: "cluster.local".to_owned(), networks: Vec::new() }
    }
}

/// An index of the cluster's objects as of a time. Cheap to clone.
///
/// Who has an address, in this order: a node (its own addresses, those that its pods name as their host's), a pod, a
/// Service (cluster and load balancer addresses), the node whose `podCIDR` starts with it (the bridge: network address
/// and the one after). What nobody has is external in a complete snapshot, unless it is of a kind that never leaves the
/// cluster or the link: unspecified, loopback, link-local, multicast, broadcast, or in a node's `podCIDR` (a pod that
/// is gone, or too new). Those, and everything in a partial snapshot or before what is remembered, are unknown. Where
/// two pods may have had an address, the endpoint is a pod without a name that says what both have in common. IPv4-mapped
/// IPv6 is IPv4.
#[derive(Clone, Debug)]
pub struct Snapshot {
    index: Index,
    at: Timestamp,
}

/// What snapshots share. Values carry their times; [`History`] is the only one to write.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    pub(crate) holders: Shards<Ip, Holders>,
    pub(crate) lives: Shards<PodRef, Few<Arc<Life>>>,
    pub(crate) on_node: Shards<Arc<str>, Arc<BTreeSet<PodRef>>>,
    pub(crate) sockets: Shards<Socket, At>,
    pub(crate) node_ports: Shards<Port, Steps<Arc<Claim>>>,
    /// Services without an address, by [`name_key`].
    pub(crate) named: Shards<Arc<str>, Steps<Arc<NamedService>>>,
    /// The latest.
    pub(crate) backends: Shards<PortName, Arc<[Backend]>>,
    pub(crate) ranges: Arc<Ranges>,
    /// Everything that ended before this time may be forgotten.
    pub(crate) remembered_from: Timestamp,
    pub(crate) partial: bool,
    pub(crate) domain: Arc<str>,
    networks: Arc<Networks>,
    external: Arc<Endpoint>,
    unknown: Arc<Endpoint>,
    /// Several Services.
    pub(crate) several: Arc<Endpoint>,
}

impl Index {
    pub(crate) fn new(options: &SnapshotOptions) -> Self {
        let of_kind = |kind| Arc::new(Endpoint { kind, ..Endpoint::default() });
        Self {
            holders: Shards::default(),
            lives: Shards::default(),
            on_node: Shards::default(),
            sockets: Shards::default(),
            node_ports: Shards::default(),
            named: Shards::default(),
            backends: Shards::default(),
            ranges: Arc::default(),
            remembered_from: Timestamp(i64::MIN),
            partial: options.partial,
            domain: Arc::from(options.domain.as_str()),
            networks: Arc::new(Networks::new(&options.networks)),
            external: of_kind(EndpointKind::External),
            unknown: of_kind(EndpointKind::Unknown),
            several: of_kind(EndpointKind::Service),
        }
    }
}

/// A Service found by its own address.
#[derive(Clone, Copy, Debug)]
pub struct ServiceHit<'a> {
    /// The Service and its port.
    pub service: &'a ServiceRef,
    /// Which kind of address it was found by.
    pub method: ServiceMethod,
    /// Both as flows hold them; the same `Arc` for the same answer.
    pub known: &'a Arc<Service>,
    /// The Service as an endpoint.
    pub endpoint: &'a Arc<Endpoint>,
    /// Where its traffic goes, by address and port.
    pub backends: &'a [Backend],
    /// It only goes to those of the node that takes it, at this address.
    pub local_only: bool,
}

impl Snapshot {
    /// An index of objects as they are. What they lack or contradict each other in never fails: see [`Snapshot`],
    /// [`PodEntry`] and [`Snapshot::service_at`] for what then holds.
    pub fn build(objects: &Objects, options: &SnapshotOptions) -> Self {
        let mut history = History::new(options.clone());
        for (_, object) in objects.iter() {
            history.apply(object, Timestamp(i64::MIN));
        }
        history.latest()
    }

    pub(crate) const fn new(index: Index, at: Timestamp) -> Self {
        Self { index, at }
    }

    /// The time that it is as of; the end of time for the latest.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The same knowledge as of another time.
    pub fn as_of(&self, at: Timestamp) -> Self {
        Self { index: self.index.clone(), at }
    }

    /// Whether every object of the cluster is known, so that what nobody has is outside it.
    pub const fn is_whole(&self) -> bool {
        !self.index.partial
    }

    /// Whether everything that has ended since a time is remembered: as of an earlier one, what nobody has is unknown.
    pub fn remembers(&self, at: Timestamp) -> bool {
        at >= self.index.remembered_from
    }

    /// Whether it is known who has an address. Who meets one that is not may wait for the cluster's word and ask again:
    /// a pod's first packets are faster than its address.
    pub fn is_known(&self, ip: IpAddr) -> bool {
        self.holder(ip).is_some()
    }

    /// Whether an object may yet be told that has an address: it is of a kind that objects have.
    pub fn may_be_told(&self, ip: IpAddr) -> bool {
        addresses::leaves_the_link(ip)
    }

    /// Who is dialled at an address: also a Service at its cluster address, load balancer address, external address
    /// or node port.
    pub fn endpoint(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Arc<Endpoint> {
        self.target(ip, port, protocol).endpoint
    }

    /// Who opens from an address. Unlike [`Snapshot::endpoint`] this never takes a node for a Service: the port of an
    /// opener is any number, also that of a node port.
    pub fn opener(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Arc<Endpoint> {
        if let Some(holder) = self.holder(ip) {
            return self.holding(&holder);
        }
        let at = self.index.sockets.get(&Socket::new(ip, port, protocol));
        let claim = at.and_then(|at| at.claim.at(self.at));
        Arc::clone(claim.map_or_else(|| self.elsewhere(ip), |claim| &claim.endpoint))
    }

    /// The pod that has an address of its own. `None` also where there is no telling which of several has it.
    pub fn pod(&self, ip: IpAddr) -> Option<&PodEntry> {
        match self.holder(ip)? {
            Holder::Pod(entry) => Some(entry),
            Holder::PodOf(_) | Holder::Node(_) | Holder::Service(_) | Holder::Services => None,
        }
    }

    /// The pods that may have an address: one where it is known which.
    pub fn pods_at(&self, ip: IpAddr) -> Vec<&PodEntry> {
        match self.holder(ip) {
            Some(Holder::Pod(entry)) => vec![entry],
            Some(Holder::PodOf(entries)) => entries,
            Some(Holder::Node(_) | Holder::Service(_) | Holder::Services) | None => Vec::new(),
        }
    }

    /// The pod of a name, where it has an address of its own.
    pub fn pod_named(&self, pod: &PodRef) -> Option<&PodEntry> {
        let lives = self.index.lives.get(pod)?.iter().rev();
        let entry = lives.filter(|life| life.may_hold(self.at)).find_map(|life| life.at(self.at))?;
        let has_one = |ip: &IpAddr| self.pods_at(*ip).iter().any(|other| other.pod == *pod);
        entry.ips.iter().any(has_one).then_some(entry)
    }

    /// The pods with addresses of their own on a node, by namespace and name.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &PodEntry> {
        let pods = self.index.on_node.get(&Arc::from(node)).into_iter().flat_map(|pods| pods.iter());
        pods.filter_map(|pod| self.pod_named(pod))
    }

    /// The nodes that have pods with addresses of their own, in no order.
    pub fn nodes_with_pods(&self) -> impl Iterator<Item = &Arc<str>> {
        self.index.on_node.keys()
    }

    /// The node that has an address, for itself or for its bridge.
    pub fn node_of(&self, ip: IpAddr) -> Option<Arc<str>> {
        match self.holder(ip)? {
            Holder::Node(endpoint) => endpoint.node.clone(),
            Holder::Pod(_) | Holder::PodOf(_) | Holder::Service(_) | Holder::Services => None,
        }
    }

    /// The Service that has an address and port, or a node port at a node's address. `None` also where several
    /// Services claim it.
    pub fn service_at(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Option<ServiceHit<'_>> {
        let claim = self.target(ip, port, protocol).claim?;
        let (service, method) = claim.known.used.as_ref().zip(claim.known.method)?;
        let backends = self.backends(service);
        let local_only = claim.local_only;
        Some(ServiceHit { service, method, known: &claim.known, endpoint: &claim.endpoint, backends, local_only })
    }

    /// The Services that an address and port is an endpoint of, sorted, each once, by EndpointSlices. Those whose
    /// Service object is not known are left out.
    pub fn services_of(&self, ip: IpAddr, port: u16, protocol: Protocol) -> &[ServiceRef] {
        let at = self.index.sockets.get(&Socket::new(ip, port, protocol));
        at.and_then(|at| at.naming.at(self.at)).map_or(&[], |naming| &naming.services)
    }

    /// The endpoints of a Service's port, by address and port, each once; ready or not. The latest that are known,
    /// whatever the time of the snapshot.
    pub fn backends(&self, service: &ServiceRef) -> &[Backend] {
        self.index.backends.get(&PortName::of(service)).map(|backends| &**backends).unwrap_or_default()
    }

    /// Every pod behind a Service's port. `None` where some backend is no pod known here (a node, an address outside, a
    /// pod that is gone), where the Service is not known, and where a partial snapshot has no backend of it.
    pub fn backend_pods(&self, service: &ServiceRef) -> Option<Vec<PodRef>> {
        let backends = self.index.backends.get(&PortName::of(service))?;
        if backends.is_empty() && self.index.partial {
            return None;
        }
        let mut pods = backends
            .iter()
            .map(|backend| self.pod(backend.ip).map(|entry| entry.pod.clone()))
            .collect::<Option<Vec<_>>>()?;
        pods.sort();
        pods.dedup();
        Some(pods)
    }

    /// All that is known of a destination, at the cost of one look-up for its address and one for its port.
    pub(crate) fn target(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Target<'_> {
        let at = self.index.sockets.get(&Socket::new(ip, port, protocol));
        let naming = at.and_then(|at| at.naming.at(self.at));
        if let Some(claim) = at.and_then(|at| at.claim.at(self.at)) {
            return Target { endpoint: Arc::clone(&claim.endpoint), claim: Some(claim), naming };
        }
        let holder = self.holder(ip);
        let claim = matches!(holder, Some(Holder::Node(_))).then(|| self.claim_on_nodes(port, protocol)).flatten();
        let endpoint = match (claim, &holder) {
            (Some(claim), _) => Arc::clone(&claim.endpoint),
            (None, Some(holder)) => self.holding(holder),
            (None, None) => Arc::clone(self.elsewhere(ip)),
        };
        Target { endpoint, claim, naming }
    }

    fn claim_on_nodes(&self, port: u16, protocol: Protocol) -> Option<&Arc<Claim>> {
        self.index.node_ports.get(&Port::new(port, protocol))?.at(self.at)
    }

    fn holder(&self, ip: IpAddr) -> Option<Holder<'_>> {
        self.index.holders.get(&Ip::from(ip))?.at(self.at)
    }

    fn holding(&self, holder: &Holder<'_>) -> Arc<Endpoint> {
        match holder {
            Holder::Node(endpoint) | Holder::Service(endpoint) => Arc::clone(endpoint),
            Holder::Pod(entry) => Arc::clone(&entry.endpoint),
            Holder::PodOf(entries) => life::either(entries),
            Holder::Services => Arc::clone(&self.index.several),
        }
    }

    /// What an address is that nobody has.
    fn elsewhere(&self, ip: IpAddr) -> &Arc<Endpoint> {
        let is_known = self.is_whole() && self.remembers(self.at);
        if !is_known || !self.index.ranges.may_be_outside(ip) {
            return &self.index.unknown;
        }
        self.index.networks.at(ip).unwrap_or(&self.index.external)
    }
}

/// What is known of a destination.
pub(crate) struct Target<'a> {
    /// Who it is.
    pub(crate) endpoint: Arc<Endpoint>,
    /// The Services that have this address and port.
    pub(crate) claim: Option<&'a Arc<Claim>>,
    /// How it is named after the Services that it is an endpoint of.
    pub(crate) naming: Option<&'a Arc<Naming>>,
}
