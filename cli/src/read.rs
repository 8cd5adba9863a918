//! `weir read`: capture files through the engine, without a collector.
//!
//! Without `--cluster` flows are printed as they end. With it, all files are read first: whose veth each is, and which
//! legs belong together, only shows when everything is known.

mod named;
mod plain;

use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use weir_capture::{CaptureFile, FileError};
use weir_flow::{Counts, FlowSink, IdleTimes, Tracker, TrackerConfig};
use weir_model::filter::TimeRange;
use weir_model::{EndReason, Flow, FlowRow, Timestamp};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use crate::args::ReadArgs;
use crate::output::{FlowPrinter, printer};
use crate::progress::spinner;
use named::Named;
use plain::Plain;

/// Reads the files and prints their flows.
pub(crate) fn read(args: &ReadArgs) -> Result<()> {
    let range = args.time.range(Timestamp(SystemClock.now_ns())).map_err(|error| Usage(error.to_string()))?;
    let chosen = Chosen::new(args, range);
    let mut totals = Totals::default();
    let damaged = match &args.cluster {
        None => Plain::new(chosen).read(&args.files, &mut totals)?,
        Some(dir) => Named::load(dir, args.legs, chosen)?.read(&args.files, &mut totals)?,
    };
    if args.output == crate::args::FlowFormat::None {
        eprintln!(
            "{} frames, {} wire bytes, {} in flows, {} skipped, {} flows",
            totals.frames, totals.wire_bytes, totals.packets, totals.skipped, totals.flows
        );
    }
    match damaged.as_slice() {
        [] => Ok(()),
        [one] => bail!("{one}"),
        many => bail!("{} of {} files could not be read to their end", many.len(), args.files.len()),
    }
}

/// What was read.
#[derive(Debug, Default)]
struct Totals {
    frames: u64,
    wire_bytes: u64,
    packets: u64,
    skipped: u64,
    flows: u64,
}

impl Totals {
    fn add(&mut self, counts: &Counts) {
        self.frames += counts.frames;
        self.wire_bytes += counts.wire_bytes;
        self.packets += counts.packets;
        self.skipped += counts.all_skipped();
        self.flows += counts.flows;
    }
}

/// Runs one file through a fresh table. What comes before damage counts; then the damage is returned.
fn run_file(path: &Path, first_flow: u64, sink: &mut impl FlowSink, totals: &mut Totals) -> Result<Option<FileError>> {
    let mut file = if path == Path::new("-") {
        CaptureFile::from_reader(Path::new("standard input"), io::stdin())
    } else {
        CaptureFile::open(path)
    }?;
    let config = TrackerConfig { window_ns: None, idle: IdleTimes::never(), first_flow, ..TrackerConfig::default() };
    let mut tracker = Tracker::new(config);
    let damage = loop {
        match file.next_frame() {
            Ok(Some(frame)) => tracker.observe(&frame, sink),
            Ok(None) => break None,
            Err(error) => break Some(error),
        }
    };
    tracker.finish(EndReason::CaptureEnd, sink);
    totals.add(tracker.counts());
    Ok(damage)
}

/// Runs all files, the damaged ones included, and says on stderr what is wrong with those.
fn run_files(
    files: &[std::path::PathBuf],
    totals: &mut Totals,
    mut each: impl FnMut(&Path, u64, &mut Totals) -> Result<Option<FileError>>,
) -> Result<Vec<FileError>> {
    let progress = spinner("reading");
    let mut damaged = Vec::new();
    for path in files {
        progress.say(format!("reading {}", path.display()));
        let first_flow = totals.flows + 1;
        if let Some(error) = each(path, first_flow, totals)? {
            if files.len() > 1 {
                eprintln!("warning: {error}");
            }
            damaged.push(error);
        }
    }
    Ok(damaged)
}

/// Which rows are printed, and how.
struct Chosen {
    printer: Box<dyn FlowPrinter>,
    filter: weir_model::filter::Filter,
    range: TimeRange,
    first: Option<u64>,
    last: Option<usize>,
    held: std::collections::VecDeque<weir_model::Record>,
}

impl Chosen {
    fn new(args: &ReadArgs, range: TimeRange) -> Self {
        Self {
            printer: printer(args.output, false),
            filter: args.filter.filter().clone(),
            range,
            first: args.time.first,
            last: args.time.last.map(|last| usize::try_from(last).unwrap_or(usize::MAX)),
            held: std::collections::VecDeque::new(),
        }
    }

    fn offer(&mut self, row: &FlowRow) -> io::Result<()> {
        let flow: &Flow = &row.seen.flow;
        if !self.range.overlaps(flow.first_ts, flow.last_ts) || !self.filter.matches_row(row) {
            return Ok(());
        }
        let record = weir_model::tables::FLOWS.record(row);
        match (&mut self.first, self.last) {
            (Some(0), _) => Ok(()),
            (Some(left), _) => {
                *left -= 1;
                self.printer.print(&record)
            }
            (None, Some(last)) => {
                self.held.push_back(record);
                while self.held.len() > last {
                    self.held.pop_front();
                }
                Ok(())
            }
            (None, None) => self.printer.print(&record),
        }
    }

    fn finish(mut self) -> Result<()> {
        for record in &self.held {
            self.printer.print(record)?;
        }
        self.printer.flush().context("writing to stdout")
    }
}
