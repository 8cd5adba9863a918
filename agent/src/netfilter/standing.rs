//! How an input stands: said once in the log when it changes, and to the collector when it changes and now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use tracing::warn;
use weir_model::{Input, Loss, LossStage, Timestamp};
use weir_service::clock::Clock;

use crate::event::Event;

/// How often it is said how an input stands, and tried again where it is not heard.
pub(super) const STANDING: Duration = Duration::from_mins(1);

/// The end of the queue that an input writes to, and how it stands.
pub(super) struct Standing {
    queue: Sender<Event>,
    clock: Arc<dyn Clock>,
    input: Input,
    said: Option<Instant>,
}

impl Standing {
    /// Nothing is said yet.
    pub(super) fn new(name: &str, queue: Sender<Event>, clock: Arc<dyn Clock>) -> Self {
        let input = Input { name: name.into(), since: Timestamp(clock.now_ns()), problem: None };
        Self { queue, clock, input, said: None }
    }

    /// The time.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ns())
    }

    /// It is heard, or is not and why.
    pub(super) async fn set(&mut self, problem: Option<String>) {
        let is_same = self.input.problem.as_deref() == problem.as_deref();
        if !is_same || self.said.is_none() {
            self.input.since = self.now();
            self.input.problem = problem.map(Arc::from);
            if let Some(problem) = &self.input.problem {
                warn!(input = &*self.input.name, "not heard: {problem}");
            }
        }
        self.said = Some(Instant::now());
        self.tell(Event::Input(self.input.clone())).await;
    }

    /// Says it again, where that is due.
    pub(super) async fn repeat(&mut self) {
        if self.said.is_some_and(|said| said.elapsed() >= STANDING) {
            self.said = Some(Instant::now());
            self.tell(Event::Input(self.input.clone())).await;
        }
    }

    /// Says that something was lost.
    pub(super) async fn lose(&self, stage: LossStage, from_ts: Timestamp, packets: Option<u64>) {
        let (interface, to_ts) = (Some(Arc::clone(&self.input.name)), self.now());
        self.tell(Event::Loss(Loss { stage, interface, from_ts, to_ts, packets, bytes: None, rows: None })).await;
    }

    /// Waits for room.
    pub(super) async fn tell(&self, event: Event) {
        // Nobody listens only where the agent has stopped.
        let _ = self.queue.send(event).await;
    }
}
