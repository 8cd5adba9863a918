//! The hellos within QUIC's Initial packets (RFC 9000, RFC 9001, RFC 9369).
//!
//! The datagrams of both sides come in, one exchange for each flow goes out: when both hellos are known, or when none
//! came for long. Initial packets are protected with keys that anybody can derive from them; no others are opened.

mod frames;
mod keys;
mod packet;
mod stream;
#[cfg(test)]
mod tests;
mod versions;

use weir_model::{Timestamp, TlsKind};

use self::frames::crypto_frames;
use self::keys::{InitialKeys, Opened, Sender};
use self::packet::{InitialPacket, initial_packets};
use self::stream::CryptoStream;
use super::config::L7Config;
use super::exchanges::Exchanges;
use super::parser::{DatagramParser, Side, Turn};
use super::tls::Handshake;

/// How many datagrams without an Initial packet that opens are waited for the next one.
const MAX_OTHERS: u32 = 64;
/// How many Initial packets of one datagram are opened.
const MAX_COALESCED: usize = 8;

/// The hellos within QUIC's Initial packets.
#[derive(Debug)]
pub(super) struct Quic {
    handshake: Handshake,
    /// Known from the first packet of a client that opens.
    connection: Option<Connection>,
    src: CryptoStream,
    dst: CryptoStream,
    /// Datagrams since the last packet that opened.
    others: u32,
}

/// Who is the client, and what opens the packets.
#[derive(Debug)]
struct Connection {
    client: Side,
    keys: InitialKeys,
}

impl Quic {
    /// Whether a flow's first datagram is one.
    pub(super) fn probe(bytes: &[u8]) -> bool {
        initial_packets(bytes).next().is_some()
    }

    pub(super) fn new(_: L7Config) -> Self {
        Self {
            handshake: Handshake::new(TlsKind::Quic),
            connection: None,
            src: CryptoStream::default(),
            dst: CryptoStream::default(),
            others: 0,
        }
    }

    fn packet(&mut self, side: Side, packet: &InitialPacket<'_>, time: Timestamp) -> Option<()> {
        let opened = self.open_known(side, packet).or_else(|| self.open_new(side, packet))?;
        let stream = match side {
            Side::Src => &mut self.src,
            Side::Dst => &mut self.dst,
        };
        stream.largest_packet = stream.largest_packet.max(Some(opened.number));
        for frame in crypto_frames(&opened.payload) {
            stream.add(frame.offset, frame.bytes, time, &mut self.handshake);
        }
        Some(())
    }

    /// Opens a packet of the connection that is known.
    fn open_known(&mut self, side: Side, packet: &InitialPacket<'_>) -> Option<Opened> {
        let connection = self.connection.as_mut()?;
        let sender = if side == connection.client { Sender::Client } else { Sender::Server };
        let stream = if side == Side::Src { &self.src } else { &self.dst };
        connection.keys.open(packet, sender, stream.largest_packet)
    }

    /// Opens a client's first packet, or its first one after a Retry (RFC 9001, 5.2).
    fn open_new(&mut self, side: Side, packet: &InitialPacket<'_>) -> Option<Opened> {
        let mut keys = InitialKeys::new(packet.version, packet.destination)?;
        let opened = keys.open(packet, Sender::Client, None)?;
        if self.connection.is_some() {
            self.handshake.retry();
            (self.src, self.dst) = (CryptoStream::default(), CryptoStream::default());
        }
        self.connection = Some(Connection { client: side, keys });
        Some(opened)
    }
}

impl DatagramParser for Quic {
    fn datagram(&mut self, side: Side, bytes: &[u8], _: bool, time: Timestamp, out: &mut Exchanges) -> Turn {
        self.others += 1;
        for packet in initial_packets(bytes).take(MAX_COALESCED) {
            if self.packet(side, &packet, time).is_none() {
                break;
            }
            self.others = 0;
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
