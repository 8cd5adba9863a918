//! What earlier runs of the collector left in the lake: how far it goes, and which pods were watched lately.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt as _;
use weir_cluster::join::{JoinOptions, Joiner};
use weir_model::{Coverage, PodRef, RunId, TapRole, Timestamp};
use weir_store::{Lake, QueryLimits};

/// How far back watched pods are remembered, in seconds of packet time.
const WATCHED_SECONDS: i64 = 24 * 3_600;

/// A joiner that knows how far the lake goes, and which pods were watched lately.
pub(crate) async fn joiner(lake: &Lake) -> Result<Joiner> {
    let stored_until = newest(lake).await.context("reading how far the lake goes")?;
    let mut joiner = Joiner::new(JoinOptions::default(), stored_until);
    if let Some(until) = stored_until {
        let since = until.plus_ns(-WATCHED_SECONDS * 1_000_000_000);
        for (node, run, span) in watched(lake, since).await.context("reading which pods were watched")? {
            joiner.cover(&node, run, &span);
        }
    }
    Ok(joiner)
}

async fn newest(lake: &Lake) -> Result<Option<Timestamp>> {
    let batches = ask(lake, "select cast(max(last_ts) as bigint) from flows").await?;
    let cell = batches.first().filter(|batch| batch.num_rows() > 0).map(|batch| batch.column(0));
    let value = cell.and_then(|column| column.as_primitive_opt::<Int64Type>()).filter(|column| column.is_valid(0));
    Ok(value.map(|column| Timestamp::from_micros(column.value(0))))
}

async fn watched(lake: &Lake, since: Timestamp) -> Result<Vec<(Arc<str>, RunId, Coverage)>> {
    let sql = format!(
        "select node, run, interface, namespace, name, min(from_ts) f, max(to_ts) t from coverage \
         where name is not null and interface is not null and to_ts >= to_timestamp_micros({}) group by 1, 2, 3, 4, 5",
        since.as_micros()
    );
    let batches = ask(lake, &sql).await?;
    Ok(batches.iter().flat_map(|batch| (0..batch.num_rows()).filter_map(|row| span(batch, row))).collect())
}

fn span(batch: &RecordBatch, row: usize) -> Option<(Arc<str>, RunId, Coverage)> {
    let text = |column: usize| {
        let column = batch.column(column).as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row))
    };
    let time = |column: usize| {
        let column = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
        column.is_valid(row).then(|| Timestamp::from_micros(column.value(row)))
    };
    let pod = PodRef { namespace: text(3)?.into(), name: text(4)?.into() };
    let interface = text(2).map(Into::into);
    let (from_ts, to_ts) = (time(5)?, Some(time(6)?));
    let span = Coverage { interface, role: TapRole::Pod, pod: Some(pod), from_ts, to_ts, reason: None };
    Some((text(0)?.into(), RunId::parse(text(1)?)?, span))
}

async fn ask(lake: &Lake, sql: &str) -> Result<Vec<RecordBatch>> {
    let limits = QueryLimits { time: Duration::from_mins(10), ..QueryLimits::default() };
    let (_, batches) = lake.query(sql, limits).await?;
    Ok(batches.try_collect().await?)
}
