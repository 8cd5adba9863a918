//! `weir policy test`: what changed policies would have done to stored connections.
//!
//! Connections are grouped where they are stored; each group is judged by the policies of its time, without the change and with
//! it. Works with a lake's folder and through a collector alike.

mod candidate;
mod lines;
mod markdown;
mod report;
mod sarif;
mod text;

use std::io::{self, Write as _};

use anyhow::{Context as _, Result, bail};
use weir_cluster::backtest::Effect;
use weir_model::Timestamp;
use weir_model::filter::TimeRange;
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use super::completeness::Completeness;
use super::past::Past;
use super::replay::{Objects, Replay};
use crate::args::{FailOn, PastArgs, PolicyTestArgs, ReportFormat};
use crate::progress::spinner;
use crate::server::Contact;
use crate::stored_objects::Source;
use candidate::Given;
use report::Report;

/// Replays, reports, and fails where it is asked to.
pub(crate) async fn test(server: &Contact, args: &PolicyTestArgs) -> Result<()> {
    let mut given = Given::read(&args.filename, &args.namespace)?;
    let (range, bounds) = range(&args.past)?;
    let source = Source { server, lake: args.past.lake.as_deref() };
    let reading = spinner("reading objects");
    let objects = Objects::read(source).await?;
    drop(reading);
    given.remove(&args.remove, &objects.changes)?;
    if given.candidate.put.is_empty() && given.candidate.removed.is_empty() {
        return Err(Usage("nothing to test: give policies with -f, or names with --remove".to_owned()).into());
    }
    let past = Past { source, range, namespace: None };
    let replay = Replay::run(&past, &objects, &given.candidate, bounds, |_| {}).await?;
    let completeness = Completeness::of(&past, &objects, &replay).await?;
    let report = Report::new(&replay, &given, &objects.changes, completeness);
    let mut out = io::BufWriter::new(anstream::stdout());
    match args.output {
        ReportFormat::Text => text::write(&mut out, &report)?,
        ReportFormat::Json => {
            serde_json::to_writer(&mut out, &report)?;
            writeln!(out)?;
        }
        ReportFormat::Markdown => markdown::write(&mut out, &report)?,
        ReportFormat::Sarif => {
            serde_json::to_writer_pretty(&mut out, &sarif::log(&report, &given))?;
            writeln!(out)?;
        }
    }
    out.flush().context("writing to stdout")?;
    if replay.connections == 0 {
        bail!("no connections are stored in this time: nothing was tested");
    }
    judge(args.fail_on, &replay)
}

/// The time that is looked at: as rows are chosen, and both its ends.
pub(crate) fn range(past: &PastArgs) -> Result<(TimeRange, (Timestamp, Timestamp))> {
    let now = Timestamp(SystemClock.now_ns());
    let range = TimeRange::resolve(Some(past.since), past.until, now).map_err(|error| Usage(error.to_string()))?;
    let since = range.since.unwrap_or(now);
    // Clocks of nodes may be ahead.
    let until = range.until.unwrap_or(now.plus_ns(60_000_000_000));
    Ok((range, (since, until.max(since.plus_ns(1)))))
}

fn judge(fail_on: FailOn, replay: &Replay) -> Result<()> {
    let denied = replay.tally.connections(Effect::NewlyDenied);
    let allowed = replay.tally.connections(Effect::NewlyAllowed);
    match fail_on {
        FailOn::NewlyDenied | FailOn::Any if denied > 0 => bail!("{denied} connections would be denied"),
        FailOn::NewlyAllowed | FailOn::Any if allowed > 0 => bail!("{allowed} connections would be allowed"),
        _ => Ok(()),
    }
}
