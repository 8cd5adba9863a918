//! What one side of a TLS connection sends, up to its hello (RFC 8446, 5.1).
//!
//! Bytes come in, cut anywhere; hellos go to the handshake. Records are read for their lengths only, and of messages only
//! hellos are kept, up to a cap.

use weir_model::Timestamp;

use super::assembly::MAX_BYTES;
use super::fields::Fields;
use super::handshake::{Handshake, Span};
use super::{probe, sslv2};
use crate::l7::parser::Probe;

/// A record's longest body: 2^14, and what ciphers may add (RFC 5246, 6.2.3).
pub(super) const MAX_RECORD_BYTES: usize = (1 << 14) + (1 << 11);
const RECORD_HEADER_BYTES: usize = 5;
const MESSAGE_HEADER_BYTES: usize = 4;
/// Of TLCP (GB/T 38636), whose records and hellos are those of TLS.
const TLCP_VERSION: u16 = 0x0101;

pub(super) const CONTENT_HANDSHAKE: u8 = 22;
const CONTENT_CHANGE_CIPHER_SPEC: u8 = 20;
const CONTENT_APPLICATION_DATA: u8 = 23;
const CONTENT_HEARTBEAT: u8 = 24;
/// Not on the wire: a message of SSL 2.0.
const CONTENT_OLD_HELLO: u8 = 0;

const HELLO_REQUEST: u8 = 0;
pub(in crate::l7) const CLIENT_HELLO: u8 = 1;
pub(in crate::l7) const SERVER_HELLO: u8 = 2;
/// Of the early drafts of TLS 1.3.
const HELLO_RETRY_REQUEST: u8 = 6;

/// Whether more is to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Reading,
    /// Bytes are missing: where the next record begins is not known.
    Lost,
    /// No hello will come any more.
    Finished,
}

/// The reading of one side.
#[derive(Debug, Default)]
pub(super) struct Records {
    state: State,
    /// A `ClientHello` came.
    has_asked: bool,
    /// A hello came, or word that there is to be another one.
    has_spoken: bool,
    /// A record came.
    has_begun: bool,
    /// A record's header, as far as it came.
    header: Vec<u8>,
    content: u8,
    /// Bytes of the record to come.
    record_left: usize,
    /// A message's header and, of a hello, its body.
    message: Vec<u8>,
    /// Bytes of the hello to come.
    hello_left: usize,
    /// Bytes of the message to come that are not kept.
    skipped_left: usize,
    /// When the record began with which a message is to begin.
    since: Option<Timestamp>,
    /// The message's.
    span: Span,
}

impl Records {
    /// Whether this side will say nothing more that counts, unless it is asked for another `ClientHello`.
    pub(super) fn is_settled(&self) -> bool {
        self.has_asked || self.state == State::Finished
    }

    /// Reads on; `time` is the first byte's.
    pub(super) fn read(&mut self, mut bytes: &[u8], time: Timestamp, handshake: &mut Handshake) {
        if self.state == State::Lost {
            self.state = if probe(bytes) == Probe::No { State::Finished } else { State::Reading };
        }
        while self.state == State::Reading && !bytes.is_empty() {
            if self.record_left == 0 {
                bytes = self.header(bytes, time);
                continue;
            }
            let (part, rest) = bytes.split_at(self.record_left.min(bytes.len()));
            self.record_left -= part.len();
            bytes = rest;
            match self.content {
                CONTENT_HANDSHAKE => self.messages(part, time, handshake),
                CONTENT_OLD_HELLO => self.old_hello(part, time, handshake),
                _ => {}
            }
        }
    }

    /// `len` bytes are missing.
    pub(super) fn gap(&mut self, len: u64, handshake: &mut Handshake) {
        if self.state == State::Finished {
            return;
        }
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let is_message = matches!(self.content, CONTENT_HANDSHAKE | CONTENT_OLD_HELLO);
        let is_skipped = !is_message || self.message.is_empty() && len <= self.skipped_left;
        if len <= self.record_left && is_skipped {
            self.record_left -= len;
            self.skipped_left -= if is_message { len } else { 0 };
            return;
        }
        self.give_up(handshake);
        *self = Self { state: State::Lost, has_asked: self.has_asked, has_spoken: self.has_spoken, ..Self::default() };
    }

    /// Gives the part of a hello that came: the rest of it never will.
    pub(super) fn give_up(&mut self, handshake: &mut Handshake) {
        if self.hello_left > 0 {
            self.hello(false, handshake);
        }
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.header.capacity() + self.message.capacity()
    }

    /// Reads a record's header, as far as it is there. What is behind it comes back.
    fn header<'a>(&mut self, bytes: &'a [u8], time: Timestamp) -> &'a [u8] {
        if self.header.is_empty() && self.message.is_empty() {
            self.since = Some(time);
        }
        let (part, rest) = bytes.split_at(bytes.len().min(RECORD_HEADER_BYTES - self.header.len()));
        self.header.extend_from_slice(part);
        if self.header.len() == RECORD_HEADER_BYTES {
            if self.record(time).is_none() {
                self.state = State::Finished;
            }
            self.header.clear();
            self.has_begun = true;
        }
        rest
    }

    /// Begins the record whose header has come; `None` = it is none, or no hello can follow.
    fn record(&mut self, time: Timestamp) -> Option<()> {
        if !self.has_begun && sslv2::is_hello(&self.header) {
            let (head, message) = self.header.split_at_checked(2)?;
            self.record_left = sslv2::message_bytes(head)?.checked_sub(message.len()).filter(|left| *left > 0)?;
            self.message.extend_from_slice(message);
            self.content = CONTENT_OLD_HELLO;
            self.span = (self.since.unwrap_or(time), time);
            return Some(());
        }
        let mut fields = Fields::new(&self.header);
        let (content, version, len) = (fields.u8()?, fields.u16()?, usize::from(fields.u16()?));
        let is_record = matches!(content, CONTENT_CHANGE_CIPHER_SPEC..=CONTENT_HEARTBEAT)
            && matches!(version, 0x0300..=0x0304 | TLCP_VERSION)
            && len <= MAX_RECORD_BYTES;
        let is_late = matches!(content, CONTENT_CHANGE_CIPHER_SPEC | CONTENT_APPLICATION_DATA) && !self.has_spoken;
        self.content = content;
        self.record_left = len;
        (is_record && !is_late).then_some(())
    }

    /// Reads the messages in a part of a record.
    fn messages(&mut self, mut bytes: &[u8], time: Timestamp, handshake: &mut Handshake) {
        while self.state == State::Reading && !bytes.is_empty() {
            let is_skipped = self.message.is_empty() && self.skipped_left > 0;
            let wanted = match MESSAGE_HEADER_BYTES.saturating_sub(self.message.len()) {
                _ if is_skipped => self.skipped_left,
                0 => self.hello_left,
                left => left,
            };
            let (part, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if is_skipped {
                self.skipped_left -= part.len();
                continue;
            }
            if self.message.is_empty() {
                self.span.0 = self.since.take().unwrap_or(time);
            }
            self.span.1 = time;
            self.message.extend_from_slice(part);
            if self.hello_left > 0 {
                self.hello_left -= part.len();
                if self.hello_left == 0 {
                    self.hello(self.skipped_left == 0, handshake);
                }
            } else if self.message.len() == MESSAGE_HEADER_BYTES {
                self.begin(handshake);
            }
        }
    }

    /// Begins the message whose header has come.
    fn begin(&mut self, handshake: &mut Handshake) {
        let mut fields = Fields::new(&self.message);
        let (Some(kind), Some(len)) = (fields.u8(), fields.u24()) else { return };
        let len = len as usize;
        let kept = if matches!(kind, CLIENT_HELLO | SERVER_HELLO) { len.min(MAX_BYTES) } else { 0 };
        self.hello_left = kept;
        self.skipped_left = len - kept;
        if kept > 0 {
            return;
        }
        self.message = Vec::new();
        match kind {
            HELLO_REQUEST => {}
            HELLO_RETRY_REQUEST => {
                self.has_spoken = true;
                handshake.retry();
            }
            _ if self.has_spoken => {}
            _ => self.state = State::Finished,
        }
    }

    /// Gives the hello that has come.
    fn hello(&mut self, is_all: bool, handshake: &mut Handshake) {
        self.hello_left = 0;
        let message = std::mem::take(&mut self.message);
        let Some((header, body)) = message.split_at_checked(MESSAGE_HEADER_BYTES) else { return };
        let is_known = if header.first() == Some(&CLIENT_HELLO) {
            handshake.client_hello(body, is_all, self.span);
            self.has_asked |= handshake.has_client();
            self.has_asked
        } else if self.has_asked {
            true
        } else {
            handshake.server_hello(body, self.span);
            handshake.is_retried() && !handshake.has_server()
        };
        self.has_spoken |= is_known;
        if !is_known {
            self.state = State::Finished;
        }
    }

    fn old_hello(&mut self, part: &[u8], time: Timestamp, handshake: &mut Handshake) {
        self.message.extend_from_slice(part);
        self.span.1 = time;
        if self.record_left == 0 {
            let message = std::mem::take(&mut self.message);
            handshake.old_hello(&message, self.span);
            self.has_asked |= handshake.has_client();
            self.has_spoken |= self.has_asked;
        }
    }
}
