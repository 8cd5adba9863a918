//! Keeps the lake: commits what is settled, trims the journal behind it, and looks after old files.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};
use weir_journal::Position;
use weir_model::Timestamp;
use weir_service::clock::Clock;
use weir_store::Lake;

use crate::writer::Order;

/// When to commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// At the latest this long after the last commit.
    pub interval: Duration,
    /// Or when this many rows wait.
    pub rows: usize,
}

/// Commits settled rows.
pub(crate) struct Keeper {
    /// The lake.
    pub lake: Arc<Lake>,
    /// The journal's writer.
    pub writer: mpsc::Sender<Order>,
    /// How far rows are settled.
    pub settled: watch::Receiver<u64>,
    /// When to commit.
    pub pace: Pace,
}

/// How often the keeper looks whether enough rows wait.
const LOOK: Duration = Duration::from_millis(200);

impl Keeper {
    /// Commits until `stop`, then everything that is settled once more.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut last = tokio::time::Instant::now();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(LOOK) => {}
            }
            let due = last.elapsed() >= self.pace.interval || self.lake.tail_rows() >= self.pace.rows;
            if due {
                self.commit().await;
                last = tokio::time::Instant::now();
            }
        }
        self.commit().await;
    }

    /// Commits what is settled and lets the journal forget it. A failed commit is tried again next time: the rows stay
    /// in memory and in the journal.
    async fn commit(&self) {
        let position = *self.settled.borrow();
        if position <= self.lake.positions().min() {
            return;
        }
        match self.lake.commit(position).await {
            Ok(report) => {
                debug!(position, rows = report.rows, bytes = report.bytes, "committed");
                let covered = Position(self.lake.positions().min());
                // A writer that is gone leaves the journal as it is, which is safe.
                let _ = self.writer.send(Order::Checkpoint { position: covered }).await;
            }
            Err(error) => error!("commit failed, trying again: {error}"),
        }
    }
}

/// Looks after old files until `stop`.
pub(crate) async fn maintain(lake: Arc<Lake>, every: Duration, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match lake.maintain(Timestamp(clock.now_ns())).await {
            Ok(report) => info!(?report, "maintenance"),
            Err(error) => warn!("maintenance failed, trying again later: {error}"),
        }
    }
}
