//! The header blocks of one side: parts of payloads in, messages out.
//!
//! A block is kept until it is whole, up to a cap. One that is not seen whole costs its fields and the dynamic table.

use weir_model::Timestamp;

use super::frames::{Head, Kind, flag};
use super::hpack::Decoder;
use super::message::Message;
use super::streams::Span;
use crate::l7::config::L7Config;

/// The longest header block that is read, in bytes.
const MAX_BLOCK_BYTES: usize = 64 << 10;
/// A buffer this large is kept for the next block.
const KEPT_BUFFER_BYTES: usize = 4 << 10;

/// The header blocks of one side.
#[derive(Debug)]
pub(super) struct Blocks {
    coming: Option<Block>,
    /// The last block's buffer.
    buffer: Vec<u8>,
    decoder: Decoder,
}

/// A header block that is whole.
#[derive(Debug)]
pub(super) struct Headers {
    /// The stream whose frames carried it.
    pub(super) stream: u32,
    pub(super) carrier: Carrier,
    /// What it says, as far as it was seen.
    pub(super) message: Message,
    pub(super) span: Span,
}

/// The frame that a header block starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    /// HEADERS; `is_end` = the sender's last on the stream.
    Headers { is_end: bool },
    /// `PUSH_PROMISE`, and the stream that it announces; `None` = that was not seen.
    PushPromise(Option<u32>),
}

/// A header block that is coming in.
#[derive(Debug)]
struct Block {
    stream: u32,
    carrier: Carrier,
    /// `None` = part of it was not seen, or it is too long.
    bytes: Option<Vec<u8>>,
    /// Where in `bytes` the payload of the current frame starts.
    frame_start: usize,
    started: Timestamp,
}

impl Blocks {
    pub(super) const fn new() -> Self {
        Self { coming: None, buffer: Vec::new(), decoder: Decoder::new() }
    }

    /// A frame starts, of any kind. Between those of a block there are no others (RFC 9113, 4.3).
    pub(super) fn begin(&mut self, head: Head, time: Timestamp) {
        if head.kind == Kind::Continuation {
            match &mut self.coming {
                Some(block) if block.stream == head.stream => {
                    block.frame_start = block.bytes.as_ref().map_or(0, Vec::len);
                }
                _ => self.drop_all(),
            }
            return;
        }
        if self.coming.is_some() {
            self.drop_all();
        }
        if head.kind.is_block() {
            self.coming = Some(Block {
                stream: head.stream,
                carrier: match head.kind {
                    Kind::PushPromise => Carrier::PushPromise(None),
                    _ => Carrier::Headers { is_end: head.has(flag::END_STREAM) },
                },
                bytes: Some(std::mem::take(&mut self.buffer)),
                frame_start: 0,
                started: time,
            });
        }
    }

    /// More of the payload of the block's current frame.
    pub(super) fn keep(&mut self, payload: &[u8]) {
        let Some(bytes) = self.coming.as_mut().and_then(|block| block.bytes.as_mut()) else { return };
        if bytes.len() + payload.len() > MAX_BLOCK_BYTES {
            self.skip();
        } else {
            bytes.extend_from_slice(payload);
        }
    }

    /// Some of the payload of the block's current frame is missing.
    pub(super) fn skip(&mut self) {
        if let Some(block) = &mut self.coming {
            block.bytes = None;
        }
        self.decoder.lose();
    }

    /// The block's current frame is over, and with it, it may be, the block.
    pub(super) fn finish(&mut self, head: Head, time: Timestamp, config: L7Config) -> Option<Headers> {
        self.strip(head);
        if !head.has(flag::END_HEADERS) {
            return None;
        }
        let Block { stream, carrier, bytes, started, .. } = self.coming.take()?;
        let mut message = Message::default();
        if let Some(mut bytes) = bytes {
            // What was read before something malformed is right.
            let _ = self.decoder.decode(&bytes, |name, value| message.field(name, value, config));
            if bytes.capacity() <= KEPT_BUFFER_BYTES {
                bytes.clear();
                self.buffer = bytes;
            }
        }
        Some(Headers { stream, carrier, message, span: (started, time) })
    }

    /// Blocks came that were not seen.
    pub(super) fn drop_all(&mut self) {
        self.coming = None;
        self.decoder.lose();
    }

    /// The receiver allows a dynamic table of this size.
    pub(super) const fn allow(&mut self, bytes: u32) {
        self.decoder.allow(bytes);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let coming = self.coming.as_ref().and_then(|block| block.bytes.as_ref()).map_or(0, Vec::capacity);
        self.buffer.capacity() + coming + self.decoder.memory_bytes()
    }

    /// Takes what is no header block out of the frame that is whole now.
    fn strip(&mut self, head: Head) {
        let Some(block) = &mut self.coming else { return };
        let Some(bytes) = &mut block.bytes else { return };
        let Some(fragment) = bytes.get(block.frame_start..).and_then(|payload| head.fragment(payload)) else {
            return self.skip();
        };
        if fragment.promised.is_some() {
            block.carrier = Carrier::PushPromise(fragment.promised);
        }
        bytes.truncate(block.frame_start + fragment.end);
        bytes.drain(block.frame_start..block.frame_start + fragment.start);
    }
}
