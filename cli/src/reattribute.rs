//! `weir reattribute`: names stored flows anew from the stored objects, with the code that named them first, and says where
//! that differs from what is stored.
//!
//! Flows come in by connection, so that what only all legs show is filled in as it was. A Service that a name or a gateway's
//! rule led to is taken from the row, and so is what connection tracking told: objects do not say what was resolved, asked
//! for or rewritten. Whoever recomputes more columns adds to `named_anew` and [`COMPARED`].

pub(crate) mod history;
mod report;
mod stored;
mod taps;

use std::sync::Arc;

use anyhow::{Result, bail};
use weir_cluster::join::fill_together;
use weir_cluster::{Snapshot, attribute};
use weir_model::filter::TimeRange;
use weir_model::tables::FLOWS;
use weir_model::{FlowRow, Record, Tap, Timestamp};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use crate::args::ReattributeArgs;
use crate::progress::spinner;
use crate::server::Contact;
use crate::stored_objects::Source;
use report::Report;
use stored::Stored;
use taps::Taps;

/// The columns that are recomputed: those that follow from addresses, times and objects.
const COMPARED: [&str; 23] = [
    "leg",
    "src_kind",
    "src_namespace",
    "src_name",
    "src_workload_kind",
    "src_workload",
    "src_node",
    "src_zone",
    "src_labels",
    "dst_kind",
    "dst_namespace",
    "dst_name",
    "dst_workload_kind",
    "dst_workload",
    "dst_node",
    "dst_zone",
    "dst_labels",
    "service_namespace",
    "service_name",
    "service_type",
    "service_port_name",
    "service_method",
    "service_candidates",
];

/// Recomputes, compares and reports. An error where something differs.
pub(crate) async fn reattribute(server: &Contact, args: &ReattributeArgs) -> Result<()> {
    let range = TimeRange::resolve(Some(args.since), args.until, Timestamp(SystemClock.now_ns()))
        .map_err(|error| Usage(error.to_string()))?;
    let source = Source { server, lake: args.lake.as_deref() };
    let waiting = spinner("reading objects");
    let snapshot = history::read(source, args.labels.clone()).await?.latest();
    waiting.say("reading flows".to_owned());
    let taps = Taps::read(source).await?;
    let rows = stored::read(source, range).await?;
    drop(waiting);
    let mut report = Report::new(args.output);
    for connection in rows.chunk_by(Stored::is_joined_with) {
        compare(&snapshot, &taps, connection, &mut report)?;
    }
    report.finish()?;
    match report.different() {
        0 => Ok(()),
        different => bail!("{different} rows are stored otherwise"),
    }
}

/// Compares the rows of one connection that are in the range.
fn compare(snapshot: &Snapshot, taps: &Taps, connection: &[Stored], report: &mut Report) -> Result<()> {
    let mut named: Vec<(&Stored, FlowRow)> = Vec::with_capacity(connection.len());
    for stored in connection {
        match stored.tap(taps) {
            Some(tap) => named.push((stored, named_anew(snapshot, stored, &tap))),
            None if stored.is_asked_for => report.tap_is_unknown(),
            None => {}
        }
    }
    let mut rows: Vec<FlowRow> = named.iter().map(|(_, row)| row.clone()).collect();
    fill_together(&mut rows, snapshot);
    for ((stored, _), row) in named.iter().zip(&rows).filter(|((stored, _), _)| stored.is_asked_for) {
        report.row(&stored.record, &FLOWS.record(row), &differences(&stored.record, &FLOWS.record(row)))?;
    }
    Ok(())
}

/// What the tap alone says: by who was who when the flow began, as an agent does.
fn named_anew(snapshot: &Snapshot, stored: &Stored, tap: &Arc<Tap>) -> FlowRow {
    let flow = stored.flow();
    let at = if snapshot.remembers(flow.start_ts) { flow.start_ts } else { flow.last_ts };
    let mut row = FlowRow::alone(attribute(&snapshot.as_of(at), tap, flow));
    row.node.clone_from(&stored.node);
    [row.client, row.backend] = stored.behind_nat();
    if let Some(resolved) = stored.resolved() {
        row.seen.service = Some(Arc::new(resolved));
    }
    row
}

/// The columns that are stored otherwise.
fn differences(stored: &Record, recomputed: &Record) -> Vec<&'static str> {
    COMPARED.into_iter().filter(|column| stored.get(column) != recomputed.get(column)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_are_columns() {
        for column in COMPARED {
            assert!(FLOWS.position(column).is_some(), "{column}");
        }
    }
}
