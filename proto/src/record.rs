//! One flow report as a record of a batch and back.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{
    AttributedFlow, Counters, EndReason, Flow, FlowId, Icmp, InitiatorBy, Leg, Outcome, PerDirection, Protocol, Report,
    Tcp, TcpFlags, TcpState, Timestamp, Tunnel, TunnelKind, Tuple,
};

use crate::names::Malformed;
use crate::{DecodeError, DictionaryDecoder, DictionaryEncoder, DictionaryFull, v1};

const REPORTS: &[Report] = &[Report::Start, Report::Window, Report::End];

pub(crate) fn index_of<T: PartialEq>(all: &[T], value: &T) -> u32 {
    all.iter().position(|v| v == value).unwrap_or_default() as u32
}

pub(crate) fn value_at<T: Copy>(all: &[T], index: u32, field: &'static str) -> Result<T, Malformed> {
    all.get(index as usize).copied().ok_or_else(|| Malformed::new(field, &index))
}

pub(crate) fn narrow<N: TryFrom<u32>>(value: u32, field: &'static str) -> Result<N, Malformed> {
    N::try_from(value).map_err(|_| Malformed::new(field, &value))
}

/// Nanoseconds between two times, modulo 2^64: [`moved`] finds back whatever the two are.
pub(crate) const fn span(from: Timestamp, to: Timestamp) -> i64 {
    to.0.wrapping_sub(from.0)
}

pub(crate) const fn moved(time: Timestamp, nanos: i64) -> Timestamp {
    Timestamp(time.0.wrapping_add(nanos))
}

pub(crate) fn ip_to_wire(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

pub(crate) fn ip_from_wire(bytes: &[u8], field: &'static str) -> Result<IpAddr, Malformed> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Ok(v4.into());
    }
    <[u8; 16]>::try_from(bytes)
        .map(IpAddr::from)
        .map_err(|_| Malformed::new(field, &format_args!("{} bytes", bytes.len())))
}

pub(crate) fn encode_flow(
    seen: &AttributedFlow,
    base: Timestamp,
    previous_id: u64,
    names: &mut DictionaryEncoder,
) -> Result<v1::FlowRecord, DictionaryFull> {
    let flow = &seen.flow;
    let PerDirection { fwd, rev } = flow.counters;
    Ok(v1::FlowRecord {
        flow_id_delta: flow.id.0.wrapping_sub(previous_id) as i64,
        report: index_of(REPORTS, &flow.report),
        is_first: flow.is_first,
        tap_id: names.tap(&seen.tap)?,
        src_id: names.endpoint(&seen.src)?,
        dst_id: names.endpoint(&seen.dst)?,
        service_id: seen.service.as_ref().map(|s| names.service(s)).transpose()?.unwrap_or(0),
        leg: seen.leg.map(|leg| index_of(Leg::ALL, &leg)),
        protocol: u32::from(flow.tuple.protocol.0),
        src_ip: ip_to_wire(flow.tuple.src_ip),
        dst_ip: ip_to_wire(flow.tuple.dst_ip),
        src_port: u32::from(flow.tuple.src_port),
        dst_port: u32::from(flow.tuple.dst_port),
        initiator_by: index_of(InitiatorBy::ALL, &flow.initiator_by),
        first_time_ns: span(base, flow.first_ts),
        since_start_ns: span(flow.start_ts, flow.first_ts),
        duration_ns: span(flow.first_ts, flow.last_ts),
        in_window_ns: span(flow.window_start, flow.first_ts),
        packets_fwd: fwd.packets,
        packets_rev: rev.packets,
        bytes_fwd: fwd.bytes,
        bytes_rev: rev.bytes,
        payload_fwd: fwd.payload,
        payload_rev: rev.payload,
        outcome: index_of(Outcome::ALL, &flow.outcome),
        end_reason: flow.end_reason.map(|reason| index_of(EndReason::ALL, &reason)),
        vlan: flow.vlan.iter().copied().map(u32::from).collect(),
        tunnel: flow.tunnel.iter().copied().map(tunnel_to_wire).collect(),
        icmp: flow.icmp.iter().copied().map(icmp_to_wire).collect(),
        icmp_id: flow.icmp_id.map(u32::from),
        tracked: flow.tracked,
        tcp: flow.tcp.as_ref().map(encode_tcp),
    })
}

fn encode_tcp(tcp: &Tcp) -> v1::TcpRecord {
    v1::TcpRecord {
        flags_fwd: u32::from(tcp.flags.fwd.0),
        flags_rev: u32::from(tcp.flags.rev.0),
        state: index_of(TcpState::ALL, &tcp.state),
        handshake_rtt_us: tcp.handshake_rtt_us,
        handshake_ack_us: tcp.handshake_ack_us,
        retransmits_fwd: tcp.retransmits.fwd,
        retransmits_rev: tcp.retransmits.rev,
        out_of_order_fwd: tcp.out_of_order.fwd,
        out_of_order_rev: tcp.out_of_order.rev,
        zero_window_fwd: tcp.zero_window.fwd,
        zero_window_rev: tcp.zero_window.rev,
        isn_fwd: tcp.isn.fwd,
        isn_rev: tcp.isn.rev,
        fast_retransmits_fwd: tcp.fast_retransmits.fwd,
        fast_retransmits_rev: tcp.fast_retransmits.rev,
        keep_alives_fwd: u32::from(tcp.keep_alives.fwd),
        keep_alives_rev: u32::from(tcp.keep_alives.rev),
        lost_bytes_fwd: tcp.lost_bytes.fwd,
        lost_bytes_rev: tcp.lost_bytes.rev,
    }
}

pub(crate) fn decode_flow(
    record: v1::FlowRecord,
    index: usize,
    base: Timestamp,
    previous_id: u64,
    names: &DictionaryDecoder,
) -> Result<AttributedFlow, DecodeError> {
    let unknown = |id| DecodeError::UnknownId { record: index, id };
    let tap = names.tap(record.tap_id).ok_or_else(|| unknown(record.tap_id))?;
    let src = names.endpoint(record.src_id).ok_or_else(|| unknown(record.src_id))?;
    let dst = names.endpoint(record.dst_id).ok_or_else(|| unknown(record.dst_id))?;
    let service = match record.service_id {
        0 => None,
        id => Some(names.service(id).ok_or_else(|| unknown(id))?),
    };
    let leg = record.leg.map(|leg| value_at(Leg::ALL, leg, "leg")).transpose()?;
    Ok(AttributedFlow {
        flow: decode_report(record, base, previous_id)?,
        tap: Arc::clone(&tap),
        leg,
        src,
        dst,
        service,
    })
}

fn decode_report(record: v1::FlowRecord, base: Timestamp, previous_id: u64) -> Result<Flow, Malformed> {
    let first_ts = moved(base, record.first_time_ns);
    Ok(Flow {
        id: FlowId(previous_id.wrapping_add(record.flow_id_delta as u64)),
        report: value_at(REPORTS, record.report, "report")?,
        is_first: record.is_first,
        tuple: Tuple {
            protocol: Protocol(narrow(record.protocol, "protocol")?),
            src_ip: ip_from_wire(&record.src_ip, "src_ip")?,
            src_port: narrow(record.src_port, "src_port")?,
            dst_ip: ip_from_wire(&record.dst_ip, "dst_ip")?,
            dst_port: narrow(record.dst_port, "dst_port")?,
        },
        initiator_by: value_at(InitiatorBy::ALL, record.initiator_by, "initiator_by")?,
        start_ts: moved(first_ts, record.since_start_ns.wrapping_neg()),
        first_ts,
        last_ts: moved(first_ts, record.duration_ns),
        window_start: moved(first_ts, record.in_window_ns.wrapping_neg()),
        counters: PerDirection {
            fwd: Counters { packets: record.packets_fwd, bytes: record.bytes_fwd, payload: record.payload_fwd },
            rev: Counters { packets: record.packets_rev, bytes: record.bytes_rev, payload: record.payload_rev },
        },
        tcp: record.tcp.map(decode_tcp).transpose()?,
        outcome: value_at(Outcome::ALL, record.outcome, "outcome")?,
        end_reason: record.end_reason.map(|reason| value_at(EndReason::ALL, reason, "end_reason")).transpose()?,
        vlan: record.vlan.into_iter().map(|id| narrow(id, "vlan")).collect::<Result<_, _>>()?,
        tunnel: record.tunnel.iter().map(tunnel_from_wire).collect::<Result<_, _>>()?,
        icmp: record.icmp.into_iter().map(icmp_from_wire).collect::<Result<_, _>>()?,
        icmp_id: record.icmp_id.map(|id| narrow(id, "icmp_id")).transpose()?,
        tracked: record.tracked,
    })
}

fn decode_tcp(tcp: v1::TcpRecord) -> Result<Tcp, Malformed> {
    Ok(Tcp {
        flags: PerDirection {
            fwd: TcpFlags(narrow(tcp.flags_fwd, "tcp.flags_fwd")?),
            rev: TcpFlags(narrow(tcp.flags_rev, "tcp.flags_rev")?),
        },
        state: value_at(TcpState::ALL, tcp.state, "tcp.state")?,
        handshake_rtt_us: tcp.handshake_rtt_us,
        handshake_ack_us: tcp.handshake_ack_us,
        retransmits: PerDirection { fwd: tcp.retransmits_fwd, rev: tcp.retransmits_rev },
        out_of_order: PerDirection { fwd: tcp.out_of_order_fwd, rev: tcp.out_of_order_rev },
        zero_window: PerDirection { fwd: tcp.zero_window_fwd, rev: tcp.zero_window_rev },
        fast_retransmits: PerDirection { fwd: tcp.fast_retransmits_fwd, rev: tcp.fast_retransmits_rev },
        keep_alives: PerDirection {
            fwd: narrow(tcp.keep_alives_fwd, "tcp.keep_alives_fwd")?,
            rev: narrow(tcp.keep_alives_rev, "tcp.keep_alives_rev")?,
        },
        lost_bytes: PerDirection { fwd: tcp.lost_bytes_fwd, rev: tcp.lost_bytes_rev },
        isn: PerDirection { fwd: tcp.isn_fwd, rev: tcp.isn_rev },
    })
}

pub(crate) fn tunnel_to_wire(tunnel: Tunnel) -> v1::Tunnel {
    v1::Tunnel { r#type: tunnel.kind.name().to_owned(), id: tunnel.id }
}

pub(crate) fn tunnel_from_wire(tunnel: &v1::Tunnel) -> Result<Tunnel, Malformed> {
    let kind = TunnelKind::parse(&tunnel.r#type).ok_or_else(|| Malformed::new("tunnel.type", &tunnel.r#type))?;
    Ok(Tunnel { kind, id: tunnel.id })
}

pub(crate) fn icmp_to_wire(icmp: Icmp) -> v1::Icmp {
    v1::Icmp { r#type: u32::from(icmp.kind), code: u32::from(icmp.code) }
}

pub(crate) fn icmp_from_wire(icmp: v1::Icmp) -> Result<Icmp, Malformed> {
    Ok(Icmp { kind: narrow(icmp.r#type, "icmp.type")?, code: narrow(icmp.code, "icmp.code")? })
}
