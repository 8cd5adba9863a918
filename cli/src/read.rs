//! `weir read`: capture files through the engine, without a collector.
//!
//! Without `--cluster` rows are printed as they end. With it, all files are read first: whose veth each is, and which
//! legs belong together, only shows when everything is known.

mod chosen;
mod conntrack;
mod logged;
mod named;
mod plain;
mod said;

use std::path::{Path, PathBuf};
use std::{fmt, io};

use anyhow::{Result, bail};
use weir_capture::{CaptureFile, FileError};
use weir_flow::{Counts, FlowSink, IdleTimes, L7Config, L7Level, Skipped, Tracker, TrackerConfig};
use weir_model::{EndReason, LinkType};

use weir_service::exit::Usage;

use crate::args::{FlowFormat, ReadArgs};
use crate::filter_args::Rows;
use crate::progress::spinner;
use chosen::Chosen;
use named::Named;
use plain::Plain;

/// Reads the files and prints their flows or requests.
pub(crate) fn read(args: &ReadArgs) -> Result<()> {
    let chosen = Chosen::new(args)?;
    let level = args.filter.level().unwrap_or_default();
    if level == L7Level::Off && chosen.rows() == Rows::Requests {
        return Err(Usage("--l7 off: nothing is read that could be shown as requests".to_owned()).into());
    }
    let mut reading = Reading {
        l7: L7Config { level, keep_queries: args.keep_queries, max_bytes: L7_BYTES },
        vxlan_ports: args.vxlan_port.clone(),
        link: None,
        totals: Totals::default(),
    };
    let damaged = match &args.cluster {
        None => Plain::new(chosen).read(&args.files, &mut reading)?,
        Some(dir) => {
            let logs = logged::read(&args.nflog)?;
            Named::load(dir, args, chosen, logs)?.read(&args.files, &mut reading)?
        }
    };
    if args.output == FlowFormat::None {
        eprintln!("{}", reading.totals);
    }
    for warning in reading.totals.early() {
        eprintln!("warning: {warning}");
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
    vxlan_ports: Option<Vec<u16>>,
    /// The link of the file that was read last.
    link: Option<LinkType>,
    totals: Totals,
}

impl Reading {
    /// Runs one file through a fresh table. What comes before damage counts; then the damage is returned.
    fn run_file(&mut self, path: &Path, first_flow: u64, sink: &mut impl FlowSink) -> Option<FileError> {
        let opened = if path == Path::new("-") {
            CaptureFile::from_reader(Path::new("standard input"), io::stdin())
        } else {
            CaptureFile::open(path)
        };
        self.link = None;
        let mut file = match opened {
            Ok(file) => file,
            Err(error) => return Some(error),
        };
        let idle = IdleTimes::never();
        let mut config = TrackerConfig { window_ns: None, idle, first_flow, l7: self.l7, ..TrackerConfig::default() };
        if let Some(ports) = &self.vxlan_ports {
            config.vxlan_ports.clone_from(ports);
        }
        let mut tracker = Tracker::new(config);
        let damage = loop {
            match file.next_frame() {
                Ok(Some(frame)) => {
                    self.link = Some(frame.link);
                    tracker.observe(&frame, sink);
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        tracker.finish(EndReason::CaptureEnd, sink);
        self.totals.add(tracker.counts());
        damage
    }
}

/// What was read: `wire_bytes` and `beyond_bytes` are together `ip_bytes`, `outside_bytes` and the skipped bytes.
#[derive(Debug, Default)]
struct Totals {
    frames: u64,
    wire_bytes: u64,
    packets: u64,
    ip_bytes: u64,
    outside_bytes: u64,
    beyond_bytes: u64,
    /// Frames and bytes for each reason.
    skipped: [(u64, u64); Skipped::ALL.len()],
    flows: u64,
    evicted: u64,
    /// Flows whose requests were given out before their end.
    cut_talks: u64,
    requests: u64,
    gaps: u64,
    gap_bytes: u64,
}

impl Totals {
    fn add(&mut self, counts: &Counts) {
        self.frames += counts.frames;
        self.wire_bytes += counts.wire_bytes;
        self.packets += counts.packets;
        self.ip_bytes += counts.ip_bytes;
        self.outside_bytes += counts.outside_bytes;
        self.beyond_bytes += counts.beyond_bytes;
        for (sum, reason) in self.skipped.iter_mut().zip(Skipped::ALL) {
            sum.0 += counts.skipped(reason);
            sum.1 += counts.skipped_bytes(reason);
        }
        self.flows += counts.flows;
        self.evicted += counts.evicted;
        self.cut_talks += counts.l7.evicted;
        self.requests += counts.l7.requests;
        self.gaps += counts.l7.gaps;
        self.gap_bytes += counts.l7.gap_bytes;
    }

    /// What was given out before its time, for want of room.
    fn early(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.evicted > 0 {
            warnings.push(format!(
                "{} flows were ended early for want of room (end_reason evicted): what followed is in further flows",
                self.evicted
            ));
        }
        if self.cut_talks > 0 {
            warnings.push(format!("the requests of {} flows were given out early for want of room", self.cut_talks));
        }
        warnings
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frames, wire_bytes, packets, ip_bytes, outside_bytes, beyond_bytes, .. } = self;
        writeln!(f, "{frames} frames, {wire_bytes} bytes on the wire")?;
        write!(f, "{packets} packets of flows: {ip_bytes} IP bytes, {outside_bytes} bytes around them")?;
        writeln!(f, ", {beyond_bytes} beyond the end of their frames")?;
        for ((frames, bytes), reason) in self.skipped.iter().zip(Skipped::ALL).filter(|((frames, _), _)| *frames > 0) {
            writeln!(f, "{frames} frames skipped, {}: {bytes} bytes", reason.name())?;
        }
        let Self { flows, requests, gaps, gap_bytes, .. } = self;
        write!(f, "{flows} flows, {requests} requests, {gaps} gaps of {gap_bytes} bytes in what was said")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_ended_early_is_said() {
        assert!(Totals::default().early().is_empty());
        let totals = Totals { evicted: 3, cut_talks: 2, ..Totals::default() };
        let [flows, talks] = totals.early().try_into().expect("both are said");
        assert!(flows.starts_with("3 flows were ended early"), "{flows}");
        assert!(talks.starts_with("the requests of 2 flows"), "{talks}");
    }
}
