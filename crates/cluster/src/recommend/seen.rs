//! What the workloads of one namespace were seen to do: what worked by whom and on which port, and what did not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, Judgement, Outcome, Protocol, Reason, Verdict};

use super::{PortStats, Talks, Way, merge};
use crate::Snapshot;
use crate::backtest::{EdgeEnd, Stats};
use crate::join::{Arriving, Conversation};

/// The most peers of one workload and way that are remembered.
const MAX_PEERS: usize = 100_000;

/// One conversation and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// Who talked to whom.
    pub conversation: &'a Conversation,
    /// How often and when.
    pub stats: &'a Stats,
    /// What came of it.
    pub outcome: Outcome,
    /// What the policies of its time say.
    pub judgement: &'a Judgement,
    /// The cluster as it was then.
    pub snapshot: &'a Snapshot,
}

/// An edge that is not let through.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LeftOut {
    /// Who opened it.
    pub src: EdgeEnd,
    /// Who it was opened to.
    pub dst: EdgeEnd,
    /// Protocol.
    pub protocol: String,
    /// Port; `None` = the protocol has none.
    pub port: Option<u16>,
    /// Why it is left out.
    pub why: String,
}

/// What was seen in one namespace.
#[derive(Debug)]
pub struct Seen {
    namespace: Arc<str>,
    talks: BTreeMap<(Arc<str>, Way), BTreeMap<Talks, PortStats>>,
    subjects: BTreeSet<Arc<str>>,
    left_out: BTreeMap<LeftOut, u64>,
}

impl Observed<'_> {
    /// Whether it was allowed and worked, so that it is to stay so.
    pub fn worked(&self) -> bool {
        let is_well = matches!(self.outcome, Outcome::Established | Outcome::OneWay | Outcome::HalfSeen);
        self.judgement.verdict() == Verdict::Allowed && is_well
    }
}

impl Seen {
    /// Nothing was seen yet.
    pub fn new(namespace: &str) -> Self {
        Self {
            namespace: Arc::from(namespace),
            talks: BTreeMap::new(),
            subjects: BTreeSet::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// Takes a conversation in.
    pub fn see(&mut self, what: &Observed<'_>) {
        let conversation = what.conversation;
        let (opener, target) = (&conversation.opener, &conversation.target);
        let is_self = opener.endpoint.pod().is_some() && opener.endpoint.pod() == target.endpoint.pod();
        for endpoint in [&opener.endpoint, &target.endpoint] {
            self.subjects.extend(self.subject(endpoint));
        }
        // Whoever may have been meant behind a Service had traffic, too.
        let behind = conversation.service.iter().flat_map(|service| what.snapshot.backends(service));
        for backend in behind {
            let endpoint = what.snapshot.opener(backend.ip, backend.port, conversation.protocol);
            self.subjects.extend(self.subject(&endpoint));
        }
        if is_self {
            return;
        }
        let why = match (what.worked(), conversation.protocol.has_ports()) {
            (true, true) => None,
            (true, false) => Some("a NetworkPolicy has no word for this protocol".to_owned()),
            (false, _) => Some(match what.judgement.verdict() {
                Verdict::Denied => "it was denied".to_owned(),
                Verdict::Undecided => format!("nobody can judge it ({})", undecided(what.judgement).name()),
                Verdict::Allowed => format!("it did not work ({})", what.outcome.name()),
            }),
        };
        match why {
            Some(why) => self.leave_out(what, why),
            None => self.let_through(what),
        }
    }

    fn let_through(&mut self, what: &Observed<'_>) {
        let conversation = what.conversation;
        let port = (conversation.protocol, conversation.port);
        if let Some(subject) = self.subject(&conversation.opener.endpoint) {
            for (peer, port) in targets(what) {
                self.add((Arc::clone(&subject), Way::Egress), peer, (conversation.protocol, port), what.stats);
            }
        }
        if let Some(subject) = self.subject(&conversation.target.endpoint)
            && what.judgement.ingress.reason != Reason::LocalNode
        {
            for peer in arriving(what) {
                self.add((Arc::clone(&subject), Way::Ingress), peer, port, what.stats);
            }
        }
    }

    fn add(&mut self, of: (Arc<str>, Way), peer: Talks, port: (Protocol, u16), stats: &Stats) {
        let talks = self.talks.entry(of).or_default();
        if talks.len() < MAX_PEERS || talks.contains_key(&peer) {
            merge(talks.entry(peer).or_default().entry(port).or_default(), Some(stats.clone()));
        }
    }

    fn leave_out(&mut self, what: &Observed<'_>, why: String) {
        let (opener, target) = (&what.conversation.opener, &what.conversation.target);
        let edge = LeftOut {
            src: EdgeEnd::of(&opener.endpoint, opener.ip),
            dst: EdgeEnd::of(&target.endpoint, target.ip),
            protocol: what.conversation.protocol.to_string(),
            port: what.conversation.protocol.has_ports().then_some(what.conversation.port),
            why,
        };
        *self.left_out.entry(edge).or_default() += what.stats.connections;
    }

    /// The workload, where it is one of the namespace.
    fn subject(&self, endpoint: &Endpoint) -> Option<Arc<str>> {
        let is_here = endpoint.kind == EndpointKind::Pod && endpoint.namespace.as_ref() == Some(&self.namespace);
        endpoint.workload.as_ref().or(endpoint.name.as_ref()).filter(|_| is_here).map(Arc::clone)
    }

    /// The namespace.
    pub const fn namespace(&self) -> &Arc<str> {
        &self.namespace
    }

    /// Workloads that had traffic.
    pub(super) fn subjects(&self) -> impl Iterator<Item = &Arc<str>> {
        self.subjects.iter()
    }

    pub(super) fn talks(&self, workload: &Arc<str>, way: Way) -> BTreeMap<Talks, PortStats> {
        self.talks.get(&(Arc::clone(workload), way)).cloned().unwrap_or_default()
    }

    /// What is not let through, with connections.
    pub fn left_out(&self) -> impl Iterator<Item = (&LeftOut, u64)> {
        self.left_out.iter().map(|(edge, connections)| (edge, *connections))
    }
}

fn undecided(judgement: &Judgement) -> Reason {
    let sides = [&judgement.egress, &judgement.ingress];
    sides.iter().find(|side| side.verdict == Verdict::Undecided).map_or(Reason::UnknownPeer, |side| side.reason)
}

fn talks_with(endpoint: &Endpoint, ip: IpAddr) -> Talks {
    let name = endpoint.workload.as_ref().or(endpoint.name.as_ref());
    match (endpoint.kind, &endpoint.namespace, name) {
        (EndpointKind::Pod, Some(namespace), Some(name)) => Talks::Workload(Arc::clone(namespace), Arc::clone(name)),
        (EndpointKind::Node, ..) => Talks::Nodes,
        _ => Talks::Address(ip),
    }
}

/// Who was connected to; behind a Service of which nobody saw the endpoint, all of them.
fn targets(what: &Observed<'_>) -> Vec<(Talks, u16)> {
    let conversation = what.conversation;
    let target = &conversation.target;
    let Some(service) = &conversation.service else {
        return vec![(talks_with(&target.endpoint, target.ip), conversation.port)];
    };
    let backends = what.snapshot.backends(service).iter();
    let talks = backends.map(|backend| {
        let endpoint = what.snapshot.opener(backend.ip, backend.port, conversation.protocol);
        (talks_with(&endpoint, backend.ip), backend.port)
    });
    talks.collect()
}

/// As whom the opener arrives.
fn arriving(what: &Observed<'_>) -> Vec<Talks> {
    let opener = &what.conversation.opener;
    let itself = talks_with(&opener.endpoint, opener.ip);
    match &what.conversation.arrival {
        Arriving::AsItself => vec![itself],
        Arriving::As(ip) => {
            vec![talks_with(&what.snapshot.opener(*ip, 0, what.conversation.protocol), *ip)]
        }
        Arriving::MaybeAs(_) => vec![itself, Talks::Nodes],
    }
}
