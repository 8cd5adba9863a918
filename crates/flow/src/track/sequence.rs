//! One direction of a TCP connection: how far its sequence numbers have come, what came again, what came late.

use weir_model::TcpFlags;

use crate::packet::Segment;

/// A segment that fills a gap this soon after the segment behind it was only overtaken, unless it was asked for; later
/// it was sent again. (The same three milliseconds that Wireshark takes.)
const OVERTAKEN_US: u32 = 3_000;

/// One direction.
#[derive(Clone, Copy, Default)]
pub(super) struct Side {
    /// The sequence number behind the furthest byte seen.
    pub(super) next: u32,
    isn: u32,
    /// The last hole in what was seen: from, to; equal = none.
    gap: (u32, u32),
    /// When `next` last moved, microseconds that wrap.
    moved_us: u32,
    pub(super) retransmits: u32,
    pub(super) out_of_order: u32,
    pub(super) zero_window: u32,
    pub(super) flags: TcpFlags,
    pub(super) marks: u8,
    /// What it acknowledged last, the lower half.
    acked: u16,
}

impl Side {
    /// `next` means something.
    const ANCHORED: u8 = 1;
    /// `isn` is known.
    const ISN: u8 = 2;
    /// It sent FIN.
    pub(super) const FIN: u8 = 4;
    /// How often it repeated its last acknowledgement, up to three: two bits.
    const REPEATS: u8 = 24;
    const ONE_REPEAT: u8 = 8;

    pub(super) const fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    pub(super) fn isn(&self) -> Option<u32> {
        self.is(Self::ISN).then_some(self.isn)
    }

    /// Learns the initial number. The first value stands: reports of one flow never differ.
    pub(super) const fn learn_isn(&mut self, isn: u32) {
        if !self.is(Self::ISN) {
            self.isn = isn;
            self.marks |= Self::ISN;
        }
    }

    /// Follows what this side acknowledges.
    #[inline]
    pub(super) const fn acknowledge(&mut self, ack: u32, payload: u32) {
        if self.acked != ack as u16 {
            self.acked = ack as u16;
            self.marks &= !Self::REPEATS;
        } else if payload == 0 && self.marks & Self::REPEATS != Self::REPEATS {
            self.marks += Self::ONE_REPEAT;
        }
    }

    /// Whether this side asks for the segment at `seq` again: it acknowledged it three times (RFC 5681, 3.2; two
    /// repetitions are enough, as one may not have been captured).
    const fn asks_for(&self, seq: u32) -> bool {
        self.acked == seq as u16 && self.marks & Self::REPEATS >= 2 * Self::ONE_REPEAT
    }

    /// Follows the sequence numbers and counts what comes again or late. `receiver` is the other side.
    pub(super) fn follow(&mut self, segment: &Segment, payload: u32, time_us: u32, receiver: &Self) {
        let opens_or_ends = u32::from(segment.is_syn()) + u32::from(segment.is_fin());
        let len = payload.wrapping_add(opens_or_ends);
        let end = segment.seq.wrapping_add(len);
        if !self.is(Self::ANCHORED) {
            self.marks |= Self::ANCHORED;
            (self.next, self.moved_us) = (end, time_us);
            return;
        }
        if len == 0 {
            return;
        }
        if distance(self.next, end) > 0 {
            let ahead = distance(self.next, segment.seq);
            if ahead > 0 {
                let from = if self.gap.0 == self.gap.1 { self.next } else { self.gap.0 };
                self.gap = (from, segment.seq);
            } else if ahead < 0 {
                self.retransmits += 1;
            }
            (self.next, self.moved_us) = (end, time_us);
            return;
        }
        let is_keep_alive = payload <= 1 && opens_or_ends == 0 && distance(self.next, segment.seq) == -1;
        if is_keep_alive {
            return;
        }
        let in_gap = distance(self.gap.0, segment.seq) >= 0 && distance(segment.seq, self.gap.1) > 0;
        if in_gap && time_us.wrapping_sub(self.moved_us) <= OVERTAKEN_US && !receiver.asks_for(segment.seq) {
            self.out_of_order += 1;
        } else {
            self.retransmits += 1;
        }
        if in_gap && segment.seq == self.gap.0 {
            self.gap.0 = if distance(end, self.gap.1) > 0 { end } else { self.gap.1 };
        }
    }
}

/// How far `to` is ahead of `from` in sequence space (RFC 9293, 3.4).
pub(super) const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}
