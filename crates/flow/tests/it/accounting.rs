//! Every frame is counted once, and so is every byte: in a flow, around its packet, or under a reason.

use weir_flow::{NoRoom, Skipped, Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, Frame, LinkType, Request};

use crate::captures::{examples, replay, totals};
use crate::lab::captures_below;
use crate::packets::{A, B, Tap, at, ethernet, ipv4, packets, udp};

/// What must hold once all flows of `tracker` are reported.
pub(crate) fn adds_up(tracker: &Tracker, flows: &[Flow]) {
    let counts = tracker.counts();
    let ip_bytes: u64 = flows.iter().map(|flow| flow.counters.fwd.bytes + flow.counters.rev.bytes).sum();
    assert_eq!(flows.iter().map(packets).sum::<u64>() + counts.lost.packets, counts.packets);
    assert_eq!(ip_bytes + counts.lost.bytes, counts.ip_bytes);
    assert_eq!(counts.packets + counts.all_skipped(), counts.frames);
    let around = counts.ip_bytes + counts.outside_bytes + counts.all_skipped_bytes();
    assert_eq!(counts.wire_bytes + counts.beyond_bytes, around);
    assert_eq!(flows.iter().filter(|flow| flow.is_last()).count() as u64 + counts.lost.rows, counts.flows);
}

#[test]
fn bytes_are_split_into_the_packet_what_is_around_it_and_what_was_skipped() {
    let mut tap = Tap::totals();
    let packet = ipv4(A, B, 17, &udp(1, 2, b"12345678"));
    let mut padded = ethernet(0x0800, &packet);
    padded.resize(60, 0);
    tap.frame(0.0, LinkType::ETHERNET, &padded);
    tap.frame(0.1, LinkType::ETHERNET, &ethernet(0x0806, &[0; 28]));
    // The header promises 36 bytes, the frame ends after 30.
    tap.frame(0.2, LinkType::RAW, &packet[..30]);
    let counts = *tap.tracker.counts();
    assert_eq!((counts.wire_bytes, counts.ip_bytes), (60 + 42 + 30, 72));
    assert_eq!((counts.outside_bytes, counts.beyond_bytes), (24, 6));
    assert_eq!(counts.skipped_bytes(Skipped::Arp), 42);
    assert_eq!(counts.all_skipped_bytes(), 42);
    tap.end();
}

#[test]
fn a_frame_without_a_length_of_its_own_has_nothing_beyond() {
    let mut big = ipv4(A, B, 17, &udp(1, 2, &[0; 50]));
    (big[2], big[3]) = (0, 0);
    let mut tap = Tap::totals();
    let frame = Frame { time: at(0.0), wire_len: 100_014, link: LinkType::ETHERNET, bytes: &ethernet(0x0800, &big) };
    tap.tracker.observe(&frame, &mut tap.flows);
    let counts = *tap.tracker.counts();
    assert_eq!((counts.ip_bytes, counts.outside_bytes, counts.beyond_bytes), (100_000, 14, 0));
    tap.end();
}

#[test]
fn every_byte_of_every_capture_is_counted_once() {
    let Some(examples) = examples() else { return };
    let mut files = Vec::new();
    captures_below(&examples, &mut files);
    assert!(files.len() > 30, "{} captures below {}", files.len(), examples.display());
    for file in files {
        for config in [totals(), TrackerConfig::default(), TrackerConfig { max_flows: 3, ..TrackerConfig::default() }] {
            let (flows, tracker, _) = replay(&file, config);
            adds_up(&tracker, &flows);
        }
    }
}

#[test]
fn a_flood_of_a_million_tuples_stays_in_its_memory_and_loses_no_byte() {
    const TUPLES: u32 = 1_000_000;
    let max_bytes = 8 << 20;
    let config = TrackerConfig { max_bytes, ..TrackerConfig::default() };
    let (mut tracker, mut told) = (Tracker::new(config), Told::default());
    let mut syn = ipv4(A, B, 6, &crate::packets::tcp(0, 80, 2, 0, 0, &[]));
    let mut busy = ipv4(B, A, 6, &crate::packets::tcp(4000, 443, 16, 1, 1, b"x"));
    for tuple in 0..TUPLES {
        // Sources differ in address and port.
        syn[13..16].copy_from_slice(&tuple.to_be_bytes()[1..]);
        syn[20..22].copy_from_slice(&(tuple as u16).to_be_bytes());
        let time = weir_model::Timestamp(i64::from(tuple) * 1_000);
        tracker.observe(&Frame { time, wire_len: 40, link: LinkType::RAW, bytes: &syn }, &mut told);
        if tuple % 16 == 0 {
            busy[27] = (tuple / 16) as u8;
            tracker.observe(&Frame { time, wire_len: 41, link: LinkType::RAW, bytes: &busy }, &mut told);
        }
        if tuple % 4_096 == 0 {
            assert!(tracker.memory_bytes() <= max_bytes, "{} bytes after {tuple}", tracker.memory_bytes());
        }
    }
    let open = tracker.open_flows() as u64;
    let counts = *tracker.counts();
    assert!(open > 24_000, "{open} flows in {max_bytes} bytes");
    assert_eq!(counts.flows - open, counts.evicted, "every flow that is no longer there was evicted");
    tracker.finish(EndReason::CaptureEnd, &mut told);
    assert_eq!((told.packets, told.bytes), (counts.packets, counts.ip_bytes));
    assert_eq!((told.evicted, told.ends), (counts.evicted, counts.flows));
    assert_eq!((told.busy_ends, counts.lost.rows), (1, 0), "an established connection outlives the flood");
}

#[test]
fn a_flood_of_tunnel_ids_stays_in_its_memory_too() {
    let max_bytes = 1 << 20;
    let mut tap = Tap::new(TrackerConfig { max_bytes, window_ns: None, ..TrackerConfig::default() });
    for id in 0..30_000_u32 {
        let key = [&[0x20, 0, 8, 0][..], &id.to_be_bytes()].concat();
        let inner = ipv4(A, B, 17, &udp(id as u16, 9, b"x"));
        tap.ip(f64::from(id) * 1e-6, &ipv4(B, A, 47, &[key, inner].concat()));
        assert!(tap.tracker.memory_bytes() <= max_bytes, "{} bytes", tap.tracker.memory_bytes());
    }
    assert!(tap.tracker.open_flows() > 1_000, "{} flows", tap.tracker.open_flows());
    tap.end();
}

/// Sums of reports.
#[derive(Default)]
struct Told {
    packets: u64,
    bytes: u64,
    ends: u64,
    evicted: u64,
    busy_ends: u64,
}

impl weir_flow::FlowSink for Told {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.packets += packets(&flow);
        self.bytes += flow.counters.fwd.bytes + flow.counters.rev.bytes;
        self.ends += u64::from(flow.is_last());
        self.evicted += u64::from(flow.end_reason == Some(EndReason::Evicted));
        self.busy_ends += u64::from(flow.is_last() && flow.tuple.dst_port == 443);
        Ok(())
    }

    fn request(&mut self, _: Flow, _: Request) -> Result<(), NoRoom> {
        Ok(())
    }
}
