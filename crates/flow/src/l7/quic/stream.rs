//! The handshake bytes of one side: pieces come in, in any order; hellos go to the handshake.

use weir_model::Timestamp;

use crate::l7::tls::{Assembly, CLIENT_HELLO, Fields, Handshake, SERVER_HELLO};

/// The handshake bytes of one side in its Initial packets.
#[derive(Debug, Default)]
pub(super) struct CryptoStream {
    pieces: Assembly,
    /// Bytes of the messages that were read.
    read: usize,
    /// When the first piece of the next message came.
    since: Option<Timestamp>,
    /// The largest packet number so far.
    pub(super) largest_packet: Option<u64>,
}

impl CryptoStream {
    /// Adds the piece at `offset`.
    pub(super) fn add(&mut self, offset: u64, piece: &[u8], time: Timestamp, handshake: &mut Handshake) {
        if !self.pieces.put(usize::try_from(offset).unwrap_or(usize::MAX), piece) {
            return;
        }
        let since = *self.since.get_or_insert(time);
        while let Some(message) = Message::read(self.pieces.prefix().get(self.read..).unwrap_or_default()) {
            if message.body.len() < message.len {
                return;
            }
            self.read += message.body.len() + Message::HEADER_BYTES;
            self.since = None;
            message.give((since, time), handshake);
        }
    }

    /// Gives the part of a hello that came: the rest of it never will.
    pub(super) fn give_up(&self, handshake: &mut Handshake) {
        let message = Message::read(self.pieces.prefix().get(self.read..).unwrap_or_default());
        if let (Some(message), Some(since)) = (message, self.since) {
            message.give((since, since), handshake);
        }
    }

    pub(super) const fn memory_bytes(&self) -> usize {
        self.pieces.memory_bytes()
    }
}

/// A handshake message, or the part of it that came.
struct Message<'a> {
    kind: u8,
    len: usize,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    const HEADER_BYTES: usize = 4;

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let (kind, len) = (fields.u8()?, fields.u24()? as usize);
        let body = fields.rest();
        Some(Self { kind, len, body: body.get(..len).unwrap_or(body) })
    }

    fn give(&self, span: (Timestamp, Timestamp), handshake: &mut Handshake) {
        match self.kind {
            CLIENT_HELLO => handshake.client_hello(self.body, self.body.len() == self.len, span),
            SERVER_HELLO => handshake.server_hello(self.body, span),
            _ => {}
        }
    }
}
