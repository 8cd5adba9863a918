//! What the index of a large cluster holds. In a binary of its own: the allocator counts for all of it.
#![expect(unsafe_code, reason = "an allocator cannot be written without")]

#[path = "../benches/made_up/cluster.rs"]
#[allow(dead_code, reason = "the benchmarks use more of it")]
mod cluster;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_cluster::objects::ObjectKind;
use weir_cluster::{History, SnapshotOptions};
use weir_model::Timestamp;

use cluster::{MadeUp, read};

static HELD: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: hands everything to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that a history of so many pods, a fifth as many Services and twice as many endpoints holds once it was told all.
fn held(size: MadeUp) -> usize {
    let texts = size.texts();
    let before = HELD.load(Ordering::Relaxed);
    let mut history = History::new(SnapshotOptions { partial: true, ..SnapshotOptions::default() });
    for (kind, text) in &texts {
        history.apply(&read(*kind, text), Timestamp(1_767_657_600_000_000_000));
    }
    for kind in [ObjectKind::Node, ObjectKind::Pod, ObjectKind::Service, ObjectKind::EndpointSlice] {
        history.complete(kind);
    }
    assert!(history.latest().is_whole());
    HELD.load(Ordering::Relaxed) - before
}

#[test]
fn ten_thousand_pods_fit_in_16_mb_and_more_pods_take_as_much_each() {
    let small = held(MadeUp { pods: 10_000 });
    assert!(small <= 16_000_000, "{small} bytes");
    let large = held(MadeUp { pods: 60_000 });
    assert!(large <= 6 * small + small / 2, "{small} bytes, six times as many pods {large}");
}
