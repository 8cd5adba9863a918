//! Words of the network: protocols, tuples, TCP flags, tunnels, ICMP messages.

use std::fmt;
use std::net::IpAddr;

/// An IP protocol number (IANA "Protocol Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// DCCP.
    pub const DCCP: Self = Self(33);
    /// ICMPv6.
    pub const ICMPV6: Self = Self(58);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// UDP-Lite.
    pub const UDPLITE: Self = Self(136);

    const NAMES: [(Self, &'static str); 14] = [
        (Self::ICMP, "icmp"),
        (Self(2), "igmp"),
        (Self(4), "ipip"),
        (Self::TCP, "tcp"),
        (Self::UDP, "udp"),
        (Self::DCCP, "dccp"),
        (Self(41), "ipv6"),
        (Self(47), "gre"),
        (Self(50), "esp"),
        (Self(51), "ah"),
        (Self::ICMPV6, "icmpv6"),
        (Self(89), "ospf"),
        (Self::SCTP, "sctp"),
        (Self::UDPLITE, "udplite"),
    ];

    /// Whether packets of this protocol carry source and destination ports.
    pub const fn has_ports(self) -> bool {
        matches!(self, Self::TCP | Self::UDP | Self::DCCP | Self::SCTP | Self::UDPLITE)
    }

    /// Whether this is ICMP or ICMPv6.
    pub const fn is_icmp(self) -> bool {
        matches!(self, Self::ICMP | Self::ICMPV6)
    }

    /// The lower-case name, `tcp`; `None` for a number without a name here.
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.iter().find(|(p, _)| *p == self).map(|(_, name)| *name)
    }

    /// Reads a name (`tcp`, any case) or a number (`6`).
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        Self::NAMES.iter().find(|(_, name)| *name == lower).map(|(p, _)| *p).or_else(|| lower.parse().ok().map(Self))
    }
}

/// The name where there is one, else the number.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Addresses and ports as one tap saw them; `src` is the opener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// The IP protocol.
    pub protocol: Protocol,
    /// The opener's address.
    pub src_ip: IpAddr,
    /// The opener's port; 0 where the protocol has none.
    pub src_port: u16,
    /// The other side's address.
    pub dst_ip: IpAddr,
    /// The other side's port; 0 where the protocol has none.
    pub dst_port: u16,
}

impl Tuple {
    /// The same exchange seen from the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            protocol: self.protocol,
            src_ip: self.dst_ip,
            src_port: self.dst_port,
            dst_ip: self.src_ip,
            dst_port: self.src_port,
        }
    }

    /// The smaller of this tuple and its reverse: the same for both directions.
    #[must_use]
    pub fn canonical(self) -> Self {
        self.min(self.reversed())
    }
}

/// TCP header flags as a set: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128 (RFC 9293, RFC 3168).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(1);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(2);
    /// Reset.
    pub const RST: Self = Self(4);
    /// Push.
    pub const PSH: Self = Self(8);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(16);

    const NAMES: [&'static str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

    /// Whether every flag of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds the flags of `other`.
    pub const fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The names of the set flags, lowest bit first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().enumerate().filter(move |(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| name)
    }

    /// The set that holds the flag called `name` (upper case), if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().position(|n| *n == name).map(|bit| Self(1 << bit))
    }
}

/// Kinds of tunnels that are opened to reach the innermost IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TunnelKind {
    /// VXLAN (RFC 7348).
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
    /// GRE (RFC 2784, 2890), also with Ethernet inside.
    Gre,
    /// IPv4 or IPv6 in IPv4 or IPv6 (RFC 2003, 4213, 2473).
    Ipip,
}

impl TunnelKind {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gre => "gre",
            Self::Ipip => "ipip",
        }
    }

    /// Reads [`TunnelKind::name`] back.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Vxlan, Self::Geneve, Self::Gre, Self::Ipip].into_iter().find(|kind| kind.name() == text)
    }
}

/// One tunnel around a flow's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tunnel {
    /// What kind.
    pub kind: TunnelKind,
    /// VNI (VXLAN, Geneve) or key (GRE); `None` where the tunnel has none.
    pub id: Option<u32>,
}

/// One kind of ICMP or ICMPv6 message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Icmp {
    /// The message type.
    pub kind: u8,
    /// The code within the type.
    pub code: u8,
}
