//! What one side of a connection sends: bytes in, the events that exchanges are made of out.
//!
//! Payloads are skipped as they come, but for header blocks and settings. A gap that ends within its frame is stepped over;
//! one that hides a frame's head costs the framing, until a segment starts with what can only be frames.

use weir_model::Timestamp;

use super::blocks::{Blocks, Headers};
use super::frames::{HEAD_BYTES, Head, Kind, PREFACE, flag};
use super::probe::{self, PROBE_BYTES};
use crate::l7::config::L7Config;
use crate::l7::parser::Probe;

/// The setting that allows a size of the dynamic table (RFC 9113, 6.5.2).
const HEADER_TABLE_SIZE: u16 = 1;

/// What a side did.
#[derive(Debug)]
pub(super) enum Event {
    /// A header block.
    Headers(Headers),
    /// The head or the end of a part of a body.
    Data { stream: u32, is_end: bool },
    /// The stream is no more.
    Reset { stream: u32 },
    /// The other side's dynamic table may have this size.
    TableSize(u32),
    /// This is not HTTP/2.
    Foreign,
}

/// What is known of a side's first bytes.
#[derive(Debug)]
pub(super) enum Start {
    /// Frames, from the first byte that was given.
    Framed,
    /// Nothing yet, or not frames: what was given is held or skipped.
    Wait,
    /// Frames: those that were held, then what was given from its `taken`th byte on.
    Found { held: Vec<u8>, taken: usize, is_client: bool },
}

/// What one side sends.
#[derive(Debug)]
pub(super) struct Half {
    state: State,
    /// Held while it is not known what it is.
    held: Vec<u8>,
    blocks: Blocks,
    /// The next frame is to be SETTINGS (RFC 9113, 3.4).
    is_first: bool,
    last: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing was read.
    Start,
    /// It is not known where frames start.
    Lost,
    /// Within a head, of which `len` bytes came.
    Head { bytes: [u8; HEAD_BYTES], len: usize },
    /// Within a payload, of which `left` bytes are to come.
    Payload { head: Head, left: u32, setting: [u8; 6] },
}

impl State {
    const HEAD: Self = Self::Head { bytes: [0; HEAD_BYTES], len: 0 };
}

impl Half {
    pub(super) const fn new() -> Self {
        Self { state: State::Start, held: Vec::new(), blocks: Blocks::new(), is_first: false, last: None }
    }

    /// Finds the first frame in bytes that may not start with one. `is_known` = the other side said that these are the
    /// first bytes of HTTP/2.
    pub(super) fn start(&mut self, bytes: &[u8], is_known: bool) -> Start {
        if !matches!(self.state, State::Start | State::Lost) || bytes.is_empty() {
            return Start::Framed;
        }
        let is_start = matches!(self.state, State::Start);
        let taken = bytes.len().min(PROBE_BYTES.saturating_sub(self.held.len()));
        self.held.extend_from_slice(bytes.get(..taken).unwrap_or(bytes));
        let held = self.held.get(..PREFACE.len()).unwrap_or(&self.held);
        let found = if !is_start || !PREFACE.starts_with(held) {
            let is_known = is_start && is_known;
            (if is_known { Probe::Yes } else { probe::frames(&self.held) }, false, is_known)
        } else if held.len() < PREFACE.len() {
            (Probe::Maybe, false, false)
        } else {
            self.held.drain(..PREFACE.len());
            (Probe::Yes, true, true)
        };
        match found {
            (Probe::Yes, is_client, is_first) => {
                (self.state, self.is_first) = (State::HEAD, is_first);
                if !is_first {
                    self.blocks.drop_all();
                }
                Start::Found { held: std::mem::take(&mut self.held), taken, is_client }
            }
            (Probe::Maybe, ..) => Start::Wait,
            (Probe::No, ..) => {
                self.held.clear();
                self.state = State::Lost;
                Start::Wait
            }
        }
    }

    /// Takes bytes from the front of `bytes` until something happened; `None` = all were taken.
    pub(super) fn next(&mut self, bytes: &mut &[u8], time: Timestamp, config: L7Config) -> Option<Event> {
        self.last = Some(time);
        loop {
            match self.state {
                State::Start | State::Lost => {
                    *bytes = &[];
                    return None;
                }
                State::Head { bytes: mut head, len } => {
                    let more = take(bytes, HEAD_BYTES - len);
                    head.iter_mut().skip(len).zip(more).for_each(|(to, from)| *to = *from);
                    let len = len + more.len();
                    self.state = State::Head { bytes: head, len };
                    if len < HEAD_BYTES {
                        return None;
                    }
                    let head = Head::new(head);
                    self.state = State::Payload { head, left: head.len, setting: [0; 6] };
                    if let Some(event) = self.begin(head, time) {
                        return Some(event);
                    }
                }
                State::Payload { head, left: 0, .. } => {
                    self.state = State::HEAD;
                    if let Some(event) = self.finish(head, time, config) {
                        return Some(event);
                    }
                }
                State::Payload { head, left, setting } => {
                    if bytes.is_empty() {
                        return None;
                    }
                    if let Some(event) = self.payload(head, left, setting, bytes) {
                        return Some(event);
                    }
                }
            }
        }
    }

    /// When the last bytes came.
    pub(super) const fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// The next `len` bytes are missing; false = nobody knows where the next frame starts.
    pub(super) fn gap(&mut self, len: u64) -> bool {
        self.is_first = false;
        if let State::Payload { head, left, setting } = self.state
            && let Some(left) = u64::from(left).checked_sub(len)
        {
            if head.kind.is_block() {
                self.blocks.skip();
            }
            self.state = State::Payload { head, left: left as u32, setting };
            return true;
        }
        (self.state, self.held) = (State::Lost, Vec::new());
        self.blocks.drop_all();
        false
    }

    /// The other side allows a dynamic table of this size.
    pub(super) const fn allow(&mut self, bytes: u32) {
        self.blocks.allow(bytes);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.held.capacity() + self.blocks.memory_bytes()
    }

    fn begin(&mut self, head: Head, time: Timestamp) -> Option<Event> {
        if std::mem::take(&mut self.is_first) && (head.kind != Kind::Settings || head.stream != 0) {
            return Some(Event::Foreign);
        }
        self.blocks.begin(head, time);
        (head.kind == Kind::Data && head.len > 0).then_some(Event::Data { stream: head.stream, is_end: false })
    }

    /// Takes some of a payload of which `left` bytes, more than none, are to come.
    fn payload(&mut self, head: Head, left: u32, mut setting: [u8; 6], bytes: &mut &[u8]) -> Option<Event> {
        if head.kind != Kind::Settings || head.has(flag::ACK) {
            let taken = take(bytes, left as usize);
            if head.kind.is_block() {
                self.blocks.keep(taken);
            }
            self.state = State::Payload { head, left: left - taken.len() as u32, setting };
            return None;
        }
        let at = (head.len - left) as usize % setting.len();
        let taken = take(bytes, (setting.len() - at).min(left as usize));
        setting.iter_mut().skip(at).zip(taken).for_each(|(to, from)| *to = *from);
        self.state = State::Payload { head, left: left - taken.len() as u32, setting };
        let [i0, i1, v0, v1, v2, v3] = setting;
        let is_whole = at + taken.len() == setting.len();
        (is_whole && u16::from_be_bytes([i0, i1]) == HEADER_TABLE_SIZE)
            .then_some(Event::TableSize(u32::from_be_bytes([v0, v1, v2, v3])))
    }

    fn finish(&mut self, head: Head, time: Timestamp, config: L7Config) -> Option<Event> {
        match head.kind {
            Kind::Data => Some(Event::Data { stream: head.stream, is_end: head.has(flag::END_STREAM) }),
            Kind::Reset => Some(Event::Reset { stream: head.stream }),
            kind if kind.is_block() => self.blocks.finish(head, time, config).map(Event::Headers),
            _ => None,
        }
    }
}

/// Takes up to `len` bytes from the front.
fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
    *bytes = rest;
    taken
}
