//! Objects from a folder of manifests, read again whenever the folder has changed and come to rest.
//!
//! The caller's function reads the folder; what differs from the last reading is told. A folder that cannot be read
//! (half written, a mistake in a file) leaves everything as it was, and the knowledge says why.

mod fingerprint;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::{Change, Closed, Kind, ObjectId, Outlet, Source, State, View};
pub use fingerprint::Fingerprint;

/// A folder of manifests as a [`Source`]. `R` reads it: every object once, or all that is wrong.
///
/// The folder is looked at in turns instead of by notifications: those come from no network file system, and a mounted
/// `ConfigMap` changes by a link that is exchanged above the files.
#[derive(Debug)]
pub struct ManifestSource<O, R> {
    folder: PathBuf,
    kinds: Vec<Kind>,
    every: Duration,
    read: R,
    known: BTreeMap<ObjectId, O>,
}

impl<O, R> ManifestSource<O, R> {
    /// Looks at `folder` (or a file) `every` so often; 2 s is a good default. `kinds` are those that `read` gives.
    pub const fn new(folder: PathBuf, kinds: Vec<Kind>, every: Duration, read: R) -> Self {
        Self { folder, kinds, every, read, known: BTreeMap::new() }
    }

    /// The receiver has these objects already: of the first reading too only what differs is told.
    #[must_use]
    pub fn knowing(self, objects: impl IntoIterator<Item = (ObjectId, O)>) -> Self {
        Self { known: objects.into_iter().collect(), ..self }
    }
}

impl<O, R> Source for ManifestSource<O, R>
where
    O: Clone + PartialEq + Send + Sync + 'static,
    R: Fn(&Path) -> Result<Vec<(ObjectId, O)>, String> + Send + Sync + 'static,
{
    type Object = O;

    fn kinds(&self) -> Vec<Kind> {
        self.kinds.clone()
    }

    fn view(&self) -> View {
        View::Whole
    }

    fn run(mut self, out: Outlet<O>) -> impl Future<Output = Closed> + Send {
        let (every, told) = (self.every, std::mem::take(&mut self.known));
        async move {
            let mut reading = Reading { source: Arc::new(self), told, seen: None, read: None };
            loop {
                if let Err(closed) = reading.turn(&out).await {
                    return closed;
                }
                tokio::select! {
                    closed = out.closed() => return closed,
                    () = tokio::time::sleep(every) => {}
                }
            }
        }
    }
}

/// What was made of the folder so far.
struct Reading<O, R> {
    source: Arc<ManifestSource<O, R>>,
    told: BTreeMap<ObjectId, O>,
    /// How it looked in the last turn.
    seen: Option<Fingerprint>,
    /// How it looked when it was read last, with or without success.
    read: Option<Fingerprint>,
}

impl<O, R> Reading<O, R>
where
    O: Clone + PartialEq + Send + Sync + 'static,
    R: Fn(&Path) -> Result<Vec<(ObjectId, O)>, String> + Send + Sync + 'static,
{
    async fn turn(&mut self, out: &Outlet<O>) -> Result<(), Closed> {
        let now = fingerprint(&self.source.folder).await;
        if self.read == Some(now) {
            self.seen = Some(now);
            self.heard_unchanged(out);
            return Ok(());
        }
        // The first time at once; later only what has looked the same for two turns, so that whoever writes is done.
        let at_rest = self.read.is_none() || self.seen == Some(now);
        self.seen = Some(now);
        if !at_rest {
            return Ok(());
        }
        let objects = read(&self.source).await;
        if fingerprint(&self.source.folder).await != now {
            // What was read may be half of before and half of after.
            self.failed(out, "the folder changes while it is read");
            return Ok(());
        }
        self.read = Some(now);
        match objects {
            Ok(objects) => self.tell(objects, out).await,
            Err(reason) => {
                self.failed(out, &reason);
                Ok(())
            }
        }
    }

    async fn tell(&mut self, objects: Vec<(ObjectId, O)>, out: &Outlet<O>) -> Result<(), Closed> {
        let objects: BTreeMap<ObjectId, O> = objects.into_iter().collect();
        let gone: Vec<ObjectId> = self.told.keys().filter(|id| !objects.contains_key(*id)).cloned().collect();
        for id in gone {
            self.told.remove(&id);
            out.tell(Change::Deleted { id }).await?;
        }
        for (id, object) in objects {
            if self.told.get(&id) != Some(&object) {
                self.told.insert(id.clone(), object.clone());
                out.tell(Change::Applied { id, object }).await?;
            }
        }
        let now = Instant::now();
        for kind in self.source.kinds() {
            let count = self.told.keys().filter(|id| id.kind == kind).count() as u64;
            out.knowledge().note(kind, |known| {
                known.counts.lists += 1;
                known.state = State::Current;
                known.objects = count;
                known.error = None;
                known.heard = Some(now);
            });
            out.tell(Change::Complete { kind }).await?;
        }
        Ok(())
    }

    /// The folder is as it was when it was read: what is known is as old as this look, unless that reading failed.
    fn heard_unchanged(&self, out: &Outlet<O>) {
        let now = Instant::now();
        for kind in self.source.kinds() {
            out.knowledge().note(kind, |known| {
                if known.error.is_none() {
                    known.heard = Some(now);
                }
            });
        }
    }

    fn failed(&self, out: &Outlet<O>, reason: &str) {
        let text: Arc<str> = Arc::from(format!("read {}: {reason}", self.source.folder.display()));
        tracing::warn!("{text}; what was read before stays");
        for kind in self.source.kinds() {
            out.knowledge().note(kind, |known| {
                known.counts.failures += 1;
                known.error = Some(Arc::clone(&text));
                if known.state == State::Current {
                    known.state = State::Stale;
                }
            });
        }
    }
}

// Both touch the disk, so they run where blocking harms nobody. A reader that panics has read nothing.

async fn fingerprint(folder: &Path) -> Fingerprint {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || Fingerprint::of(&folder)).await.unwrap_or_default()
}

async fn read<O, R>(source: &Arc<ManifestSource<O, R>>) -> Result<Vec<(ObjectId, O)>, String>
where
    O: Send + Sync + 'static,
    R: Fn(&Path) -> Result<Vec<(ObjectId, O)>, String> + Send + Sync + 'static,
{
    let source = Arc::clone(source);
    let reading = tokio::task::spawn_blocking(move || (source.read)(&source.folder));
    reading.await.unwrap_or_else(|panic| Err(panic.to_string()))
}
