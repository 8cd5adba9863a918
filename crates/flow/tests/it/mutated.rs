//! Frames of real captures, damaged: no panic, and every frame and byte is counted once.
//!
//! A seeded loop, which `WEIR_FUZZ_SECONDS` makes go on for that long, and a property that shrinks what it finds.

use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use weir_capture::CaptureFile;
use weir_flow::{Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, Frame, LinkType, Timestamp};

use crate::accounting::adds_up;
use crate::captures::examples;
use crate::lab::captures_below;
use crate::properties::seeds;

/// Frames without `WEIR_FUZZ_SECONDS`.
const ROUNDS: u64 = 100_000;
/// Frames that share a tracker.
const BATCH: u64 = 500;
/// Every link type that leads somewhere, and one that does not.
const LINKS: [u16; 45] = [
    0, 1, 6, 8, 9, 10, 11, 12, 14, 19, 50, 51, 100, 101, 104, 105, 106, 107, 108, 109, 113, 117, 119, 122, 127, 138,
    147, 163, 166, 192, 204, 205, 206, 226, 228, 239, 240, 241, 258, 274, 276, 281, 282, 284, 285,
];

/// A frame that owns its bytes.
#[derive(Clone, Debug)]
struct Owned {
    link: LinkType,
    bytes: Vec<u8>,
}

/// Frames of up to two kilobytes: of the public captures where they are, and made ones.
fn frames() -> Vec<Owned> {
    let mut frames: Vec<_> = seeds().into_iter().map(|bytes| Owned { link: LinkType::ETHERNET, bytes }).collect();
    let mut files = Vec::new();
    if let Some(examples) = examples() {
        captures_below(&examples.join("captures"), &mut files);
    }
    for path in files {
        let Ok(mut file) = CaptureFile::open(&path) else { continue };
        while let Ok(Some(frame)) = file.next_frame() {
            if frame.bytes.len() <= 2_048 {
                frames.push(Owned { link: frame.link, bytes: frame.bytes.to_vec() });
            }
        }
    }
    frames
}

/// Small, fast, the same on every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound.max(1)
    }

    /// One of `frames` with some of its bytes changed, mostly in front where the headers are; sometimes cut, put into
    /// another frame, or said to be of another link.
    fn damage(&mut self, frames: &[Owned]) -> Owned {
        let mut frame = frames[self.below(frames.len())].clone();
        if self.below(8) == 0 {
            let inner = frames[self.below(frames.len())].bytes.clone();
            frame.bytes.truncate(self.below(80));
            frame.bytes.extend(inner);
        }
        for _ in 0..self.below(5) {
            let near = if self.below(4) == 0 { frame.bytes.len() } else { frame.bytes.len().min(96) };
            let at = self.below(near);
            if let Some(byte) = frame.bytes.get_mut(at) {
                *byte = if self.below(2) == 0 { self.next() as u8 } else { *byte ^ (1 << self.below(8)) };
            }
        }
        if self.below(6) == 0 {
            frame.bytes.truncate(self.below(frame.bytes.len() + 1));
        }
        if self.below(6) == 0 {
            frame.link = LinkType(LINKS[self.below(LINKS.len())]);
        }
        frame
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to go on is asked of the environment")]
fn seconds() -> Option<u64> {
    std::env::var("WEIR_FUZZ_SECONDS").ok()?.parse().ok()
}

#[test]
fn damaged_real_frames_never_panic_and_add_up() {
    let (frames, mut random) = (frames(), Random(0x5eed));
    let (start, seconds) = (Instant::now(), seconds().map(Duration::from_secs));
    let max_bytes = 1 << 20;
    for batch in 0.. {
        match seconds {
            Some(seconds) if start.elapsed() >= seconds => break,
            None if batch * BATCH >= ROUNDS => break,
            _ => {}
        }
        let config = TrackerConfig { max_flows: 64, max_bytes, ..TrackerConfig::default() };
        let (mut tracker, mut flows) = (Tracker::new(config), Vec::<Flow>::new());
        for number in 0..BATCH {
            let frame = random.damage(&frames);
            let wire_len =
                frame.bytes.len() as u32 + if random.below(4) == 0 { random.below(90_000) as u32 } else { 0 };
            let time = Timestamp((number * 50_000_000) as i64);
            tracker.observe(&Frame { time, wire_len, link: frame.link, bytes: &frame.bytes }, &mut flows);
        }
        assert!(tracker.memory_bytes() <= max_bytes, "{} bytes", tracker.memory_bytes());
        tracker.finish(EndReason::CaptureEnd, &mut flows);
        adds_up(&tracker, &flows);
    }
}

proptest! {
    #[test]
    fn changed_real_frames_add_up(
        changes in vec((any::<proptest::sample::Index>(), vec((0..120_usize, any::<u8>()), 0..5), 0..2_048_usize, 0..70_u32), 1..40),
        link in proptest::option::of(proptest::sample::select(&LINKS[..])),
    ) {
        let frames = frames();
        let (mut tracker, mut flows) = (Tracker::new(TrackerConfig::default()), Vec::<Flow>::new());
        for (index, flips, cut, more) in &changes {
            let mut frame = frames[index.index(frames.len())].clone();
            for (place, value) in flips {
                if let Some(byte) = frame.bytes.get_mut(*place) {
                    *byte = *value;
                }
            }
            frame.bytes.truncate(*cut);
            let wire_len = frame.bytes.len() as u32 + more;
            let link = link.map_or(frame.link, LinkType);
            tracker.observe(&Frame { time: Timestamp(0), wire_len, link, bytes: &frame.bytes }, &mut flows);
        }
        tracker.finish(EndReason::CaptureEnd, &mut flows);
        adds_up(&tracker, &flows);
    }
}
