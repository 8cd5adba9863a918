//! HTTP/2 in the clear (RFC 9113), and gRPC on it.
//!
//! Frames come in from both sides, exchanges go out, one for each stream. Bodies are skipped, header blocks are read and
//! dropped. A connection that was joined half-way is followed from a segment that starts with what can only be frames;
//! what the tap did not see of its headers is unknown.

mod blocks;
mod frames;
mod half;
mod hpack;
mod message;
mod probe;
mod streams;

use weir_model::Timestamp;

use super::config::L7Config;
use super::exchanges::{Exchanges, OpenRequest};
use super::parser::{Probe, Side, StreamParser, Turn};
use blocks::{Carrier, Headers};
use half::{Event, Half, Start};
use message::Message;
use streams::{Part, Streams};

/// HTTP/2 in the clear, and gRPC on it.
#[derive(Debug)]
pub(super) struct Http2 {
    config: L7Config,
    src: Half,
    dst: Half,
    /// Who asks; `None` = nobody has said anything that tells.
    client: Option<Side>,
    /// The connection is seen from its start.
    is_whole: bool,
    streams: Streams,
}

impl Http2 {
    /// What the first bytes that a side sends look like. `Maybe` ends at 64 bytes.
    pub(super) fn probe(bytes: &[u8]) -> Probe {
        probe::probe(bytes)
    }

    /// A connection of which nothing was read yet.
    pub(super) const fn new(config: L7Config) -> Self {
        let streams = Streams::new(config);
        Self { config, src: Half::new(), dst: Half::new(), client: None, is_whole: false, streams }
    }

    /// After an upgrade from HTTP/1.1: `request` is stream 1.
    pub(super) fn upgraded(config: L7Config, mut request: OpenRequest) -> Self {
        request.http.upgrade.get_or_insert_with(|| "h2c".into());
        Self { is_whole: true, streams: Streams::upgraded(config, request), ..Self::new(config) }
    }

    const fn half(&mut self, side: Side) -> &mut Half {
        match side {
            Side::Src => &mut self.src,
            Side::Dst => &mut self.dst,
        }
    }

    /// Reads frames of `side`, the first of which starts where its last read ended.
    fn read(&mut self, side: Side, mut bytes: &[u8], time: Timestamp, out: &mut Exchanges) -> Turn {
        let config = self.config;
        while let Some(event) = self.half(side).next(&mut bytes, time, config) {
            let turn = self.take(side, event, time, out);
            if matches!(turn, Turn::Done) {
                self.close(out);
                return turn;
            }
        }
        Turn::Stay
    }

    fn take(&mut self, side: Side, event: Event, time: Timestamp, out: &mut Exchanges) -> Turn {
        match event {
            Event::Headers(headers) => self.headers(side, headers, out),
            Event::Data { stream, is_end } => {
                let Some(part) = self.part(side, &Message::default()) else { return Turn::Stay };
                self.streams.data(stream, part, time);
                if is_end {
                    self.streams.end(stream, part, out);
                }
            }
            Event::Reset { stream } => self.streams.reset(stream, out),
            Event::TableSize(bytes) => self.half(side.other()).allow(bytes),
            Event::Foreign => return Turn::Done,
        }
        if self.streams.is_done() { Turn::Done } else { Turn::Stay }
    }

    fn headers(&mut self, side: Side, headers: Headers, out: &mut Exchanges) {
        let Headers { stream, carrier, message, span } = headers;
        match carrier {
            Carrier::PushPromise(promised) => {
                let client = *self.client.get_or_insert(side.other());
                if let Some(promised) = promised.filter(|_| side != client) {
                    self.streams.promise(promised, message, span, out);
                }
            }
            Carrier::Headers { is_end } => {
                let Some(part) = self.part(side, &message) else { return };
                match part {
                    Part::Request => self.streams.ask(stream, message, span, out),
                    Part::Response => self.streams.answer(stream, message, span, out),
                }
                if is_end {
                    self.streams.end(stream, part, out);
                }
            }
        }
    }

    /// Which part of its exchange a message from `side` is. What it says may be what tells who asks.
    fn part(&mut self, side: Side, message: &Message) -> Option<Part> {
        if self.client.is_none() && message.method.is_some() {
            self.client = Some(side);
        } else if self.client.is_none() && message.status.is_some() {
            self.client = Some(side.other());
        }
        let client = self.client?;
        Some(if side == client { Part::Request } else { Part::Response })
    }
}

impl StreamParser for Http2 {
    fn data(&mut self, side: Side, bytes: &[u8], time: Timestamp, out: &mut Exchanges) -> Turn {
        let is_whole = self.is_whole;
        match self.half(side).start(bytes, is_whole) {
            Start::Framed => self.read(side, bytes, time, out),
            Start::Wait => Turn::Stay,
            Start::Found { held, taken, is_client } => {
                if is_client {
                    self.client = Some(side);
                    if !self.is_whole {
                        self.is_whole = true;
                        self.streams.begin();
                    }
                }
                match self.read(side, &held, time, out) {
                    Turn::Stay => self.read(side, bytes.get(taken..).unwrap_or_default(), time, out),
                    turn => turn,
                }
            }
        }
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Exchanges) -> Turn {
        if len == 0 {
            return Turn::Stay;
        }
        let half = self.half(side);
        match (half.gap(len), half.last()) {
            // A frame may end with the gap.
            (true, Some(time)) => self.read(side, &[], time, out),
            (true, None) => Turn::Stay,
            (false, _) => {
                if self.client.is_none_or(|client| client == side) {
                    self.streams.lose_requests();
                }
                Turn::Stay
            }
        }
    }

    fn end(&mut self, side: Side, out: &mut Exchanges) {
        if self.client == Some(side.other()) {
            self.streams.close(out);
        }
    }

    fn close(&mut self, out: &mut Exchanges) {
        self.streams.close(out);
    }

    fn memory_bytes(&self) -> usize {
        self.src.memory_bytes() + self.dst.memory_bytes() + self.streams.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
