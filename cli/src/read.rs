//! `weir read`: capture files through the engine, without a collector.
//!
//! Without `--cluster` rows are printed as they end. With it, all files are read first: whose veth each is, and which
//! legs belong together, only shows when everything is known.

mod chosen;
mod named;
mod plain;
mod said;

use std::path::{Path, PathBuf};
use std::{fmt, io};

use anyhow::{Result, bail};
use weir_capture::{CaptureFile, FileError};
use weir_flow::{Counts, FlowSink, IdleTimes, L7Config, Tracker, TrackerConfig};
use weir_model::EndReason;

use crate::args::{FlowFormat, ReadArgs};
use crate::progress::spinner;
use chosen::Chosen;
use named::Named;
use plain::Plain;

/// Reads the files and prints their flows or requests.
pub(crate) fn read(args: &ReadArgs) -> Result<()> {
    let chosen = Chosen::new(args)?;
    let level = args.filter.level().unwrap_or_default();
    let mut reading = Reading {
        l7: L7Config { level, keep_queries: args.keep_queries, max_bytes: L7_BYTES },
        totals: Totals::default(),
    };
    let damaged = match &args.cluster {
        None => Plain::new(chosen).read(&args.files, &mut reading)?,
        Some(dir) => Named::load(dir, args.legs, chosen)?.read(&args.files, &mut reading)?,
    };
    if args.output == FlowFormat::None {
        eprintln!("{}", reading.totals);
    }
    match damaged.as_slice() {
        [] => Ok(()),
        [one] => bail!("{one}"),
        many => bail!("{} of {} files could not be read to their end", many.len(), args.files.len()),
    }
}

/// Memory for what the flows of one file say.
const L7_BYTES: usize = 256 << 20;

/// How files are read, and what was in them.
struct Reading {
    l7: L7Config,
    totals: Totals,
}

impl Reading {
    /// Runs one file through a fresh table. What comes before damage counts; then the damage is returned.
    fn run_file(&mut self, path: &Path, first_flow: u64, sink: &mut impl FlowSink) -> Result<Option<FileError>> {
        let mut file = if path == Path::new("-") {
            CaptureFile::from_reader(Path::new("standard input"), io::stdin())
        } else {
            CaptureFile::open(path)
        }?;
        let idle = IdleTimes::never();
        let config = TrackerConfig { window_ns: None, idle, first_flow, l7: self.l7, ..TrackerConfig::default() };
        let mut tracker = Tracker::new(config);
        let damage = loop {
            match file.next_frame() {
                Ok(Some(frame)) => tracker.observe(&frame, sink),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        tracker.finish(EndReason::CaptureEnd, sink);
        self.totals.add(tracker.counts());
        Ok(damage)
    }
}

/// What was read.
#[derive(Debug, Default)]
struct Totals {
    frames: u64,
    wire_bytes: u64,
    packets: u64,
    skipped: u64,
    ip_bytes: u64,
    outside_bytes: u64,
    flows: u64,
    requests: u64,
    gaps: u64,
}

impl Totals {
    fn add(&mut self, counts: &Counts) {
        self.frames += counts.frames;
        self.wire_bytes += counts.wire_bytes;
        self.packets += counts.packets;
        self.skipped += counts.all_skipped();
        self.ip_bytes += counts.ip_bytes;
        self.outside_bytes += counts.outside_bytes;
        self.flows += counts.flows;
        self.requests += counts.l7.requests;
        self.gaps += counts.l7.gaps;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, wire_bytes, packets, skipped, ip_bytes, outside_bytes, flows, requests, gaps } = self;
        write!(f, "{frames} frames, {wire_bytes} wire bytes, {packets} in flows, {skipped} skipped, ")?;
        write!(f, "{ip_bytes} IP bytes, {outside_bytes} bytes of headers around them, ")?;
        write!(f, "{flows} flows, {requests} requests, {gaps} gaps in what was said")
    }
}

/// Runs all files, the damaged ones included, and says on stderr what is wrong with those.
fn run_files(
    files: &[PathBuf],
    reading: &mut Reading,
    mut each: impl FnMut(&Path, u64, &mut Reading) -> Result<Option<FileError>>,
) -> Result<Vec<FileError>> {
    let progress = spinner("reading");
    let mut damaged = Vec::new();
    for path in files {
        progress.say(format!("reading {}", path.display()));
        let first_flow = reading.totals.flows + 1;
        if let Some(error) = each(path, first_flow, reading)? {
            if files.len() > 1 {
                eprintln!("warning: {error}");
            }
            damaged.push(error);
        }
    }
    Ok(damaged)
}
