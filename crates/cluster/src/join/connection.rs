//! One connection: its legs as far as they have arrived, and which of them was decided to stand for it.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{
    EndReason, Endpoint, FlowRow, Icmp, InitiatorBy, Leg, Outcome, PerDirection, Service, ServiceMethod, TcpFlags,
    Timestamp, Tuple,
};

use super::FlowKey;
use super::judge::Judged;

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
}

impl LegSeen {
    fn of(row: &FlowRow) -> Self {
        let mut seen = Self {
            key: LegKey::of(row),
            flow: FlowKey::of(row),
            leg: row.seen.leg,
            start_ts: row.seen.flow.start_ts,
            src: Arc::clone(&row.seen.src),
            dst: Arc::clone(&row.seen.dst),
            service: row.seen.service.clone(),
            outcome: row.seen.flow.outcome,
            reached: false,
            went_on: false,
            initiator_by: row.seen.flow.initiator_by,
            last_ts: row.seen.flow.last_ts,
            asked_again: false,
            icmp: Vec::new(),
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
    }

    /// Whether this leg saw the Service's own address.
    pub(super) fn shows_service(&self) -> bool {
        self.service.as_ref().and_then(|s| s.method).is_some_and(|method| {
            !matches!(method, ServiceMethod::EndpointSlice | ServiceMethod::Dns | ServiceMethod::Join)
        })
    }

    /// Place in the order of legs: the smallest stands for the connection. Client, server, transit on the entry node
    /// (where the destination still is what the opener dialled, then where the opener is), other transit.
    pub(super) fn rank(&self) -> u8 {
        match self.leg {
            Some(Leg::Client) => 0,
            Some(Leg::Server) => 1,
            Some(Leg::Transit) if self.shows_service() => 2,
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
    /// What the policies say, as the last row that is final has it.
    pub(super) judged: Option<Judged>,
    /// The initial sequence numbers that its legs showed.
    pub(super) isn: PerDirection<Option<u32>>,
    /// The identifier of an ICMP query, the same on all its legs.
    pub(super) icmp_id: Option<u16>,
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
            judged: None,
            isn: PerDirection::default(),
            icmp_id: None,
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

    pub(super) fn learn(&mut self, row: &FlowRow) {
        let flow = &row.seen.flow;
        self.first_ts = self.first_ts.min(flow.start_ts);
        self.last_ts = self.last_ts.max(flow.last_ts);
        if let Some(tcp) = &flow.tcp {
            self.isn.fwd = self.isn.fwd.or(tcp.isn.fwd);
            self.isn.rev = self.isn.rev.or(tcp.isn.rev);
        }
        self.icmp_id = flow.icmp_id;
        let key = FlowKey::of(row);
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.flow == key) {
            leg.learn(row);
        } else if self.legs.len() < MAX_LEGS {
            self.legs.push(LegSeen::of(row));
        }
    }

    /// Whether another flow of the same tap and tuple is already one of its legs: then a new flow there is a new
    /// connection.
    pub(super) fn has_other_flow_of(&self, row: &FlowRow) -> bool {
        let (flow, key) = (FlowKey::of(row), LegKey::of(row));
        self.legs.iter().any(|leg| leg.key == key && leg.flow != flow)
    }

    /// Whether any leg shares an address with the tuple.
    pub(super) fn shares_address(&self, tuple: &Tuple) -> bool {
        let has = |ip: IpAddr| move |t: &Tuple| t.src_ip == ip || t.dst_ip == ip;
        let (src, dst) = (has(tuple.src_ip), has(tuple.dst_ip));
        self.legs.iter().any(|leg| src(&leg.key.tuple) || dst(&leg.key.tuple))
    }

    /// The best leg that has arrived, of those that `eligible` takes.
    pub(super) fn best(&self, eligible: impl Fn(&LegSeen) -> bool) -> Option<&LegSeen> {
        self.legs.iter().filter(|leg| eligible(leg)).min_by(|a, b| (a.rank(), &a.key).cmp(&(b.rank(), &b.key)))
    }

    pub(super) fn leg(&self, part: Leg) -> Option<&LegSeen> {
        self.best(|leg| leg.leg == Some(part))
    }
}
