//! GRE: versions 0 and 1, and what is carried in it that Ethernet does not know.

use weir_model::TunnelKind;

use super::within;
use crate::counts::Skipped;
use crate::decode::bytes::Bytes;
use crate::decode::{Decoder, Layers};
use crate::packet::Packet;

const CHECKSUM: u8 = 0x80;
const ROUTING: u8 = 0x40;
const KEY: u8 = 0x20;
const SEQUENCE: u8 = 0x10;
/// In the second byte of version 1.
const ACKNOWLEDGEMENT: u8 = 0x80;

const ERSPAN_III: u16 = 0x22eb;
const PPP: u16 = 0x880b;
const WCCP: u16 = 0x883e;
const ERSPAN: u16 = 0x88be;
/// Source routes that are followed.
const MAX_ROUTES: usize = 16;

impl Decoder {
    pub(super) fn gre(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        let [flags, version, high, low] = *data.head::<4>().ok()?;
        match version & 0x07 {
            0 => self.gre_0(flags, u16::from_be_bytes([high, low]), data, layers),
            1 => self.gre_1(flags, version, data, layers),
            _ => None,
        }
    }

    /// RFC 2784 and 2890, with the source routes of RFC 1701.
    fn gre_0(&mut self, flags: u8, kind: u16, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        let mut rest = data.skip(if flags & (CHECKSUM | ROUTING) == 0 { 4 } else { 8 });
        let mut id = None;
        if flags & KEY != 0 {
            id = Some(rest.u32(0)?);
            rest = rest.skip(4);
        }
        if flags & SEQUENCE != 0 {
            rest = rest.skip(4);
        }
        if flags & ROUTING != 0 {
            rest = behind_routes(rest)?;
        }
        let layers = within(TunnelKind::Gre, id, layers)?;
        Some(match kind {
            // Type I has no header and no sequence number, type II has both.
            ERSPAN if flags & SEQUENCE == 0 => self.ethernet(rest, layers),
            ERSPAN => self.ethernet(rest.skip(8), layers),
            ERSPAN_III => self.erspan_3(rest, layers),
            // A redirected packet: version 2 has a header of its own.
            WCCP if rest.seen.first()? >> 4 != 4 => self.ip(rest.skip(4), layers),
            WCCP => self.ip(rest, layers),
            // Aruba's access points send IEEE 802.11 frames home.
            0x8200..=0x83ff => self.ieee_802_11(rest, layers),
            _ => self.ethertype(kind, rest, layers),
        })
    }

    /// PPTP (RFC 2637): PPP inside. What is not IP, or compressed, is no less the tunnel's own.
    fn gre_1(&mut self, flags: u8, version: u8, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        if data.u16(2).ok()? != PPP || flags & SEQUENCE == 0 {
            return None;
        }
        let layers = within(TunnelKind::Gre, Some(u32::from(data.u16(6).ok()?)), layers)?;
        let header = if version & ACKNOWLEDGEMENT == 0 { 12 } else { 16 };
        self.ppp(data.skip(header), layers).ok().map(Ok)
    }

    /// A mirrored frame of Cisco's type III: Ethernet or IP, behind a subheader where a bit says so.
    fn erspan_3(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let [.., frame, last] = *data.head::<12>()?;
        let rest = data.skip(if last & 1 == 0 { 12 } else { 20 });
        match (frame >> 2) & 0x1f {
            2 => self.ip(rest, layers),
            _ => self.ethernet(rest, layers),
        }
    }
}

/// What is behind the list of source routes, which ends with an empty one.
fn behind_routes(mut data: Bytes<'_>) -> Option<Bytes<'_>> {
    for _ in 0..MAX_ROUTES {
        let [family_0, family_1, _, len] = *data.head::<4>().ok()?;
        data = data.skip(4 + usize::from(len));
        if (family_0, family_1, len) == (0, 0, 0) {
            return Some(data);
        }
    }
    None
}
