//! What is kept of a TCP connection: its state, its handshake, what was sent again or out of order.

use weir_model::{EndReason, PerDirection, Tcp, TcpFlags, TcpState, Timestamp};

use super::sequence::{Side, distance};
use crate::config::IdleTimes;
use crate::packet::{Detail, Segment};

/// No time was measured.
const NOT_MEASURED: u32 = u32::MAX;

/// The connection.
pub(super) struct TcpTrack {
    /// The opener, the other side.
    sides: [Side; 2],
    rtt_us: u32,
    /// Until the opener's ack of the SYN+ACK is timed: when the last SYN was seen, once there was a SYN+ACK the last of
    /// those, in microseconds that wrap. From then on how long that ack took.
    ack_us: u32,
    state: TcpState,
    marks: u8,
}

impl TcpTrack {
    const SYN: u8 = 1;
    const SYN_ACK: u8 = 2;
    /// The other side answered the SYN with a reset.
    const REFUSED: u8 = 4;
    /// The first reset came from the opener.
    const RESET_BY_SRC: u8 = 8;
    /// The opener's ack of the SYN+ACK was timed.
    const ACKED: u8 = 16;

    /// The connection that a packet opens (of no meaning for other protocols).
    pub(super) fn new(detail: &Detail, time: Timestamp) -> Self {
        let state = match detail {
            Detail::Tcp(segment) if segment.is_syn() || segment.is_refusal() => TcpState::SynSent,
            _ => TcpState::Established,
        };
        Self { sides: [Side::default(); 2], rtt_us: NOT_MEASURED, ack_us: micros(time), state, marks: 0 }
    }

    const fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    /// The initial sequence numbers of the opener and the other side, where they are known.
    pub(super) fn isn(&self) -> [Option<u32>; 2] {
        self.sides.each_ref().map(Side::isn)
    }

    pub(super) const fn saw_syn(&self) -> bool {
        self.is(Self::SYN)
    }

    pub(super) const fn saw_syn_ack(&self) -> bool {
        self.is(Self::SYN_ACK)
    }

    pub(super) const fn was_refused(&self) -> bool {
        self.is(Self::REFUSED)
    }

    pub(super) const fn state(&self) -> TcpState {
        self.state
    }

    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, TcpState::Closed | TcpState::Reset)
    }

    /// At least one side has ended it.
    pub(super) const fn is_closing(&self) -> bool {
        matches!(self.state, TcpState::Closing | TcpState::Closed | TcpState::Reset)
    }

    /// How it ended, where it did by itself.
    pub(super) const fn end(&self) -> Option<EndReason> {
        match self.state {
            TcpState::Closed => Some(EndReason::Fin),
            TcpState::Reset if self.is(Self::RESET_BY_SRC) => Some(EndReason::ResetBySrc),
            TcpState::Reset => Some(EndReason::ResetByDst),
            _ => None,
        }
    }

    pub(super) const fn idle_ns(&self, idle: &IdleTimes) -> i64 {
        match self.state {
            TcpState::SynSent | TcpState::SynReceived => idle.tcp_opening_ns,
            TcpState::Established => idle.tcp_established_ns,
            TcpState::Closing => idle.tcp_closing_ns,
            TcpState::Closed | TcpState::Reset => idle.tcp_closed_ns,
        }
    }

    /// Whether `segment` belongs to another connection than this one, on the same tuple.
    pub(super) fn is_reopened_by(&self, segment: &Segment, from_opener: bool) -> bool {
        if !segment.is_syn() || segment.is_rst() {
            return false;
        }
        let [opener, other] = &self.sides;
        let sender = if from_opener { opener } else { other };
        if sender.isn() == Some(segment.seq) {
            return false;
        }
        if segment.is_ack() {
            let answers_opener = !from_opener && self.answers(segment);
            return self.is_over() && !answers_opener;
        }
        // Both sides may open at once (RFC 9293, 3.5), as long as the other one has no number yet.
        let opens_too = !from_opener && self.state == TcpState::SynSent && other.isn().is_none();
        !opens_too
    }

    /// Whether the SYN+ACK `segment` acknowledges the opener's SYN (and at most what came with it).
    fn answers(&self, segment: &Segment) -> bool {
        self.is_behind_syn(segment.ack)
    }

    /// Whether a number lies behind the opener's SYN, and not behind what came with it.
    fn is_behind_syn(&self, number: u32) -> bool {
        let opener = &self.sides[0];
        opener.isn().is_some_and(|isn| distance(isn, number) > 0 && distance(number, opener.next) >= 0)
    }

    /// Takes in a segment of this connection. `answered` = the other side had sent something before.
    #[inline]
    pub(super) fn observe(
        &mut self,
        segment: &Segment,
        from_opener: bool,
        payload: u32,
        time: Timestamp,
        answered: bool,
    ) {
        let time_us = micros(time);
        let (sender, receiver) = self.ends(from_opener);
        sender.flags.insert(segment.flags);
        if !segment.is_control() {
            sender.zero_window += u32::from(segment.window == 0);
            sender.acknowledge(segment.ack, payload == 0, receiver);
        } else if segment.is_ack() && !segment.is_rst() {
            sender.acknowledge(segment.ack, false, receiver);
        }
        if segment.is_control() || self.state != TcpState::Established {
            self.advance(segment, from_opener, payload, time_us, answered);
        }
        if !segment.is_rst() {
            let (sender, receiver) = self.ends(from_opener);
            sender.follow(segment, payload, time_us, receiver);
        }
    }

    /// No more segments come.
    pub(super) fn finish(&mut self) {
        let [opener, other] = &mut self.sides;
        opener.finish(other);
        other.finish(opener);
    }

    /// Who sends and who receives.
    const fn ends(&mut self, opener_sends: bool) -> (&mut Side, &mut Side) {
        let [opener, other] = &mut self.sides;
        if opener_sends { (opener, other) } else { (other, opener) }
    }

    /// Everything but the data of an established connection.
    fn advance(&mut self, segment: &Segment, from_opener: bool, payload: u32, time_us: u32, answered: bool) {
        if segment.is_rst() {
            self.reset(segment, from_opener);
        } else if segment.is_syn() && segment.is_ack() {
            self.syn_ack(segment, from_opener, time_us);
        } else if segment.is_syn() {
            self.syn(segment, from_opener, time_us);
        } else if segment.is_ack() {
            self.ack(segment, from_opener, payload, time_us, answered);
        }
        if segment.is_fin() && !segment.is_rst() {
            self.fin(from_opener);
        }
    }

    fn syn(&mut self, segment: &Segment, from_opener: bool, time_us: u32) {
        self.sides[usize::from(!from_opener)].learn_isn(segment.seq);
        if from_opener {
            self.marks |= Self::SYN;
            if !self.saw_syn_ack() {
                self.ack_us = time_us;
                if self.state == TcpState::Reset {
                    // Refused, and asked again.
                    self.state = TcpState::SynSent;
                }
            }
        }
    }

    fn syn_ack(&mut self, segment: &Segment, from_opener: bool, time_us: u32) {
        if !from_opener {
            if self.saw_syn() && !self.answers(segment) {
                return;
            }
            if self.saw_syn() && !self.saw_syn_ack() {
                self.rtt_us = micros_between(self.ack_us, time_us);
            }
            self.sides[0].learn_isn(segment.ack.wrapping_sub(1));
            self.sides[1].learn_isn(segment.seq);
        }
        self.marks |= Self::SYN_ACK;
        if !self.is(Self::ACKED) {
            self.ack_us = time_us;
        }
        if self.state == TcpState::SynSent {
            self.state = TcpState::SynReceived;
        }
    }

    fn ack(&mut self, segment: &Segment, from_opener: bool, payload: u32, time_us: u32, answered: bool) {
        let [opener, other] = &mut self.sides;
        match self.state {
            TcpState::SynSent if from_opener => {
                // The other direction is not seen here: the handshake's last ack tells its number.
                if !answered && opener.isn().is_some() && segment.seq == opener.next {
                    other.learn_isn(segment.ack.wrapping_sub(1));
                }
                self.state = TcpState::Established;
            }
            TcpState::SynSent | TcpState::SynReceived if !from_opener && payload > 0 => {
                self.state = TcpState::Established;
            }
            TcpState::SynReceived if from_opener => {
                let of_handshake = other.isn().is_some_and(|isn| isn.wrapping_add(1) == segment.ack);
                if of_handshake && !self.is(Self::ACKED) {
                    self.ack_us = micros_between(self.ack_us, time_us);
                    self.marks |= Self::ACKED;
                }
                self.state = TcpState::Established;
            }
            _ => {}
        }
    }

    fn fin(&mut self, from_opener: bool) {
        let (sender, receiver) = self.ends(from_opener);
        sender.marks |= Side::FIN;
        let is_second = receiver.is(Side::FIN);
        if self.state != TcpState::Reset {
            self.state = if is_second { TcpState::Closed } else { TcpState::Closing };
        }
    }

    fn reset(&mut self, segment: &Segment, from_opener: bool) {
        // An opener answers what is left of an older connection with a reset that has that one's number (RFC 9293, 3.5.1).
        let is_of_another = from_opener && self.state == TcpState::SynSent && !self.is_behind_syn(segment.seq);
        if self.is_over() || is_of_another {
            return;
        }
        if from_opener {
            self.marks |= Self::RESET_BY_SRC;
        } else if self.state == TcpState::SynSent {
            self.marks |= Self::REFUSED;
            if segment.is_refusal() {
                self.sides[0].learn_isn(segment.ack.wrapping_sub(1));
            }
        }
        self.state = TcpState::Reset;
    }

    /// Starts a new row: what is counted for each row begins again.
    pub(super) fn clear_row(&mut self) {
        self.rtt_us = NOT_MEASURED;
        if self.is(Self::ACKED) {
            self.ack_us = NOT_MEASURED;
        }
        self.sides.iter_mut().for_each(Side::clear_row);
    }

    /// The row's TCP columns.
    pub(super) fn row(&self) -> Tcp {
        let [fwd, rev] = &self.sides;
        let measured = |us: u32| (us != NOT_MEASURED).then_some(us);
        Tcp {
            flags: PerDirection { fwd: fwd.flags, rev: rev.flags },
            state: self.state,
            handshake_rtt_us: measured(self.rtt_us),
            handshake_ack_us: measured(self.ack_us).filter(|_| self.is(Self::ACKED)),
            retransmits: PerDirection { fwd: fwd.retransmits, rev: rev.retransmits },
            fast_retransmits: PerDirection { fwd: fwd.fast_retransmits, rev: rev.fast_retransmits },
            out_of_order: PerDirection { fwd: fwd.out_of_order, rev: rev.out_of_order },
            zero_window: PerDirection { fwd: fwd.zero_window, rev: rev.zero_window },
            keep_alives: PerDirection { fwd: fwd.keep_alives, rev: rev.keep_alives },
            lost_bytes: PerDirection { fwd: fwd.lost_bytes, rev: rev.lost_bytes },
            isn: PerDirection { fwd: fwd.isn(), rev: rev.isn() },
        }
    }
}

/// A time in microseconds that wrap after an hour.
const fn micros(time: Timestamp) -> u32 {
    (time.0 / 1_000) as u32
}

/// Microseconds from one packet to another; not measured where time went back.
fn micros_between(from_us: u32, to_us: u32) -> u32 {
    u32::try_from(to_us.wrapping_sub(from_us) as i32).unwrap_or(NOT_MEASURED)
}

impl Segment {
    /// Has the SYN flag.
    pub const fn is_syn(&self) -> bool {
        self.flags.contains(TcpFlags::SYN)
    }

    /// Has the ACK flag.
    pub const fn is_ack(&self) -> bool {
        self.flags.contains(TcpFlags::ACK)
    }

    /// Has the FIN flag.
    pub const fn is_fin(&self) -> bool {
        self.flags.contains(TcpFlags::FIN)
    }

    /// Has the FIN, SYN or RST flag.
    pub const fn is_control(&self) -> bool {
        const CONTROL: u8 = TcpFlags::FIN.0 | TcpFlags::SYN.0 | TcpFlags::RST.0;
        self.flags.0 & CONTROL != 0
    }

    /// Answers a SYN with a reset: only what has no ACK is reset with the number zero (RFC 9293, 3.10.7.1).
    pub const fn is_refusal(&self) -> bool {
        self.is_rst() && self.is_ack() && self.seq == 0
    }

    /// Has the RST flag.
    pub const fn is_rst(&self) -> bool {
        self.flags.contains(TcpFlags::RST)
    }
}
