//! The collector's own state.

use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tonic::Status;
use weir_proto::{time_to_wire, v1};
use weir_watch::{Knowledge, Place, State};

use super::{ObserverService, stopping};
use crate::writer::Order;

impl ObserverService {
    pub(crate) async fn status(&self) -> Result<v1::ServerStatusResponse, Status> {
        let (done, told) = oneshot::channel();
        self.writer.send(Order::Size { done }).await.map_err(|_| stopping())?;
        let (journal_bytes, last) = told.await.map_err(|_| stopping())?;
        let size = self.lake.size().map_err(|error| Status::internal(error.to_string()))?;
        let source = self.cluster_source.as_ref();
        Ok(v1::ServerStatusResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(time_to_wire(self.started_at)),
            cluster: self.cluster.as_ref().map(ToString::to_string),
            nodes: self.all_nodes(),
            journal_pending: last.0.saturating_sub(self.lake.positions().min()),
            journal_bytes,
            tables: size.tables.into_iter().map(table).collect(),
            uncommitted_rows: self.lake.tail_rows() as u64,
            tails: self.tails.readers.load(Ordering::Relaxed) as u32,
            tail_rows_missed: self.tails.missed.load(Ordering::Relaxed),
            cluster_objects: source.map_or(0, |(_, knowledge)| knowledge.objects()),
            cluster_source: source.map(|(place, knowledge)| cluster_source(place, knowledge)),
        })
    }
}

fn cluster_source(place: &Place, knowledge: &Knowledge) -> v1::ClusterSource {
    use v1::cluster_source::State as Wire;
    let state = match knowledge.state() {
        State::Incomplete => Wire::Incomplete,
        State::Current | State::Absent => Wire::Current,
        State::Stale => Wire::Stale,
    };
    let age = knowledge.age(Instant::now());
    v1::ClusterSource {
        place: place.to_string(),
        state: state.into(),
        age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        problems: knowledge.problems().iter().map(ToString::to_string).collect(),
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
