//! Point to point: PPP, `PPPoE`, Cisco's HDLC, Frame Relay.

use crate::counts::Skipped;
use crate::decode::bytes::Bytes;
use crate::decode::{Decoder, Layers};
use crate::packet::Packet;

/// An unnumbered information frame.
const UNNUMBERED: u8 = 0x03;

impl Decoder {
    /// PPP with or without its address and control bytes (`pppd` writes the direction in the place of the address), the
    /// protocol in one byte or two (RFC 1661).
    pub(in crate::decode) fn ppp(&mut self, mut data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match data.seen {
            [0xff | 0 | 1, UNNUMBERED, ..] => data = data.skip(2),
            // Cisco's framing on a link that says PPP.
            [0x0f | 0x8f, 0, ..] => return self.hdlc(data, layers),
            _ => {}
        }
        let first = data.head::<1>()?[0];
        let (protocol, len) = if first & 1 == 1 { (u16::from(first), 1) } else { (data.u16(0)?, 2) };
        match protocol {
            0x0021 => self.ipv4(data.skip(len), layers),
            0x0057 => self.ipv6(data.skip(len), layers),
            0x0281 | 0x0283 => self.mpls(data.skip(len), layers),
            _ => Err(Skipped::NonIp),
        }
    }

    /// A `PPPoE` session (RFC 2516).
    pub(in crate::decode) fn pppoe(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match data.head::<6>()? {
            [_, 0, ..] => self.ppp(data.skip(6), layers),
            _ => Err(Skipped::NonIp),
        }
    }

    /// Cisco's HDLC: address, control, Ethernet type.
    pub(in crate::decode) fn hdlc(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        self.ethertype(data.u16(2)?, data.skip(4), layers)
    }

    /// Frame Relay with RFC 2427 encapsulation, or Cisco's with an Ethernet type.
    pub(in crate::decode) fn frame_relay(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let address = data.head::<4>()?.iter().position(|byte| byte & 1 == 1).ok_or(Skipped::Malformed)? + 1;
        let data = data.skip(address);
        if data.head::<1>()?[0] != UNNUMBERED {
            return self.ethertype(data.u16(0)?, data.skip(2), layers);
        }
        // A byte of padding may stand before the network layer's id.
        let data = data.skip(if data.head::<2>()?[1] == 0 { 2 } else { 1 });
        match *data.head::<1>()? {
            [0xcc] => self.ipv4(data.skip(1), layers),
            [0x8e] => self.ipv6(data.skip(1), layers),
            [0x80] => match *data.head::<6>()? {
                [_, 0, 0, 0, high, low] => self.ethertype(u16::from_be_bytes([high, low]), data.skip(6), layers),
                [_, 0, 0x80, 0xc2, 0, 1 | 7] => self.ethernet(data.skip(6), layers),
                _ => Err(Skipped::NonIp),
            },
            _ => Err(Skipped::NonIp),
        }
    }
}
