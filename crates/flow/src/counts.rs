//! What a tracker has seen, skipped and lost. Every frame is counted once: in a flow or under a reason.

use weir_model::{Flow, Timestamp};

/// Why a frame is in no flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Skipped {
    /// ARP or RARP, also inside a tunnel.
    Arp,
    /// Another protocol than IP above the link layer, also inside a tunnel.
    NonIp,
    /// The snap length cut it before the addresses or ports.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames observed: `packets` plus all skipped ones.
    pub frames: u64,
    /// Bytes of these frames on the wire.
    pub wire_bytes: u64,
    /// Frames that are packets of a flow.
    pub packets: u64,
    /// Flows opened.
    pub flows: u64,
    /// Flows pushed out of the full table; nothing of them is lost.
    pub evicted: u64,
    /// What was in reports that the sink refused.
    pub lost: Lost,
    skipped: [u64; Skipped::ALL.len()],
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

    pub(crate) const fn skip(&mut self, reason: Skipped) {
        self.skipped[reason as usize] += 1;
    }
}

/// Reports that found no room, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Packets in them.
    pub packets: u64,
    /// IP bytes in them.
    pub bytes: u64,
    /// How many reports.
    pub rows: u64,
    /// Their first packet.
    pub from: Option<Timestamp>,
    /// Their last packet.
    pub to: Option<Timestamp>,
}

impl Lost {
    pub(crate) fn add(&mut self, flow: &Flow) {
        let (fwd, rev) = (flow.counters.fwd, flow.counters.rev);
        self.packets += fwd.packets + rev.packets;
        self.bytes += fwd.bytes + rev.bytes;
        self.rows += 1;
        self.from = Some(self.from.map_or(flow.first_ts, |from| from.min(flow.first_ts)));
        self.to = Some(self.to.map_or(flow.last_ts, |to| to.max(flow.last_ts)));
    }
}
