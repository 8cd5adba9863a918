//! The status as one JSON object: keys as in `weir/v1/observer.proto`, times as seconds since 1970.

use serde::Serialize;
use weir_model::Timestamp;
use weir_proto::{time_from_wire, v1};

#[derive(Serialize)]
pub(super) struct Status<'a> {
    version: &'a str,
    started_at: Option<Timestamp>,
    cluster: Option<&'a str>,
    cluster_objects: u64,
    cluster_source: Option<ClusterSource<'a>>,
    journal_pending: u64,
    journal_bytes: u64,
    uncommitted_rows: u64,
    tables: Vec<Table<'a>>,
    tails: u32,
    tail_rows_missed: u64,
    nodes: Vec<Agent<'a>>,
}

#[derive(Serialize)]
struct ClusterSource<'a> {
    place: &'a str,
    state: &'static str,
    age_ms: Option<u64>,
    problems: &'a [String],
}

#[derive(Serialize)]
struct Table<'a> {
    name: &'a str,
    rows: u64,
    bytes: u64,
    files: u64,
    version: i64,
}

#[derive(Serialize)]
struct Agent<'a> {
    node: &'a str,
    state: &'static str,
    version: &'a str,
    peer: &'a str,
    connected_at: Option<Timestamp>,
    last_seen_at: Option<Timestamp>,
    newest_flow_at: Option<Timestamp>,
    batches: u64,
    duplicate_batches: u64,
    flow_rows: u64,
    flow_rows_per_second: f64,
    taps: u32,
    clock_offset_us: i64,
    losses: Vec<Loss<'a>>,
    inputs: Vec<Input<'a>>,
}

#[derive(Serialize)]
struct Input<'a> {
    name: &'a str,
    since: Timestamp,
    problem: Option<&'a str>,
}

#[derive(Serialize)]
struct Loss<'a> {
    stage: &'a str,
    packets: Option<u64>,
    bytes: Option<u64>,
    rows: Option<u64>,
}

/// The answer, ready to be written.
pub(super) fn status(status: &v1::ServerStatusResponse) -> Status<'_> {
    Status {
        version: &status.version,
        started_at: status.started_at.as_ref().map(time_from_wire),
        cluster: status.cluster.as_deref(),
        cluster_objects: status.cluster_objects,
        cluster_source: status.cluster_source.as_ref().map(cluster_source),
        journal_pending: status.journal_pending,
        journal_bytes: status.journal_bytes,
        uncommitted_rows: status.uncommitted_rows,
        tables: status.tables.iter().map(table).collect(),
        tails: status.tails,
        tail_rows_missed: status.tail_rows_missed,
        nodes: status.nodes.iter().map(node).collect(),
    }
}

fn cluster_source(source: &v1::ClusterSource) -> ClusterSource<'_> {
    let state = super::knowledge(source.state());
    ClusterSource { place: &source.place, state, age_ms: source.age_ms, problems: &source.problems }
}

fn table(table: &v1::TableStatus) -> Table<'_> {
    Table { name: &table.name, rows: table.rows, bytes: table.bytes, files: table.files, version: table.version }
}

fn node(node: &v1::NodeStatus) -> Agent<'_> {
    Agent {
        node: &node.node,
        state: super::state(node.state()),
        version: &node.version,
        peer: &node.peer,
        connected_at: node.connected_at.as_ref().map(time_from_wire),
        last_seen_at: node.last_seen_at.as_ref().map(time_from_wire),
        newest_flow_at: node.newest_flow_at.as_ref().map(time_from_wire),
        batches: node.batches,
        duplicate_batches: node.duplicate_batches,
        flow_rows: node.flow_rows,
        flow_rows_per_second: node.flow_rows_per_second,
        taps: node.taps,
        clock_offset_us: node.clock_offset_us,
        losses: node.losses.iter().map(loss).collect(),
        inputs: node.inputs.iter().map(input).collect(),
    }
}

fn input(input: &v1::Input) -> Input<'_> {
    Input { name: &input.name, since: Timestamp(input.since_ns), problem: input.problem.as_deref() }
}

fn loss(loss: &v1::Loss) -> Loss<'_> {
    Loss { stage: &loss.stage, packets: loss.packets, bytes: loss.bytes, rows: loss.rows }
}
