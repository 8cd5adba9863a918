//! The classic pcap format (draft-ietf-opsawg-pcap): one header of 24 bytes, then records of 16 bytes and a frame.
//!
//! Bounds are those of libpcap, so that both deliver the same frames of a damaged file. What old writers did is
//! understood too: lengths the wrong way round before version 2.3, and the longer records of a patch to libpcap 0.4.

use weir_model::{LinkType, Timestamp};

use super::window::{Shortage, Window};
use super::{Fault, Order, Record, longest_frame};

const HEADER_BYTES: usize = 24;
const RECORD_BYTES: usize = 16;
/// A record of the patched format also has an interface number, a protocol and a direction.
const PATCHED_RECORD_BYTES: usize = 24;

/// The state of a classic file behind its header.
pub(super) struct Classic {
    order: Order,
    /// Nanoseconds in one unit of a record's fraction.
    unit_ns: i64,
    link: LinkType,
    record_bytes: usize,
    lengths: Lengths,
    longest: usize,
}

/// Which of its two lengths a record has in front.
#[derive(Clone, Copy)]
enum Lengths {
    Captured,
    Wire,
    /// Version 2.3 was written both ways: the smaller one is what was captured.
    Smaller,
}

impl Lengths {
    const fn of_version(major: u16, minor: u16) -> Option<Self> {
        match (major, minor) {
            (2, 0..=2) | (543, 0) => Some(Self::Wire),
            (2, 3) => Some(Self::Smaller),
            (2, 4) => Some(Self::Captured),
            _ => None,
        }
    }

    /// Captured length, length on the wire.
    const fn sort(self, first: u32, second: u32) -> (u32, u32) {
        match self {
            Self::Captured => (first, second),
            Self::Smaller if first <= second => (first, second),
            _ => (second, first),
        }
    }
}

impl Classic {
    /// Reads the file header, whose first four bytes are `magic`.
    pub(super) fn read_header(window: &mut Window, magic: [u8; 4]) -> Result<Self, Fault> {
        let (order, number) = match magic[0] {
            0xa1 => (Order::Big, u32::from_be_bytes(magic)),
            _ => (Order::Little, u32::from_le_bytes(magic)),
        };
        let (unit_ns, record_bytes) = match number {
            0xa1b2_c3d4 => (1_000, RECORD_BYTES),
            0xa1b2_3c4d => (1, RECORD_BYTES),
            0xa1b2_cd34 => (1_000, PATCHED_RECORD_BYTES),
            _ => return Err(Fault::NotACapture(magic)),
        };
        let header = window.fill(HEADER_BYTES)?;
        let (major, minor) = (order.u16(header, 4), order.u16(header, 6));
        let lengths = Lengths::of_version(major, minor).ok_or(Fault::Version { major, minor })?;
        // The upper half holds the length of the frame check sequence.
        let link = LinkType(order.u32(header, 20) as u16);
        window.consume(HEADER_BYTES);
        Ok(Self { order, unit_ns, link, record_bytes, lengths, longest: longest_frame(link) })
    }

    /// The next record, in the window from its first byte on.
    #[inline]
    pub(super) fn next_record(&mut self, window: &mut Window) -> Result<Option<Record>, Fault> {
        let from = self.record_bytes;
        let header = match window.fill(from) {
            Ok(header) => header,
            Err(Shortage::End { present: 0, .. }) => return Ok(None),
            Err(shortage) => return Err(shortage.into()),
        };
        let order = self.order;
        let (seconds, fraction) = (order.u32(header, 0), order.u32(header, 4));
        let (len, wire_len) = self.lengths.sort(order.u32(header, 8), order.u32(header, 12));
        let len = len as usize;
        if len > self.longest {
            return Err(Fault::Damaged("the record's frame is longer than any frame"));
        }
        let total = from + len;
        window.fill(total)?;
        let time = Timestamp::from_parts(i64::from(seconds), i64::from(fraction) * self.unit_ns);
        Ok(Some(Record { time, wire_len, link: self.link, from, len, total }))
    }
}
