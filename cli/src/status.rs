//! `weir status`: agents, rates, losses, the size of the lake.

mod json;

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use weir_model::Timestamp;
use weir_proto::v1::cluster_source::State as Knowledge;
use weir_proto::v1::node_status::State;
use weir_proto::{time_from_wire, v1};
use weir_service::clock::{Clock as _, SystemClock};

use crate::args::{StatusArgs, StatusFormat};
use crate::endpoint_text::bytes;
use crate::missing::Missing;
use crate::server::{Contact, connect, refused};

/// In nanoseconds.
const HOUR_NS: i64 = 3_600_000_000_000;

/// Asks, and prints the answer.
pub(crate) async fn status(server: &Contact, args: &StatusArgs) -> Result<()> {
    let mut client = connect(server).await?;
    let answer = client.server_status(v1::ServerStatusRequest {}).await.map_err(|status| refused(&status))?;
    let status = answer.into_inner();
    let now = Timestamp(SystemClock.now_ns());
    let missing = Missing::read(server, None, now.plus_ns(-HOUR_NS), now).await?;
    let mut out = io::stdout().lock();
    match args.output {
        StatusFormat::Text => {
            text(&status, &mut out).context("writing to stdout")?;
            writeln!(out, "last hour {}", missing.text()).context("writing to stdout")
        }
        StatusFormat::Json => {
            serde_json::to_writer(&mut out, &json::status(&status))?;
            writeln!(out).context("writing to stdout")
        }
    }
}

fn text(status: &v1::ServerStatusResponse, out: &mut impl Write) -> io::Result<()> {
    let started = status.started_at.as_ref().map(|at| time_from_wire(at).rfc3339()).unwrap_or_default();
    writeln!(out, "collector {} since {started}", status.version)?;
    if let Some(cluster) = &status.cluster {
        writeln!(out, "cluster   {cluster}")?;
    }
    objects_text(status, out)?;
    let pending = status.journal_pending;
    writeln!(out, "journal   {pending} entries not committed, {} on disk", bytes(status.journal_bytes as i64))?;
    writeln!(out, "memory    {} rows not committed", status.uncommitted_rows)?;
    for table in &status.tables {
        let size = bytes(table.bytes as i64);
        let name = &table.name;
        writeln!(
            out,
            "table     {name:<9} {} rows, {size} in {} files, version {}",
            table.rows, table.files, table.version
        )?;
    }
    writeln!(out, "tails     {} open, {} rows missed", status.tails, status.tail_rows_missed)?;
    if status.nodes.is_empty() {
        writeln!(out, "nodes     none has connected")?;
    }
    status.nodes.iter().try_for_each(|node| node_text(node, out))
}

fn objects_text(status: &v1::ServerStatusResponse, out: &mut impl Write) -> io::Result<()> {
    let Some(source) = &status.cluster_source else {
        return writeln!(out, "objects   {}, no source configured", status.cluster_objects);
    };
    let (state, place) = (knowledge(source.state()), &source.place);
    let age = match source.age_ms {
        Some(age_ms) => format!("{:.1} s old", age_ms as f64 / 1_000.0),
        None => "not heard of every kind yet".to_owned(),
    };
    writeln!(out, "objects   {} from {place}: {state}, {age}", status.cluster_objects)?;
    source.problems.iter().try_for_each(|problem| writeln!(out, "problem   {problem}"))
}

fn node_text(node: &v1::NodeStatus, out: &mut impl Write) -> io::Result<()> {
    if node.state() == State::Absent {
        return writeln!(out, "node      {} absent: it has pods, and no agent has connected", node.node);
    }
    writeln!(
        out,
        "node      {} {}: {} taps, {} rows ({:.0}/s), {} batches, {} came again",
        node.node,
        state(node.state()),
        node.taps,
        node.flow_rows,
        node.flow_rows_per_second,
        node.batches,
        node.duplicate_batches
    )?;
    for (input, problem) in
        node.inputs.iter().filter_map(|input| input.problem.as_ref().map(|problem| (input, problem)))
    {
        writeln!(out, "unheard   {} {}: {problem}", node.node, input.name)?;
    }
    node.losses.iter().try_for_each(|loss| loss_text(&node.node, loss, out))
}

fn loss_text(who: &str, loss: &v1::Loss, out: &mut impl Write) -> io::Result<()> {
    let counts = [("packets", loss.packets), ("bytes", loss.bytes), ("rows", loss.rows)];
    let known = counts.iter().filter_map(|(what, count)| count.map(|count| format!("{count} {what}")));
    let known: Vec<String> = known.collect();
    let amount = if known.is_empty() { "an unknown amount".to_owned() } else { known.join(", ") };
    writeln!(out, "loss      {who} at {}: {amount}", loss.stage)
}

const fn state(state: State) -> &'static str {
    match state {
        State::Connected => "connected",
        State::Silent => "silent",
        State::Gone => "gone",
        State::Absent => "absent",
        State::Unspecified => "unknown",
    }
}

const fn knowledge(state: Knowledge) -> &'static str {
    match state {
        Knowledge::Incomplete => "incomplete",
        Knowledge::Current => "current",
        Knowledge::Stale => "stale",
        Knowledge::Unspecified => "unknown",
    }
}
