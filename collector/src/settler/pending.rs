//! An entry of the journal whose rows wait: those of a batch for the other legs of their connections, changes of objects for
//! what came before them.

use std::sync::Arc;

use weir_model::tables::{CoverageRow, LossRow, ObjectRow, RequestRow};
use weir_model::{AttributedFlow, AttributedRequest, Batch, FlowRow, Report};
use weir_store::Rows;

/// What the collector adds to every row.
pub(super) struct Columns {
    pub(super) cluster: Option<Arc<str>>,
}

/// One entry of the journal, as it arrived.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) position: u64,
    pub(super) arrived_ns: i64,
    /// Rows to be stored.
    pub(super) rows: Vec<FlowRow>,
    /// Flows that have just begun: for tails only.
    pub(super) started: Vec<FlowRow>,
    /// Requests to be stored.
    pub(super) requests: Vec<RequestRow>,
    losses: Vec<LossRow>,
    coverage: Vec<CoverageRow>,
    objects: Arc<[ObjectRow]>,
}

impl Pending {
    pub(super) fn new(position: u64, arrived_ns: i64, batch: &Batch, columns: &Columns) -> Self {
        let row = |seen: &AttributedFlow| FlowRow {
            cluster: columns.cluster.clone(),
            node: Some(Arc::clone(&batch.node)),
            run: Some(batch.run),
            ..FlowRow::alone(seen.clone())
        };
        let (started, rows) = batch.flows.iter().map(row).partition(|row| row.seen.flow.report == Report::Start);
        let request = |seen: &AttributedRequest| RequestRow::alone(row(&seen.flow), seen.request.clone());
        let requests = batch.requests.iter().map(request).collect();
        let (losses, coverage) = (losses(batch), coverage(batch));
        Self { position, arrived_ns, rows, started, requests, losses, coverage, objects: Arc::default() }
    }

    pub(super) fn of_objects(position: u64, arrived_ns: i64, objects: Arc<[ObjectRow]>) -> Self {
        Self { position, arrived_ns, objects, ..Self::default() }
    }

    /// The rows of this entry for every table, but for what is measured of them when they are settled.
    pub(super) fn table_rows(&self) -> Rows {
        Rows {
            flows: self.rows.clone(),
            requests: self.requests.clone(),
            latency: Vec::new(),
            losses: self.losses.clone(),
            coverage: self.coverage.clone(),
            objects: self.objects.to_vec(),
        }
    }
}

fn losses(batch: &Batch) -> Vec<LossRow> {
    let row = |loss: &weir_model::Loss| LossRow {
        node: Some(Arc::clone(&batch.node)),
        run: Some(batch.run),
        loss: loss.clone(),
    };
    batch.losses.iter().map(row).collect()
}

/// Spans that have ended; those still open come again.
fn coverage(batch: &Batch) -> Vec<CoverageRow> {
    let ended = batch.coverage.iter().filter(|span| span.to_ts.is_some());
    let row = |span: &weir_model::Coverage| CoverageRow {
        node: Arc::clone(&batch.node),
        run: batch.run,
        coverage: span.clone(),
    };
    ended.map(row).collect()
}
