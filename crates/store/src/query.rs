//! SQL in, Arrow batches out, within limits. A query runs on the lake's own threads; who asked waits no longer than the
//! time limit even if it does not give way, and when the stream is dropped it stops.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::context::SQLOptions;
use datafusion::prelude::{DataFrame, SessionContext};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use crate::QueryError;
use crate::lake::{Inner, Lake};
use crate::session::{Resources, context, execute};

/// What a query may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Memory of its sorts, joins and groups, in bytes. Default 256 MiB.
    pub memory_bytes: usize,
    /// Time from the question to the last row, waiting for other queries included. Default 30 s.
    pub time: Duration,
    /// Rows of the answer. Default 1,000,000.
    pub rows: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, time: Duration::from_secs(30), rows: 1_000_000 }
    }
}

/// Batches of an answer; ends after the first error. Text is plain `Utf8` in all of them.
pub type RowStream = BoxStream<'static, Result<RecordBatch, QueryError>>;

/// Batches that wait for a slow reader.
const QUEUE: usize = 4;

impl Lake {
    /// Answers one SQL query over the tables as they are now: committed rows and the live tail.
    pub async fn query(&self, sql: &str, limits: QueryLimits) -> Result<(SchemaRef, RowStream), QueryError> {
        let sql = sql.to_owned();
        self.ask(limits, move |context| async move { plan(&context, &sql).await }).await
    }

    /// Runs the plan that `make` makes in a context with all tables.
    pub(crate) async fn ask<M, F>(&self, limits: QueryLimits, make: M) -> Result<(SchemaRef, RowStream), QueryError>
    where
        M: FnOnce(SessionContext) -> F + Send + 'static,
        F: Future<Output = Result<DataFrame, QueryError>> + Send,
    {
        let deadline = deadline(limits.time);
        let (schema_to, schema_from) = oneshot::channel();
        let (rows_to, rows_from) = mpsc::channel(QUEUE);
        let inner = Arc::clone(&self.inner);
        let task = async move {
            let work = run(&inner, limits, make, schema_to, &rows_to);
            let failed = match timeout_at(deadline, work).await {
                Ok(result) => result.err(),
                Err(_) => Some(QueryError::Time(limits.time)),
            };
            if let Some(error) = failed {
                // Where nobody reads, the reader's own clock says the same.
                let _ = timeout_at(deadline, rows_to.send(Err(error))).await;
            }
        };
        let closing = |error: crate::StoreError| QueryError::Failed(error.to_string());
        let running = Running(self.inner.queries.spawn(task).map_err(closing)?.abort_handle());
        let mut answer = Answer { rows: rows_from, deadline, time: limits.time, _running: running };
        match timeout_at(deadline, schema_from).await {
            Ok(Ok(schema)) => Ok((schema, stream::unfold(Some(answer), Answer::step).boxed())),
            Err(_) => Err(QueryError::Time(limits.time)),
            // Without a schema there is an error.
            Ok(Err(_)) => match answer.next().await {
                Some(Err(error)) => Err(error),
                _ => Err(QueryError::Failed("the query ended without an answer".to_owned())),
            },
        }
    }
}

/// The plan of a text that is a query and nothing else.
async fn plan(context: &SessionContext, sql: &str) -> Result<DataFrame, QueryError> {
    let plan = context.state().create_logical_plan(sql).await.map_err(|error| QueryError::planning(&error))?;
    let only_queries = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    only_queries.verify_plan(&plan).map_err(|error| QueryError::Refused(error.strip_backtrace()))?;
    context.execute_logical_plan(plan).await.map_err(|error| QueryError::planning(&error))
}

async fn run<M, F>(
    inner: &Inner,
    limits: QueryLimits,
    make: M,
    schema_to: oneshot::Sender<SchemaRef>,
    rows_to: &mpsc::Sender<Result<RecordBatch, QueryError>>,
) -> Result<(), QueryError>
where
    M: FnOnce(SessionContext) -> F + Send,
    F: Future<Output = Result<DataFrame, QueryError>> + Send,
{
    let running = |error| QueryError::running(&error, limits.memory_bytes);
    let _slot =
        Arc::clone(&inner.slots).acquire_owned().await.map_err(|error| QueryError::Failed(error.to_string()))?;
    let resources = Resources { memory_bytes: limits.memory_bytes, threads: inner.options.query_threads, spill: None };
    let context = context(resources).map_err(running)?;
    inner.register(&context).await.map_err(running)?;
    let frame = make(context).await?;
    let mut stream = execute(frame).await.map_err(running)?;
    let schema = plain_schema(&stream.schema());
    if schema_to.send(Arc::clone(&schema)).is_err() {
        return Ok(());
    }
    let mut left = limits.rows;
    while let Some(batch) = stream.next().await {
        let batch = plain_batch(&schema, &batch.map_err(running)?)?;
        let fits = batch.slice(0, batch.num_rows().min(left));
        let is_over = batch.num_rows() > left;
        left -= fits.num_rows();
        if fits.num_rows() > 0 && rows_to.send(Ok(fits)).await.is_err() {
            return Ok(());
        }
        if is_over {
            return Err(QueryError::Rows(limits.rows));
        }
    }
    Ok(())
}

/// The asker's end of a running query.
struct Answer {
    rows: mpsc::Receiver<Result<RecordBatch, QueryError>>,
    deadline: Instant,
    time: Duration,
    _running: Running,
}

impl Answer {
    async fn next(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        timeout_at(self.deadline, self.rows.recv()).await.unwrap_or(Some(Err(QueryError::Time(self.time))))
    }

    async fn step(answer: Option<Self>) -> Option<(Result<RecordBatch, QueryError>, Option<Self>)> {
        let mut answer = answer?;
        let item = answer.next().await?;
        let rest = item.is_ok().then_some(answer);
        Some((item, rest))
    }
}

/// Stops its task when dropped.
struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn deadline(time: Duration) -> Instant {
    const FAR: Duration = Duration::from_hours(24 * 365);
    Instant::now() + time.min(FAR)
}

/// `schema` with the other forms of text and bytes replaced by the plain one.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let kind = plain_type(field.data_type());
        Field::new(field.name(), kind, field.is_nullable())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn plain_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, values) => plain_type(values),
        other => other.clone(),
    }
}

fn plain_batch(schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, QueryError> {
    let arrays = batch.columns().iter().zip(schema.fields()).map(|(array, field)| {
        if array.data_type() == field.data_type() { Ok(Arc::clone(array)) } else { cast(array, field.data_type()) }
    });
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    arrays
        .collect::<Result<_, _>>()
        .and_then(|arrays| RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options))
        .map_err(|error| QueryError::Failed(error.to_string()))
}
