//! Entries of connection tracking as netfilter tells them (`linux/netfilter/nfnetlink_conntrack.h`): a message in, an event
//! out.

use std::net::IpAddr;

use netlink_packet_core::NLM_F_CREATE;
use weir_cluster::conntrack::{Event, Happened};
use weir_model::{Protocol, Timestamp, Tuple};

use super::attributes::{attributes, number_16, number_32};
use super::socket::{Message, Request};

/// The subsystem's kinds of messages: an entry is new, there or changed; a list is asked for; an entry is removed.
const NEW: u16 = 0x100;
const GET: u16 = 0x101;
const DELETE: u16 = 0x102;

/// What is told: entries that are made, and that are removed. Changes of what is known tell nothing that is used here,
/// and are three of five messages.
pub(super) const GROUPS: [u32; 2] = [1, 3];

const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const ID: u16 = 12;
const ZONE: u16 = 18;

const TUPLE_IP: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const TUPLE_ZONE: u16 = 3;

/// The whole table, of all versions of IP.
pub(super) const fn list() -> Request {
    Request { kind: GET, family: 0, resource: 0, attributes: Vec::new() }
}

/// Reads a message; `None` where it tells of no entry.
pub(super) fn event(message: Message<'_>, at: Option<Timestamp>) -> Option<Event> {
    let happened = match message.kind {
        NEW if message.flags & NLM_F_CREATE != 0 => Happened::New,
        NEW => Happened::There,
        DELETE => Happened::Destroyed,
        _ => return None,
    };
    let (mut original, mut reply, mut zone, mut id) = (Half::default(), Half::default(), None, None);
    for (kind, value) in attributes(message.attributes()) {
        match kind {
            TUPLE_ORIGINAL => original = Half::read(value),
            TUPLE_REPLY => reply = Half::read(value),
            ZONE => zone = number_16(value),
            ID => id = number_32(value),
            _ => {}
        }
    }
    let zone = zone.or(original.zone).or(reply.zone);
    let (original, reply) = (original.tuple()?, reply.tuple()?);
    (original.src_ip.is_ipv4() == reply.src_ip.is_ipv4()).then_some(Event { happened, at, original, reply, zone, id })
}

/// One direction, as far as it was read.
#[derive(Default)]
struct Half {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    protocol: Option<u8>,
    src_port: u16,
    dst_port: u16,
    zone: Option<u16>,
}

impl Half {
    fn read(bytes: &[u8]) -> Self {
        let mut half = Self::default();
        for (kind, value) in attributes(bytes) {
            match kind {
                TUPLE_IP => attributes(value).for_each(|(kind, value)| match kind {
                    1 | 3 => half.src = ip(value),
                    2 | 4 => half.dst = ip(value),
                    _ => {}
                }),
                TUPLE_PROTOCOL => attributes(value).for_each(|(kind, value)| match kind {
                    1 => half.protocol = value.first().copied(),
                    2 => half.src_port = number_16(value).unwrap_or(0),
                    3 => half.dst_port = number_16(value).unwrap_or(0),
                    _ => {}
                }),
                TUPLE_ZONE => half.zone = number_16(value),
                _ => {}
            }
        }
        half
    }

    fn tuple(self) -> Option<Tuple> {
        let (src_ip, dst_ip) = (self.src?, self.dst?);
        let protocol = Protocol(self.protocol?);
        (src_ip.is_ipv4() == dst_ip.is_ipv4()).then_some(Tuple {
            protocol,
            src_ip,
            src_port: self.src_port,
            dst_ip,
            dst_port: self.dst_port,
        })
    }
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
    v4().or_else(|| <[u8; 16]>::try_from(value).ok().map(IpAddr::from))
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::NLM_F_EXCL;

    use super::super::attributes::put;
    use super::*;

    fn put_nested(bytes: &mut Vec<u8>, kind: u16, inner: impl FnOnce(&mut Vec<u8>)) {
        let mut value = Vec::new();
        inner(&mut value);
        put(bytes, 0x8000 | kind, &value);
    }

    fn half(bytes: &mut Vec<u8>, kind: u16, ends: (&str, &str), ports: (u16, u16)) {
        put_nested(bytes, kind, |tuple| {
            put_nested(tuple, TUPLE_IP, |addresses| {
                for (at, end) in [ends.0, ends.1].into_iter().enumerate() {
                    match end.parse().expect("an address") {
                        IpAddr::V4(ip) => put(addresses, 1 + at as u16, &ip.octets()),
                        IpAddr::V6(ip) => put(addresses, 3 + at as u16, &ip.octets()),
                    }
                }
            });
            put_nested(tuple, TUPLE_PROTOCOL, |protocol| {
                put(protocol, 1, &[6]);
                put(protocol, 2, &ports.0.to_be_bytes());
                put(protocol, 3, &ports.1.to_be_bytes());
            });
        });
    }

    fn read(kind: u16, flags: u16, bytes: &[u8]) -> Option<Event> {
        let body = [&[0; 4], bytes].concat();
        event(Message { kind, flags, body: &body }, Some(Timestamp(5)))
    }

    #[test]
    fn an_entry_is_read_with_both_tuples_and_its_number() {
        let mut bytes = Vec::new();
        half(&mut bytes, TUPLE_ORIGINAL, ("10.244.1.11", "10.96.1.10"), (60_372, 80));
        half(&mut bytes, TUPLE_REPLY, ("10.244.2.10", "10.244.1.11"), (8_080, 60_372));
        put(&mut bytes, ID, &7_u32.to_be_bytes());
        put(&mut bytes, ZONE, &3_u16.to_be_bytes());
        let new = read(NEW, NLM_F_CREATE | NLM_F_EXCL, &bytes).expect("an entry");
        assert_eq!((new.happened, new.id, new.zone), (Happened::New, Some(7), Some(3)));
        assert_eq!((new.original.src_port, new.original.dst_port), (60_372, 80));
        assert_eq!(new.reply.src_ip, IpAddr::from([10, 244, 2, 10]));
        assert_eq!(read(NEW, 0, &bytes).map(|e| e.happened), Some(Happened::There));
        assert_eq!(read(DELETE, 0, &bytes).map(|e| e.happened), Some(Happened::Destroyed));
        assert_eq!(read(0x103, 0, &bytes), None);
    }

    #[test]
    fn what_is_not_whole_is_no_entry() {
        let mut bytes = Vec::new();
        half(&mut bytes, TUPLE_ORIGINAL, ("fd00::1", "fd00::2"), (1, 2));
        assert_eq!(read(NEW, 0, &bytes), None, "no reply");
        let both = bytes.len();
        half(&mut bytes, TUPLE_REPLY, ("fd00::2", "fd00::1"), (2, 1));
        assert!(read(NEW, 0, &bytes).is_some_and(|event| event.original.src_ip.is_ipv6()));
        for len in 0..bytes.len() {
            // Nothing panics, and what comes out has both addresses.
            let cut = read(NEW, 0, &bytes[..len]);
            assert!(cut.is_none() || len > both, "{len}");
        }
    }
}
