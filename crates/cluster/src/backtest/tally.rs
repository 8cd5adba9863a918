//! Edges: who talked to whom, by what a candidate does to it.
//!
//! Only edges that it changes are kept one by one; of the others there are counts. Cap: [`MAX_EDGES`]; connections of
//! further edges count in the totals alone.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, Judgement, SideJudgement, Timestamp, Verdict};

use super::Effect;
use crate::join::Conversation;

/// The most edges that are kept one by one.
pub const MAX_EDGES: usize = 100_000;

/// Flows that are named as examples.
const EXAMPLES: usize = 3;

/// What connections of one edge come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Connections.
    pub connections: u64,
    /// IP bytes, both ways.
    pub bytes: u64,
    /// The first packet.
    pub first_seen: Timestamp,
    /// The last packet.
    pub last_seen: Timestamp,
    /// Flows to look at, the first ones.
    pub flows: Vec<i64>,
}

impl Stats {
    /// Adds more of the same edge.
    pub fn add(&mut self, more: &Self) {
        self.connections += more.connections;
        self.bytes += more.bytes;
        self.first_seen = self.first_seen.min(more.first_seen);
        self.last_seen = self.last_seen.max(more.last_seen);
        let room = EXAMPLES.saturating_sub(self.flows.len());
        self.flows.extend(more.flows.iter().take(room));
    }
}

/// One end of an edge: what owns the pod, not the pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EdgeEnd {
    /// The pods of a workload, or a pod without one.
    Workload(Arc<str>, Arc<str>),
    /// A node.
    Node(Arc<str>),
    /// A Service, of which nobody knows which endpoint it led to.
    Service(Arc<str>, Arc<str>),
    /// A name outside the cluster.
    Name(Arc<str>),
    /// An address.
    Address(IpAddr),
}

impl EdgeEnd {
    /// Who a talker belongs to.
    pub fn of(endpoint: &Endpoint, ip: IpAddr) -> Self {
        let name = || endpoint.workload.as_ref().or(endpoint.name.as_ref()).map(Arc::clone);
        match (endpoint.kind, &endpoint.namespace, name()) {
            (EndpointKind::Pod, Some(namespace), Some(name)) => Self::Workload(Arc::clone(namespace), name),
            (EndpointKind::Service, Some(namespace), Some(name)) => Self::Service(Arc::clone(namespace), name),
            (EndpointKind::Node, _, Some(name)) => Self::Node(name),
            _ => match endpoint.dns_name.as_ref().or(endpoint.name.as_ref()) {
                Some(name) => Self::Name(Arc::clone(name)),
                None => Self::Address(ip),
            },
        }
    }
}

impl fmt::Display for EdgeEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(namespace, name) => write!(f, "{namespace}/{name}"),
            Self::Node(name) => write!(f, "node:{name}"),
            Self::Service(namespace, name) => write!(f, "svc:{namespace}/{name}"),
            Self::Name(name) => f.write_str(name),
            Self::Address(ip) => ip.fmt(f),
        }
    }
}

/// Who talks to whom, and how it is judged without the candidate and with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// What the candidate does.
    pub effect: Effect,
    /// Who opens connections.
    pub src: EdgeEnd,
    /// Who they are opened to.
    pub dst: EdgeEnd,
    /// The protocol.
    pub protocol: String,
    /// The port, after translation.
    pub port: Option<u16>,
    /// The verdict without the candidate, and with it.
    pub verdicts: (&'static str, &'static str),
    /// What decides without the candidate.
    pub before: String,
    /// What decides with it.
    pub after: String,
}

/// All edges so far.
#[derive(Debug, Default)]
pub struct Tally {
    edges: BTreeMap<Edge, Stats>,
    /// Edges and connections by effect.
    unchanged: HashSet<u64>,
    hasher: RandomState,
    connections: BTreeMap<Effect, u64>,
    unlisted: u64,
}

impl Tally {
    /// Adds connections that are alike.
    pub fn add(&mut self, what: &Conversation, before: &Judgement, after: &Judgement, stats: &Stats) {
        let effect = Effect::of(before.verdict(), after.verdict());
        *self.connections.entry(effect).or_default() += stats.connections;
        let src = EdgeEnd::of(&what.opener.endpoint, what.opener.ip);
        let dst = EdgeEnd::of(&what.target.endpoint, what.target.ip);
        let port = what.protocol.has_ports().then_some(what.port);
        if effect == Effect::Unchanged {
            self.unchanged.insert(self.hasher.hash_one((src, dst, what.protocol, port)));
            return;
        }
        let edge = Edge {
            effect,
            src,
            dst,
            protocol: what.protocol.to_string(),
            port,
            verdicts: (before.verdict().name(), after.verdict().name()),
            before: decider(before),
            after: decider(after),
        };
        let has_room = self.edges.len() < MAX_EDGES;
        match self.edges.get_mut(&edge) {
            Some(known) => known.add(stats),
            None if has_room => {
                self.edges.insert(edge, stats.clone());
            }
            None => self.unlisted += stats.connections,
        }
    }

    /// Edges that a candidate changes or that nobody can judge, by effect.
    pub fn edges(&self) -> impl Iterator<Item = (&Edge, &Stats)> {
        self.edges.iter()
    }

    /// Edges of an effect that are listed.
    pub fn of(&self, effect: Effect) -> impl Iterator<Item = (&Edge, &Stats)> {
        self.edges.iter().filter(move |(edge, _)| edge.effect == effect)
    }

    /// Connections of an effect.
    pub fn connections(&self, effect: Effect) -> u64 {
        self.connections.get(&effect).copied().unwrap_or_default()
    }

    /// Edges whose verdict stays.
    pub fn unchanged(&self) -> usize {
        self.unchanged.len()
    }

    /// Connections whose edges found no room.
    pub const fn unlisted(&self) -> u64 {
        self.unlisted
    }
}

/// What decides a verdict, in words: the sides that have it.
fn decider(judgement: &Judgement) -> String {
    let verdict = judgement.verdict();
    let sides = [("egress", &judgement.egress), ("ingress", &judgement.ingress)];
    let decisive = sides.iter().filter(|(_, side)| side.verdict == verdict);
    // Where both sides allow it, the one that a policy has a say in says more.
    let is_named = sides.iter().any(|(_, side)| !side.policies.is_empty());
    let told = decisive.filter(|(_, side)| verdict != Verdict::Allowed || !is_named || !side.policies.is_empty());
    told.map(|(way, side)| format!("{way}: {}", said(side))).collect::<Vec<_>>().join("; ")
}

fn said(side: &SideJudgement) -> String {
    let policies = side.policies.join(", ");
    match (side.rule, policies.is_empty()) {
        (Some(rule), false) => format!("{} by {}rule {rule} of {policies}", side.verdict.name(), tier(side)),
        (None, false) if side.verdict == Verdict::Denied => {
            format!("denied by default, isolated by {policies}, no rule matches")
        }
        (None, false) => format!("{} ({policies})", side.reason.name()),
        (_, true) => side.reason.name().to_owned(),
    }
}

fn tier(side: &SideJudgement) -> String {
    let tier = side.tier.filter(|tier| *tier != weir_model::Tier::NetworkPolicy);
    tier.map_or_else(String::new, |tier| format!("{} ", tier.name()))
}
