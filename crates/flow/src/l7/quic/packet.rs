//! Packets with long headers, several of which may stand in a datagram (RFC 9000, 12.2 and 17.2).

use super::frames::varint;
use super::versions::{PacketType, Version};
use crate::l7::tls::Fields;

const LONG_HEADER: u8 = 0x80;
/// The longest connection id (RFC 9000, 17.2).
pub(super) const MAX_ID_BYTES: usize = 20;

/// An Initial packet, as protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InitialPacket<'a> {
    pub(super) version: &'static Version,
    /// The connection id of the side that it goes to.
    pub(super) destination: &'a [u8],
    /// From its first byte to its last.
    pub(super) bytes: &'a [u8],
    /// Where in it the packet number stands.
    pub(super) number_at: usize,
}

/// The Initial packets in a datagram.
pub(super) fn initial_packets(datagram: &[u8]) -> impl Iterator<Item = InitialPacket<'_>> {
    let mut fields = Fields::new(datagram);
    std::iter::from_fn(move || {
        loop {
            let (kind, packet) = long_packet(&mut fields)?;
            if kind == PacketType::Initial {
                return Some(packet);
            }
        }
    })
}

/// The next packet with a long header of a version that is known, and with a length.
fn long_packet<'a>(fields: &mut Fields<'a>) -> Option<(PacketType, InitialPacket<'a>)> {
    let whole = fields.rest();
    let first = fields.u8().filter(|first| first & LONG_HEADER != 0)?;
    let version = Version::of(fields.u32()?)?;
    let destination = fields.short().filter(|id| id.len() <= MAX_ID_BYTES)?;
    let _source = fields.short().filter(|id| id.len() <= MAX_ID_BYTES)?;
    let kind = version.packet_type(first);
    match kind {
        PacketType::Initial => {
            let token = varint(fields)?;
            fields.take(usize::try_from(token).ok()?)?;
        }
        PacketType::ZeroRtt | PacketType::Handshake => {}
        PacketType::Retry => return None,
    }
    let len = usize::try_from(varint(fields)?).ok()?;
    let number_at = whole.len() - fields.rest().len();
    fields.take(len)?;
    let bytes = whole.get(..number_at + len)?;
    Some((kind, InitialPacket { version, destination, bytes, number_at }))
}
