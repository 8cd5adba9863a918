//! The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces of any mix, packets in three kinds of block.
//!
//! Blocks that hold no packet (names, statistics, secrets, what others made up) are stepped over without being kept.

use weir_model::{LinkType, Timestamp};

use super::window::Window;
use super::{Fault, Order, Record, longest_frame};

/// The type of a section header, the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and length in front of a block, the length again behind it.
const FRAMING_BYTES: usize = 12;
/// Interfaces of one section; more are taken for damage.
const MAX_INTERFACES: usize = 65_536;

const RUNS_OVER: &str = "a packet runs over the end of its block";
const LENGTHS_DIFFER: &str = "the lengths in front of the block and behind it differ";

/// The state of a pcapng file at some block.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Simple packet blocks have no time: they get that of the packet before them.
    last_time: Timestamp,
}

impl Default for Pcapng {
    fn default() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), last_time: Timestamp(0) }
    }
}

#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    /// 0 = unlimited.
    snap_len: u32,
    resolution: Resolution,
    offset_seconds: i64,
}

/// The unit of an interface's time stamps (`if_tsresol`).
#[derive(Clone, Copy)]
enum Resolution {
    /// One tick is this many nanoseconds.
    Nanos(u64),
    /// This many ticks are a nanosecond.
    PerNano(u128),
    /// 2 to this power ticks are a second.
    Binary(u32),
}

impl Resolution {
    fn from_option(value: u8) -> Self {
        let exponent = u32::from(value & 0x7f);
        match (value & 0x80, exponent) {
            (0, 0..=9) => Self::Nanos(10_u64.pow(9 - exponent)),
            (0, _) => Self::PerNano(10_u128.checked_pow(exponent - 9).unwrap_or(u128::MAX)),
            _ => Self::Binary(exponent),
        }
    }

    fn nanos(self, ticks: u64) -> i128 {
        match self {
            Self::Nanos(unit) => i128::from(ticks) * i128::from(unit),
            Self::PerNano(per) => (u128::from(ticks) / per) as i128,
            Self::Binary(exponent) => ((u128::from(ticks) * 1_000_000_000) >> exponent) as i128,
        }
    }
}

impl Interface {
    fn time(self, ticks: u64) -> Timestamp {
        let nanos = self.resolution.nanos(ticks) + i128::from(self.offset_seconds) * 1_000_000_000;
        Timestamp(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
    }
}

impl Pcapng {
    /// The next packet, in the window from its block's first byte on.
    pub(super) fn next_record(&mut self, window: &mut Window) -> Result<Option<Record>, Fault> {
        loop {
            if window.is_over()? {
                return Ok(None);
            }
            let head = window.fill(FRAMING_BYTES)?;
            let kind = self.order.u32(head, 0);
            if kind == SECTION {
                self.order = byte_order(head)?;
            }
            let total = self.order.u32(head, 4) as usize;
            if total < FRAMING_BYTES || !total.is_multiple_of(4) {
                return Err(Fault::Damaged("the length of the block is impossible"));
            }
            match kind {
                SECTION | INTERFACE | ENHANCED_PACKET | SIMPLE_PACKET | OBSOLETE_PACKET => {
                    if let Some(record) = self.read_block(window, kind, total)? {
                        return Ok(Some(record));
                    }
                    window.consume(total);
                }
                _ => self.step_over(window, total)?,
            }
        }
    }

    fn step_over(&self, window: &mut Window, total: usize) -> Result<(), Fault> {
        window.skip(total - 4)?;
        if self.order.u32(window.fill(4)?, 0) as usize != total {
            return Err(Fault::Damaged(LENGTHS_DIFFER));
        }
        window.consume(4);
        Ok(())
    }

    fn read_block(&mut self, window: &mut Window, kind: u32, total: usize) -> Result<Option<Record>, Fault> {
        let order = self.order;
        let block = window.fill(total)?.get(..total).unwrap_or_default();
        if order.u32(block, total - 4) as usize != total {
            return Err(Fault::Damaged(LENGTHS_DIFFER));
        }
        match kind {
            SECTION => self.start_section(block).map(|()| None),
            INTERFACE => self.add_interface(block).map(|()| None),
            SIMPLE_PACKET => self.simple_packet(block).map(Some),
            _ => self.packet(block, kind == OBSOLETE_PACKET).map(Some),
        }
    }

    fn start_section(&mut self, block: &[u8]) -> Result<(), Fault> {
        let (major, minor) = (self.order.u16(block, 12), self.order.u16(block, 14));
        if major != 1 || !matches!(minor, 0 | 2) || block.len() < 28 {
            return Err(Fault::Version { major, minor });
        }
        self.interfaces.clear();
        Ok(())
    }

    fn add_interface(&mut self, block: &[u8]) -> Result<(), Fault> {
        if block.len() < 20 {
            return Err(Fault::Damaged("the interface block is too short"));
        }
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Fault::Damaged("more than 65,536 interfaces in a section"));
        }
        let mut interface = Interface {
            link: LinkType(self.order.u16(block, 8)),
            snap_len: self.order.u32(block, 12),
            resolution: Resolution::Nanos(1_000),
            offset_seconds: 0,
        };
        let mut options = block.get(16..block.len() - 4).unwrap_or_default();
        while options.len() >= 4 {
            let (code, len) = (self.order.u16(options, 0), usize::from(self.order.u16(options, 2)));
            let Some(value) = options.get(4..4 + len) else {
                return Err(Fault::Damaged("an option runs over the end of its block"));
            };
            match (code, value) {
                (0, _) => break,
                (9, [resolution, ..]) => interface.resolution = Resolution::from_option(*resolution),
                (14, _) if len >= 8 => interface.offset_seconds = self.order.u64(value, 0) as i64,
                _ => {}
            }
            options = options.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        }
        self.interfaces.push(interface);
        Ok(())
    }

    /// An enhanced packet block, or the obsolete packet block with its 16-bit interface number.
    fn packet(&mut self, block: &[u8], obsolete: bool) -> Result<Record, Fault> {
        const FROM: usize = 28;
        let order = self.order;
        let number = if obsolete { usize::from(order.u16(block, 8)) } else { order.u32(block, 8) as usize };
        let Some(interface) = self.interfaces.get(number) else {
            return Err(Fault::Damaged("a packet of an interface that was not described"));
        };
        let ticks = (u64::from(order.u32(block, 12)) << 32) | u64::from(order.u32(block, 16));
        let (len, wire_len) = (order.u32(block, 20) as usize, order.u32(block, 24));
        if FROM.saturating_add(len) > block.len() - 4 {
            return Err(Fault::Damaged(RUNS_OVER));
        }
        if len > longest_frame(interface.link) {
            return Err(Fault::Damaged("the packet is longer than any frame"));
        }
        let time = interface.time(ticks);
        self.last_time = time;
        Ok(Record { time, wire_len, link: interface.link, from: FROM, len, total: block.len() })
    }

    fn simple_packet(&self, block: &[u8]) -> Result<Record, Fault> {
        const FROM: usize = 12;
        let Some(interface) = self.interfaces.first() else {
            return Err(Fault::Damaged("a packet of an interface that was not described"));
        };
        if block.len() < FROM + 4 {
            return Err(Fault::Damaged("the packet block is too short"));
        }
        let wire_len = self.order.u32(block, 8);
        let longest = longest_frame(interface.link);
        let limit = if interface.snap_len == 0 { longest } else { longest.min(interface.snap_len as usize) };
        let len = limit.min(wire_len as usize);
        if FROM + len > block.len() - 4 {
            return Err(Fault::Damaged(RUNS_OVER));
        }
        Ok(Record { time: self.last_time, wire_len, link: interface.link, from: FROM, len, total: block.len() })
    }
}

fn byte_order(head: &[u8]) -> Result<Order, Fault> {
    match Order::Big.u32(head, 8) {
        0x1a2b_3c4d => Ok(Order::Big),
        0x4d3c_2b1a => Ok(Order::Little),
        _ => Err(Fault::Damaged("the section has no byte order")),
    }
}
