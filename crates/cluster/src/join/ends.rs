//! Who connects to whom, as policies see it: after the destination's translation, and for the pod that is connected to
//! after the source's. Where the legs leave several ways open, all of them.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, Leg, PodRef, Protocol, ServiceMethod};

use super::connection::{Connection, LegSeen};
use super::names::Names;
use super::sides;
use crate::owners::is_link_scoped;
use crate::policy::{Party, PolicySet};
use crate::{Backend, Snapshot};

/// The ends of a connection.
#[derive(Clone, Debug)]
pub(super) struct Ends {
    pub(super) protocol: Protocol,
    /// Who may have opened it.
    pub(super) openers: Vec<End>,
    /// As whom the opener may arrive at the other side.
    pub(super) arriving: Vec<End>,
    pub(super) targets: Targets,
}

/// One side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    who: Who,
    /// `None` = the one of its addresses that the other side can talk to.
    ip: Option<IpAddr>,
    /// The port there, where it is connected to.
    pub(super) port: u16,
    /// The DNS name that the opener knows it by.
    pub(super) dns_name: Option<Arc<str>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    Pod(PodRef),
    Node(Arc<str>),
    External,
    /// Who has a link-local address.
    Link,
    Unknown,
}

/// Who may have been connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Targets {
    /// One of these; never empty.
    Some(Vec<End>),
    /// Nobody: the Service has no backend.
    Nobody(Missing),
}

/// What a Service lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    Endpoints,
    /// On the node where it takes local ones only.
    LocalEndpoint,
}

impl Ends {
    /// The ends of a connection with what all its legs show. `None` where policies cannot be about it: neighbour discovery,
    /// multicast.
    pub(super) fn of(connection: &Connection, snapshot: &Snapshot) -> Option<Self> {
        let front = sides::opener_leg(connection).or_else(|| connection.best(|_| true))?;
        let (source, tuple) =
            sides::opener(connection, snapshot).unwrap_or_else(|| (Arc::clone(&front.src), front.key.tuple));
        let (src, dst) = (tuple.src_ip, tuple.dst_ip);
        let is_to_many = dst.is_multicast() || dst == IpAddr::from([255; 4]) || dst.is_unspecified();
        let is_of_link = is_link_scoped(src) || is_link_scoped(dst);
        if is_to_many || (is_of_link && !tuple.protocol.has_ports()) {
            return None;
        }
        let opener = End::of(&source, src, 0);
        let targets = targets(connection, front, snapshot);
        let arriving = arriving(connection, front, &opener, snapshot);
        let openers = openers(opener, connection, &targets, snapshot);
        Some(Self { protocol: tuple.protocol, openers, arriving, targets })
    }

    /// The same connection opened by the other side. `None` where its ends are not known well enough.
    pub(super) fn turned(&self, port: u16) -> Option<Self> {
        let (Targets::Some(targets), [opener]) = (&self.targets, &*self.openers) else { return None };
        let [target] = &**targets else { return None };
        let openers = vec![target.clone()];
        let targets = Targets::Some(vec![End { port, ..opener.clone() }]);
        Some(Self { protocol: self.protocol, arriving: openers.clone(), openers, targets })
    }
}

impl End {
    pub(super) fn of(endpoint: &Endpoint, ip: IpAddr, port: u16) -> Self {
        let who = match (endpoint.kind, endpoint.pod(), &endpoint.name) {
            _ if is_link_scoped(ip) => Who::Link,
            (EndpointKind::Pod, Some(pod), _) => Who::Pod(pod),
            (EndpointKind::Node, _, Some(node)) => Who::Node(Arc::clone(node)),
            (EndpointKind::External, ..) => Who::External,
            _ => Who::Unknown,
        };
        Self { who, ip: Some(ip), port, dns_name: endpoint.dns_name.clone() }
    }

    pub(super) fn node(name: &Arc<str>) -> Self {
        Self { who: Who::Node(Arc::clone(name)), ip: None, port: 0, dns_name: None }
    }

    pub(super) fn backend(backend: &Backend, protocol: Protocol, snapshot: &Snapshot) -> Self {
        let (ip, port) = (backend.ip, backend.port);
        match &backend.pod {
            Some(pod) => Self { who: Who::Pod(pod.clone()), ip: Some(ip), port, dns_name: None },
            None => Self::of(&snapshot.opener(ip, port, protocol), ip, port),
        }
    }

    /// The pod, where it is one.
    pub(super) const fn pod(&self) -> Option<&PodRef> {
        if let Who::Pod(pod) = &self.who { Some(pod) } else { None }
    }

    /// Whether a set knows it, so far as it has to be known.
    pub(super) fn is_known_to(&self, set: &PolicySet) -> bool {
        self.pod().is_none_or(|pod| set.pod(&pod.namespace, &pod.name).is_some())
    }

    /// Who that is in a set. A pod or node that the set lacks may be anybody.
    pub(super) fn party(&self, set: &PolicySet) -> Option<Party> {
        let at = |party: Party| self.ip.map_or(party, |ip| party.at(ip));
        match (&self.who, self.ip) {
            (Who::Pod(pod), ip) => set.pod(&pod.namespace, &pod.name).map(at).or(ip.map(Party::unknown)),
            (Who::Node(name), ip) => set.node(name).map(at).or(ip.map(Party::unknown)),
            (Who::External, ip) => ip.map(Party::external),
            (Who::Link, ip) => ip.map(|ip| set.party(ip)),
            (Who::Unknown, ip) => ip.map(Party::unknown),
        }
    }
}

/// A node may stand for any pod that it masquerades, but at a pod of its own it is taken for itself: that is who probes.
fn openers(opener: End, connection: &Connection, targets: &Targets, snapshot: &Snapshot) -> Vec<End> {
    let Who::Node(node) = &opener.who else { return vec![opener] };
    let at_home = connection.leg(Leg::Server).is_some_and(|leg| leg.dst.node.as_ref() == Some(node));
    if at_home || *targets == Targets::Nobody(Missing::Endpoints) {
        return vec![opener];
    }
    masqueraded(opener, snapshot)
}

/// A node, and every pod of it that it may stand for.
pub(super) fn masqueraded(opener: End, snapshot: &Snapshot) -> Vec<End> {
    let Who::Node(node) = &opener.who else { return vec![opener] };
    let pods = snapshot.pods_on(node).filter_map(|entry| {
        let ip = entry.ips.iter().copied().find(|ip| opener.ip.is_some_and(|own| own.is_ipv4() == ip.is_ipv4()))?;
        Some(End { who: Who::Pod(entry.pod.clone()), ip: Some(ip), port: 0, dns_name: None })
    });
    let pods: Vec<End> = pods.collect();
    std::iter::once(opener).chain(pods).collect()
}

/// The source as the other side's own leg shows it, or one that shows the connection behind its translation, or conntrack;
/// else as kube-proxy would send it on: masqueraded from outside addresses, unless only local endpoints are used.
fn arriving(connection: &Connection, front: &LegSeen, opener: &End, snapshot: &Snapshot) -> Vec<End> {
    let behind = connection
        .leg(Leg::Server)
        .or_else(|| connection.best(|leg| leg.leg == Some(Leg::Transit) && leg.dst.kind == EndpointKind::Pod));
    if let Some(behind) = behind {
        return vec![End::of(&behind.src, behind.key.tuple.src_ip, 0)];
    }
    if let Some(way) = &connection.way {
        let arrived = way.last();
        return vec![End::of(&Names::opener(snapshot, &arrived, connection.first_ts), arrived.src_ip, 0)];
    }
    let Some(shown) = connection.best(LegSeen::shows_service) else { return vec![opener.clone()] };
    let tuple = shown.key.tuple;
    let snapshot = snapshot.as_of(connection.first_ts);
    let hit = snapshot.service_at(tuple.dst_ip, tuple.dst_port, tuple.protocol);
    let is_inner = shown.service.as_ref().and_then(|service| service.method) == Some(ServiceMethod::ClusterIp);
    if is_inner || hit.is_some_and(|hit| hit.local_only) {
        return vec![opener.clone()];
    }
    let entry = entry_node(shown, front, &snapshot);
    std::iter::once(opener.clone()).chain(entry.as_ref().map(End::node)).collect()
}

/// The node that translates the Service's address.
fn entry_node(shown: &LegSeen, front: &LegSeen, snapshot: &Snapshot) -> Option<Arc<str>> {
    let opener_here = || front.src.node.clone().filter(|_| front.src.kind == EndpointKind::Pod);
    snapshot.node_of(shown.key.tuple.dst_ip).or_else(opener_here).or_else(|| shown.key.node.clone())
}

/// The other side as its own leg shows it, or one that shows a pod, or conntrack; else every endpoint that the Service's
/// address may have led to; else what was dialled.
fn targets(connection: &Connection, front: &LegSeen, snapshot: &Snapshot) -> Targets {
    let pod = connection.leg(Leg::Server).or_else(|| connection.best(|leg| leg.dst.kind == EndpointKind::Pod));
    if let Some(leg) = pod {
        return Targets::Some(vec![End::of(&leg.dst, leg.key.tuple.dst_ip, leg.key.tuple.dst_port)]);
    }
    if let Some((endpoint, tuple)) = sides::told_backend(connection, snapshot) {
        return Targets::Some(vec![End::of(&endpoint, tuple.dst_ip, tuple.dst_port)]);
    }
    if let Some(shown) = connection.best(LegSeen::shows_service) {
        return behind_service(connection, shown, front, snapshot);
    }
    let tuple = front.key.tuple;
    Targets::Some(vec![End::of(&front.dst, tuple.dst_ip, tuple.dst_port)])
}

fn behind_service(connection: &Connection, shown: &LegSeen, front: &LegSeen, snapshot: &Snapshot) -> Targets {
    let tuple = shown.key.tuple;
    let unknown =
        || Targets::Some(vec![End { who: Who::Unknown, ip: Some(tuple.dst_ip), port: tuple.dst_port, dns_name: None }]);
    let snapshot = snapshot.as_of(connection.first_ts);
    let used = shown.service.as_ref().and_then(|service| service.used.as_ref().zip(service.method));
    let Some((used, method)) = used else { return unknown() };
    let of_family: Vec<&Backend> =
        snapshot.backends(used).iter().filter(|backend| backend.ip.is_ipv4() == tuple.dst_ip.is_ipv4()).collect();
    if of_family.is_empty() && !snapshot.is_whole() {
        return unknown();
    }
    let hit = snapshot.service_at(tuple.dst_ip, tuple.dst_port, tuple.protocol);
    // From inside the cluster an outside address is as good as the cluster's own.
    let is_short_cut =
        front.src.kind == EndpointKind::Pod && !matches!(method, ServiceMethod::ClusterIp | ServiceMethod::NodePort);
    let local = hit.is_some_and(|hit| hit.local_only) && !is_short_cut;
    let at = if local { entry_node(shown, front, &snapshot) } else { None };
    let is_here = |backend: &&Backend| at.is_none() || backend.node == at;
    let here: Vec<&Backend> = of_family.iter().copied().filter(is_here).collect();
    // Those that are going away take traffic where nobody else does.
    let ready = here.iter().filter(|backend| backend.ready).count();
    let taken = here.iter().filter(|backend| if ready > 0 { backend.ready } else { backend.serving });
    let targets: Vec<End> = taken.map(|backend| End::backend(backend, tuple.protocol, &snapshot)).collect();
    match (targets.is_empty(), of_family.iter().any(|backend| backend.ready || backend.serving)) {
        (false, _) => Targets::Some(targets),
        (true, true) => Targets::Nobody(Missing::LocalEndpoint),
        (true, false) => Targets::Nobody(Missing::Endpoints),
    }
}
