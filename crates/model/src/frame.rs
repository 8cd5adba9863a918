//! A frame: bytes as a tap captured them, with their packet time and their length on the wire.

use crate::Timestamp;

/// The link layer a frame begins with (the `LINKTYPE_` registry of tcpdump.org).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a four byte address family in the capturing host's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without HDLC framing.
    pub const PPP: Self = Self(9);
    /// Raw IPv4 or IPv6.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: a four byte address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log messages.
    pub const NFLOG: Self = Self(239);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// One captured frame. Borrowed from the capture's buffer: it lives until the next frame is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Packet time.
    pub time: Timestamp,
    /// Length on the wire in bytes; at least `bytes.len()`, more where the snap length cut the frame.
    pub wire_len: u32,
    /// What `bytes` begins with.
    pub link: LinkType,
    /// The captured bytes.
    pub bytes: &'a [u8],
}
