//! One flow in the table. Rare things (VLANs, tunnels, kinds of ICMP) are small indices into tables of their own.

use weir_model::{Counters, Icmp, InitiatorBy, Protocol, Timestamp};

use super::slots::Links;
use super::tcp::TcpTrack;
use crate::config::IdleTimes;
use crate::l7::Seat;
use crate::packet::{Detail, Packet, Speakers};

/// UDP that lasts longer than this is a stream.
const STREAM_NS: i64 = 2_000_000_000;

/// A flow.
pub(super) struct Entry {
    pub(super) speakers: Speakers,
    /// Number within the run.
    pub(super) number: u64,
    /// The flow's first packet.
    pub(super) start: Timestamp,
    /// The first packet of the row; meaningful while the row has packets.
    pub(super) first: Timestamp,
    /// The last packet of the flow.
    pub(super) last: Timestamp,
    /// The row so far: from the opener, and back to it.
    pub(super) row: [Counters; 2],
    pub(super) tcp: TcpTrack,
    pub(super) timer: Links,
    pub(super) due: Links,
    /// Where the timer is, while it is set.
    pub(super) timer_slot: u16,
    pub(super) path: u16,
    pub(super) icmp: u16,
    /// What it says above the transport layer.
    pub(super) seat: Seat,
    pub(super) initiator: InitiatorBy,
    marks: u8,
}

/// Marks of a flow, one bit each.
impl Entry {
    /// The opener is the lower of the speakers.
    const OPENER_IS_LOWER: u8 = 1;
    /// A stored report was made.
    pub(super) const REPORTED: u8 = 2;
    /// Packets from the opener, packets back to it.
    const SEEN: [u8; 2] = [4, 8];
    /// An ICMP error said that it did not get through.
    pub(super) const REJECTED: u8 = 16;
    /// The row waits in the queue of due rows.
    pub(super) const DUE: u8 = 32;
    /// UDP that went on for a while.
    const STREAM: u8 = 64;
    /// It was removed: its place is free.
    pub(super) const GONE: u8 = 128;

    /// The flow that `packet` opens. It counts no packet yet.
    pub(super) fn new(packet: &Packet, number: u64) -> Self {
        let (from_opener, initiator) = opener(&packet.detail);
        let marks = if packet.upward == from_opener { Self::OPENER_IS_LOWER } else { 0 };
        Self {
            speakers: packet.speakers,
            number,
            start: packet.time,
            first: packet.time,
            last: packet.time,
            row: [Counters::default(); 2],
            tcp: TcpTrack::new(&packet.detail, packet.time),
            timer: Links::default(),
            due: Links::default(),
            timer_slot: 0,
            path: 0,
            icmp: 0,
            seat: Seat::NEW,
            initiator,
            marks,
        }
    }

    pub(super) const fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    pub(super) const fn mark(&mut self, mark: u8) {
        self.marks |= mark;
    }

    pub(super) const fn unmark(&mut self, mark: u8) {
        self.marks &= !mark;
    }

    /// Whether `packet`, which is of this flow, comes from the opener.
    pub(super) const fn is_from_opener(&self, packet: &Packet) -> bool {
        packet.upward == self.is(Self::OPENER_IS_LOWER)
    }

    pub(super) const fn opener_is_lower(&self) -> bool {
        self.is(Self::OPENER_IS_LOWER)
    }

    /// Whether there ever were packets from the opener, and back to it.
    pub(super) const fn seen(&self) -> (bool, bool) {
        (self.is(Self::SEEN[0]), self.is(Self::SEEN[1]))
    }

    pub(super) const fn row_is_empty(&self) -> bool {
        self.row[0].packets == 0 && self.row[1].packets == 0
    }

    /// Starts a new row after one was reported.
    pub(super) fn clear_row(&mut self) {
        self.row = [Counters::default(); 2];
        self.tcp.clear_row();
        self.mark(Self::REPORTED);
    }

    /// Counts `packet`.
    #[inline]
    pub(super) fn count(&mut self, packet: &Packet) {
        let from_opener = self.is_from_opener(packet);
        let time = packet.time;
        if self.row_is_empty() {
            (self.first, self.last) = (time, time);
        } else {
            self.first = self.first.min(time);
            self.last = self.last.max(time);
        }
        let side = usize::from(!from_opener);
        let counters = &mut self.row[side];
        counters.packets += 1;
        counters.bytes += u64::from(packet.ip_bytes);
        counters.payload += u64::from(packet.payload_bytes);
        if let Detail::Tcp(segment) = &packet.detail {
            let answered = self.is(Self::SEEN[1]);
            self.tcp.observe(segment, from_opener, packet.payload_bytes, time, answered);
            if self.tcp.saw_syn() && self.initiator == InitiatorBy::SynAck {
                self.initiator = InitiatorBy::Syn;
            }
        } else if time.since(self.start) > STREAM_NS {
            self.mark(Self::STREAM);
        }
        self.mark(Self::SEEN[side]);
    }

    /// When it is over if nothing more comes.
    pub(super) fn deadline(&self, idle: &IdleTimes) -> i64 {
        let span = match self.speakers.protocol {
            Protocol::TCP => self.tcp.idle_ns(idle),
            Protocol::UDP | Protocol::UDPLITE if self.is(Self::STREAM) => idle.udp_stream_ns,
            Protocol::UDP | Protocol::UDPLITE => idle.udp_ns,
            Protocol::SCTP | Protocol::DCCP => idle.association_ns,
            Protocol::ICMP | Protocol::ICMPV6 => idle.icmp_ns,
            _ => idle.other_ns,
        };
        self.last.0.saturating_add(span)
    }
}

/// Whether the first packet comes from the opener, and how that is known.
const fn opener(detail: &Detail) -> (bool, InitiatorBy) {
    match detail {
        Detail::Tcp(segment) => match (segment.is_syn(), segment.is_ack()) {
            (true, false) => (true, InitiatorBy::Syn),
            (true, true) => (false, InitiatorBy::SynAck),
            (false, _) if segment.is_refusal() => (false, InitiatorBy::SynAck),
            (false, _) => (true, InitiatorBy::FirstPacket),
        },
        Detail::SctpInit => (true, InitiatorBy::Syn),
        Detail::SctpInitAck => (false, InitiatorBy::SynAck),
        Detail::Icmp(message) => match message.icmp {
            // Queries, replies.
            Icmp { kind: 8 | 13 | 15 | 17 | 42 | 128 | 160, .. } => (true, InitiatorBy::Syn),
            Icmp { kind: 0 | 14 | 16 | 18 | 43 | 129 | 161, .. } => (false, InitiatorBy::SynAck),
            _ => (true, InitiatorBy::FirstPacket),
        },
        Detail::None => (true, InitiatorBy::FirstPacket),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_takes_no_more_memory_than_the_documentation_says() {
        assert_eq!(size_of::<Entry>(), 264);
    }
}
