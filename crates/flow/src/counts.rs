//! What a tracker has seen, skipped and lost. Every frame is counted once: in a flow or under a reason.

use weir_model::{Flow, Timestamp};

use crate::l7::L7Counts;

/// Why a frame is in no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skipped {
    /// ARP or RARP, also inside a tunnel.
    Arp,
    /// Another protocol than IP above the link layer, also inside a tunnel.
    NonIp,
    /// The snap length cut it before the end of the IP header.
    Truncated,
    /// A header contradicts itself, or there are more layers than any network has.
    Malformed,
    /// The capture's link type is not known here.
    UnknownLink,
}

impl Skipped {
    /// Every reason, in order.
    pub const ALL: [Self; 5] = [Self::Arp, Self::NonIp, Self::Truncated, Self::Malformed, Self::UnknownLink];

    /// The name in metrics and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::NonIp => "non-ip",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
            Self::UnknownLink => "unknown-link",
        }
    }
}

/// Totals since the tracker was made.
///
/// Bytes add up as frames do: `wire_bytes + beyond_bytes == ip_bytes + outside_bytes + all_skipped_bytes()`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames observed: `packets` plus all skipped ones.
    pub frames: u64,
    /// Bytes of these frames on the wire.
    pub wire_bytes: u64,
    /// Frames that are packets of a flow.
    pub packets: u64,
    /// Bytes of these packets: the innermost IP layer, as flows count them.
    pub ip_bytes: u64,
    /// Bytes of these frames around that layer: link and tunnel headers, padding, check sequences.
    pub outside_bytes: u64,
    /// Bytes that IP headers promise and their frames never had, such as those of a capture that lost the lengths on the
    /// wire. At most 64 KiB a frame: packets without a length of their own end with their frame.
    pub beyond_bytes: u64,
    /// Flows opened.
    pub flows: u64,
    /// Flows pushed out of the full table; nothing of them is lost.
    pub evicted: u64,
    /// What was in reports and requests that the sink refused, since it was last taken.
    pub lost: Lost,
    /// What was read above the transport layer.
    pub l7: L7Counts,
    skipped: [u64; Skipped::ALL.len()],
    skipped_bytes: [u64; Skipped::ALL.len()],
}

impl Counts {
    /// Frames skipped for `reason`.
    pub const fn skipped(&self, reason: Skipped) -> u64 {
        self.skipped[reason as usize]
    }

    /// Frames skipped for any reason.
    pub fn all_skipped(&self) -> u64 {
        self.skipped.iter().sum()
    }

    /// Bytes on the wire of the frames skipped for `reason`.
    pub const fn skipped_bytes(&self, reason: Skipped) -> u64 {
        self.skipped_bytes[reason as usize]
    }

    /// Bytes on the wire of the frames skipped for any reason.
    pub fn all_skipped_bytes(&self) -> u64 {
        self.skipped_bytes.iter().sum()
    }

    /// Counts a frame of `wire_len` bytes with an IP packet of `ip_bytes`.
    #[inline]
    pub(crate) fn take(&mut self, wire_len: u32, ip_bytes: u32) {
        self.packets += 1;
        self.ip_bytes += u64::from(ip_bytes);
        self.outside_bytes += u64::from(wire_len.saturating_sub(ip_bytes));
        self.beyond_bytes += u64::from(ip_bytes.saturating_sub(wire_len));
    }

    pub(crate) fn skip(&mut self, reason: Skipped, wire_len: u32) {
        self.skipped[reason as usize] += 1;
        self.skipped_bytes[reason as usize] += u64::from(wire_len);
    }
}

/// Reports and requests that found no room, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Packets in them.
    pub packets: u64,
    /// IP bytes in them.
    pub bytes: u64,
    /// How many reports and requests.
    pub rows: u64,
    /// Their first packet.
    pub from: Option<Timestamp>,
    /// Their last packet.
    pub to: Option<Timestamp>,
}

impl Lost {
    /// Nothing.
    pub(crate) const NONE: Self = Self { packets: 0, bytes: 0, rows: 0, from: None, to: None };

    pub(crate) fn add(&mut self, flow: &Flow) {
        let (fwd, rev) = (flow.counters.fwd, flow.counters.rev);
        self.packets += fwd.packets + rev.packets;
        self.bytes += fwd.bytes + rev.bytes;
        self.add_row(flow.first_ts, flow.last_ts);
    }

    pub(crate) fn add_row(&mut self, from: Timestamp, to: Timestamp) {
        self.rows += 1;
        self.from = Some(self.from.map_or(from, |first| first.min(from)));
        self.to = Some(self.to.map_or(to, |last| last.max(to)));
    }
}
