//! One SQL statement in, Arrow batches out: from the collector, or from a lake's folder.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arrow::ipc::reader::StreamReader;
use arrow::json::writer::LineDelimited;
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt as _;
use serde::de::DeserializeOwned;
use weir_proto::v1;
use weir_store::{Lake, QueryLimits};

use crate::server::{Contact, connect, refused};

/// What a query over a lake's folder may use.
const OFFLINE_LIMITS: QueryLimits =
    QueryLimits { memory_bytes: 2 << 30, time: Duration::from_hours(1), rows: 100_000_000 };

/// The answer of the lake in the folder `lake`, else of the collector at `server`. At least one batch, for the columns.
pub(crate) async fn answer(server: &Contact, lake: Option<&Path>, sql: &str) -> Result<Vec<RecordBatch>> {
    match lake {
        Some(dir) => from_lake(dir, sql).await,
        None => from_collector(server, sql).await,
    }
}

async fn from_collector(server: &Contact, sql: &str) -> Result<Vec<RecordBatch>> {
    let request = v1::QueryRequest { sql: sql.to_owned() };
    let mut client = connect(server).await?;
    let mut answers = client.query(request).await.map_err(|status| refused(&status))?.into_inner();
    let mut stream = Vec::new();
    while let Some(answer) = answers.message().await.map_err(|status| refused(&status))? {
        stream.extend_from_slice(&answer.arrow_ipc);
    }
    let reader = StreamReader::try_new(stream.as_slice(), None).context("reading the answer")?;
    reader.collect::<Result<_, _>>().context("reading the answer")
}

async fn from_lake(dir: &Path, sql: &str) -> Result<Vec<RecordBatch>> {
    let lake = Lake::open_read_only(dir).await.with_context(|| format!("opening the lake in {}", dir.display()))?;
    let (schema, batches) = lake.query(sql, OFFLINE_LIMITS).await?;
    let mut batches: Vec<RecordBatch> = batches.try_collect().await?;
    if batches.is_empty() {
        batches.push(RecordBatch::new_empty(schema));
    }
    Ok(batches)
}

/// The rows of an answer as values; times are RFC 3339. A column that `T` does not name is passed over.
pub(crate) fn rows<T: DeserializeOwned>(batches: &[RecordBatch]) -> Result<Vec<T>> {
    let mut writer = arrow::json::WriterBuilder::new().build::<_, LineDelimited>(Vec::new());
    batches.iter().try_for_each(|batch| writer.write(batch)).context("reading the answer")?;
    writer.finish().context("reading the answer")?;
    let text = writer.into_inner();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).context("reading the answer")).collect()
}
