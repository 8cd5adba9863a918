//! Transport headers: ports, TCP fields, ICMP messages, the chunks that open an SCTP association.

use etherparse::TcpHeaderSlice;
use weir_model::{Icmp, Protocol, TcpFlags, Timestamp};

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
    /// An ICMP query or its reply, whose ports are its identifier.
    is_query: bool,
    /// What is above the header.
    payload: Bytes<'a>,
    detail: Detail,
}

impl Decoder {
    #[inline]
    pub(super) fn transport(&mut self, ip: &Ip, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        if let Fragment::Later { id } = ip.fragment {
            let transport = Transport { payload: data, ..self.of_first(ip, id, layers.time) };
            // The middle of a datagram is no payload that anybody can read.
            return Ok(Packet { payload: Captured::default(), ..packet(ip, &transport, &layers) });
        }
        if let Some(inner) = self.inside(ip.protocol, data, layers) {
            return inner;
        }
        let transport = self.read(ip.protocol, data, layers.time);
        if let Fragment::First { id } = ip.fragment
            && transport.is_query == ip.protocol.is_icmp()
        {
            self.fragments.remember(ip.datagram(id), transport.ports, layers.time);
        }
        Ok(packet(ip, &transport, &layers))
    }

    /// What the first fragment of a datagram said, for a later one. Of ICMP only queries and replies are remembered.
    fn of_first(&self, ip: &Ip, id: u32, time: Timestamp) -> Transport<'static> {
        let ports = self.fragments.ports(&ip.datagram(id), time);
        let is_query = ip.protocol.is_icmp() && ports.is_some();
        Transport { ports: ports.unwrap_or((0, 0)), is_query, payload: Bytes::new(&[], 0), detail: Detail::None }
    }

    #[inline]
    fn read<'a>(&self, protocol: Protocol, data: Bytes<'a>, time: Timestamp) -> Transport<'a> {
        match protocol {
            Protocol::ICMP | Protocol::ICMPV6 => {
                let (icmp, transport) = icmp(protocol, data);
                let quoted = icmp.filter(|icmp| is_error(protocol, icmp.kind)).and_then(|_| self.quoted(data, time));
                let detail = icmp.map_or(Detail::None, |icmp| Detail::Icmp(IcmpMessage { icmp, quoted }));
                Transport { detail, ..transport }
            }
            _ => read(protocol, data),
        }
    }

    /// The flow that the ICMP error `data` quotes: of a packet its header and at least eight bytes.
    fn quoted(&self, data: Bytes<'_>, time: Timestamp) -> Option<Speakers> {
        let (ip, payload) = quoted(data.skip(ICMP_HEADER_BYTES))?;
        let transport = match ip.fragment {
            Fragment::Later { id } => self.of_first(&ip, id, time),
            _ if ip.protocol.is_icmp() => icmp(ip.protocol, payload).1,
            _ if ip.protocol.has_ports() => {
                let ports = (payload.u16(0).ok()?, payload.u16(2).ok()?);
                Transport { ports, is_query: false, payload, detail: Detail::None }
            }
            _ => read(ip.protocol, payload),
        };
        Some(speakers(&ip, &transport).0)
    }
}

#[inline]
fn speakers(ip: &Ip, transport: &Transport<'_>) -> (Speakers, bool) {
    let (source, destination) = ((ip.source, transport.ports.0), (ip.destination, transport.ports.1));
    let (speakers, upward) = Speakers::new(ip.v6, ip.protocol, source, destination);
    (Speakers { is_query: transport.is_query, ..speakers }, upward)
}

#[inline]
fn packet(ip: &Ip, transport: &Transport<'_>, layers: &Layers) -> Packet {
    let (speakers, upward) = speakers(ip, transport);
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
    let (header, detail) = match protocol {
        Protocol::TCP => return tcp(data),
        Protocol::UDP | Protocol::UDPLITE => (UDP_HEADER_BYTES, Detail::None),
        Protocol::SCTP => {
            let detail = match data.seen.get(SCTP_HEADER_BYTES) {
                Some(1) => Detail::SctpInit,
                Some(2) => Detail::SctpInitAck,
                _ => Detail::None,
            };
            (SCTP_HEADER_BYTES, detail)
        }
        Protocol::DCCP => (data.seen.get(4).map_or(12, |words| usize::from(*words) * 4), Detail::None),
        _ => return Transport { ports: (0, 0), is_query: false, payload: data, detail: Detail::None },
    };
    Transport { ports: ports(data), is_query: false, payload: data.skip(header), detail }
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
        is_query: false,
        payload: data.skip(header.slice().len()),
        detail: Detail::Tcp(segment),
    }
}

/// A header that the snap length cut, or whose length is wrong: what there is of it still says which flow it is.
#[cold]
fn cut_tcp(data: Bytes<'_>) -> Transport<'_> {
    let ports = ports(data);
    let Some([.., s0, s1, s2, s3, a0, a1, a2, a3, offset, flags, w0, w1]) = data.seen.first_chunk::<16>() else {
        return Transport { ports, is_query: false, payload: data.skip(TCP_HEADER_BYTES), detail: Detail::None };
    };
    let header = usize::from(offset >> 4) * 4;
    let segment = Segment {
        seq: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
        ack: u32::from_be_bytes([*a0, *a1, *a2, *a3]),
        flags: TcpFlags(*flags),
        window: u16::from_be_bytes([*w0, *w1]),
    };
    let payload = data.skip(header.max(TCP_HEADER_BYTES));
    Transport { ports, is_query: false, payload, detail: Detail::Tcp(segment) }
}

/// Type and code, where they are there, and the identifier of a query or reply.
fn icmp(protocol: Protocol, data: Bytes<'_>) -> (Option<Icmp>, Transport<'_>) {
    let icmp = data.seen.first_chunk::<2>().map(|&[kind, code]| Icmp { kind, code });
    let id = icmp.filter(|icmp| is_query(protocol, icmp.kind)).and_then(|_| data.u16(4).ok());
    let ports = id.map_or((0, 0), |id| (id, id));
    let payload = data.skip(ICMP_HEADER_BYTES);
    (icmp, Transport { ports, is_query: id.is_some(), payload, detail: Detail::None })
}

/// Unreachable, source quench, redirect, time exceeded, parameter problem; ICMPv6 errors are 1 to 4.
fn is_error(protocol: Protocol, kind: u8) -> bool {
    if protocol == Protocol::ICMP { matches!(kind, 3 | 4 | 5 | 11 | 12) } else { matches!(kind, 1..=4) }
}

/// Messages with an identifier that their reply repeats: echo, timestamp, information, address mask (RFC 792, 950),
/// extended echo (RFC 8335).
fn is_query(protocol: Protocol, kind: u8) -> bool {
    if protocol == Protocol::ICMP {
        matches!(kind, 0 | 8 | 13..=18 | 42 | 43)
    } else {
        matches!(kind, 128 | 129 | 160 | 161)
    }
}
