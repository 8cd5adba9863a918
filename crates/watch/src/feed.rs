//! The way from a source to who keeps the objects: one bounded queue, and the knowledge beside it.

use std::future::Future;

use tokio::sync::mpsc;

use crate::{Change, Kind, Knowledge};

/// How much of the cluster a source sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Every object of its kinds: what it does not tell is outside the cluster.
    Whole,
    /// Some of them: what it does not tell is unknown.
    Partial,
}

/// Somewhere objects come from.
pub trait Source: Send + 'static {
    /// What it makes of an object.
    type Object: Send + 'static;

    /// The kinds that it tells.
    fn kinds(&self) -> Vec<Kind>;

    /// How much of the cluster it sees.
    fn view(&self) -> View;

    /// Tells changes until nobody listens any more. Nothing else ends it.
    fn run(self, out: Outlet<Self::Object>) -> impl Future<Output = Closed> + Send;
}

/// Nobody listens any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes changes any more")]
pub struct Closed;

/// The receiver's end.
#[derive(Debug)]
pub struct Feed<O> {
    /// Changes in order, for each kind.
    pub changes: mpsc::Receiver<Change<O>>,
    /// How old the knowledge of each kind is.
    pub knowledge: Knowledge,
    /// How much of the cluster it is.
    pub view: View,
}

/// The source's end.
#[derive(Debug)]
pub struct Outlet<O> {
    changes: mpsc::Sender<Change<O>>,
    knowledge: Knowledge,
}

// Not derived: that would ask for `O: Clone`.
impl<O> Clone for Outlet<O> {
    fn clone(&self) -> Self {
        Self { changes: self.changes.clone(), knowledge: self.knowledge.clone() }
    }
}

/// Connects a source to who keeps its objects. Nothing happens before the future is polled; it ends when the feed is
/// dropped. At most `queue` changes wait; while it is full the source waits, and with it the API server's stream.
pub fn open<S: Source>(source: S, queue: usize) -> (Feed<S::Object>, impl Future<Output = Closed> + Send) {
    let (sender, changes) = mpsc::channel(queue.max(1));
    let (knowledge, view) = (Knowledge::of(source.kinds()), source.view());
    let outlet = Outlet { changes: sender, knowledge: knowledge.clone() };
    (Feed { changes, knowledge, view }, source.run(outlet))
}

impl<O> Outlet<O> {
    /// Tells a change, waiting for room.
    pub async fn tell(&self, change: Change<O>) -> Result<(), Closed> {
        self.changes.send(change).await.map_err(|_| Closed)
    }

    /// Where the source notes what it knows.
    pub fn knowledge(&self) -> &Knowledge {
        &self.knowledge
    }

    /// Waits until nobody listens.
    pub async fn closed(&self) -> Closed {
        self.changes.closed().await;
        Closed
    }
}
