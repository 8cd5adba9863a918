//! One connection: its legs as far as they have arrived, and which of them was decided to stand for it.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{
    EndReason, Endpoint, FlowRow, Icmp, InitiatorBy, Leg, Outcome, PerDirection, Protocol, Service, ServiceMethod,
    TcpFlags, Timestamp, Tuple,
};

use super::FlowKey;
use super::halves::Sight;
use super::judge::Judged;
use crate::{Sighting, Translations, Way};

/// What tells one leg of a connection from another: the tap, and the tuple it saw there (one tap can show a connection
/// twice, before and after translation).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegKey {
    /// The node; `None` for a lone capture file.
    pub node: Option<Arc<str>>,
    /// The tap's interface.
    pub interface: Arc<str>,
    /// Addresses and ports there.
    pub tuple: Tuple,
}

impl LegKey {
    /// The key of the row's leg.
    pub fn of(row: &FlowRow) -> Self {
        Self { node: row.node.clone(), interface: Arc::clone(&row.seen.tap.interface), tuple: row.seen.flow.tuple }
    }
}

/// What one leg shows.
#[derive(Clone, Debug)]
pub(super) struct LegSeen {
    pub(super) key: LegKey,
    pub(super) flow: FlowKey,
    pub(super) leg: Option<Leg>,
    pub(super) start_ts: Timestamp,
    pub(super) src: Arc<Endpoint>,
    pub(super) dst: Arc<Endpoint>,
    pub(super) service: Option<Arc<Service>>,
    pub(super) outcome: Outcome,
    /// The initial sequence numbers that it showed.
    pub(super) isn: PerDirection<Option<u32>>,
    /// The identifier of an ICMP query.
    pub(super) icmp_id: Option<u16>,
    /// The other side's own stack answered (a SYN+ACK or payload came back), so it was reached.
    pub(super) reached: bool,
    /// The opener went on after the answer, so the answer arrived.
    pub(super) went_on: bool,
    pub(super) initiator_by: InitiatorBy,
    pub(super) last_ts: Timestamp,
    /// The opener asked again, or was waited for until it was given up.
    pub(super) asked_again: bool,
    /// ICMP errors that came back.
    pub(super) icmp: Vec<Icmp>,
    /// The directions that it saw.
    pub(super) sight: Sight,
    /// Whether its node's connection tracking had an entry for it.
    tracked: Option<bool>,
}

impl LegSeen {
    pub(super) fn of(row: &FlowRow) -> Self {
        let mut seen = Self {
            key: LegKey::of(row),
            flow: FlowKey::of(row),
            leg: row.seen.leg,
            start_ts: row.seen.flow.start_ts,
            src: Arc::clone(&row.seen.src),
            dst: Arc::clone(&row.seen.dst),
            service: row.seen.service.clone(),
            outcome: row.seen.flow.outcome,
            isn: PerDirection::default(),
            icmp_id: row.seen.flow.icmp_id,
            reached: false,
            went_on: false,
            initiator_by: row.seen.flow.initiator_by,
            last_ts: row.seen.flow.last_ts,
            asked_again: false,
            icmp: Vec::new(),
            sight: Sight::default(),
            tracked: None,
        };
        seen.learn(row);
        seen
    }

    fn learn(&mut self, row: &FlowRow) {
        let flow = &row.seen.flow;
        self.outcome = flow.outcome;
        let syn_ack = flow.tcp.as_ref().is_some_and(|tcp| tcp.flags.rev.contains(TcpFlags::SYN));
        self.reached |= syn_ack || flow.counters.rev.payload > 0;
        let acked = flow.tcp.as_ref().is_some_and(|tcp| tcp.handshake_ack_us.is_some());
        self.went_on |= acked || (self.reached && flow.counters.fwd.payload > 0);
        self.last_ts = self.last_ts.max(flow.last_ts);
        self.asked_again |= flow.tcp.as_ref().is_some_and(|tcp| tcp.retransmits.fwd > 0);
        self.asked_again |= flow.end_reason == Some(EndReason::Idle);
        self.icmp.clone_from(&flow.icmp);
        let isn = flow.tcp.as_ref().map(|tcp| tcp.isn).unwrap_or_default();
        self.isn.fwd = self.isn.fwd.or(isn.fwd);
        self.isn.rev = self.isn.rev.or(isn.rev);
        self.sight.learn(row, self.leg);
        // Once there was an entry, there was one.
        self.tracked = flow.tracked.map_or(self.tracked, |now| Some(now || self.tracked == Some(true)));
    }

    pub(super) fn sighting(&self) -> Sighting<'_> {
        Sighting {
            tuple: self.key.tuple,
            node: self.key.node.as_ref(),
            from: self.start_ts,
            until: self.last_ts,
            is_opening: self.key.tuple.protocol == Protocol::TCP && self.initiator_by == InitiatorBy::Syn,
        }
    }

    /// Whether this leg surely knows the Service.
    pub(super) fn shows_service(&self) -> bool {
        self.method().is_some_and(|method| method.is_seen() || method == ServiceMethod::Conntrack)
    }

    fn method(&self) -> Option<ServiceMethod> {
        self.service.as_ref().and_then(|service| service.method)
    }

    /// Place in the order of legs: the smallest stands for the connection. Client, server, transit on the entry node
    /// (where the destination still is what the opener dialled, then where the opener is), other transit.
    fn rank(&self, part: Option<Leg>) -> u8 {
        match part {
            Some(Leg::Client) => 0,
            Some(Leg::Server) => 1,
            Some(Leg::Transit) if self.method().is_some_and(ServiceMethod::is_seen) => 2,
            Some(Leg::Transit) if self.key.node.is_some() && self.src.node == self.key.node => 3,
            Some(Leg::Transit) => 4,
            None => 5,
        }
    }
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) legs: Vec<LegSeen>,
    pub(super) primary: Option<LegKey>,
    /// A row of it was settled for good, under this connection's number.
    pub(super) is_stored: bool,
    /// What the policies say, as the last row that is final has it.
    pub(super) judged: Option<Judged>,
    /// The initial sequence numbers that its legs showed.
    pub(super) isn: PerDirection<Option<u32>>,
    /// The identifier of an ICMP query, the same on all its legs.
    pub(super) icmp_id: Option<u16>,
    /// How nodes rewrite it, as far as they have told.
    pub(super) way: Option<Way>,
    pub(super) first_ts: Timestamp,
    pub(super) last_ts: Timestamp,
    pub(super) touched_ns: i64,
    queued: bool,
}

/// No connection has more legs than this that matter; more are counted as seen, not remembered.
const MAX_LEGS: usize = 16;

impl Connection {
    pub(super) fn new(first_ts: Timestamp) -> Self {
        Self {
            legs: Vec::with_capacity(2),
            primary: None,
            is_stored: false,
            judged: None,
            isn: PerDirection::default(),
            icmp_id: None,
            way: None,
            first_ts,
            last_ts: first_ts,
            touched_ns: i64::MIN,
            queued: false,
        }
    }

    /// Notes that it was used; true where it has to be queued for forgetting.
    pub(super) fn touch(&mut self, now_ns: i64) -> bool {
        self.touched_ns = now_ns;
        !std::mem::replace(&mut self.queued, true)
    }

    /// Takes in a leg, and the row that shows more of it where it is here already.
    pub(super) fn learn(&mut self, leg: LegSeen, row: Option<&FlowRow>) {
        self.icmp_id = leg.icmp_id;
        self.first_ts = self.first_ts.min(leg.start_ts);
        self.last_ts = self.last_ts.max(leg.last_ts);
        self.isn.fwd = self.isn.fwd.or(leg.isn.fwd);
        self.isn.rev = self.isn.rev.or(leg.isn.rev);
        match self.legs.iter().position(|known| known.flow == leg.flow) {
            Some(at) => {
                if let (Some(known), Some(row)) = (self.legs.get_mut(at), row) {
                    known.learn(row);
                }
            }
            None if self.legs.len() < MAX_LEGS => self.legs.push(leg),
            None => {}
        }
    }

    /// Whether the node of its opener did not let it go: its netfilter made no entry for what the opener's tap saw, and no
    /// tap behind it saw anything.
    pub(super) fn was_dropped_here(&self) -> bool {
        let opener = self.leg(Leg::Client);
        opener.is_some_and(|leg| leg.tracked == Some(false)) && self.legs.iter().all(|leg| leg.leg == Some(Leg::Client))
    }

    /// Whether its legs are found by their tuples: no opener's sequence number was seen.
    pub(super) const fn is_by_tuple(&self) -> bool {
        self.isn.fwd.is_none()
    }

    /// Whether nothing was said of it yet that must stay.
    pub(super) const fn may_move(&self) -> bool {
        !self.is_stored && self.primary.is_none()
    }

    /// Looks up how nodes rewrite it. What was found once stays: the connection may outlive what is remembered of nodes.
    pub(super) fn find_way(&mut self, translations: &Translations) {
        let known = self.way.as_ref().map_or(0, Way::weight);
        let found = self.legs.iter().filter_map(|leg| translations.way(&leg.sighting()));
        if let Some(best) = found.filter(|way| way.weight() > known).max_by_key(Way::weight) {
            self.way = Some(best);
        }
    }

    /// Whether another flow of the same tap and tuple is already one of its legs: then a new flow there is a new
    /// connection.
    fn has_other_flow_of(&self, leg: &LegSeen) -> bool {
        self.legs.iter().any(|known| known.key == leg.key && known.flow != leg.flow)
    }

    /// How far a leg is from this connection's in time: first between the spans, then between the beginnings. `None`
    /// where it is another connection's: legs of one node agree within `slack_ns`, those of two nodes within
    /// `clock_slack_ns`.
    pub(super) fn distance(&self, leg: &LegSeen, slack_ns: i64, clock_slack_ns: i64) -> Option<(i64, i64)> {
        if self.has_other_flow_of(leg) {
            return None;
        }
        let apart = |known: &LegSeen| {
            let gap = known.start_ts.since(leg.last_ts).max(leg.start_ts.since(known.last_ts)).max(0);
            (gap, known.start_ts.since(leg.start_ts).saturating_abs())
        };
        let of_node = |own: bool| self.legs.iter().filter(move |known| (known.key.node == leg.key.node) == own);
        let (nearest, allowed) = match of_node(true).map(apart).min() {
            Some(own) => (own, slack_ns),
            None => (of_node(false).map(apart).min()?, clock_slack_ns),
        };
        (nearest.0 <= allowed).then_some(nearest)
    }

    /// Whether each direction was seen by some leg.
    pub(super) fn was_seen_both_ways(&self) -> bool {
        [true, false].iter().all(|fwd| self.legs.iter().any(|leg| leg.saw(*fwd, self)))
    }

    /// Whether any leg shares an address with the tuple.
    pub(super) fn shares_address(&self, tuple: &Tuple) -> bool {
        let has = |ip: IpAddr| move |t: &Tuple| t.src_ip == ip || t.dst_ip == ip;
        let (src, dst) = (has(tuple.src_ip), has(tuple.dst_ip));
        self.legs.iter().any(|leg| src(&leg.key.tuple) || dst(&leg.key.tuple))
    }

    /// Whether a tap took the other side for the opener: conntrack says so, else the leg that began first.
    pub(super) fn is_turned(&self, tuple: &Tuple) -> bool {
        let reversed = tuple.reversed();
        if let Some(way) = &self.way {
            return !way.has(tuple) && way.has(&reversed);
        }
        let first = self.legs.iter().min_by_key(|leg| (leg.start_ts, &leg.key));
        first.is_some_and(|first| first.key.tuple == reversed && reversed != *tuple)
    }

    /// The part that a leg's tap plays: the other one of what it took it for where it took the other side for the opener.
    pub(super) fn part(&self, leg: &LegSeen) -> Option<Leg> {
        match leg.leg? {
            Leg::Client if self.is_turned(&leg.key.tuple) => Some(Leg::Server),
            Leg::Server if self.is_turned(&leg.key.tuple) => Some(Leg::Client),
            part => Some(part),
        }
    }

    /// The opener and the other side, as a leg names them.
    pub(super) fn ends<'a>(&self, leg: &'a LegSeen) -> (&'a Arc<Endpoint>, &'a Arc<Endpoint>) {
        if self.is_turned(&leg.key.tuple) { (&leg.dst, &leg.src) } else { (&leg.src, &leg.dst) }
    }

    /// The best leg that has arrived, of those that `eligible` takes.
    pub(super) fn best_of_all(&self, eligible: impl Fn(&LegSeen) -> bool) -> Option<&LegSeen> {
        self.first(self.legs.iter().filter(|leg| eligible(leg)))
    }

    /// The legs that agree about who opened.
    pub(super) fn straight_legs(&self) -> impl Iterator<Item = &LegSeen> {
        self.legs.iter().filter(|leg| !self.is_turned(&leg.key.tuple))
    }

    /// The best of those that agree about who opened.
    pub(super) fn best(&self, eligible: impl Fn(&LegSeen) -> bool) -> Option<&LegSeen> {
        self.first(self.straight_legs().filter(|leg| eligible(leg)))
    }

    /// The first of legs in the order in which they stand for the connection.
    pub(super) fn first<'a>(&self, legs: impl Iterator<Item = &'a LegSeen>) -> Option<&'a LegSeen> {
        legs.min_by(|a, b| (a.rank(self.part(a)), &a.key).cmp(&(b.rank(self.part(b)), &b.key)))
    }

    pub(super) fn leg(&self, part: Leg) -> Option<&LegSeen> {
        self.best(|leg| leg.leg == Some(part))
    }
}
