//! Replays a capture file through the engine alone, and prints what it counted.
//!
//! `replay FILE` prints the totals. `replay FILE flows` also prints a line of CSV for each flow: protocol, source,
//! source port, destination, destination port, packets and IP bytes there, packets and IP bytes back. One of `off`,
//! `names`, `full` (the default) says what is read above the transport layer.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use weir_capture::CaptureFile;
use weir_flow::{FlowSink, IdleTimes, L7Config, L7Level, NoRoom, Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, Request};

/// Counts reports, and prints them if asked to.
struct Lines<W> {
    to: Option<W>,
    reports: u64,
    packets: u64,
}

impl<W: Write> FlowSink for Lines<W> {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        let (fwd, rev) = (flow.counters.fwd, flow.counters.rev);
        self.reports += 1;
        self.packets += fwd.packets + rev.packets;
        if let Some(to) = &mut self.to {
            let t = &flow.tuple;
            let line = writeln!(
                to,
                "{},{},{},{},{},{},{},{},{}",
                t.protocol.0,
                t.src_ip,
                t.src_port,
                t.dst_ip,
                t.dst_port,
                fwd.packets,
                fwd.bytes,
                rev.packets,
                rev.bytes
            );
            return line.map_err(|_| flow);
        }
        Ok(())
    }

    fn request(&mut self, _: Flow, _: Request) -> Result<(), NoRoom> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let path = arguments.next().ok_or("usage: replay FILE [flows]")?;
    let words: Vec<_> = arguments.collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let to = has("flows").then(|| BufWriter::new(io::stdout().lock()));
    let level = L7Level::ALL.into_iter().find(|level| has(level.name())).unwrap_or_default();
    let mut file = CaptureFile::open(Path::new(&path))?;
    let l7 = L7Config { level, ..L7Config::default() };
    let config = TrackerConfig { window_ns: None, idle: IdleTimes::never(), l7, ..TrackerConfig::default() };
    let mut tracker = Tracker::new(config);
    let mut lines = Lines { to, reports: 0, packets: 0 };
    let (mut most, mut bytes) = (0, 0);
    while let Some(frame) = file.next_frame()? {
        tracker.observe(&frame, &mut lines);
        if tracker.open_flows() > most {
            most = tracker.open_flows();
            bytes = tracker.memory_bytes();
        }
    }
    tracker.finish(EndReason::CaptureEnd, &mut lines);
    let counts = tracker.counts();
    let (frames, skipped) = (counts.frames, counts.all_skipped());
    eprintln!(
        "frames {frames} skipped {skipped} flows {} reports {} packets {}",
        counts.flows, lines.reports, lines.packets
    );
    eprintln!("requests {} gaps {} gap bytes {}", counts.l7.requests, counts.l7.gaps, counts.l7.gap_bytes);
    eprintln!("most open flows {most}, {bytes} bytes then, {} a flow", bytes / most.max(1));
    Ok(())
}
