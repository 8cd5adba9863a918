//! Community ID, version 1 with seed 0: a hash of the tuple that other tools compute too, so that their records of one
//! connection can be found by it (specification: github.com/corelight/community-id-spec).

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::{Flow, Icmp, InitiatorBy, Protocol, Record, Tuple, Value};

/// The Community ID of `flow`, `1:` and 28 characters. Of an ICMP flow the first message's type counts as the port.
pub fn community_id(flow: &Flow) -> String {
    hash(&flow.tuple, &flow.icmp, flow.initiator_by)
}

/// The Community ID of a row of `flows`; `None` where the row lacks its addresses.
pub fn community_id_of(row: &Record) -> Option<String> {
    let ip = |name| match row.get(name) {
        Value::Ip(ip) => Some(*ip),
        _ => None,
    };
    let port = |name| row.get(name).as_int().and_then(|port| port.try_into().ok()).unwrap_or_default();
    let tuple = Tuple {
        protocol: Protocol::parse(row.get("protocol").as_text()?)?,
        src_ip: ip("src_ip")?,
        src_port: port("src_port"),
        dst_ip: ip("dst_ip")?,
        dst_port: port("dst_port"),
    };
    let icmp: &[Icmp] = match row.get("icmp") {
        Value::Icmps(messages) => messages,
        _ => &[],
    };
    Some(hash(&tuple, icmp, InitiatorBy::parse(row.get("initiator_by").as_text()?)?))
}

fn hash(tuple: &Tuple, icmp: &[Icmp], initiator_by: InitiatorBy) -> String {
    let (ports, is_one_way) = match tuple.protocol {
        Protocol::TCP | Protocol::UDP | Protocol::SCTP => (Some((tuple.src_port, tuple.dst_port)), false),
        protocol if protocol.is_icmp() => match icmp.first() {
            Some(first) => icmp_ports(protocol, *first, initiator_by),
            None => (None, false),
        },
        _ => (None, false),
    };
    let (src_port, dst_port) = ports.unwrap_or_default();
    let (src, dst) = ((address(tuple.src_ip), src_port), (address(tuple.dst_ip), dst_port));
    let (first, second) = if is_one_way || src <= dst { (src, dst) } else { (dst, src) };
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    hash.update(&first.0);
    hash.update(&second.0);
    hash.update([tuple.protocol.0, 0]);
    if ports.is_some() {
        hash.update(first.1.to_be_bytes());
        hash.update(second.1.to_be_bytes());
    }
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// The type and its counterpart where the message has one; else type and code, and the direction counts.
fn icmp_ports(protocol: Protocol, first: Icmp, initiator_by: InitiatorBy) -> (Option<(u16, u16)>, bool) {
    let Some(counterpart) = counterpart(protocol, first.kind) else {
        return (Some((u16::from(first.kind), u16::from(first.code))), true);
    };
    let (sent, answered) = (u16::from(first.kind), u16::from(counterpart));
    // Only the answer was seen: it came from the other side.
    let is_turned = initiator_by == InitiatorBy::SynAck;
    (Some(if is_turned { (answered, sent) } else { (sent, answered) }), false)
}

/// The message type that answers `kind`, or that it answers.
const fn counterpart(protocol: Protocol, kind: u8) -> Option<u8> {
    const V4: [(u8, u8); 5] = [(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)];
    const V6: [(u8, u8); 6] = [(128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145)];
    let pairs: &[(u8, u8)] = if protocol.0 == Protocol::ICMP.0 { &V4 } else { &V6 };
    let mut at = 0;
    while at < pairs.len() {
        let (ask, answer) = pairs[at];
        if kind == ask {
            return Some(answer);
        }
        if kind == answer {
            return Some(ask);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Counters, EndReason, FlowId, Outcome, PerDirection, Report, Timestamp, Tuple};

    fn id(protocol: u8, src: (&str, u16), dst: (&str, u16), icmp: Option<(u8, u8)>, by: InitiatorBy) -> String {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        community_id(&Flow {
            id: FlowId(1),
            report: Report::End,
            is_first: true,
            tuple: Tuple {
                protocol: Protocol(protocol),
                src_ip: ip(src.0),
                src_port: src.1,
                dst_ip: ip(dst.0),
                dst_port: dst.1,
            },
            initiator_by: by,
            start_ts: Timestamp(0),
            first_ts: Timestamp(0),
            last_ts: Timestamp(0),
            window_start: Timestamp(0),
            counters: PerDirection::<Counters>::default(),
            tcp: None,
            outcome: Outcome::OneWay,
            end_reason: Some(EndReason::Idle),
            vlan: Vec::new(),
            tunnel: Vec::new(),
            icmp: icmp.map(|(kind, code)| Icmp { kind, code }).into_iter().collect(),
            icmp_id: None,
            tracked: None,
        })
    }

    #[test]
    fn both_directions_have_the_published_id() {
        for (protocol, a, b, want) in [
            (6, ("1.2.3.4", 1122), ("5.6.7.8", 3344), "1:wCb3OG7yAFWelaUydu0D+125CLM="),
            (6, ("10.0.0.1", 10), ("10.0.0.2", 11569), "1:SXBGMX1lBOwhhoDrZynfROxnhnM="),
            (17, ("192.168.1.52", 54585), ("8.8.8.8", 53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            (132, ("192.168.170.8", 7), ("192.168.170.56", 80), "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="),
            (46, ("10.1.24.4", 0), ("10.1.12.1", 0), "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="),
        ] {
            assert_eq!(id(protocol, a, b, None, InitiatorBy::Syn), want);
            assert_eq!(id(protocol, b, a, None, InitiatorBy::Syn), want);
        }
    }

    #[test]
    fn icmp_messages_with_a_counterpart_are_one_flow_and_others_have_a_direction() {
        let (a, b) = (("192.168.0.89", 0), ("192.168.0.1", 0));
        let echo = "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=";
        assert_eq!(id(1, a, b, Some((8, 0)), InitiatorBy::Syn), echo);
        assert_eq!(id(1, b, a, Some((0, 20)), InitiatorBy::FirstPacket), echo);
        assert_eq!(id(1, a, b, Some((0, 0)), InitiatorBy::SynAck), echo, "only the reply was seen");
        assert_eq!(id(1, a, b, Some((20, 1)), InitiatorBy::FirstPacket), "1:tz/fHIDUHs19NkixVVoOZywde+I=");
        let (a, b) = (("fe80::200:86ff:fe05:80da", 0), ("fe80::260:97ff:fe07:69ea", 0));
        let neighbour = "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=";
        assert_eq!(id(58, a, b, Some((135, 0)), InitiatorBy::FirstPacket), neighbour);
        assert_eq!(id(58, b, a, Some((136, 0)), InitiatorBy::FirstPacket), neighbour);
        let (a, b) = (("3ffe:507:0:1:260:97ff:fe07:69ea", 0), ("3ffe:507:0:1:200:86ff:fe05:80da", 0));
        assert_eq!(id(58, a, b, Some((3, 0)), InitiatorBy::FirstPacket), "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w=");
        assert_eq!(id(58, b, a, Some((3, 0)), InitiatorBy::FirstPacket), "1:/OGBt9BN1ofenrmSPWYicpij2Vc=");
    }
}
