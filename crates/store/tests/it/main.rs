//! The lake from outside: what is put is answered for exactly once, whatever happens between.

mod concurrency;
mod flows;
mod maintenance;
mod positions;
mod pruning;
mod queries;
mod round_trip;
mod schemas;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use weir_model::tables::LossRow;
use weir_model::{
    AttributedFlow, ConnectionId, Counters, Endpoint, EndpointKind, Flow, FlowId, FlowRow, InitiatorBy, Loss,
    LossStage, Outcome, PerDirection, Protocol, Report, Tap, TapRole, Timestamp, Tuple,
};
use weir_store::{Lake, LakeOptions, QueryError, QueryLimits, Rows};

const HOUR: i64 = 3_600_000_000_000;
const SECOND: i64 = 1_000_000_000;

/// 2026-11-22T20:00:00Z.
const START: Timestamp = Timestamp(1_795_377_600 * SECOND);

fn options() -> LakeOptions {
    LakeOptions { max_age: None, ..LakeOptions::default() }
}

async fn lake(dir: &Path) -> Lake {
    Lake::open(dir, options()).await.expect("opens")
}

/// Flow number `number`: `number` bytes forward, one second of packet time after the one before, 10 connections.
fn flow(number: u64) -> FlowRow {
    flow_at(number, START.plus_ns(number as i64 * SECOND))
}

fn flow_at(number: u64, time: Timestamp) -> FlowRow {
    let counters = Counters { packets: 1, bytes: number, payload: 0 };
    let tuple = Tuple {
        protocol: Protocol::UDP,
        src_ip: [10, 0, 0, number as u8].into(),
        src_port: 40_000,
        dst_ip: [10, 0, 1, 1].into(),
        dst_port: 53,
    };
    let flow = Flow {
        id: FlowId(number),
        report: Report::End,
        is_first: true,
        tuple,
        initiator_by: InitiatorBy::FirstPacket,
        start_ts: time,
        first_ts: time,
        last_ts: time,
        window_start: time.window_start(60 * SECOND),
        counters: PerDirection { fwd: counters, rev: Counters::default() },
        tcp: None,
        outcome: Outcome::OneWay,
        end_reason: None,
        vlan: Vec::new(),
        tunnel: Vec::new(),
        icmp: Vec::new(),
        icmp_id: None,
        tracked: None,
    };
    let tap = Tap { interface: "veth1".into(), role: TapRole::Pod, pod: None, sampling: 1 };
    let pod = |name: String| Endpoint {
        kind: EndpointKind::Pod,
        namespace: Some("shop".into()),
        name: Some(name.into()),
        ..Endpoint::default()
    };
    let mut row = FlowRow::alone(AttributedFlow {
        flow,
        tap: Arc::new(tap),
        leg: None,
        src: Arc::new(pod(format!("client-{}", number % 7))),
        dst: Arc::new(pod(format!("server-{}", number % 3))),
        service: None,
    });
    row.node = Some("node-a".into());
    row.connection = Some(ConnectionId(number % 10));
    row.is_primary = Some(number.is_multiple_of(2));
    row
}

fn flows(numbers: impl IntoIterator<Item = u64>) -> Rows {
    Rows { flows: numbers.into_iter().map(flow).collect(), ..Rows::default() }
}

fn loss(rows: u64) -> LossRow {
    let loss = Loss {
        stage: LossStage::Queue,
        interface: None,
        from_ts: START,
        to_ts: START,
        packets: None,
        bytes: None,
        rows: Some(rows),
    };
    LossRow { node: Some("node-a".into()), run: None, loss }
}

async fn ask(lake: &Lake, sql: &str, limits: QueryLimits) -> Result<Vec<RecordBatch>, QueryError> {
    let (schema, batches) = lake.query(sql, limits).await?;
    let batches: Vec<_> = batches.try_collect().await?;
    assert!(batches.iter().all(|batch| batch.schema() == schema), "batches have the schema that was said");
    Ok(batches)
}

fn limits() -> QueryLimits {
    QueryLimits { time: Duration::from_mins(5), ..QueryLimits::default() }
}

/// The numbers in the first row.
async fn numbers(lake: &Lake, sql: &str) -> Vec<i64> {
    let batches = ask(lake, sql, limits()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let batch = batches.iter().find(|batch| batch.num_rows() > 0).expect("a row");
    let number = |column: &Arc<dyn Array>| {
        let numbers = column.as_primitive::<Int64Type>();
        if numbers.is_null(0) { 0 } else { numbers.value(0) }
    };
    batch.columns().iter().map(number).collect()
}

/// Rows of `flows` and the sum of their bytes.
async fn totals(lake: &Lake) -> (i64, i64) {
    let totals = numbers(lake, "select count(*), sum(bytes_fwd) from flows").await;
    (totals[0], totals[1])
}

/// The same for flows `1..=last`.
fn expected(last: i64) -> (i64, i64) {
    (last, last * (last + 1) / 2)
}
