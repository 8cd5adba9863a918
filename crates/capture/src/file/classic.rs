//! The classic pcap format (draft-ietf-opsawg-pcap): one header of 24 bytes, then records of 16 bytes and a frame.

use weir_model::{LinkType, Timestamp};

use super::window::{Shortage, Window};
use super::{Fault, Order, Record};

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;

/// The state of a classic file behind its header.
pub(super) struct Classic {
    order: Order,
    /// Nanoseconds in one unit of a record's fraction.
    unit_ns: i64,
    link: LinkType,
}

impl Classic {
    /// Reads the file header, whose first four bytes are `magic`.
    pub(super) fn read_header(window: &mut Window, magic: [u8; 4]) -> Result<Self, Fault> {
        let (order, unit_ns) = match u32::from_le_bytes(magic) {
            0xa1b2_c3d4 => (Order::Little, 1_000),
            0xd4c3_b2a1 => (Order::Big, 1_000),
            0xa1b2_3c4d => (Order::Little, 1),
            0x4d3c_b2a1 => (Order::Big, 1),
            _ => return Err(Fault::NotACapture(magic)),
        };
        let header = window.fill(HEADER_BYTES)?;
        let (major, minor) = (order.u16(header, 4), order.u16(header, 6));
        if major != 2 {
            return Err(Fault::Version { major, minor });
        }
        // The upper half holds the length of the frame check sequence.
        let link = LinkType(order.u32(header, 20) as u16);
        window.consume(HEADER_BYTES);
        Ok(Self { order, unit_ns, link })
    }

    /// The next record, in the window from its first byte on.
    #[inline]
    pub(super) fn next_record(&mut self, window: &mut Window) -> Result<Option<Record>, Fault> {
        let header = match window.fill(RECORD_BYTES) {
            Ok(header) => header,
            Err(Shortage::End { present: 0, .. }) => return Ok(None),
            Err(shortage) => return Err(shortage.into()),
        };
        let order = self.order;
        let (seconds, fraction) = (order.u32(header, 0), order.u32(header, 4));
        let (len, wire_len) = (order.u32(header, 8) as usize, order.u32(header, 12));
        let total = RECORD_BYTES.saturating_add(len);
        window.fill(total)?;
        let time = Timestamp::from_parts(i64::from(seconds), i64::from(fraction) * self.unit_ns);
        Ok(Some(Record { time, wire_len, link: self.link, from: RECORD_BYTES, len, total }))
    }
}
