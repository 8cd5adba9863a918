//! The talks of all flows of a tracker: a pool with a cap of its own, so that a flow that says nothing pays one number.
//!
//! Key: the seat in the flow's entry. Freshness: from the first payload until nothing more can be learnt. Eviction: when
//! the pool is over its cap in bytes, the talk that was not used for longest, or nearly (a clock's hand goes round); what
//! was open in it is given out.

use weir_model::{Request, Timestamp};

use super::config::{L7Config, L7Level};
use super::exchanges::Exchanges;
use super::parser::Side;
use super::stream::Arrival;
use super::talk::{DatagramTalk, Gaps, StreamTalk, Talk};
use crate::packet::Segment;

/// Seats that stay when nobody sits any more.
const KEPT_SEATS: usize = 1_024;
/// A first segment that is no further ahead of the stream's beginning was overtaken.
const MAX_EARLY: u32 = 64 << 10;

/// Where the talk of a flow is, or how often one was looked for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seat(u32);

impl Seat {
    /// The flow has said nothing yet.
    pub(crate) const NEW: Self = Self(u32::MAX);
    /// Nothing can be learnt from it: this many payloads were nothing that is known.
    pub(crate) const SILENT: Self = Self(u32::MAX - 20);

    /// Whether it has a talk, so that a packet without payload may matter too.
    pub(crate) const fn is_taken(self) -> bool {
        self.0 < Self::SILENT.0
    }

    /// One more payload was nothing that is known.
    const fn disappointed(self) -> Self {
        Self(self.0 - 1)
    }
}

/// Totals above the transport layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L7Counts {
    /// Exchanges given out.
    pub requests: u64,
    /// Talks given up because there was no more room.
    pub evicted: u64,
    /// Gaps in the streams that were read.
    pub gaps: u64,
    /// Bytes in them.
    pub gap_bytes: u64,
}

/// A packet as its talk hears it.
pub(crate) struct Heard<'a> {
    /// It comes from the opener.
    pub(crate) from_opener: bool,
    /// The opener's port and the other one.
    pub(crate) ports: (u16, u16),
    /// Packet time.
    pub(crate) time: Timestamp,
    /// The payload that was captured.
    pub(crate) payload: &'a [u8],
    /// Its length on the wire.
    pub(crate) wire: u32,
    /// The TCP header; `None` = a datagram.
    pub(crate) segment: Option<&'a Segment>,
    /// Nothing was looked at before.
    pub(crate) is_first: bool,
    /// The initial sequence numbers of both sides, the opener's first, where they are known.
    pub(crate) isn: [Option<u32>; 2],
}

/// The pool.
pub(crate) struct Talks {
    config: L7Config,
    seats: Vec<Place>,
    /// The first free seat; `seats.len()` = none.
    free: u32,
    taken: usize,
    hand: usize,
    /// Bytes of all talks, their seats apart.
    bytes: usize,
    counts: L7Counts,
    out: Exchanges,
}

enum Place {
    Taken(Taken),
    Free { next: u32 },
}

struct Taken {
    talk: Talk,
    /// The flow's place in the table.
    place: u32,
    bytes: usize,
    used: bool,
}

impl Talks {
    pub(crate) fn new(config: L7Config) -> Self {
        Self {
            config,
            seats: Vec::new(),
            free: 0,
            taken: 0,
            hand: 0,
            bytes: 0,
            counts: L7Counts::default(),
            out: Exchanges::default(),
        }
    }

    /// Whether anything is read at all.
    pub(crate) const fn is_on(&self) -> bool {
        !matches!(self.config.level, L7Level::Off)
    }

    pub(crate) const fn counts(&self) -> &L7Counts {
        &self.counts
    }

    /// Takes in a packet of the flow at `place`, whose seat is `seat`; the seat it has from now on.
    pub(crate) fn hear(&mut self, seat: Seat, place: u32, heard: &Heard<'_>) -> Seat {
        let seat = match (seat.is_taken(), is_worth_a_seat(heard)) {
            (true, _) => seat,
            (false, true) => self.take(place, heard),
            (false, false) => return seat.disappointed(),
        };
        let Some(Place::Taken(taken)) = self.seats.get_mut(seat.0 as usize) else { return Seat::SILENT };
        let mut gaps = Gaps::default();
        let goes_on = match &mut taken.talk {
            Talk::Stream(talk) => stream(talk, heard, &mut gaps, &mut self.out),
            Talk::Datagrams(talk) => {
                let side = side(heard.from_opener);
                let is_cut = (heard.payload.len() as u64) < u64::from(heard.wire);
                talk.datagram(side, heard.payload, is_cut, heard.time, &mut self.out)
            }
        };
        self.counts.gaps += gaps.count;
        self.counts.gap_bytes += gaps.bytes;
        if !goes_on {
            self.leave(seat);
            return Seat::SILENT;
        }
        taken.used = true;
        let bytes = taken.talk.memory_bytes();
        self.bytes = self.bytes - taken.bytes + bytes;
        taken.bytes = bytes;
        seat
    }

    /// The flow at `seat` is over: what was open is found.
    pub(crate) fn close(&mut self, seat: Seat) {
        if let Some(Place::Taken(taken)) = self.seats.get_mut(seat.0 as usize) {
            taken.talk.close(&mut self.out);
            self.leave(seat);
        }
    }

    /// The place of the flow whose talk has to go, while the pool is over its cap.
    pub(crate) fn victim(&mut self) -> Option<u32> {
        let held = self.bytes + self.taken * size_of::<Place>();
        if held <= self.config.max_bytes || self.taken == 0 {
            return None;
        }
        for _ in 0..2 * self.seats.len() {
            self.hand = (self.hand + 1) % self.seats.len();
            if let Some(Place::Taken(taken)) = self.seats.get_mut(self.hand) {
                if !taken.used {
                    self.counts.evicted += 1;
                    return Some(taken.place);
                }
                taken.used = false;
            }
        }
        None
    }

    /// Takes out what was found since the last time.
    pub(crate) fn found(&mut self) -> impl Iterator<Item = Request> {
        let requests = &mut self.counts.requests;
        self.out.drain().inspect(move |_| *requests += 1)
    }

    /// Bytes of memory held.
    pub(crate) const fn memory_bytes(&self) -> usize {
        self.bytes + self.seats.capacity() * size_of::<Place>()
    }

    fn take(&mut self, place: u32, heard: &Heard<'_>) -> Seat {
        let talk = match heard.segment {
            Some(_) => Talk::Stream(Box::new(StreamTalk::new(self.config, heard.ports))),
            None => Talk::Datagrams(DatagramTalk::new(self.config, heard.payload, heard.ports)),
        };
        let taken = Place::Taken(Taken { talk, place, bytes: 0, used: true });
        let at = self.free;
        self.taken += 1;
        if let Some(seat) = self.seats.get_mut(at as usize) {
            if let Place::Free { next } = std::mem::replace(seat, taken) {
                self.free = next;
            }
        } else {
            if self.seats.len() == self.seats.capacity() {
                // Free seats count for nothing in the cap, so there are never many more than were taken.
                self.seats.reserve_exact(self.seats.len() / 8 + 16);
            }
            self.seats.push(taken);
            self.free = self.seats.len() as u32;
        }
        Seat(at)
    }

    fn leave(&mut self, seat: Seat) {
        let Some(place @ Place::Taken(_)) = self.seats.get_mut(seat.0 as usize) else { return };
        if let Place::Taken(taken) = std::mem::replace(place, Place::Free { next: self.free }) {
            self.bytes -= taken.bytes;
        }
        self.free = seat.0;
        self.taken -= 1;
        if self.taken == 0 && self.seats.len() > KEPT_SEATS {
            (self.seats, self.free) = (Vec::new(), 0);
        }
    }
}

/// Whether a flow without a talk gets one for this payload: it looks like something that is known, or it is not the
/// stream's beginning and has to wait for that.
fn is_worth_a_seat(heard: &Heard<'_>) -> bool {
    let Some(segment) = heard.segment else { return DatagramTalk::is_claimed(heard.payload, heard.ports) };
    let isn = heard.isn[usize::from(!heard.from_opener)];
    let is_early = isn.is_some_and(|isn| (1..MAX_EARLY).contains(&segment.seq.wrapping_sub(isn.wrapping_add(1))));
    (is_early && heard.is_first) || StreamTalk::is_claimed(heard.payload, heard.ports)
}

const fn side(from_opener: bool) -> Side {
    if from_opener { Side::Src } else { Side::Dst }
}

fn stream(talk: &mut StreamTalk, heard: &Heard<'_>, gaps: &mut Gaps, out: &mut Exchanges) -> bool {
    let Some(segment) = heard.segment else { return false };
    let side = side(heard.from_opener);
    for (side, isn) in [Side::Src, Side::Dst].into_iter().zip(heard.isn) {
        if let Some(isn) = isn {
            talk.start_at(side, isn.wrapping_add(1));
        }
    }
    // A SYN has the number before the first byte; data may come with it (RFC 7413).
    let seq = segment.seq.wrapping_add(u32::from(segment.is_syn()));
    let (is_last, wire) = (segment.is_fin(), if segment.is_rst() { 0 } else { heard.wire });
    let arrival = Arrival { seq, bytes: heard.payload, wire, is_last, time: heard.time };
    let ack = segment.is_ack().then_some(segment.ack);
    let goes_on = talk.segment(side, &arrival, ack, gaps, out);
    if segment.is_rst() {
        talk.reset(gaps, out);
    }
    goes_on
}
