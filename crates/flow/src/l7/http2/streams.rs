//! The open exchanges of a connection: header blocks and the ends of streams in, exchanges out.
//!
//! A stream opens with its request and is given out when both sides have ended it, or one has reset it. Of a stream whose
//! request may have gone unseen, the response alone makes an exchange; what comes late for one that was given out makes
//! none. Streams and the text in them have caps, above which the oldest are given out as they are.

use std::collections::BTreeMap;

use weir_model::{Exchange, Http, HttpMarks, HttpVersion, Timestamp};

use super::message::Message;
use crate::l7::config::{L7Config, L7Level};
use crate::l7::exchanges::{Exchanges, OpenRequest, Times};

/// Most streams that are open.
const MAX_STREAMS: usize = 1_024;
/// Most bytes that open streams take.
const MAX_BYTES: usize = 384 << 10;
/// What a stream takes beside its text: itself, and its place in the map.
const STREAM_BYTES: usize = size_of::<Stream>() + 64;

/// Which half of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Request,
    Response,
}

/// When a part of a frame came: its first byte and its last.
pub(super) type Span = (Timestamp, Timestamp);

/// An exchange that is not over.
#[derive(Debug, Default)]
struct Stream {
    open: OpenRequest,
    /// What the request asks to be turned into.
    protocol: Option<Box<str>>,
    is_asked: bool,
    is_answered: bool,
}

/// The open exchanges of a connection.
#[derive(Debug)]
pub(super) struct Streams {
    level: L7Level,
    open: BTreeMap<u32, Box<Stream>>,
    text_bytes: usize,
    /// The client's newest stream.
    newest: u32,
    /// Streams between these two may have been opened unseen.
    unseen: (u32, u32),
    /// There was an exchange, and one is enough.
    is_done: bool,
}

impl Streams {
    /// A connection that may have gone on for a while.
    pub(super) const fn new(config: L7Config) -> Self {
        let level = config.level;
        Self { level, open: BTreeMap::new(), text_bytes: 0, newest: 0, unseen: (0, u32::MAX), is_done: false }
    }

    /// A connection whose stream 1 waits for its answer.
    pub(super) fn upgraded(config: L7Config, request: OpenRequest) -> Self {
        let mut streams = Self::new(config);
        (streams.newest, streams.unseen) = (1, (1, 1));
        streams.insert(1, Stream { open: request, is_asked: true, ..Stream::default() });
        streams
    }

    /// There is nothing more to learn.
    pub(super) const fn is_done(&self) -> bool {
        self.is_done
    }

    /// The connection starts here.
    pub(super) const fn begin(&mut self) {
        self.unseen = (0, 0);
    }

    /// Requests from here on were not seen, until the next one is.
    pub(super) const fn lose_requests(&mut self) {
        self.unseen = (self.newest, u32::MAX);
    }

    /// A header block of the client on `id`: a request, or its trailers.
    pub(super) fn ask(&mut self, id: u32, message: Message, span: Span, out: &mut Exchanges) {
        let is_new = id > self.newest && id % 2 == 1;
        if is_new {
            self.newest = id;
            self.unseen.1 = self.unseen.1.min(id);
        }
        if !self.open.contains_key(&id) && (!is_new || !self.open(id, out)) {
            return;
        }
        self.change(id, |stream| {
            if stream.open.times.asked.is_none() {
                stream.request(message);
            }
            stream.open.times.ask(span.0);
            stream.open.times.ask(span.1);
        });
    }

    /// The server announces a request that it answers on `id`.
    pub(super) fn promise(&mut self, id: u32, message: Message, span: Span, out: &mut Exchanges) {
        if id % 2 == 1 || self.open.contains_key(&id) || !self.open(id, out) {
            return;
        }
        self.change(id, |stream| {
            stream.request(message);
            stream.is_asked = true;
            stream.open.times.ask(span.0);
            stream.open.times.ask(span.1);
        });
    }

    /// A header block of the server on `id`: a response, one before it, or its trailers.
    pub(super) fn answer(&mut self, id: u32, message: Message, span: Span, out: &mut Exchanges) {
        if message.is_informational() {
            return;
        }
        if !self.open.contains_key(&id) {
            let is_unseen = self.unseen.0 < id && id < self.unseen.1;
            let may_open = id % 2 == 1 && message.status.is_some() && (is_unseen || id > self.newest);
            if !may_open || !self.open(id, out) {
                return;
            }
            self.change(id, |stream| stream.is_asked = is_unseen);
        }
        self.change(id, |stream| {
            stream.response(message);
            stream.open.times.answer(span.0);
            stream.open.times.answer(span.1);
        });
    }

    /// Part of a body on `id`.
    pub(super) fn data(&mut self, id: u32, part: Part, time: Timestamp) {
        let Some(stream) = self.open.get_mut(&id) else { return };
        match part {
            Part::Request => stream.open.times.ask(time),
            Part::Response => stream.open.times.answer(time),
        }
    }

    /// The sender of `part` has ended `id`.
    pub(super) fn end(&mut self, id: u32, part: Part, out: &mut Exchanges) {
        let Some(stream) = self.open.get_mut(&id) else { return };
        match part {
            Part::Request => stream.is_asked = true,
            Part::Response => stream.is_answered = true,
        }
        if stream.is_asked && stream.is_answered {
            self.give(id, out);
        }
    }

    /// Someone has reset `id`.
    pub(super) fn reset(&mut self, id: u32, out: &mut Exchanges) {
        self.give(id, out);
    }

    /// Gives out all there is.
    pub(super) fn close(&mut self, out: &mut Exchanges) {
        while let Some((id, _)) = self.open.first_key_value() {
            self.give(*id, out);
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.open.len() * STREAM_BYTES + self.text_bytes
    }

    /// Makes room for a stream and opens it; false = it is not of interest.
    fn open(&mut self, id: u32, out: &mut Exchanges) -> bool {
        if self.level < L7Level::Full && (self.is_done || !self.open.is_empty()) {
            return false;
        }
        while self.open.len() >= MAX_STREAMS || self.memory_bytes() > MAX_BYTES {
            let Some((oldest, _)) = self.open.first_key_value() else { break };
            self.give(*oldest, out);
        }
        let http = Http { version: HttpVersion::Http2, ..Http::default() };
        self.insert(id, Stream { open: OpenRequest { http, times: Times::default() }, ..Stream::default() });
        true
    }

    fn insert(&mut self, id: u32, stream: Stream) {
        self.text_bytes += stream.text_bytes();
        self.open.insert(id, Box::new(stream));
    }

    fn change(&mut self, id: u32, change: impl FnOnce(&mut Stream)) {
        let Some(stream) = self.open.get_mut(&id) else { return };
        self.text_bytes -= stream.text_bytes();
        change(stream);
        self.text_bytes += stream.text_bytes();
    }

    fn give(&mut self, id: u32, out: &mut Exchanges) {
        let Some(stream) = self.open.remove(&id) else { return };
        self.text_bytes -= stream.text_bytes();
        let OpenRequest { mut http, times } = stream.open;
        if self.level < L7Level::Full {
            http.path = None;
            self.is_done = true;
        }
        if let Some(request) = times.request(Exchange::Http(http)) {
            out.push(request);
        }
    }
}

impl Stream {
    fn request(&mut self, message: Message) {
        let http = &mut self.open.http;
        http.method = message.method;
        http.path = message.path;
        http.host = message.authority.or(message.host);
        http.is_grpc |= message.is_grpc;
        http.request_id = message.request_id.or(message.trace_parent).or(http.request_id.take());
        http.marks = message.marks;
        self.protocol = message.protocol;
    }

    /// The final response, or its trailers.
    fn response(&mut self, message: Message) {
        let http = &mut self.open.http;
        if let (None, Some(status)) = (http.status, message.status) {
            http.status = Some(status);
            http.upgrade = http.upgrade.take().or(self.protocol.take().filter(|_| status < 300));
        }
        http.grpc_status = http.grpc_status.or(message.grpc_status);
        http.is_grpc |= message.is_grpc;
        http.request_id = http.request_id.take().or(message.request_id).or(message.trace_parent);
    }

    fn text_bytes(&self) -> usize {
        let http = &self.open.http;
        let texts = [&http.method, &http.host, &http.path, &http.upgrade, &http.request_id, &self.protocol];
        let marks = http.marks.as_ref().map_or(0, |_| size_of::<HttpMarks>());
        marks + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
    }
}
