//! Connections to read: frames and header blocks of both sides, and what a parser makes of them.

use weir_model::{Http, Request, Timestamp};

use crate::l7::config::L7Config;
use crate::l7::exchanges::Exchanges;
use crate::l7::http2::Http2;
use crate::l7::http2::frames::PREFACE;
use crate::l7::parser::{Side, StreamParser, Turn};

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RESET: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const CONTINUATION: u8 = 9;

/// Flags: the last of a stream, the last of a block, both.
pub(super) const END: u8 = 1;
pub(super) const WHOLE: u8 = 4;
pub(super) const ONLY: u8 = 5;

/// A frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    [&[a, b, c, kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// A header block of literals that stay out of the dynamic table.
pub(super) fn plain(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(0x00, name, value)).collect()
}

/// A header block of literals that go into the dynamic table.
pub(super) fn kept(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(0x40, name, value)).collect()
}

fn literal(first: u8, name: &str, value: &str) -> Vec<u8> {
    let string = |text: &str| match text.len() {
        len @ 0..127 => [&[len as u8], text.as_bytes()].concat(),
        len => {
            assert!(len - 127 < 1 << 14, "long enough for tests");
            let rest = len - 127;
            [&[0x7f, 0x80 | (rest & 0x7f) as u8, (rest >> 7) as u8], text.as_bytes()].concat()
        }
    };
    [vec![first], string(name), string(value)].concat()
}

/// A request's fields.
pub(super) fn get(path: &str) -> Vec<u8> {
    plain(&[(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "web:80")])
}

/// A call's fields.
pub(super) fn call(path: &str) -> Vec<u8> {
    let grpc = ("content-type", "application/grpc");
    plain(&[(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "api"), ("te", "trailers"), grpc])
}

/// A client's first bytes, and a server's.
pub(super) fn opening() -> (Vec<u8>, Vec<u8>) {
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]);
    ([&PREFACE[..], &settings].concat(), [settings.clone(), frame(SETTINGS, 1, 0, &[])].concat())
}

/// A parser and what it found.
pub(super) struct Tap {
    pub(super) parser: Http2,
    out: Exchanges,
    found: Vec<Request>,
    pub(super) is_done: bool,
}

impl Tap {
    pub(super) fn new(parser: Http2) -> Self {
        Self { parser, out: Exchanges::default(), found: Vec::new(), is_done: false }
    }

    /// A connection that was opened.
    pub(super) fn opened() -> Self {
        let mut tap = Self::new(Http2::new(L7Config::default()));
        let (client, server) = opening();
        tap.client(0, &client);
        tap.server(0, &server);
        tap
    }

    /// The opener sends, in the given second.
    pub(super) fn client(&mut self, second: i64, bytes: &[u8]) {
        self.data(Side::Src, second, bytes);
    }

    pub(super) fn server(&mut self, second: i64, bytes: &[u8]) {
        self.data(Side::Dst, second, bytes);
    }

    pub(super) fn data(&mut self, side: Side, second: i64, bytes: &[u8]) {
        if !self.is_done {
            let turn = self.parser.data(side, bytes, Timestamp(second * 1_000_000_000), &mut self.out);
            self.took(&turn);
        }
    }

    pub(super) fn gap(&mut self, side: Side, len: u64) {
        let turn = self.parser.gap(side, len, &mut self.out);
        self.took(&turn);
    }

    pub(super) fn end(&mut self, side: Side) {
        self.parser.end(side, &mut self.out);
        self.took(&Turn::Stay);
    }

    /// What was found until now.
    pub(super) fn found(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.found)
    }

    /// What there is when the flow is over.
    pub(super) fn closed(mut self) -> Vec<Request> {
        self.parser.close(&mut self.out);
        self.took(&Turn::Stay);
        self.found
    }

    fn took(&mut self, turn: &Turn) {
        self.is_done |= matches!(turn, Turn::Done);
        self.found.extend(self.out.drain());
    }
}

/// The HTTP of an exchange.
pub(super) fn http(request: &Request) -> &Http {
    request.exchange.http().expect("HTTP")
}

/// Method, path, status of exchanges.
pub(super) fn lines(requests: &[Request]) -> Vec<String> {
    let line = |request| {
        let http = http(request);
        let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or("-").to_owned();
        let status = http.status.map_or("-".to_owned(), |status| status.to_string());
        format!("{} {} {status}", text(&http.method), text(&http.path))
    };
    requests.iter().map(line).collect()
}
