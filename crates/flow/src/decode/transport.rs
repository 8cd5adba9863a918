//! Transport headers: ports, TCP fields, ICMP messages, the chunks that open an SCTP association.

use etherparse::TcpHeaderSlice;
use weir_model::{Icmp, Protocol, TcpFlags};

use super::bytes::Bytes;
use super::ip::{Fragment, Ip, quoted};
use super::{Decoder, Layers};
use crate::counts::Skipped;
use crate::packet::{Captured, Detail, IcmpMessage, Packet, Segment, Speakers};

const UDP_HEADER_BYTES: usize = 8;
const TCP_HEADER_BYTES: usize = 20;
const SCTP_HEADER_BYTES: usize = 12;
const ICMP_HEADER_BYTES: usize = 8;

/// What a transport header says. Where its ports are cut off, the packet is of the flow of these hosts with ports 0.
struct Transport<'a> {
    ports: (u16, u16),
    /// What is above the header.
    payload: Bytes<'a>,
    detail: Detail,
}

impl Decoder {
    #[inline]
    pub(super) fn transport(&mut self, ip: &Ip, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        if let Fragment::Later { id } = ip.fragment {
            let ports = self.fragments.ports(&ip.datagram(id), layers.time).unwrap_or((0, 0));
            let transport = Transport { ports, payload: data, detail: Detail::None };
            // The middle of a datagram is no payload that anybody can read.
            return Ok(Packet { payload: Captured::default(), ..packet(ip, &transport, &layers) });
        }
        if let Some(inner) = self.inside(ip.protocol, data, layers) {
            return inner;
        }
        let transport = read(ip.protocol, data);
        if let Fragment::First { id } = ip.fragment {
            self.fragments.remember(ip.datagram(id), transport.ports, layers.time);
        }
        Ok(packet(ip, &transport, &layers))
    }
}

#[inline]
fn packet(ip: &Ip, transport: &Transport<'_>, layers: &Layers) -> Packet {
    let (source, destination) = ((ip.source, transport.ports.0), (ip.destination, transport.ports.1));
    let (speakers, upward) = Speakers::new(ip.v6, ip.protocol, source, destination);
    Packet {
        time: layers.time,
        speakers,
        upward,
        ip_bytes: ip.bytes,
        payload_bytes: transport.payload.wire,
        payload: transport.payload.captured(),
        detail: transport.detail,
        path: layers.path,
    }
}

#[inline]
fn read(protocol: Protocol, data: Bytes<'_>) -> Transport<'_> {
    match protocol {
        Protocol::TCP => tcp(data),
        Protocol::UDP | Protocol::UDPLITE => {
            Transport { ports: ports(data), payload: data.skip(UDP_HEADER_BYTES), detail: Detail::None }
        }
        Protocol::ICMP | Protocol::ICMPV6 => icmp(protocol, data),
        Protocol::SCTP => {
            let detail = match data.seen.get(SCTP_HEADER_BYTES) {
                Some(1) => Detail::SctpInit,
                Some(2) => Detail::SctpInitAck,
                _ => Detail::None,
            };
            Transport { ports: ports(data), payload: data.skip(SCTP_HEADER_BYTES), detail }
        }
        Protocol::DCCP => {
            let header = data.seen.get(4).map_or(12, |words| usize::from(*words) * 4);
            Transport { ports: ports(data), payload: data.skip(header), detail: Detail::None }
        }
        _ => Transport { ports: (0, 0), payload: data, detail: Detail::None },
    }
}

fn ports(data: Bytes<'_>) -> (u16, u16) {
    let Some([src_0, src_1, dst_0, dst_1]) = data.seen.first_chunk::<4>() else { return (0, 0) };
    (u16::from_be_bytes([*src_0, *src_1]), u16::from_be_bytes([*dst_0, *dst_1]))
}

#[inline]
fn tcp(data: Bytes<'_>) -> Transport<'_> {
    let Ok(header) = TcpHeaderSlice::from_slice(data.seen) else { return cut_tcp(data) };
    let Some([.., flags, _, _, _, _, _, _]) = data.seen.first_chunk::<20>() else { return cut_tcp(data) };
    let segment = Segment {
        seq: header.sequence_number(),
        ack: header.acknowledgment_number(),
        flags: TcpFlags(*flags),
        window: header.window_size(),
    };
    Transport {
        ports: (header.source_port(), header.destination_port()),
        payload: data.skip(header.slice().len()),
        detail: Detail::Tcp(segment),
    }
}

/// A header that the snap length cut, or whose length is wrong: what there is of it still says which flow it is.
#[cold]
fn cut_tcp(data: Bytes<'_>) -> Transport<'_> {
    let ports = ports(data);
    let Some([.., s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1]) = data.seen.first_chunk::<16>() else {
        return Transport { ports, payload: data.skip(TCP_HEADER_BYTES), detail: Detail::None };
    };
    let header = usize::from(offset >> 4) * 4;
    let segment = Segment {
        seq: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
        ack: u32::from_be_bytes([*a0, *a1, *a2, *a3]),
        flags: TcpFlags(*flags),
        window: u16::from_be_bytes([*w0, *w1]),
    };
    Transport { ports, payload: data.skip(header.max(TCP_HEADER_BYTES)), detail: Detail::Tcp(segment) }
}

fn icmp(protocol: Protocol, data: Bytes<'_>) -> Transport<'_> {
    let payload = data.skip(ICMP_HEADER_BYTES);
    let Some(&[kind, code]) = data.seen.first_chunk::<2>() else {
        return Transport { ports: (0, 0), payload, detail: Detail::None };
    };
    // Unreachable, source quench, redirect, time exceeded, parameter problem; ICMPv6 errors are 1 to 4.
    let is_error = match protocol {
        Protocol::ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        _ => matches!(kind, 1..=4),
    };
    let quoted = if is_error { quoted(payload) } else { None };
    let detail = Detail::Icmp(IcmpMessage { icmp: Icmp { kind, code }, quoted });
    Transport { ports: (0, 0), payload, detail }
}
