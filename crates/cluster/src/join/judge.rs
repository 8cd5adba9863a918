//! What the policies say about a connection, as of its first packet: judged with the ends that all its legs show.
//!
//! Where several ways are open each is judged; only what all agree on is a verdict.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Evidence, InitiatorBy, Judgement, Leg, PodRef, Protocol, Reason, SideJudgement, Timestamp, Verdict};

use super::connection::Connection;
use super::ends::{End, Ends, Missing, Targets};
use crate::enforced::{Direction, Enforced};
use crate::policy::{Connection as Opening, ConnectionVerdict, Party, PolicySet, SideVerdict};
use crate::{Known, Snapshot};

/// How long after its first packet a pod may become known to the policies, in nanoseconds: the news of it is slower than
/// the packet.
const LATE_NS: i64 = 60_000_000_000;

/// Ports below this are of servers, and no opener's own.
const FIRST_USER_PORT: u16 = 1024;

/// What was judged.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    pub(super) judgement: Arc<Judgement>,
    /// The pods that may have been connected to; empty where it may have been something else.
    pub(super) targets: Vec<PodRef>,
    pub(super) missing: Option<Missing>,
    /// The cluster's own log says that it was dropped.
    pub(super) dropped: bool,
}

impl Judged {
    pub(super) fn of(connection: &Connection, known: &Known<'_>, logged: &[Arc<Enforced>]) -> Option<Self> {
        let ends = Ends::of(connection, known.snapshot)?;
        let (since, set) = set(&ends, connection.first_ts, known)?;
        let sides = said(&ends, unsure_port(connection, known.snapshot), set);
        let missing = if let Targets::Nobody(missing) = ends.targets { Some(missing) } else { None };
        let targets = match &ends.targets {
            Targets::Some(targets) => targets.iter().map(|end| end.pod().cloned()).collect::<Option<_>>(),
            Targets::Nobody(_) => None,
        };
        let mut judgement = sides.into_judgement(since);
        enforce(&mut judgement, logged, set);
        if connection.was_dropped_here() && is_enforced_here(&judgement, &ends, connection, known.snapshot) {
            judgement.evidence = Evidence::Enforced;
        }
        let dropped = logged.iter().any(|log| log.verdict == Verdict::Denied);
        Some(Self { judgement: Arc::new(judgement), targets: targets.unwrap_or_default(), missing, dropped })
    }

    /// Whether more legs could still bring a verdict.
    pub(super) fn is_open(&self) -> bool {
        self.judgement.verdict() == Verdict::Undecided
    }
}

/// Whether what was denied is denied on the opener's node: its own pod's egress, or the ingress of a pod beside it.
fn is_enforced_here(judgement: &Judgement, ends: &Ends, connection: &Connection, snapshot: &Snapshot) -> bool {
    let Some(node) = connection.leg(Leg::Client).and_then(|leg| leg.key.node.as_ref()) else { return false };
    let Targets::Some(targets) = &ends.targets else { return false };
    let snapshot = snapshot.as_of(connection.first_ts);
    let is_here = |end: &End| end.pod().is_some_and(|pod| snapshot.pods_on(node).any(|entry| entry.pod == *pod));
    judgement.egress.verdict == Verdict::Denied
        || (judgement.ingress.verdict == Verdict::Denied && targets.iter().all(is_here))
}

/// What a set says of ends; `unsure` is the opener's port where it may be the one that was connected to.
pub(super) fn judge(ends: &Ends, unsure: Option<u16>, set: &PolicySet) -> Judgement {
    said(ends, unsure, set).into_judgement(Timestamp(i64::MIN))
}

fn said<'a>(ends: &Ends, unsure: Option<u16>, set: &'a PolicySet) -> Sides<'a> {
    let mut sides = Sides::of(ends, set);
    if let Some(port) = unsure {
        let turned = ends.turned(port).map(|turned| Sides::of(&turned, set));
        if turned.is_none_or(|turned| turned.verdict() != sides.verdict()) {
            sides.doubt();
        }
    }
    sides
}

/// The policies of the connection's start; where a pod is newer than that to them, the first ones that know it.
fn set<'a>(ends: &Ends, start: Timestamp, known: &Known<'a>) -> Option<(Timestamp, &'a PolicySet)> {
    let knows = |set: &PolicySet| {
        let targets = if let Targets::Some(targets) = &ends.targets { targets.as_slice() } else { &[] };
        ends.openers.iter().chain(targets).all(|end| end.is_known_to(set))
    };
    let (since, first) = known.policies.at(start)?;
    let later = known.policies.since(start).take_while(|(from, _)| from.since(start) <= LATE_NS);
    let found = later.map(|(_, set)| &**set).find(|set| knows(set));
    Some((since, found.unwrap_or(first)))
}

/// The opener's port, where nothing says for sure that it is the opener: it may be the one that was connected to.
fn unsure_port(connection: &Connection, snapshot: &Snapshot) -> Option<u16> {
    if connection.legs.iter().any(|leg| leg.initiator_by != InitiatorBy::FirstPacket) {
        return None;
    }
    let tuple = connection.best(|_| true)?.key.tuple;
    match tuple.protocol {
        Protocol::TCP | Protocol::SCTP => Some(tuple.src_port),
        Protocol::UDP => {
            let serves = |ip, port| port < FIRST_USER_PORT || !snapshot.services_of(ip, port, Protocol::UDP).is_empty();
            let is_answer = serves(tuple.src_ip, tuple.src_port) && !serves(tuple.dst_ip, tuple.dst_port);
            is_answer.then_some(tuple.src_port)
        }
        _ => None,
    }
}

/// What is said of both directions.
struct Sides<'a> {
    egress: Agreed<'a>,
    ingress: Agreed<'a>,
}

/// What all ways of one direction have in common.
struct Agreed<'a> {
    verdict: Verdict,
    reason: Reason,
    /// The ways; never empty.
    said: Vec<SideVerdict<'a>>,
}

impl<'a> Sides<'a> {
    fn of(ends: &Ends, set: &'a PolicySet) -> Self {
        let (mut egress, mut ingress) = (Vec::new(), Vec::new());
        let known = |ends: &[End]| ends.iter().filter_map(|end| end.party(set)).collect::<Vec<Party>>();
        let (openers, arriving) = (known(&ends.openers), known(&ends.arriving));
        let Targets::Some(targets) = &ends.targets else { return Self::without_backend(ends, &openers, set) };
        for target in targets {
            let Some(dst) = target.party(set) else { continue };
            let judge = |src: Party| -> ConnectionVerdict<'a> {
                let (protocol, port) = (ends.protocol, target.port);
                set.judge(&Opening { src, dst, protocol, port, dst_dns_name: target.dns_name.as_deref() })
            };
            egress.extend(openers.iter().map(|src| judge(*src).egress));
            let itself = ends.openers.iter().position(|opener| opener.pod().is_some() && opener.pod() == target.pod());
            match itself.and_then(|at| openers.get(at)) {
                Some(itself) => ingress.push(judge(*itself).ingress),
                None => ingress.extend(arriving.iter().map(|src| judge(*src).ingress)),
            }
        }
        let differing = if targets.len() > 1 { Reason::AmbiguousBackend } else { Reason::UnknownPeer };
        Self { egress: Agreed::on(egress, differing), ingress: Agreed::on(ingress, differing) }
    }

    /// Nobody was connected to: what is left to say is whether policies could stop the opener at all.
    fn without_backend(ends: &Ends, openers: &[Party], set: &'a PolicySet) -> Self {
        let dst = Party::unknown(IpAddr::from([0; 4]));
        let judge = |src: &Party| {
            set.judge(&Opening { src: *src, dst, protocol: ends.protocol, port: 0, dst_dns_name: None }).egress
        };
        let is_free = |side: &SideVerdict<'_>| {
            matches!(side.reason, Reason::NoPolicy | Reason::ExternalSide | Reason::HostNetwork)
        };
        let nobody = undecided(Reason::NoBackend);
        let egress = openers.iter().map(judge).map(|side| if is_free(&side) { side } else { nobody }).collect();
        Self { egress: Agreed::on(egress, Reason::NoBackend), ingress: Agreed::on(vec![nobody], Reason::NoBackend) }
    }

    fn verdict(&self) -> Verdict {
        self.egress.verdict.and(self.ingress.verdict)
    }

    /// Who opened it is not known, and it matters.
    fn doubt(&mut self) {
        for side in [&mut self.egress, &mut self.ingress] {
            (side.verdict, side.reason) = (Verdict::Undecided, Reason::UnknownPeer);
        }
    }

    fn into_judgement(self, since: Timestamp) -> Judgement {
        let named = self.egress.said.iter().chain(&self.ingress.said).flat_map(|side| side.policies);
        let mut versions: Vec<Arc<str>> = named
            .filter_map(|policy| policy.version.as_ref().map(|version| Arc::from(format!("{policy}@{version}"))))
            .collect();
        versions.sort();
        versions.dedup();
        let since = Some(since).filter(|since| *since > Timestamp(i64::MIN));
        let (egress, ingress) = (self.egress.into_judgement(), self.ingress.into_judgement());
        Judgement { egress, ingress, evidence: Evidence::Inferred, versions, since }
    }
}

impl<'a> Agreed<'a> {
    fn on(said: Vec<SideVerdict<'a>>, differing: Reason) -> Self {
        let first = said.first().copied().unwrap_or(undecided(Reason::UnknownPeer));
        let said = if said.is_empty() { vec![first] } else { said };
        let all_agree = said.iter().all(|side| side.verdict == first.verdict);
        let (verdict, reason) = if all_agree { (first.verdict, first.reason) } else { (Verdict::Undecided, differing) };
        Self { verdict, reason, said }
    }

    fn into_judgement(self) -> SideJudgement {
        let mut policies: Vec<Arc<str>> =
            self.said.iter().flat_map(|side| side.policies).map(|policy| Arc::from(policy.to_string())).collect();
        policies.sort();
        policies.dedup();
        let first = self.said.first().filter(|first| {
            let is_same = |side: &SideVerdict<'_>| {
                (side.rule, side.tier, side.policies) == (first.rule, first.tier, first.policies)
            };
            self.verdict == first.verdict && self.said.iter().all(is_same)
        });
        let tier = self.said.first().and_then(|first| first.tier);
        let tier = tier.filter(|tier| self.said.iter().all(|side| side.tier == Some(*tier)));
        SideJudgement {
            verdict: self.verdict,
            reason: self.reason,
            tier,
            policies,
            rule: first.and_then(|first| first.rule),
        }
    }
}

/// Puts what the cluster's own log decided beside it. It settles a side that is undecided, and is the evidence where all that
/// was logged agrees; where it does not, the policies' verdict stays, and the audit says so.
fn enforce(judgement: &mut Judgement, logged: &[Arc<Enforced>], set: &PolicySet) {
    for (direction, side) in [(Direction::Egress, &mut judgement.egress), (Direction::Ingress, &mut judgement.ingress)]
    {
        let mut about = logged.iter().filter(|log| log.direction == Some(direction));
        // A packet that one rule lets pass may be dropped by the next.
        let Some(decided) = about.clone().find(|log| log.verdict == Verdict::Denied).or_else(|| about.next_back())
        else {
            continue;
        };
        if side.verdict == Verdict::Undecided && side.reason != Reason::NoBackend {
            side.verdict = decided.verdict;
            if let Some(policy) = decided.policy(set.names().map(ToString::to_string)) {
                (side.policies, side.rule) = (vec![policy], decided.rule);
            }
        }
    }
    let verdict = judgement.verdict();
    let agrees = |log: &Arc<Enforced>| match log.direction {
        Some(Direction::Egress) => judgement.egress.verdict == log.verdict,
        Some(Direction::Ingress) => judgement.ingress.verdict == log.verdict,
        None => verdict == log.verdict,
    };
    let is_decisive = verdict == Verdict::Allowed || logged.iter().any(|log| log.verdict == Verdict::Denied);
    if verdict != Verdict::Undecided && is_decisive && !logged.is_empty() && logged.iter().all(agrees) {
        judgement.evidence = Evidence::Enforced;
    }
}

const fn undecided(reason: Reason) -> SideVerdict<'static> {
    SideVerdict { verdict: Verdict::Undecided, reason, tier: None, policies: &[], rule: None }
}
