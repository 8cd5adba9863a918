//! From a flow in the table to the report it makes.

use weir_model::{EndReason, Flow, FlowId, InitiatorBy, Outcome, PerDirection, Protocol, Report, TcpState, Tuple};

use super::entry::Entry;
use super::rows::Rows;
use super::shared::{IcmpKinds, Shared};
use crate::packet::Path;

/// What a report needs besides the flow.
pub(super) struct Reporter<'a> {
    pub(super) run: u128,
    pub(super) rows: &'a Rows,
    pub(super) paths: &'a Shared<Path>,
    pub(super) kinds: &'a Shared<IcmpKinds>,
}

impl Reporter<'_> {
    /// The report of `entry`'s row.
    pub(super) fn report(&self, entry: &Entry, report: Report, end_reason: Option<EndReason>) -> Flow {
        let path = self.paths.value(entry.path);
        let first_ts = if entry.row_is_empty() { entry.last } else { entry.first };
        let [fwd, rev] = entry.row;
        Flow {
            id: FlowId::new(self.run, entry.number),
            report,
            is_first: !entry.is(Entry::REPORTED),
            tuple: tuple(entry),
            initiator_by: entry.initiator,
            start_ts: entry.start,
            first_ts,
            last_ts: entry.last,
            window_start: self.rows.start(first_ts).unwrap_or(entry.start),
            counters: PerDirection { fwd, rev },
            tcp: (entry.speakers.protocol == Protocol::TCP).then(|| entry.tcp.row()),
            outcome: outcome(entry),
            end_reason,
            vlan: path.vlans().collect(),
            tunnel: path.tunnels().collect(),
            icmp: self.kinds.value(entry.icmp).iter().collect(),
            icmp_id: entry.speakers.icmp_id(),
            tracked: None,
        }
    }
}

fn tuple(entry: &Entry) -> Tuple {
    let speakers = &entry.speakers;
    // An identifier is no port.
    let (src_port, dst_port) = if speakers.is_query { (0, 0) } else { (speakers.lower_port, speakers.upper_port) };
    let tuple = Tuple {
        protocol: speakers.protocol,
        src_ip: speakers.lower.ip(speakers.v6),
        src_port,
        dst_ip: speakers.upper.ip(speakers.v6),
        dst_port,
    };
    if entry.opener_is_lower() { tuple } else { tuple.reversed() }
}

fn outcome(entry: &Entry) -> Outcome {
    let seen = entry.seen();
    let is_rejected = entry.is(Entry::REJECTED);
    if entry.speakers.protocol == Protocol::TCP {
        return tcp_outcome(entry, seen, is_rejected);
    }
    match (seen, entry.initiator) {
        ((true, true), _) => Outcome::Established,
        _ if is_rejected => Outcome::Rejected,
        ((true, false), InitiatorBy::Syn) => Outcome::Unanswered,
        _ => Outcome::OneWay,
    }
}

fn tcp_outcome(entry: &Entry, (fwd, rev): (bool, bool), is_rejected: bool) -> Outcome {
    let tcp = &entry.tcp;
    // Without the SYN, a SYN+ACK and what the opener sent then say the same.
    if tcp.saw_syn_ack() && fwd && rev {
        return Outcome::Established;
    }
    if tcp.was_refused() {
        return Outcome::Refused;
    }
    if is_rejected {
        return Outcome::Rejected;
    }
    if fwd && rev {
        return Outcome::HalfSeen;
    }
    // An opener that went on after its SYN was answered, only not before this tap.
    let went_on = matches!(tcp.state(), TcpState::Established | TcpState::Closing | TcpState::Closed);
    if tcp.saw_syn() && !went_on { Outcome::Unanswered } else { Outcome::OneWay }
}
