//! Packets a second through the engine, and bytes of memory a flow.
//!
//! `WEIR_BENCH_PCAP` names a capture file to replay from memory; without it, 200,000 packets of 20,000 UDP and TCP
//! exchanges are made here. Ratios against other programs are measured with the example `replay` on the same file.

use std::path::Path;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use weir_capture::CaptureFile;
use weir_flow::{FlowSink, IdleTimes, NoRoom, Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, Frame, LinkType, Request, Timestamp};

/// A frame that owns its bytes.
struct Owned {
    time: Timestamp,
    wire_len: u32,
    link: LinkType,
    bytes: Vec<u8>,
}

/// Takes everything, keeps nothing.
struct Nowhere;

impl FlowSink for Nowhere {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        black_box(flow);
        Ok(())
    }

    fn request(&mut self, _: Flow, request: Request) -> Result<(), NoRoom> {
        black_box(request);
        Ok(())
    }
}

fn main() {
    let frames = frames();
    let mut tracker = Tracker::new(config(None));
    replay(&mut tracker, &frames);
    let (flows, bytes) = (tracker.open_flows(), tracker.memory_bytes());
    println!("{} frames, {flows} open flows, {} bytes of memory a flow", frames.len(), bytes / flows.max(1));
    divan::main();
}

#[divan::bench(args = ["totals", "windows"])]
fn track(bencher: Bencher<'_, '_>, reports: &str) {
    let frames = frames();
    let window_ns = (reports == "windows").then_some(1_000_000_000);
    bencher.counter(ItemsCount::new(frames.len())).bench_local(|| {
        let mut tracker = Tracker::new(config(window_ns));
        replay(&mut tracker, &frames);
        tracker.finish(EndReason::CaptureEnd, &mut Nowhere);
    });
}

fn config(window_ns: Option<i64>) -> TrackerConfig {
    TrackerConfig { window_ns, idle: IdleTimes::never(), ..TrackerConfig::default() }
}

fn replay(tracker: &mut Tracker, frames: &[Owned]) {
    for f in frames {
        let frame = Frame { time: f.time, wire_len: f.wire_len, link: f.link, bytes: &f.bytes };
        tracker.observe(&frame, &mut Nowhere);
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark is told its file by the environment")]
fn frames() -> Vec<Owned> {
    let Some(path) = std::env::var_os("WEIR_BENCH_PCAP") else { return (0..200_000).map(made).collect() };
    let mut file = CaptureFile::open(Path::new(&path)).expect("the capture can be opened");
    let mut frames = Vec::new();
    while let Some(f) = file.next_frame().expect("the capture can be read") {
        frames.push(Owned { time: f.time, wire_len: f.wire_len, link: f.link, bytes: f.bytes.to_vec() });
    }
    frames
}

/// Packet `number` of a made capture, ten microseconds after the one before.
fn made(number: u32) -> Owned {
    let exchange = number.wrapping_mul(0x9e37_79b1) % 20_000;
    let [_, _, high, low] = exchange.to_be_bytes();
    let protocol = if exchange.is_multiple_of(2) { 6 } else { 17 };
    let mut bytes = vec![2; 12];
    bytes.extend([0x08, 0, 0x45, 0, 0, 140, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 0, high, low, 10, 1, 0, 1]);
    bytes.extend([0x80, low, 0, 80]);
    bytes.extend(number.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0x50, 16, 1, 0, 0, 0, 0, 0]);
    bytes.resize(154, 0);
    Owned { time: Timestamp(i64::from(number) * 10_000), wire_len: 154, link: LinkType::ETHERNET, bytes }
}
