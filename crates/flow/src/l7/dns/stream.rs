//! DNS over TCP: messages behind their length (RFC 1035, 4.2.2), cut anywhere.

use weir_model::Timestamp;

use super::MAX_MISSES;
use super::message::{self, Message};
use super::pairs::Pairs;
use super::port::{self, Trust};
use crate::l7::config::L7Config;
use crate::l7::exchanges::Exchanges;
use crate::l7::parser::{Probe, Side, StreamParser, Turn};

/// Most bytes of a message that are kept and read.
const MAX_KEPT_BYTES: usize = 8 << 10;
/// The longest message by which DNS is recognised on a port that is not its own.
const MAX_STRICT_BYTES: usize = 1_232;
const HEADER_BYTES: usize = 12;

/// DNS over TCP.
#[derive(Debug)]
pub(in crate::l7) struct DnsStream {
    pairs: Pairs,
    lanes: [Lane; 2],
    misses: u8,
}

/// The message that a side is sending.
#[derive(Debug, Default)]
struct Lane {
    /// Its length and its first bytes.
    kept: Vec<u8>,
    /// How many bytes of it, and of its length, have come or are missing.
    passed: usize,
    first: Timestamp,
    /// Bytes are missing behind `kept`.
    is_torn: bool,
    /// It is not known where messages start, until one does with the next bytes.
    is_lost: bool,
}

/// A message that is over.
enum Taken<'a> {
    Whole(&'a [u8]),
    Kept,
}

impl DnsStream {
    /// What the first bytes that a side sends look like between these ports.
    pub(in crate::l7) fn probe(bytes: &[u8], ports: (u16, u16)) -> Probe {
        let trust = port::trust(ports);
        let Some((length, message)) = bytes.split_first_chunk::<2>() else {
            return if trust == Trust::Taken { Probe::No } else { Probe::Maybe };
        };
        let length = usize::from(u16::from_be_bytes(*length));
        if length < HEADER_BYTES || trust == Trust::Taken {
            return Probe::No;
        }
        if message.len() < HEADER_BYTES {
            let may_be = trust == Trust::Known || length <= MAX_STRICT_BYTES;
            return if may_be { Probe::Maybe } else { Probe::No };
        }
        if !message::is_header(message) {
            return Probe::No;
        }
        if trust == Trust::Known {
            return Probe::Yes;
        }
        match message.get(..length) {
            Some(message) if message::is_strict(message) => Probe::Yes,
            None if length <= MAX_STRICT_BYTES && message::is_strict_header(message) => Probe::Maybe,
            _ => Probe::No,
        }
    }

    /// A parser of the flow between these ports, which tell the relatives of DNS apart.
    pub(in crate::l7) fn new(_: L7Config, ports: (u16, u16)) -> Self {
        Self { pairs: Pairs::new(port::kind(ports)), lanes: Default::default(), misses: 0 }
    }

    fn message(
        &mut self,
        side: Side,
        bytes: &[u8],
        is_cut: bool,
        times: (Timestamp, Timestamp),
        out: &mut Exchanges,
    ) -> Turn {
        if let Some(message) = Message::read(bytes, is_cut) {
            self.misses = 0;
            self.pairs.message(side, message, times, out);
            return Turn::Stay;
        }
        self.miss(out)
    }

    fn miss(&mut self, out: &mut Exchanges) -> Turn {
        self.misses += 1;
        if self.misses < MAX_MISSES {
            return Turn::Stay;
        }
        self.close(out);
        Turn::Done
    }
}

impl StreamParser for DnsStream {
    fn data(&mut self, side: Side, bytes: &[u8], time: Timestamp, out: &mut Exchanges) -> Turn {
        let lane = self.lane(side);
        if lane.is_lost {
            if !bytes.get(2..).is_some_and(message::is_header) {
                return self.miss(out);
            }
            lane.is_lost = false;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let lane = self.lane(side);
            let Some(taken) = lane.take(&mut rest, time) else { break };
            let first = lane.first;
            let turn = match taken {
                Taken::Whole(message) => {
                    let kept = message.get(..MAX_KEPT_BYTES).unwrap_or(message);
                    self.message(side, kept, kept.len() < message.len(), (first, time), out)
                }
                Taken::Kept => {
                    let (kept, is_cut) = lane.finish();
                    self.message(side, kept.get(2..).unwrap_or_default(), is_cut, (first, time), out)
                }
            };
            if let Turn::Done = turn {
                return turn;
            }
        }
        Turn::Stay
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Exchanges) -> Turn {
        let lane = self.lane(side);
        let left = lane.length().map_or(0, |length| length - lane.passed);
        let first = lane.first;
        if len < left as u64 {
            lane.passed += len as usize;
            lane.is_torn = true;
            return Turn::Stay;
        }
        let is_behind = len > left as u64 || lane.length().is_none();
        let (kept, _) = lane.finish();
        lane.is_lost = is_behind;
        match kept.get(2..).filter(|message| message.len() >= HEADER_BYTES) {
            Some(message) => self.message(side, message, true, (first, first), out),
            None => Turn::Stay,
        }
    }

    fn end(&mut self, side: Side, _: &mut Exchanges) {
        *self.lane(side) = Lane::default();
    }

    fn close(&mut self, out: &mut Exchanges) {
        self.lanes = Default::default();
        self.pairs.close(out);
    }

    fn memory_bytes(&self) -> usize {
        self.pairs.memory_bytes() + self.lanes.iter().map(|lane| lane.kept.capacity()).sum::<usize>()
    }
}

impl DnsStream {
    const fn lane(&mut self, side: Side) -> &mut Lane {
        let [src, dst] = &mut self.lanes;
        match side {
            Side::Src => src,
            Side::Dst => dst,
        }
    }
}

impl Lane {
    /// The message's bytes with its length; `None` = the length has not come.
    fn length(&self) -> Option<usize> {
        self.kept.first_chunk().map(|length| 2 + usize::from(u16::from_be_bytes(*length)))
    }

    /// Takes bytes of one message from `rest`; `None` = it is not over.
    fn take<'a>(&mut self, rest: &mut &'a [u8], time: Timestamp) -> Option<Taken<'a>> {
        if self.passed == 0 {
            self.first = time;
            if let Some((length, behind)) = rest.split_first_chunk::<2>()
                && let Some((message, behind)) = behind.split_at_checked(u16::from_be_bytes(*length).into())
            {
                *rest = behind;
                return Some(Taken::Whole(message));
            }
        }
        while self.length().is_none() {
            let (byte, behind) = rest.split_first()?;
            self.kept.push(*byte);
            self.passed += 1;
            *rest = behind;
        }
        let length = self.length()?;
        let (taken, behind) = rest.split_at(rest.len().min(length - self.passed));
        if !self.is_torn {
            let room = (2 + MAX_KEPT_BYTES).saturating_sub(self.kept.len());
            self.kept.extend_from_slice(taken.get(..room).unwrap_or(taken));
        }
        self.passed += taken.len();
        *rest = behind;
        (self.passed == length).then_some(Taken::Kept)
    }

    /// The message's length and first bytes, and whether more belongs to it; the next one may come.
    fn finish(&mut self) -> (Vec<u8>, bool) {
        let is_cut = self.is_torn || self.kept.len() < self.passed;
        (self.passed, self.is_torn) = (0, false);
        (std::mem::take(&mut self.kept), is_cut)
    }
}
