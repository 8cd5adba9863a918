//! A decoded packet: a small `Copy` value with everything that tracking needs, and nothing that borrows the frame.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_model::{Icmp, Protocol, TcpFlags, Timestamp, Tunnel};

/// An IP address as two words: cheap to compare and to hash. IPv4 is kept in its mapped form; which version it is says
/// [`Speakers`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    high: u64,
    low: u64,
}

impl Address {
    /// From the four bytes of an IPv4 address.
    pub const fn v4(bytes: [u8; 4]) -> Self {
        Self { high: 0, low: 0xffff_0000_0000 | u32::from_be_bytes(bytes) as u64 }
    }

    /// From the sixteen bytes of an IPv6 address.
    pub const fn v6(bytes: [u8; 16]) -> Self {
        let word = u128::from_be_bytes(bytes);
        Self { high: (word >> 64) as u64, low: word as u64 }
    }

    pub(crate) const fn ip(self, v6: bool) -> IpAddr {
        if v6 {
            IpAddr::V6(Ipv6Addr::from_bits(((self.high as u128) << 64) | self.low as u128))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(self.low as u32))
        }
    }
}

/// Who talks to whom: addresses, ports and protocol in an order of their own, so that both directions are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speakers {
    pub(crate) lower: Address,
    pub(crate) upper: Address,
    pub(crate) lower_port: u16,
    pub(crate) upper_port: u16,
    pub(crate) protocol: Protocol,
    pub(crate) v6: bool,
    /// An ICMP query or its reply: both ports are its identifier.
    pub(crate) is_query: bool,
}

impl Speakers {
    /// The speakers of a packet from `source` to `destination`, and whether it goes from the lower to the upper one.
    #[inline]
    pub fn new(v6: bool, protocol: Protocol, source: (Address, u16), destination: (Address, u16)) -> (Self, bool) {
        let upward = source <= destination;
        let ((lower, lower_port), (upper, upper_port)) =
            if upward { (source, destination) } else { (destination, source) };
        (Self { lower, upper, lower_port, upper_port, protocol, v6, is_query: false }, upward)
    }

    /// The identifier of an ICMP query and its reply.
    pub fn icmp_id(&self) -> Option<u16> {
        self.is_query.then_some(self.lower_port)
    }
}

impl Hash for Speakers {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        for address in [self.lower, self.upper] {
            state.write_u64(address.high);
            state.write_u64(address.low);
        }
        let ports = (u64::from(self.lower_port) << 16) | u64::from(self.upper_port);
        let kind = (u64::from(self.protocol.0) << 8) | (u64::from(self.is_query) << 1) | u64::from(self.v6);
        state.write_u64((ports << 16) | kind);
    }
}

/// VLAN ids and tunnels around a packet, from the outside in. Four of each are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Path {
    vlans: [Option<u16>; 4],
    tunnels: [Option<Tunnel>; 4],
}

impl Path {
    /// VLAN ids from the outside in.
    pub fn vlans(&self) -> impl Iterator<Item = u16> {
        self.vlans.into_iter().flatten()
    }

    /// Tunnels from the outside in; of a flow, first those of its first packet, then those of others.
    pub fn tunnels(&self) -> impl Iterator<Item = Tunnel> {
        self.tunnels.into_iter().flatten()
    }

    pub(crate) const fn is_plain(&self) -> bool {
        self.vlans[0].is_none() && self.tunnels[0].is_none()
    }

    pub(crate) fn push_vlan(&mut self, id: u16) {
        if let Some(free) = self.vlans.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(id);
        }
    }

    /// With the tunnels of `other` that are not among these: both directions of a flow in one list.
    pub(crate) fn joined(mut self, other: &Self) -> Self {
        for tunnel in other.tunnels() {
            if !self.tunnels.contains(&Some(tunnel)) {
                self.push_tunnel(tunnel);
            }
        }
        self
    }

    pub(crate) fn push_tunnel(&mut self, tunnel: Tunnel) {
        if let Some(free) = self.tunnels.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(tunnel);
        }
    }
}

/// What only TCP has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; counts with the ACK flag only.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// The window as announced, not scaled.
    pub window: u16,
}

/// What only ICMP and ICMPv6 have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpMessage {
    /// Type and code.
    pub icmp: Icmp,
    /// The flow of the packet that an error message quotes.
    pub quoted: Option<Speakers>,
}

/// What a packet's protocol adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing, or its header was not there to read (later fragments, cut frames).
    None,
    /// A TCP segment.
    Tcp(Segment),
    /// An ICMP or ICMPv6 message.
    Icmp(IcmpMessage),
    /// SCTP INIT: opens an association.
    SctpInit,
    /// SCTP INIT ACK: the answer to it.
    SctpInitAck,
}

/// Which bytes of a frame something is. They are looked up in the frame, so that a packet borrows nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first one.
    pub from: u32,
    /// How many.
    pub len: u32,
}

impl Captured {
    /// The bytes in their frame.
    #[inline]
    pub fn of(self, frame: &[u8]) -> &[u8] {
        let from = self.from as usize;
        frame.get(from..from + self.len as usize).unwrap_or_default()
    }
}

/// A decoded packet: the innermost IP packet of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Packet time.
    pub time: Timestamp,
    /// Who talks to whom.
    pub speakers: Speakers,
    /// It goes from the lower to the upper of them.
    pub upward: bool,
    /// Length of the IP packet on the wire.
    pub ip_bytes: u32,
    /// Bytes above the transport header on the wire.
    pub payload_bytes: u32,
    /// Those of them that were captured and may be read.
    pub payload: Captured,
    /// What the protocol adds.
    pub detail: Detail,
    /// VLANs and tunnels around it.
    pub path: Path,
}
