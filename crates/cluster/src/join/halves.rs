//! Taps that see one direction only: what they miss, another leg of the connection tells.
//!
//! A CNI may hand packets to a pod past the host end of its veth. A tap there sees acknowledgements of data that it never
//! saw. That is told from a packet that was lost or never answered; the direction is then not zero but unknown, and the
//! leg that stands for the connection has it from one that saw it, window by window.

use std::collections::VecDeque;

use weir_model::{
    Counters, EndpointKind, Flow, FlowRow, Leg, PerDirection, Protocol, Report, Tcp, TcpFlags, Timestamp,
};

use super::FlowKey;
use super::connection::{Connection, LegSeen};
use super::directions::Directions;

/// What one leg saw in one window.
#[derive(Clone, Debug)]
pub(super) struct Part {
    window: Timestamp,
    counters: PerDirection<Counters>,
    tcp: Option<Tcp>,
}

/// What one leg sees of either direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Sight {
    /// Packets were seen.
    pub(super) seen: PerDirection<bool>,
    /// The direction that was seen acknowledges the other one, which was not.
    proves_other: bool,
    /// What other legs may need, of the last windows. An opener's leg that misses nothing is no other's help.
    parts: VecDeque<Part>,
    /// Whether its tap misses a direction was learned from it.
    is_counted: bool,
    /// A direction is missed, not silent. As of the last time that somebody looked.
    pub(super) is_one_way: bool,
}

/// Rows wait for each other for some seconds, so they ask for this window or the one before.
const MAX_PARTS: usize = 2;

impl Sight {
    pub(super) fn learn(&mut self, row: &FlowRow, leg: Option<Leg>) {
        let flow = &row.seen.flow;
        if flow.report == Report::Start {
            return;
        }
        let PerDirection { fwd, rev } = flow.counters;
        self.seen.fwd |= fwd.packets > 0;
        self.seen.rev |= rev.packets > 0;
        if let Some(tcp) = &flow.tcp {
            let flags = TcpFlags(tcp.flags.fwd.0 | tcp.flags.rev.0);
            // A reset answers what was not seen in any case.
            self.proves_other |= flags.contains(TcpFlags::ACK) && !flags.contains(TcpFlags::RST);
        }
        if leg != Some(Leg::Client) || self.misses_one() {
            if self.parts.len() >= MAX_PARTS {
                self.parts.pop_front();
            }
            self.parts.push_back(Part { window: flow.window_start, counters: flow.counters, tcp: flow.tcp });
        }
    }

    /// No packet of one direction was seen.
    pub(super) const fn misses_one(&self) -> bool {
        self.seen.fwd != self.seen.rev
    }

    /// It was seen that there is more than was seen.
    pub(super) const fn is_proof(&self) -> bool {
        self.misses_one() && self.proves_other
    }
}

impl LegSeen {
    /// Whether packets of the connection's direction were seen: of the opener's, or of those back to it.
    pub(super) fn saw(&self, fwd: bool, connection: &Connection) -> bool {
        let seen = self.sight.seen;
        if fwd == connection.is_turned(&self.key.tuple) { seen.rev } else { seen.fwd }
    }

    /// Whether the other pod's tap is on this leg's node.
    fn is_local(&self, connection: &Connection) -> bool {
        let end = match connection.part(self) {
            Some(Leg::Client) => Leg::Server,
            Some(Leg::Server) => Leg::Client,
            Some(Leg::Transit) | None => return false,
        };
        connection.legs.iter().any(|other| connection.part(other) == Some(end) && other.key.node == self.key.node)
    }
}

/// Learns from a leg of the connection, once, whether taps of its node miss what pods are sent.
pub(super) fn learn(connection: &mut Connection, flow: &FlowKey, directions: &mut Directions) {
    let Some(leg) = connection.legs.iter().find(|leg| leg.flow == *flow && !leg.sight.is_counted) else { return };
    let is_local = leg.is_local(connection);
    let PerDirection { fwd, rev } = leg.sight.seen;
    // What a node itself sends comes through its end of the veth in any case.
    let is_of_node = leg.src.kind == EndpointKind::Node || leg.dst.kind == EndpointKind::Node;
    if leg.leg == Some(Leg::Transit) || is_of_node || !(leg.sight.is_proof() || (fwd && rev)) {
        return;
    }
    directions.learn(leg.key.node.as_ref(), is_local, leg.sight.is_proof());
    if let Some(leg) = connection.legs.iter_mut().find(|leg| leg.flow == *flow) {
        leg.sight.is_counted = true;
    }
}

/// Looks which legs miss a direction, by all that is known by now.
pub(super) fn find(connection: &mut Connection, directions: &Directions) {
    if connection.legs.iter().all(|leg| !leg.sight.misses_one()) {
        return;
    }
    let is_one_way = |leg: &LegSeen| {
        let misses_opener = leg.saw(false, connection);
        let was_seen = || connection.legs.iter().any(|other| other.saw(misses_opener, connection));
        let is_known = || directions.is_one_way(leg.key.node.as_ref(), leg.is_local(connection));
        // An opener of TCP that never went on was not answered, as far as nobody saw an answer.
        let says_nothing = leg.key.tuple.protocol != Protocol::TCP;
        leg.sight.misses_one() && (leg.sight.is_proof() || ((says_nothing || was_seen()) && is_known()))
    };
    let found: Vec<bool> = connection.legs.iter().map(is_one_way).collect();
    for (leg, is_one_way) in connection.legs.iter_mut().zip(found) {
        leg.sight.is_one_way = is_one_way;
    }
}

/// Gives a row of a leg that misses a direction what another leg saw of it, if the row stands for its connection; else, and
/// where nobody saw it, that direction is unknown.
pub(super) fn fill(row: &mut FlowRow, connection: &Connection) {
    row.unseen = PerDirection::default();
    let flow = FlowKey::of(row);
    let own = connection.legs.iter().find(|leg| leg.flow == flow);
    let Some(own) = own.filter(|leg| leg.sight.is_one_way) else { return };
    let misses_fwd = !own.sight.seen.fwd;
    let is_turned = connection.is_turned(&own.key.tuple);
    let is_primary = row.is_primary == Some(true);
    let others = connection.legs.iter().filter(|leg| leg.flow != own.flow);
    let seen = connection.first(others.filter(|leg| leg.saw(misses_fwd != is_turned, connection)));
    match seen.filter(|_| is_primary) {
        Some(other) => {
            let is_turned = is_turned != connection.is_turned(&other.key.tuple);
            let window = row.seen.flow.window_start;
            for part in other.sight.parts.iter().filter(|part| part.window == window) {
                add(&mut row.seen.flow, misses_fwd, part, is_turned);
            }
        }
        None if misses_fwd => row.unseen.fwd = true,
        None => row.unseen.rev = true,
    }
}

fn pick<T: Copy>(both: PerDirection<T>, fwd: bool) -> T {
    if fwd { both.fwd } else { both.rev }
}

fn put<T>(both: &mut PerDirection<T>, fwd: bool) -> &mut T {
    if fwd { &mut both.fwd } else { &mut both.rev }
}

/// Adds one direction of what another leg saw; turned where that one took the other side for the opener.
fn add(flow: &mut Flow, fwd: bool, part: &Part, is_turned: bool) {
    let theirs = fwd != is_turned;
    let (sum, more) = (put(&mut flow.counters, fwd), pick(part.counters, theirs));
    sum.packets += more.packets;
    sum.bytes += more.bytes;
    sum.payload += more.payload;
    let (Some(tcp), Some(other)) = (&mut flow.tcp, &part.tcp) else { return };
    put(&mut tcp.flags, fwd).0 |= pick(other.flags, theirs).0;
    *put(&mut tcp.retransmits, fwd) += pick(other.retransmits, theirs);
    *put(&mut tcp.fast_retransmits, fwd) += pick(other.fast_retransmits, theirs);
    *put(&mut tcp.out_of_order, fwd) += pick(other.out_of_order, theirs);
    *put(&mut tcp.zero_window, fwd) += pick(other.zero_window, theirs);
    *put(&mut tcp.keep_alives, fwd) += pick(other.keep_alives, theirs);
    *put(&mut tcp.lost_bytes, fwd) = pick(other.lost_bytes, theirs);
}
