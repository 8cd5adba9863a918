//! Once a flow exists, its packets allocate nothing. In a binary of its own: the allocator counts for all of it.
#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use weir_flow::{FlowSink, NoRoom, Tracker, TrackerConfig};
use weir_model::{Flow, Frame, LinkType, Request, Timestamp};

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Takes everything, keeps nothing.
struct Nowhere;

impl FlowSink for Nowhere {
    fn offer(&mut self, _: Flow) -> Result<(), Flow> {
        Ok(())
    }

    fn request(&mut self, _: Flow, _: Request) -> Result<(), NoRoom> {
        Ok(())
    }
}

/// A UDP packet of one byte.
fn packet(port: u16) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    bytes.extend([0x08, 0, 0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(port.to_be_bytes());
    bytes.extend([0, 53, 0, 9, 0, 0, b'x']);
    bytes
}

#[test]
fn packets_of_known_flows_allocate_nothing() {
    let mut tracker = Tracker::new(TrackerConfig::default());
    let frames: Vec<_> = (0..5_000).map(packet).collect();
    let round = |tracker: &mut Tracker, seconds: i64| {
        for bytes in &frames {
            let time = Timestamp(seconds * 1_000_000_000);
            let frame = Frame { time, wire_len: bytes.len() as u32, link: LinkType::ETHERNET, bytes };
            tracker.observe(&frame, &mut Nowhere);
        }
    };
    round(&mut tracker, 0);
    assert_eq!(tracker.open_flows(), 5_000);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for seconds in (20..400).step_by(20) {
        round(&mut tracker, seconds);
    }
    assert_eq!(ALLOCATIONS.load(Ordering::Relaxed) - before, 0);
    assert_eq!(tracker.counts().flows, 5_000);
}
