//! The hellos of DTLS (RFC 6347, RFC 9147).
//!
//! The datagrams of both sides come in, one exchange for each flow goes out: when both hellos are known, or when none
//! came for long. Only the records in the clear are read; datagrams of other protocols in between are passed over.

mod records;
#[cfg(test)]
mod tests;

use weir_model::{Timestamp, TlsKind};

use self::records::{Fragment, fragments};
use super::config::L7Config;
use super::exchanges::Exchanges;
use super::parser::{DatagramParser, Side, Turn};
use super::tls::{Assembly, CLIENT_HELLO, Handshake, SERVER_HELLO, Span};

const HELLO_VERIFY_REQUEST: u8 = 3;

/// How many datagrams without a hello are waited for the next one.
const MAX_OTHERS: u32 = 64;

/// The hellos of DTLS.
#[derive(Debug)]
pub(super) struct Dtls {
    handshake: Handshake,
    src: Flight,
    dst: Flight,
    /// Datagrams since the last hello.
    others: u32,
}

impl Dtls {
    /// Whether a flow's first datagram is one.
    pub(super) fn probe(bytes: &[u8]) -> bool {
        fragments(bytes, true)
            .next()
            .is_some_and(|fragment| matches!(fragment.kind, CLIENT_HELLO | SERVER_HELLO | HELLO_VERIFY_REQUEST))
    }

    pub(super) fn new(_: L7Config) -> Self {
        let handshake = Handshake::new(TlsKind::Dtls);
        Self { handshake, src: Flight::default(), dst: Flight::default(), others: 0 }
    }
}

impl DatagramParser for Dtls {
    fn datagram(&mut self, side: Side, bytes: &[u8], is_cut: bool, time: Timestamp, out: &mut Exchanges) -> Turn {
        self.others += 1;
        let flight = match side {
            Side::Src => &mut self.src,
            Side::Dst => &mut self.dst,
        };
        for fragment in fragments(bytes, is_cut) {
            match fragment.kind {
                CLIENT_HELLO | SERVER_HELLO => {
                    self.others = 0;
                    flight.add(&fragment, time, &mut self.handshake);
                }
                HELLO_VERIFY_REQUEST => self.handshake.retry(),
                _ => {}
            }
        }
        if self.handshake.is_complete() || self.others > MAX_OTHERS {
            self.close(out);
            return Turn::Done;
        }
        Turn::Stay
    }

    fn close(&mut self, out: &mut Exchanges) {
        self.src.give_up(&mut self.handshake);
        self.dst.give_up(&mut self.handshake);
        self.handshake.give(out);
    }

    fn memory_bytes(&self) -> usize {
        self.src.memory_bytes() + self.dst.memory_bytes() + self.handshake.memory_bytes()
    }
}

/// The hello that one side is sending.
#[derive(Debug, Default)]
struct Flight {
    hello: Option<Hello>,
    /// The message number from which on hellos are new: what is below was read, or is sent again.
    next_message: u32,
}

#[derive(Debug)]
struct Hello {
    kind: u8,
    message: u16,
    len: usize,
    body: Assembly,
    span: Span,
}

impl Flight {
    fn add(&mut self, fragment: &Fragment<'_>, time: Timestamp, handshake: &mut Handshake) {
        if u32::from(fragment.message) < self.next_message {
            return;
        }
        let is_same = |hello: &Hello| {
            (hello.kind, hello.message, hello.len) == (fragment.kind, fragment.message, fragment.message_bytes)
        };
        if !self.hello.as_ref().is_some_and(is_same) {
            self.give_up(handshake);
            self.next_message = fragment.message.into();
        }
        let hello = self.hello.get_or_insert_with(|| Hello {
            kind: fragment.kind,
            message: fragment.message,
            len: fragment.message_bytes,
            body: Assembly::default(),
            span: (time, time),
        });
        hello.body.put(fragment.start, fragment.bytes);
        hello.span.1 = time;
        if hello.body.prefix().len() >= hello.len {
            hello.give(handshake);
            self.next_message = u32::from(fragment.message) + 1;
            self.hello = None;
        }
    }

    /// Gives the part of a hello that came: the rest of it never will.
    fn give_up(&mut self, handshake: &mut Handshake) {
        if let Some(hello) = self.hello.take() {
            hello.give(handshake);
        }
    }

    fn memory_bytes(&self) -> usize {
        self.hello.as_ref().map_or(0, |hello| hello.body.memory_bytes())
    }
}

impl Hello {
    fn give(&self, handshake: &mut Handshake) {
        let body = self.body.prefix();
        match self.kind {
            CLIENT_HELLO => handshake.client_hello(body, body.len() >= self.len, self.span),
            _ => handshake.server_hello(body, self.span),
        }
    }
}
