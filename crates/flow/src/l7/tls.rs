//! The hellos of TLS over TCP, of DTLS and QUIC what they share with it.
//!
//! The bytes of both sides come in, one exchange for each connection goes out: when both hellos are known, or when no
//! more can come. Nothing behind the hellos is read.

mod assembly;
mod fields;
mod handshake;
mod hello;
mod ja4;
#[cfg(test)]
pub(super) mod mutations;
mod records;
#[cfg(test)]
pub(super) mod sample;
mod sslv2;
#[cfg(test)]
mod tests;

use weir_model::{Timestamp, TlsKind};

use self::records::{CONTENT_HANDSHAKE, MAX_RECORD_BYTES, Records};
use super::config::L7Config;
use super::exchanges::Exchanges;
use super::parser::{Probe, Side, StreamParser, Turn};

pub(super) use self::assembly::Assembly;
pub(super) use self::fields::Fields;
pub(super) use self::handshake::{Handshake, Span};
#[cfg(test)]
pub(super) use self::hello::RETRY_RANDOM;
pub(super) use self::records::{CLIENT_HELLO, SERVER_HELLO};

/// The hellos of TLS.
#[derive(Debug)]
pub(super) struct TlsStream {
    handshake: Handshake,
    src: Records,
    dst: Records,
}

impl TlsStream {
    /// What the first bytes that a side sends look like.
    pub(super) fn probe(bytes: &[u8]) -> Probe {
        match probe(bytes) {
            Probe::No => sslv2::probe(bytes),
            sure => sure,
        }
    }

    pub(super) fn new(_: L7Config) -> Self {
        Self { handshake: Handshake::new(TlsKind::Tls), src: Records::default(), dst: Records::default() }
    }

    fn records(&mut self, side: Side) -> (&mut Records, &mut Handshake) {
        match side {
            Side::Src => (&mut self.src, &mut self.handshake),
            Side::Dst => (&mut self.dst, &mut self.handshake),
        }
    }

    fn turn(&mut self, out: &mut Exchanges) -> Turn {
        if self.handshake.is_complete() || self.src.is_settled() && self.dst.is_settled() {
            self.close(out);
            return Turn::Done;
        }
        Turn::Stay
    }
}

impl StreamParser for TlsStream {
    fn data(&mut self, side: Side, bytes: &[u8], time: Timestamp, out: &mut Exchanges) -> Turn {
        let (records, handshake) = self.records(side);
        records.read(bytes, time, handshake);
        self.turn(out)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Exchanges) -> Turn {
        let (records, handshake) = self.records(side);
        records.gap(len, handshake);
        self.turn(out)
    }

    fn end(&mut self, _: Side, _: &mut Exchanges) {}

    fn close(&mut self, out: &mut Exchanges) {
        self.src.give_up(&mut self.handshake);
        self.dst.give_up(&mut self.handshake);
        self.handshake.give(out);
    }

    fn memory_bytes(&self) -> usize {
        self.src.memory_bytes() + self.dst.memory_bytes() + self.handshake.memory_bytes()
    }
}

/// What the first bytes that a side sends look like: a record that begins with a hello.
fn probe(bytes: &[u8]) -> Probe {
    let is = |at: usize, fits: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| fits(*byte));
    let len = bytes.get(3..).and_then(|bytes| Fields::new(bytes).u16()).map(usize::from);
    let is_hello = is(0, |byte| byte == CONTENT_HANDSHAKE)
        && is(1, |byte| byte == 3 || byte == 1)
        && is(2, |byte| byte <= 4)
        && len.is_none_or(|len| (1..=MAX_RECORD_BYTES).contains(&len))
        && is(5, |byte| matches!(byte, CLIENT_HELLO | SERVER_HELLO))
        // In a record of one byte, the next record follows.
        && (len == Some(1) || is(6, |byte| byte == 0));
    match bytes.len() {
        _ if !is_hello => Probe::No,
        0..=5 => Probe::Maybe,
        _ => Probe::Yes,
    }
}
