//! `weir sql`: one statement, answered by the collector or read from a lake's folder.

use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use futures::TryStreamExt as _;
use weir_proto::v1;
use weir_store::{Lake, QueryLimits};

use crate::args::{SqlArgs, TableFormat};
use crate::progress::spinner;
use crate::server::{connect, refused};

/// What a query over a lake's folder may use.
const OFFLINE_LIMITS: QueryLimits =
    QueryLimits { memory_bytes: 2 << 30, time: Duration::from_hours(1), rows: 100_000_000 };

/// Asks, and prints the answer.
pub(crate) async fn sql(server: &str, args: &SqlArgs) -> Result<()> {
    let waiting = spinner("asking");
    let batches = match &args.lake {
        Some(dir) => from_lake(dir, &args.statement).await?,
        None => from_collector(server, &args.statement).await?,
    };
    drop(waiting);
    print(&batches, args.output)
}

async fn from_collector(server: &str, sql: &str) -> Result<Vec<RecordBatch>> {
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

fn print(batches: &[RecordBatch], format: TableFormat) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        TableFormat::Table => writeln!(out, "{}", pretty_format_batches(batches)?)?,
        TableFormat::Json => {
            let mut writer = arrow::json::LineDelimitedWriter::new(&mut out);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.finish()?;
        }
        TableFormat::Csv => {
            let mut writer = arrow::csv::Writer::new(&mut out);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
        }
    }
    out.flush()?;
    Ok(())
}
