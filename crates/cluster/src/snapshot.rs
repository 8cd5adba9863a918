//! An immutable index of the cluster's objects: who has an address, which Service is at a port.
//!
//! [`Objects`] come in once, at [`Snapshot::build`]; afterwards every question is one or two look-ups in a hash table
//! that give a shared value out. A snapshot never changes, reads no clock and does not outgrow its objects.

mod addresses;
mod naming;
mod owner;
mod pods;
mod services;
mod socket;

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, PodRef, Protocol, Service, ServiceMethod, ServiceRef};

use crate::objects::Objects;
use addresses::{Addresses, HolderKind};
pub(crate) use addresses::{bridges, of_nodes};
use naming::Naming;
pub use pods::PodEntry;
use pods::Pods;
pub(crate) use pods::won;
pub use services::Backend;
use services::{Claim, Services};

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// What a snapshot is built to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotOptions {
    /// Labels of pods that go into endpoints. Default: `app`, `app.kubernetes.io/name`.
    pub labels: Vec<String>,
    /// Not every object of the cluster is known, so nothing can be said to be outside it. Default: false.
    pub partial: bool,
}

impl Default for SnapshotOptions {
    fn default() -> Self {
        Self { labels: vec!["app".to_owned(), "app.kubernetes.io/name".to_owned()], partial: false }
    }
}

/// An index of the cluster's objects. Share it behind `Arc`.
///
/// Who has an address, in this order: a node (its own addresses, those that its pods name as their host's), a pod, a
/// Service (cluster and load balancer addresses), the node whose `podCIDR` starts with it (the bridge: network address
/// and the one after). What nobody has is external in a complete snapshot, unless it is of a kind that never leaves the
/// cluster or the link: unspecified, loopback, link-local, multicast, broadcast, or in a node's `podCIDR` (a pod that
/// is gone, or too new). Those, and everything in a partial snapshot, are unknown. IPv4-mapped IPv6 is IPv4.
#[derive(Debug)]
pub struct Snapshot {
    addresses: Addresses,
    pods: Pods,
    services: Services,
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
}

impl Snapshot {
    /// Builds the index. What objects lack or contradict each other in never fails: see [`Snapshot`], [`PodEntry`]
    /// and [`Snapshot::service_at`] for what then holds.
    pub fn build(objects: &Objects, options: &SnapshotOptions) -> Self {
        let pods = Pods::build(objects, options);
        let services = Services::build(objects);
        let addresses = Addresses::build(objects, options, &pods, &services);
        Self { addresses, pods, services }
    }

    /// Who is dialled at an address: also a Service at its cluster address, load balancer address, external address
    /// or node port.
    pub fn endpoint(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Arc<Endpoint> {
        Arc::clone(self.target(ip, port, protocol).endpoint)
    }

    /// Who opens from an address. Unlike [`Snapshot::endpoint`] this never takes a node for a Service: the port of an
    /// opener is any number, also that of a node port.
    pub fn opener(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Arc<Endpoint> {
        let endpoint = match self.addresses.holder(ip) {
            Some(holder) => &holder.endpoint,
            None => self
                .services
                .claim_at(ip, port, protocol)
                .map_or_else(|| self.addresses.elsewhere(ip), |claim| &claim.endpoint),
        };
        Arc::clone(endpoint)
    }

    /// The pod that has an address of its own.
    pub fn pod(&self, ip: IpAddr) -> Option<&PodEntry> {
        match self.addresses.holder(ip)?.kind {
            HolderKind::Pod(index) => self.pods.get(index),
            HolderKind::Node | HolderKind::Service => None,
        }
    }

    /// The pod of a name, where it has an address of its own.
    pub fn pod_named(&self, pod: &PodRef) -> Option<&PodEntry> {
        self.pods.named(pod)
    }

    /// The pods with addresses of their own on a node, by namespace and name.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &PodEntry> {
        self.pods.on(node)
    }

    /// The node that has an address, for itself or for its bridge.
    pub fn node_of(&self, ip: IpAddr) -> Option<Arc<str>> {
        let holder = self.addresses.holder(ip)?;
        holder.endpoint.node.clone().filter(|_| holder.kind == HolderKind::Node)
    }

    /// The Service that has an address and port, or a node port at a node's address. `None` also where several
    /// Services claim it.
    pub fn service_at(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Option<ServiceHit<'_>> {
        let claim = self.target(ip, port, protocol).claim?;
        let (service, method) = claim.known.used.as_ref().zip(claim.known.method)?;
        let backends = self.services.known_backends(service).unwrap_or_default();
        Some(ServiceHit { service, method, known: &claim.known, endpoint: &claim.endpoint, backends })
    }

    /// The Services that an address and port is an endpoint of, sorted, each once, by EndpointSlices. Those whose
    /// Service object is not known are left out.
    pub fn services_of(&self, ip: IpAddr, port: u16, protocol: Protocol) -> &[ServiceRef] {
        self.services.at(ip, port, protocol).1.map_or(&[], |naming| &naming.services)
    }

    /// The endpoints of a Service's port, by address and port, each once; ready or not.
    pub fn backends(&self, service: &ServiceRef) -> &[Backend] {
        self.services.known_backends(service).unwrap_or_default()
    }

    /// Every pod behind a Service's port. `None` where some backend is no pod known here (a node, an address outside, a
    /// pod that is gone), where the Service is not known, and where a partial snapshot has no backend of it.
    pub fn backend_pods(&self, service: &ServiceRef) -> Option<Vec<PodRef>> {
        let backends = self.services.known_backends(service)?;
        if backends.is_empty() && self.addresses.is_partial() {
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
        let (claim, naming) = self.services.at(ip, port, protocol);
        let holder = if claim.is_some() { None } else { self.addresses.holder(ip) };
        let claim = claim.or_else(|| {
            let node = holder.is_some_and(|holder| holder.kind == HolderKind::Node);
            node.then(|| self.services.claim_on_nodes(port, protocol)).flatten()
        });
        let endpoint = match (claim, holder) {
            (Some(claim), _) => &claim.endpoint,
            (None, Some(holder)) => &holder.endpoint,
            (None, None) => self.addresses.elsewhere(ip),
        };
        Target { endpoint, claim, naming }
    }
}

/// What is known of a destination.
pub(crate) struct Target<'a> {
    /// Who it is.
    pub(crate) endpoint: &'a Arc<Endpoint>,
    /// The Services that have this address and port.
    pub(crate) claim: Option<&'a Claim>,
    /// How it is named after the Services that it is an endpoint of.
    pub(crate) naming: Option<&'a Naming>,
}
