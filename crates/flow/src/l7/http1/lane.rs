//! One side's messages: bytes in, heads and ends of bodies out.
//!
//! Keeps a line that is cut, and what is needed of a head. Where it does not know what bytes are it looks for a line that
//! starts a message; where bytes went missing, also at the start of a segment. It looks for so long, then gives up.

use std::borrow::Cow;

use weir_model::Timestamp;

use super::body::{Body, Passed};
use super::head::{self, Head};
use super::start::{self, MAX_LINE_BYTES, Parts, StartLine};
use crate::l7::config::L7Config;
use crate::l7::parser::Probe;

/// The longest head that is read.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// So many bytes without a message, and the side speaks something else.
const MAX_NOISE_BYTES: usize = 1 << 20;

/// One side's messages.
#[derive(Debug)]
pub(super) struct Lane {
    config: L7Config,
    state: State,
    sync: Sync,
    line: Line,
    head: Option<Box<Head>>,
    head_bytes: usize,
    noise_bytes: usize,
    /// `head` was found by looking for one, and nothing confirmed it yet.
    is_tentative: bool,
    has_spoken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Body { body: Body, behind: Sync },
    Noise,
}

/// How sure it is where messages start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sync {
    /// Nothing was seen yet.
    Fresh,
    /// With the next line.
    Sure,
    /// With a line.
    Lines,
    /// With a line or a segment.
    Segments,
}

/// What a lane came upon.
#[derive(Debug)]
pub(super) enum Event {
    /// A head. The body behind it is to be set.
    Head(Box<Head>),
    /// The end of a body.
    End,
    /// It lost its place; there may be a head that goes no further.
    Torn,
    /// It gave up.
    Noise,
    /// A server's greeting: it does not speak HTTP at all.
    Foreign,
}

/// The start of a line that is cut.
#[derive(Debug, Default)]
struct Line {
    kept: Vec<u8>,
    first: Timestamp,
    /// How long it is, what is not kept among it.
    len: usize,
    /// It starts with a segment behind a gap.
    is_segment: bool,
}

impl Lane {
    pub(super) const fn new(config: L7Config) -> Self {
        Self {
            config,
            state: State::Head,
            sync: Sync::Fresh,
            line: Line { kept: Vec::new(), first: Timestamp(0), len: 0, is_segment: false },
            head: None,
            head_bytes: 0,
            noise_bytes: 0,
            is_tentative: false,
            has_spoken: false,
        }
    }

    /// A segment starts: where messages may start with one, and this does, what came before it is no line.
    pub(super) fn segment(&mut self, bytes: &[u8]) {
        if self.state != State::Head || self.sync != Sync::Segments || self.head.is_some() {
            return;
        }
        if start::probe(&self.line.kept) == Probe::No && start::probe(bytes) != Probe::No {
            self.line = Line::default();
        }
        self.line.is_segment = self.line.len == 0;
    }

    /// Takes bytes from `rest` until it comes upon something.
    pub(super) fn take(&mut self, rest: &mut &[u8], time: Timestamp, wanted: Option<StartLine>) -> Option<Event> {
        loop {
            match &mut self.state {
                State::Noise => {
                    *rest = &[];
                    return Some(Event::Noise);
                }
                State::Body { body, behind } => {
                    let behind = *behind;
                    return match body.pass(rest) {
                        Passed::More => None,
                        Passed::End => {
                            self.look(behind);
                            Some(Event::End)
                        }
                        Passed::Broken => {
                            self.look(Sync::Lines);
                            Some(Event::Torn)
                        }
                    };
                }
                State::Head => {
                    let Some((line, len)) = self.line.take(rest, time) else {
                        let is_noise = self.head.is_none() && self.noise_bytes + self.line.len > MAX_NOISE_BYTES;
                        return is_noise.then(|| self.give_up());
                    };
                    let event = self.line(&line, len, wanted);
                    if event.is_some() {
                        return event;
                    }
                }
            }
        }
    }

    /// The body behind the head that came last.
    pub(super) fn body(&mut self, body: Body) {
        if body == Body::None {
            self.look(Sync::Sure);
        } else {
            self.state = State::Body { body, behind: Sync::Sure };
        }
    }

    /// What comes behind the body may be anything.
    pub(super) const fn doubt(&mut self) {
        match &mut self.state {
            State::Body { behind, .. } => *behind = Sync::Lines,
            State::Head | State::Noise => self.sync = Sync::Lines,
        }
    }

    pub(super) const fn is_in_body(&self) -> bool {
        matches!(self.state, State::Body { .. })
    }

    /// Whether it sent messages and has not given up.
    pub(super) fn is_useful(&self) -> bool {
        self.has_spoken && self.state != State::Noise
    }

    /// The next `len` bytes are missing.
    pub(super) fn gap(&mut self, len: u64) -> Option<Event> {
        let passed = match &mut self.state {
            State::Noise => return None,
            State::Head => None,
            State::Body { body, behind } => body.skip(len).map(|passed| (passed, *behind)),
        };
        match passed {
            Some((Passed::More, _)) => None,
            Some((Passed::End, behind)) => {
                self.look(behind);
                Some(Event::End)
            }
            Some((Passed::Broken, _)) | None => {
                self.look(Sync::Segments);
                Some(Event::Torn)
            }
        }
    }

    /// The head that goes no further.
    pub(super) fn tear(&mut self) -> Option<Head> {
        let head = self.head.take().filter(|_| !self.is_tentative)?;
        self.is_tentative = false;
        Some(*head)
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self) {
        self.head = None;
        self.line = Line::default();
        self.state = State::Head;
        self.sync = Sync::Segments;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let head = self.head.as_ref().map_or(0, |head| size_of::<Head>() + head.memory_bytes());
        self.line.kept.capacity() + head
    }

    fn look(&mut self, sync: Sync) {
        (self.state, self.sync, self.line) = (State::Head, sync, Line::default());
    }

    fn give_up(&mut self) -> Event {
        self.look(Sync::Lines);
        self.state = State::Noise;
        Event::Noise
    }

    fn line(&mut self, line: &[u8], len: usize, wanted: Option<StartLine>) -> Option<Event> {
        let Some(head) = &mut self.head else { return self.start(line, len, wanted) };
        if line.is_empty() {
            (self.is_tentative, self.noise_bytes, self.has_spoken) = (false, 0, true);
            return self.head.take().map(Event::Head);
        }
        let is_header = head::header(line).is_some();
        if self.is_tentative && !is_header {
            self.head = None;
            return self.start(line, len, wanted);
        }
        self.is_tentative = false;
        self.head_bytes += len;
        if self.head_bytes > MAX_HEAD_BYTES {
            self.look(Sync::Lines);
            return Some(Event::Torn);
        }
        head.line(line);
        None
    }

    fn start(&mut self, line: &[u8], len: usize, wanted: Option<StartLine>) -> Option<Event> {
        let is_wanted = |parts: &Parts<'_>| match parts {
            Parts::Request { .. } => wanted != Some(StartLine::Status),
            Parts::Response { .. } => wanted != Some(StartLine::Request),
        };
        let is_segment = std::mem::take(&mut self.line.is_segment);
        if let Some(parts) = start::parts(line).filter(is_wanted) {
            self.head = Some(Box::new(Head::new(parts, self.line.first, self.config)));
            self.head_bytes = len;
            self.is_tentative = matches!(self.sync, Sync::Lines | Sync::Segments) && !is_segment;
            return None;
        }
        if line.is_empty() && matches!(self.sync, Sync::Fresh | Sync::Sure) {
            return None;
        }
        self.noise_bytes += len;
        if self.noise_bytes > MAX_NOISE_BYTES {
            return Some(self.give_up());
        }
        match self.sync {
            Sync::Sure => {
                self.sync = Sync::Lines;
                Some(Event::Torn)
            }
            Sync::Fresh => {
                self.sync = Sync::Segments;
                start::is_greeting(line).then_some(Event::Foreign)
            }
            Sync::Lines | Sync::Segments => None,
        }
    }
}

impl Line {
    /// Takes a line from `rest`, without its end and not longer than may be, and its true length; `None` = it goes on.
    fn take<'a>(&mut self, rest: &mut &'a [u8], time: Timestamp) -> Option<(Cow<'a, [u8]>, usize)> {
        if rest.is_empty() {
            return None;
        }
        if self.len == 0 {
            self.first = time;
        }
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (bytes, behind) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        *rest = behind;
        self.len += bytes.len();
        let kept = bytes.get(..MAX_LINE_BYTES - self.kept.len()).unwrap_or(bytes);
        if end.is_none() || !self.kept.is_empty() {
            self.kept.extend_from_slice(kept);
        }
        end?;
        let len = std::mem::take(&mut self.len);
        if self.kept.is_empty() {
            return Some((Cow::Borrowed(without_end(kept)), len));
        }
        let mut line = std::mem::take(&mut self.kept);
        line.truncate(without_end(&line).len());
        Some((Cow::Owned(line), len))
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
