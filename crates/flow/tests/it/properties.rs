//! Whatever the bytes: no panic, and every frame is counted once.

use proptest::collection::vec;
use proptest::prelude::*;
use weir_flow::{Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, Frame, LinkType, Timestamp};

use crate::packets::{A, B, ethernet, ipv4, ipv6, packets, tcp, udp};

const LINKS: [u16; 10] = [0, 1, 9, 101, 108, 113, 228, 229, 239, 276];

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let inner = ethernet(0x0800, &ipv4(A, B, 6, &tcp(1, 2, 2, 3, 4, b"data")));
    let tunnel = |port| {
        ethernet(0x0800, &ipv4(A, B, 17, &udp(1, port, &[&[8, 0, 0x65, 0x58, 0, 0, 1, 0], &inner[..]].concat())))
    };
    let quoted = [&[3, 3, 0, 0, 0, 0, 0, 0][..], &inner[14..]].concat();
    vec![
        tunnel(4789),
        tunnel(6081),
        ethernet(0x8100, &[&[0, 5, 8, 0][..], &inner[14..]].concat()),
        ethernet(0x86dd, &ipv6(0, &[&[44, 0, 5, 2, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 1][..], &inner[34..]].concat())),
        ethernet(0x0800, &ipv4(A, B, 1, &quoted)),
        ethernet(
            0x0800,
            &ipv4(A, B, 47, &[&[0xb0, 0, 0x65, 0x58, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2][..], &inner].concat()),
        ),
        inner,
    ]
}

#[derive(Clone, Debug)]
struct Change {
    seed: usize,
    link: usize,
    flips: Vec<(usize, u8)>,
    cut: usize,
    time: i64,
}

fn change() -> impl Strategy<Value = Change> {
    let time = prop_oneof![4 => 0..200_000_000_000_i64, 1 => any::<i64>()];
    (0..7_usize, 0..30_usize, vec((0..120_usize, any::<u8>()), 0..4), 0..140_usize, time)
        .prop_map(|(seed, link, flips, cut, time)| Change { seed, link, flips, cut, time })
}

proptest! {
    #[test]
    fn damaged_frames_are_counted_once_and_never_panic(changes in vec(change(), 1..60), max_flows in 1..20_usize) {
        let seeds = seeds();
        let config = TrackerConfig { max_flows, ..TrackerConfig::default() };
        let (mut tracker, mut flows) = (Tracker::new(config), Vec::<Flow>::new());
        for change in &changes {
            let mut bytes = seeds[change.seed].clone();
            let wire_len = bytes.len() as u32;
            for (place, value) in &change.flips {
                if let Some(byte) = bytes.get_mut(*place) {
                    *byte = *value;
                }
            }
            bytes.truncate(change.cut.max(1));
            let link = LinkType(LINKS.get(change.link).copied().unwrap_or(1));
            tracker.observe(&Frame { time: Timestamp(change.time), wire_len, link, bytes: &bytes }, &mut flows);
            prop_assert!(tracker.open_flows() <= max_flows);
        }
        tracker.finish(EndReason::CaptureEnd, &mut flows);
        let counts = tracker.counts();
        prop_assert_eq!(counts.frames, changes.len() as u64);
        prop_assert_eq!(counts.packets + counts.all_skipped(), counts.frames);
        prop_assert_eq!(flows.iter().map(packets).sum::<u64>(), counts.packets);
        prop_assert_eq!(flows.iter().filter(|flow| flow.is_last()).count() as u64, counts.flows);
        prop_assert_eq!(flows.iter().filter(|flow| flow.is_first).count() as u64, counts.flows);
    }

    #[test]
    fn noise_never_panics(bytes in vec(any::<u8>(), 0..200), link in 0..10_usize) {
        let (mut tracker, mut flows) = (Tracker::new(TrackerConfig::default()), Vec::<Flow>::new());
        let wire_len = bytes.len() as u32;
        tracker.observe(&Frame { time: Timestamp(0), wire_len, link: LinkType(LINKS[link]), bytes: &bytes }, &mut flows);
        prop_assert_eq!(tracker.counts().packets + tracker.counts().all_skipped(), 1);
    }
}
