//! One direction of a TCP connection: how far its sequence numbers have come, what came again, what came late, and what
//! never came.

use weir_model::TcpFlags;

use crate::packet::Segment;

/// A segment that fills a gap this soon after the segment behind it was only overtaken, unless it was asked for; later
/// it was sent again. (The same three milliseconds that Wireshark takes.)
const OVERTAKEN_US: u32 = 3_000;
/// No sender is further ahead of what was acknowledged (RFC 7323, 2.3): a larger step is no gap, but other numbers.
const MAX_WINDOW: i32 = 1 << 30;

/// One direction.
#[derive(Clone, Copy, Default)]
pub(super) struct Side {
    /// The sequence number behind the furthest byte seen.
    pub(super) next: u32,
    isn: u32,
    /// From the first byte that is missing to the end of the last one; equal = none is.
    gap: (u32, u32),
    /// Bytes of the gap that were not seen.
    missing: u32,
    /// When `next` last moved, microseconds that wrap.
    moved_us: u32,
    /// What it acknowledged last.
    acked: u32,
    pub(super) retransmits: u32,
    pub(super) fast_retransmits: u32,
    pub(super) out_of_order: u32,
    pub(super) zero_window: u32,
    pub(super) lost_bytes: u32,
    /// Seconds apart each: a row does not hold as many as this does.
    pub(super) keep_alives: u16,
    pub(super) flags: TcpFlags,
    pub(super) marks: u8,
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
    /// `acked` means something.
    const ACKED: u8 = 32;
    /// `next` has moved since it was anchored.
    const MOVED: u8 = 64;

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

    /// Starts a new row.
    pub(super) fn clear_row(&mut self) {
        (self.retransmits, self.fast_retransmits, self.out_of_order) = (0, 0, 0);
        (self.zero_window, self.lost_bytes, self.keep_alives) = (0, 0, 0);
        self.flags = TcpFlags::default();
    }

    /// Follows what this side acknowledges. `is_bare` = nothing came with it; `sender` is the other side.
    #[inline]
    pub(super) const fn acknowledge(&mut self, ack: u32, is_bare: bool, sender: &Self) {
        if self.acked != ack || !self.is(Self::ACKED) {
            self.acked = ack;
            self.marks = (self.marks & !Self::REPEATS) | Self::ACKED;
        } else if is_bare && self.marks & Self::REPEATS != Self::REPEATS && distance(ack, sender.next) > 0 {
            self.marks += Self::ONE_REPEAT;
        }
    }

    /// Whether this side asks for the segment at `seq` again: it acknowledged it three times (RFC 5681, 3.2; two
    /// repetitions are enough, as one may not have been captured).
    const fn asks_for(&self, seq: u32) -> bool {
        self.acked == seq && self.marks & Self::REPEATS >= 2 * Self::ONE_REPEAT
    }

    /// Follows the sequence numbers and counts what comes again or late. `receiver` is the other side.
    pub(super) fn follow(&mut self, segment: &Segment, payload: u32, time_us: u32, receiver: &mut Self) {
        let opens_or_ends = u32::from(segment.is_syn()) + u32::from(segment.is_fin());
        let end = segment.seq.wrapping_add(payload).wrapping_add(opens_or_ends);
        if !self.is(Self::ANCHORED) {
            self.marks |= Self::ANCHORED;
            (self.next, self.moved_us) = (end, time_us);
            return;
        }
        let ahead = distance(self.next, segment.seq);
        if payload <= 1 && opens_or_ends == 0 {
            // The byte before the next one, to get an acknowledgement (RFC 9293, 3.8.4). What follows a FIN has no data,
            // and the number before the FIN's is of an ACK that the FIN overtook.
            if ahead == -1 && !self.is(Self::FIN) {
                self.keep_alives = self.keep_alives.saturating_add(1);
                return;
            }
            if payload == 0 {
                return;
            }
        }
        if distance(self.next, end) > 0 {
            if ahead > 0 {
                self.miss(segment.seq, ahead, receiver);
            } else if ahead < 0 {
                self.repeat(segment.seq, receiver);
                self.fill(segment.seq, self.next);
            }
            (self.next, self.moved_us) = (end, time_us);
            self.marks |= Self::MOVED;
            return;
        }
        let is_overtaken = self.is_in_gap(segment.seq) && time_us.wrapping_sub(self.moved_us) <= OVERTAKEN_US;
        if is_overtaken && !receiver.asks_for(segment.seq) {
            self.out_of_order += 1;
        } else {
            self.repeat(segment.seq, receiver);
        }
        self.fill(segment.seq, end);
    }

    /// No more segments come: what is missing is lost, and so is what the other side acknowledged without its having
    /// been seen. Of that a lone number may be the FIN's.
    pub(super) fn finish(&mut self, receiver: &Self) {
        self.lose();
        let unseen = distance(self.next, receiver.acked);
        if self.is(Self::ANCHORED) && receiver.is(Self::ACKED) && (2..MAX_WINDOW).contains(&unseen) {
            self.lost_bytes = self.lost_bytes.saturating_add(unseen.unsigned_abs());
        }
    }

    /// The segment at `seq` came, and the `ahead` bytes before it did not.
    fn miss(&mut self, seq: u32, ahead: i32, receiver: &Self) {
        // The first packet of a flow that was joined half-way may have been a keep-alive.
        let was_probed = ahead == 1 && !self.is(Self::MOVED) && self.isn().is_none();
        if ahead > MAX_WINDOW || was_probed {
            return;
        }
        // Everybody but this tap has it: nobody sends it again.
        if receiver.is(Self::ACKED) && distance(self.gap.1, receiver.acked) >= 0 {
            self.lose();
        }
        let from = if self.missing == 0 { self.next } else { self.gap.0 };
        self.gap = (from, seq);
        self.missing = self.missing.saturating_add(ahead.unsigned_abs());
    }

    /// Bytes came again that were seen, or that were asked for.
    const fn repeat(&mut self, seq: u32, receiver: &mut Self) {
        self.retransmits += 1;
        if receiver.asks_for(seq) {
            self.fast_retransmits += 1;
            receiver.marks &= !Self::REPEATS;
        }
    }

    const fn is_in_gap(&self, seq: u32) -> bool {
        distance(self.gap.0, seq) >= 0 && distance(seq, self.gap.1) > 0
    }

    /// The bytes from `seq` to `end` came. With several holes in the gap they are taken for missing ones.
    fn fill(&mut self, seq: u32, end: u32) {
        let (from, to) = self.gap;
        let seq = if distance(from, seq) > 0 { seq } else { from };
        let end = if distance(end, to) > 0 { end } else { to };
        let len = distance(seq, end);
        if len <= 0 {
            return;
        }
        self.missing = self.missing.saturating_sub(len.unsigned_abs());
        if self.missing == 0 {
            self.gap = (to, to);
        } else if seq == from {
            self.gap.0 = end;
        } else if end == to {
            self.gap.1 = seq;
        }
    }

    /// What is missing will not come any more.
    const fn lose(&mut self) {
        self.lost_bytes = self.lost_bytes.saturating_add(self.missing);
        (self.gap.0, self.missing) = (self.gap.1, 0);
    }
}

/// How far `to` is ahead of `from` in sequence space (RFC 9293, 3.4).
pub(super) const fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}
