//! IEEE 802.11, with or without what the radio says in front. Only data frames in the clear carry packets.

use weir_model::LinkType;

use crate::counts::Skipped;
use crate::decode::bytes::Bytes;
use crate::decode::{Decoder, Layers};
use crate::packet::Packet;

const PRISM: u16 = 119;
const RADIOTAP: u16 = 127;
const AVS: u16 = 163;
const IEEE_802_11: LinkType = LinkType(105);

/// Frame control, first byte: type and subtype.
const TYPE_AND_VERSION: u8 = 0x0f;
const DATA: u8 = 0x08;
const NO_DATA: u8 = 0x40;
const QOS: u8 = 0x80;
/// Frame control, second byte.
const BETWEEN_ACCESS_POINTS: u8 = 0x03;
const PROTECTED: u8 = 0x40;
const HT_CONTROL: u8 = 0x80;
/// In the first byte of the `QoS` control field.
const AGGREGATE: u8 = 0x80;
/// How the body of nearly every data frame begins.
const SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];

impl Decoder {
    /// A frame behind a header of the radio's, which tells its own length.
    pub(super) fn radio(&mut self, link: u16, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let head = *data.head::<8>()?;
        let [.., a, b, c, d] = head;
        let short = usize::from(u16::from_le_bytes([head[2], head[3]]));
        let long = u32::from_be_bytes([a, b, c, d]);
        let (len, inner) = match link {
            RADIOTAP => (short, IEEE_802_11),
            AVS => (long as usize, IEEE_802_11),
            // In the byte order of the capturing host, whatever that was.
            PRISM => (long.min(long.swap_bytes()) as usize, IEEE_802_11),
            // PPI names what follows.
            _ => (short, LinkType(u16::from_le_bytes([a, b]))),
        };
        if len < 8 {
            return Err(Skipped::Malformed);
        }
        self.link(inner, data.skip(len), layers.deeper()?)
    }

    pub(in crate::decode) fn ieee_802_11(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let [kind, flags] = *data.head::<2>()?;
        let is_plain_data = kind & TYPE_AND_VERSION == DATA && kind & NO_DATA == 0 && flags & PROTECTED == 0;
        if !is_plain_data {
            return Err(Skipped::NonIp);
        }
        let mut len: usize = if flags & BETWEEN_ACCESS_POINTS == BETWEEN_ACCESS_POINTS { 30 } else { 24 };
        if kind & QOS != 0 {
            let is_aggregate = data.seen.get(len).is_some_and(|control| control & AGGREGATE != 0);
            len += if flags & HT_CONTROL == 0 { 2 } else { 6 };
            if is_aggregate {
                // Several packets in one frame: it counts as the first, behind two addresses and a length.
                return self.llc(data.skip(len + 14), layers);
            }
        }
        // Some radios pad the header to a multiple of four.
        let padded = data.skip(len.next_multiple_of(4));
        let body = if padded.seen.starts_with(&SNAP) { padded } else { data.skip(len) };
        self.llc(body, layers)
    }
}
