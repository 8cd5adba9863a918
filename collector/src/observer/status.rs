//! The collector's own state.

use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use tonic::Status;
use weir_proto::{time_to_wire, v1};

use super::{ObserverService, stopping};
use crate::writer::Order;

impl ObserverService {
    pub(super) async fn status(&self) -> Result<v1::ServerStatusResponse, Status> {
        let (done, told) = oneshot::channel();
        self.writer.send(Order::Size { done }).await.map_err(|_| stopping())?;
        let (journal_bytes, last) = told.await.map_err(|_| stopping())?;
        let size = self.lake.size().map_err(|error| Status::internal(error.to_string()))?;
        Ok(v1::ServerStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(time_to_wire(self.started_at)),
            cluster: self.cluster.as_ref().map(ToString::to_string),
            nodes: self.nodes.status(self.now()),
            journal_pending: last.0.saturating_sub(self.lake.positions().min()),
            journal_bytes,
            tables: size.tables.into_iter().map(table).collect(),
            uncommitted_rows: self.lake.tail_rows() as u64,
            tails: self.tails.readers.load(Ordering::Relaxed) as u32,
            tail_rows_missed: self.tails.missed.load(Ordering::Relaxed),
            cluster_objects: self.cluster_objects as u64,
        })
    }
}

fn table(size: weir_store::TableSize) -> v1::TableStatus {
    v1::TableStatus {
        name: size.name.to_owned(),
        bytes: size.bytes,
        files: size.files,
        rows: size.rows,
        version: size.version as i64,
    }
}
