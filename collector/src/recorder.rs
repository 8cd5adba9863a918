//! Writes every version of the cluster's objects once: what is seen of them comes in, rows of `objects` go to the journal.
//!
//! What the lake has already, from this run or an earlier one, is not written again. Whoever reads objects never waits for a
//! journal that has no room: then of each object the last version stays until there is some.

mod known;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};
use weir_cluster::objects::{Object, ObjectKey, ObjectKind};
use weir_model::Timestamp;
use weir_model::tables::{ObjectEvent, ObjectRow};
use weir_store::Lake;

use crate::cluster::Seen;
use crate::compiled::ObjectNews;
use crate::settler::{self, Task};
use crate::writer::Order;
use known::{Known, Revision};

/// Groups of changes that wait for the recorder.
pub(crate) const QUEUE: usize = 64;

/// Rows of one entry of the journal, at most.
const ENTRY_ROWS: usize = 256;

/// Bytes of objects in one entry of the journal, but for its last row.
const ENTRY_BYTES: usize = 4 << 20;

/// Rows that wait for room in the journal; then of each object only the last one does.
const MAX_WAITING: usize = 65_536;

/// How often a journal without room is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Whom the recorder asks and tells.
pub(crate) struct Reach {
    /// What was written before.
    pub(crate) lake: Arc<Lake>,
    /// Who shows what the journal holds.
    pub(crate) settler: settler::Sender,
    /// Who makes rows durable.
    pub(crate) writer: mpsc::Sender<Order>,
}

/// Keeps the table `objects`.
struct Recorder {
    cluster: Option<Arc<str>>,
    writer: mpsc::Sender<Order>,
    known: Known,
    waiting: Vec<ObjectRow>,
    /// The journal had no room.
    is_refused: bool,
}

/// Looks up what the lake has, which takes as long as the journal is, then writes until `stop`, or nothing more can be seen.
/// Everything in the journal must have been sent to the settler; nobody waits for the rest.
pub(crate) async fn record(
    reach: Reach,
    cluster: Option<Arc<str>>,
    changes: mpsc::Receiver<Vec<Seen>>,
    stop: CancellationToken,
) {
    let opened = tokio::select! {
        () = stop.cancelled() => return,
        opened = Recorder::open(reach, cluster) => opened,
    };
    match opened {
        Ok(recorder) => recorder.run(changes, stop).await,
        Err(error) => error!("the cluster's objects are not written to the lake: {error:#}"),
    }
}

impl Recorder {
    async fn open(reach: Reach, cluster: Option<Arc<str>>) -> Result<Self> {
        let Reach { lake, settler, writer } = reach;
        let (done, shown) = oneshot::channel();
        settler.send(Task::Shown(done)).await.context("the settler stopped")?;
        shown.await.context("the settler stopped")?;
        let known = Known::read(&lake, cluster.as_deref()).await.context("reading which objects the lake has")?;
        Ok(Self { cluster, writer, known, waiting: Vec::new(), is_refused: false })
    }

    async fn run(mut self, mut changes: mpsc::Receiver<Vec<Seen>>, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                seen = changes.recv() => match seen {
                    Some(seen) => seen.iter().for_each(|seen| self.note(seen)),
                    None => break,
                },
                () = tokio::time::sleep(AGAIN), if self.is_refused => {}
            }
            self.write().await;
        }
        self.write().await;
    }

    fn note(&mut self, seen: &Seen) {
        match &seen.news {
            ObjectNews::Applied(object) => self.applied(object, seen),
            ObjectNews::Removed(key) => self.deleted(key, seen),
            ObjectNews::Complete(kind) => self.complete(*kind, seen),
        }
    }

    fn applied(&mut self, object: &Object, seen: &Seen) {
        let (key, text, metadata) = (object.key(), object.to_json(), object.metadata());
        let version = Revision::of(metadata, &text);
        let is_first = match self.known.tell(&key, &version) {
            Some(known) if known == version => return,
            known => known.is_none(),
        };
        let seen_ts = self.known.next_time(seen.at);
        self.waiting.push(ObjectRow {
            uid: metadata.uid.clone(),
            resource_version: metadata.resource_version.clone(),
            created_ts: metadata.creation_timestamp,
            deleted_ts: metadata.deletion_timestamp,
            object: Some(text.into()),
            // What a folder says at the start has always been so, unless an earlier start was told otherwise.
            since_ts: if is_first { seen.since } else { Some(seen.since.unwrap_or(seen.at)) },
            ..self.row(&key, ObjectEvent::Applied, seen_ts)
        });
    }

    fn deleted(&mut self, key: &ObjectKey, seen: &Seen) {
        let Some(version) = self.known.remove(key) else { return };
        let seen_ts = self.known.next_time(seen.at);
        self.waiting.push(ObjectRow {
            uid: version.uid,
            resource_version: version.resource_version,
            since_ts: Some(seen.since.unwrap_or(seen.at)),
            ..self.row(key, ObjectEvent::Deleted, seen_ts)
        });
    }

    /// What earlier runs left and this one was not told is gone.
    fn complete(&mut self, kind: ObjectKind, seen: &Seen) {
        for key in self.known.complete(kind) {
            self.deleted(&key, seen);
        }
    }

    fn row(&self, key: &ObjectKey, event: ObjectEvent, seen_ts: Timestamp) -> ObjectRow {
        ObjectRow {
            cluster: self.cluster.clone(),
            api_version: key.kind.api_version().into(),
            kind: key.kind.name().into(),
            namespace: Some(Arc::clone(&key.namespace)).filter(|namespace| !namespace.is_empty()),
            name: Arc::clone(&key.name),
            uid: None,
            resource_version: None,
            event,
            seen_ts,
            since_ts: None,
            created_ts: None,
            deleted_ts: None,
            object: None,
        }
    }

    /// Makes what waits durable, as far as there is room.
    async fn write(&mut self) {
        while !self.waiting.is_empty() {
            let count = entry(&self.waiting);
            let changes: Arc<[ObjectRow]> = self.waiting.iter().take(count).cloned().collect();
            let (done, told) = oneshot::channel();
            // A journal that failed takes nothing more, and answers nothing.
            let _ = self.writer.send(Order::Record { changes, done }).await;
            match told.await {
                Ok(Ok(_)) => drop(self.waiting.drain(..count)),
                Ok(Err(refused)) => return self.hold(refused.message()),
                Err(_) => return self.hold("the journal failed"),
            }
        }
        self.is_refused = false;
    }

    fn hold(&mut self, reason: &str) {
        if !std::mem::replace(&mut self.is_refused, true) {
            warn!(rows = self.waiting.len(), "objects wait to be written: {reason}");
        }
        if self.waiting.len() > MAX_WAITING {
            let before = self.waiting.len();
            self.waiting = last_of_each(std::mem::take(&mut self.waiting));
            warn!(
                versions = before - self.waiting.len(),
                "versions of objects were not written, only the last of each"
            );
        }
    }
}

/// How many of the first rows make one entry.
fn entry(rows: &[ObjectRow]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take(ENTRY_ROWS).take_while(|row| {
        let before = bytes;
        bytes += row.object.as_ref().map_or(0, |object| object.len());
        before < ENTRY_BYTES
    });
    fits.count()
}

/// The last row of each object, in their order.
fn last_of_each(rows: Vec<ObjectRow>) -> Vec<ObjectRow> {
    let key = |row: &ObjectRow| {
        (Arc::clone(&row.api_version), Arc::clone(&row.kind), row.namespace.clone(), Arc::clone(&row.name))
    };
    let last: BTreeMap<_, _> = rows.into_iter().map(|row| (key(&row), row)).collect();
    let mut last: Vec<_> = last.into_values().collect();
    last.sort_by_key(|row| row.seen_ts);
    last
}

#[cfg(test)]
mod tests;
