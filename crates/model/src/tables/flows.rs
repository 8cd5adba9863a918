//! The `flows` table.

use std::borrow::Cow;

use super::party::OfFlow as _;
use crate::{FlowRow, Protocol, SideJudgement, TcpFlags, Value};

/// Calls `$with! { name: type, group, documentation, value; ... }` with the columns of `flows` in order.
#[macro_export]
macro_rules! flow_columns {
    ($with:ident $($prefix:tt)*) => { $crate::party_columns! { $with [$($prefix)*
        flow_id: Int64, Identity, "Number of the flow: unique together with node.",
            |r| r.seen.flow.id.0.into();
        connection_id: Int64, Identity, "Number of the connection: the same on all its legs, on every node. Null = not joined yet.",
            |r| r.connection.map(|c| c.0).into();
        leg: Text, Identity, "The tap's part in the connection: client (veth of the opener's pod), server (veth of the other pod), transit. Null = nothing says.",
            |r| r.seen.leg.map(|leg| leg.name()).into();
        is_primary: Bool, Identity, "This leg stands for its connection: sums and counts over connections take only rows where it is true. Null = undecided yet.",
            |r| r.is_primary.into();
        is_first: Bool, Identity, "The flow's first row: counting these counts flows.",
            |r| r.seen.flow.is_first.into();
        is_last: Bool, Identity, "The flow's last row.",
            |r| r.seen.flow.is_last().into();

        cluster: Text, Tap, "Name of the cluster, as configured at the collector. Null = none configured.",
            |r| r.cluster.as_ref().into();
        node: Text, Tap, "Node whose agent saw the flow. Null = read from a file.",
            |r| r.node.as_ref().into();
        interface: Text, Tap, "Interface of the tap, or the name of the capture file.",
            |r| (&r.seen.tap.interface).into();
        sampling: Int32, Tap, "One packet in this many was counted; 1 = every packet.",
            |r| r.seen.tap.sampling.into();

        start_ts: Time, Time, "The flow's first packet.",
            |r| r.seen.flow.start_ts.into();
        first_ts: Time, Time, "The first packet of this row.",
            |r| r.seen.flow.first_ts.into();
        last_ts: Time, Time, "The last packet of this row.",
            |r| r.seen.flow.last_ts.into();
        window_start: Time, Time, "Start of the window of packet time that this row covers; no row crosses a window's end.",
            |r| r.seen.flow.window_start.into();

        ip_version: Int32, Network, "4 or 6.",
            |r| (if r.seen.flow.tuple.src_ip.is_ipv4() { 4_u8 } else { 6 }).into();
        protocol: Text, Network, "IP protocol: its name (tcp, udp, sctp, icmp, icmpv6, ...), else its number.",
            |r| $crate::tables::protocol(r.seen.flow.tuple.protocol);
        src_ip: Ip, Network, "The opener's address as this tap saw it.",
            |r| r.seen.flow.tuple.src_ip.into();
        src_port: Int32, Network, "The opener's port. Null = the protocol has no ports.",
            |r| $crate::tables::port(r.seen.flow.tuple.protocol, r.seen.flow.tuple.src_port);
        dst_ip: Ip, Network, "The other side's address as this tap saw it.",
            |r| r.seen.flow.tuple.dst_ip.into();
        dst_port: Int32, Network, "The other side's port. Null = the protocol has no ports.",
            |r| $crate::tables::port(r.seen.flow.tuple.protocol, r.seen.flow.tuple.dst_port);
        initiator_by: Text, Network, "How the opener was known: syn, syn-ack (its answer was seen), first-packet (only that).",
            |r| r.seen.flow.initiator_by.name().into();
        vlan: IntList, Network, "VLAN ids from the outside in. Null = untagged.",
            |r| $crate::tables::non_empty(&r.seen.flow.vlan, $crate::Value::IntList);
        tunnel: Tunnels, Network, "Tunnels around the flow's packets from the outside in, with their VNI or key. Null = none.",
            |r| $crate::tables::non_empty(&r.seen.flow.tunnel, $crate::Value::Tunnels);
        icmp: Icmps, Network, "Types and codes of the flow's ICMP messages, or of the ICMP errors that quoted it. Null = none.",
            |r| $crate::tables::non_empty(&r.seen.flow.icmp, $crate::Value::Icmps);
        icmp_id: Int32, Network, "Identifier of an ICMP query and its reply (echo, timestamp, ...): of each run of ping its own, and a flow of its own. Null = other messages, or not ICMP.",
            |r| r.seen.flow.icmp_id.into();

        packets_fwd: Int64, Counters, "Packets from src to dst in this row. Null = the tap misses that direction (a CNI hands packets to pods past it), and no other tap told it.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.counters.fwd.packets);
        packets_rev: Int64, Counters, "Packets from dst to src in this row. Null as packets_fwd, of its own direction.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.counters.rev.packets);
        bytes_fwd: Int64, Counters, "Bytes of IP packets (the flow's own layer, on the wire) from src to dst in this row. Null as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.counters.fwd.bytes);
        bytes_rev: Int64, Counters, "Bytes of IP packets from dst to src in this row. Null as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.counters.rev.bytes);
        payload_fwd: Int64, Counters, "Bytes above the transport header from src to dst in this row. Null as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.counters.fwd.payload);
        payload_rev: Int64, Counters, "Bytes above the transport header from dst to src in this row. Null as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.counters.rev.payload);

        tcp_flags_fwd: TextList, Tcp, "TCP flags seen from src in this row (FIN, SYN, RST, PSH, ACK, URG, ECE, CWR). Null = not TCP, or as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, $crate::tables::flags(r.seen.flow.tcp.as_ref().map(|t| t.flags.fwd)));
        tcp_flags_rev: TextList, Tcp, "TCP flags seen from dst in this row. Null = not TCP, or as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, $crate::tables::flags(r.seen.flow.tcp.as_ref().map(|t| t.flags.rev)));
        tcp_state: Text, Tcp, "State at the end of this row: syn-sent, syn-received, established, closing, closed, reset. Null = not TCP.",
            |r| r.seen.flow.tcp.as_ref().map(|t| t.state.name()).into();
        end_reason: Text, Tcp, "Why the flow ended: fin, reset-by-src, reset-by-dst, idle, evicted, reused, capture-end, agent-stop. Null = this is not its last row.",
            |r| r.seen.flow.end_reason.map(|e| e.name()).into();
        handshake_rtt_us: Int64, Tcp, "Microseconds from the last SYN before the SYN+ACK to that SYN+ACK, in the row that saw it. Null = not in this row.",
            |r| r.seen.flow.tcp.as_ref().and_then(|t| t.handshake_rtt_us).into();
        handshake_ack_us: Int64, Tcp, "Microseconds from the SYN+ACK to the opener's ack, in the row that saw it. Null = not in this row.",
            |r| r.seen.flow.tcp.as_ref().and_then(|t| t.handshake_ack_us).into();
        retransmits_fwd: Int32, Tcp, "Segments that src sent again in this row. Null = not TCP, or as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.tcp.as_ref().map(|t| t.retransmits.fwd));
        retransmits_rev: Int32, Tcp, "Segments that dst sent again in this row. Null = not TCP, or as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.tcp.as_ref().map(|t| t.retransmits.rev));
        fast_retransmits_fwd: Int32, Tcp, "Those of retransmits_fwd that dst asked for by repeating its acknowledgement; the others waited for a timer or were not needed. Null = not TCP, or as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.tcp.as_ref().map(|t| t.fast_retransmits.fwd));
        fast_retransmits_rev: Int32, Tcp, "Those of retransmits_rev that src asked for by repeating its acknowledgement. Null = not TCP, or as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.tcp.as_ref().map(|t| t.fast_retransmits.rev));
        out_of_order_fwd: Int32, Tcp, "Segments from src that came out of order in this row. Null = not TCP, or as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.tcp.as_ref().map(|t| t.out_of_order.fwd));
        out_of_order_rev: Int32, Tcp, "Segments from dst that came out of order in this row. Null = not TCP, or as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.tcp.as_ref().map(|t| t.out_of_order.rev));
        zero_window_fwd: Int32, Tcp, "Segments from src that announced a zero window in this row. Null = not TCP, or as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.tcp.as_ref().map(|t| t.zero_window.fwd));
        zero_window_rev: Int32, Tcp, "Segments from dst that announced a zero window in this row. Null = not TCP, or as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.tcp.as_ref().map(|t| t.zero_window.rev));
        keep_alives_fwd: Int32, Tcp, "Segments from src that only asked whether dst is still there, or still has no window. Null = not TCP, or as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.tcp.as_ref().map(|t| t.keep_alives.fwd));
        keep_alives_rev: Int32, Tcp, "Segments from dst that only asked whether src is still there, or still has no window. Null = not TCP, or as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.tcp.as_ref().map(|t| t.keep_alives.rev));
        lost_bytes_fwd: Int64, Tcp, "Payload from src that this tap never saw (lost segments): gaps in its sequence numbers that nothing filled, in the row in which dst had acknowledged what is behind them or the flow ended. Null = not TCP, or as packets_fwd.",
            |r| $crate::tables::seen(r.unseen.fwd, r.seen.flow.tcp.as_ref().map(|t| t.lost_bytes.fwd));
        lost_bytes_rev: Int64, Tcp, "Payload from dst that this tap never saw, as lost_bytes_fwd. Null = not TCP, or as packets_rev.",
            |r| $crate::tables::seen(r.unseen.rev, r.seen.flow.tcp.as_ref().map(|t| t.lost_bytes.rev));
        ] [
        egress_verdict: Text, Policy, "What policies say of the opener connecting to the other side (its address and port after DNAT): allowed, denied, undecided. Null = no policies are known as of the connection's start, or policies cannot be about it (multicast, neighbour discovery).",
            |r| $crate::tables::egress(r).map(|s| s.verdict.name()).into();
        egress_reason: Text, Policy, "Why: no-policy, allowed-by, isolated-no-match, admin-deny, baseline-deny, self, local-node, host-network, external-side, unspecified, foreign-policy, no-backend, ambiguous-backend, unknown-peer. Null as egress_verdict.",
            |r| $crate::tables::egress(r).map(|s| s.reason.name()).into();
        egress_tier: Text, Policy, "The tier that decided: admin, network-policy, baseline. Null = none did.",
            |r| $crate::tables::egress(r).and_then(|s| s.tier).map(|tier| tier.name()).into();
        egress_policies: TextList, Policy, "The policy whose rule decided, namespace/name; all that isolate the pod where no rule of theirs matches; all that make it undecided. Null = none.",
            |r| $crate::tables::egress(r).map_or($crate::Value::Null, |s| $crate::tables::words(&s.policies));
        egress_rule: Int32, Policy, "Position of the rule that decided, from 0, in that policy's list for egress. Null = no single rule did.",
            |r| $crate::tables::egress(r).and_then(|s| s.rule).into();
        ingress_verdict: Text, Policy, "What policies say of the other side being connected to by the opener (as it arrives, after SNAT): allowed, denied, undecided. Null = no policies are known as of the connection's start, or policies cannot be about it (multicast, neighbour discovery).",
            |r| $crate::tables::ingress(r).map(|s| s.verdict.name()).into();
        ingress_reason: Text, Policy, "Why: no-policy, allowed-by, isolated-no-match, admin-deny, baseline-deny, self, local-node, host-network, external-side, unspecified, foreign-policy, no-backend, ambiguous-backend, unknown-peer. Null as ingress_verdict.",
            |r| $crate::tables::ingress(r).map(|s| s.reason.name()).into();
        ingress_tier: Text, Policy, "The tier that decided: admin, network-policy, baseline. Null = none did.",
            |r| $crate::tables::ingress(r).and_then(|s| s.tier).map(|tier| tier.name()).into();
        ingress_policies: TextList, Policy, "The policy whose rule decided, namespace/name; all that isolate the pod where no rule of theirs matches; all that make it undecided. Null = none.",
            |r| $crate::tables::ingress(r).map_or($crate::Value::Null, |s| $crate::tables::words(&s.policies));
        ingress_rule: Int32, Policy, "Position of the rule that decided, from 0, in that policy's list for ingress. Null = no single rule did.",
            |r| $crate::tables::ingress(r).and_then(|s| s.rule).into();
        verdict: Text, Policy, "Both directions together, as of the connection's first packet: denied where one denies, else undecided where one is, else allowed. Null as egress_verdict.",
            |r| r.judgement.as_ref().map(|j| j.verdict().name()).into();
        evidence: Text, Policy, "How the verdict is known: enforced (the cluster's own enforcement said so), inferred (from the policies of then), simulated (from policies that were not in force). Null as egress_verdict.",
            |r| r.judgement.as_ref().map(|j| j.evidence.name()).into();
        policy_versions: TextList, Policy, "Versions of the policies named, namespace/name@resourceVersion. Null = none is named, or objects of a folder have none.",
            |r| r.judgement.as_ref().map_or($crate::Value::Null, |j| $crate::tables::words(&j.versions));
        policies_since: Time, Policy, "Since when the policies were as they were judged by. Null = as long as anything is known, or as egress_verdict.",
            |r| r.judgement.as_ref().and_then(|j| j.since).into();
        tracked: Bool, Policy, "Whether connection tracking of the opener's node had an entry for it, at the leg client: false = what the opener sent was seen at its veth and was dropped or rejected on its node. Null = nothing says (connection tracking was not heard all that time, not TCP from its SYN on, another leg).",
            |r| r.seen.flow.tracked.into();
        outcome: Text, Policy, "What was seen to happen so far: established, refused, rejected, unanswered, one-way, half-seen.",
            |r| r.seen.flow.outcome.name().into();
        cause: Text, Policy, "Why the connection failed: policy, no-endpoints, no-local-endpoint, closed-port, server-silent (reached, not answered), not-delivered (never reached the other side), dropped-here (did not leave its node), prohibited, unreachable (ICMP said so). Null = it did not fail, or nothing says.",
            |r| r.cause.map(|c| c.name()).into();
        audit: Text, Policy, "The verdict beside what happened: consistent, allowed-but-blocked, denied-but-passed, undecided. Null as egress_verdict.",
            |r| r.audit.map(|a| a.name()).into();
    ] } };
}

use super::define_table;
flow_columns!(define_table FLOWS: FlowRow, "flows",
    "One flow at one tap within one window; counters are deltas, so sums over rows are right.";);

// What follows is called by the value expressions above, which may be expanded in other crates.

#[doc(hidden)]
pub fn protocol(protocol: Protocol) -> Value<'static> {
    protocol.name().map_or_else(|| protocol.0.to_string().into(), Value::from)
}

#[doc(hidden)]
pub fn port(protocol: Protocol, port: u16) -> Value<'static> {
    if protocol.has_ports() { port.into() } else { Value::Null }
}

#[doc(hidden)]
pub fn non_empty<'a, T: Clone>(list: &'a [T], make: impl FnOnce(Cow<'a, [T]>) -> Value<'a>) -> Value<'a> {
    if list.is_empty() { Value::Null } else { make(Cow::Borrowed(list)) }
}

/// What was counted in one direction; unknown where the tap misses it.
#[doc(hidden)]
pub fn seen<'a>(is_unseen: bool, counted: impl Into<Value<'a>>) -> Value<'a> {
    if is_unseen { Value::Null } else { counted.into() }
}

#[doc(hidden)]
pub fn egress(row: &FlowRow) -> Option<&SideJudgement> {
    row.judgement.as_ref().map(|judgement| &judgement.egress)
}

#[doc(hidden)]
pub fn ingress(row: &FlowRow) -> Option<&SideJudgement> {
    row.judgement.as_ref().map(|judgement| &judgement.ingress)
}

#[doc(hidden)]
pub fn flags(flags: Option<TcpFlags>) -> Value<'static> {
    flags.map_or(Value::Null, |set| Value::TextList(set.names().map(Cow::Borrowed).collect()))
}
