//! The cluster's objects: settings in, snapshots out, a new one whenever something has changed.
//!
//! Joining never waits for it: where nothing more can be learnt, what is known stays.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tracing::info;
use weir_cluster::objects::{Object, ObjectKey, ObjectKind};
use weir_cluster::{History, Snapshot, SnapshotOptions, manifests};
use weir_model::Timestamp;
use weir_service::clock::Clock;
use weir_service::exit::{HintExt as _, Usage};
use weir_watch::{Change, Feed, Found, Kind, Knowledge, ObjectId, Place, Readers, View};

/// What is known of the cluster.
pub(crate) struct Cluster {
    /// The newest snapshot.
    pub(crate) snapshots: watch::Receiver<Snapshot>,
    /// Where it comes from and how well it is known; `None` = there is no source.
    pub(crate) source: Option<(Place, Knowledge)>,
}

/// Changes that become one snapshot, at most.
const GROUP: usize = 256;

impl Cluster {
    /// Follows the objects that `source` names. Manifests are read at once, and must be readable then; an API server may
    /// come later. Without a source nothing is ever known.
    pub(crate) async fn follow(source: Option<&str>, clock: Arc<dyn Clock>) -> Result<Self> {
        let place = source.map(str::parse::<Place>).transpose().map_err(|error| Usage(format!("cluster {error}")));
        let place = place.hint("write manifests:DIR, kube or kube:KUBECONFIG")?;
        let is_folder = matches!(place, Some(Place::Manifests(_)));
        let mut history = History::new(SnapshotOptions { partial: !is_folder, ..SnapshotOptions::default() });
        let known = match &place {
            Some(Place::Manifests(folder)) => load(folder, &mut history)?,
            Some(Place::Kube(_)) | None => Vec::new(),
        };
        let (newest, snapshots) = watch::channel(history.latest());
        let Some(place) = place else { return Ok(Self { snapshots, source: None }) };
        let kinds = ObjectKind::ALL.iter().filter_map(|kind| Kind::find(kind.api_version(), kind.name())).collect();
        let readers = Readers { folder: read_folder, object: read_object };
        let feed = place.clone().follow(kinds, readers, known).await.context("following the cluster's objects")?;
        let knowledge = feed.knowledge.clone();
        tokio::spawn(take_in(feed, history, newest, clock));
        Ok(Self { snapshots, source: Some((place, knowledge)) })
    }
}

/// What a folder says at the start has always been so.
fn load(folder: &Path, history: &mut History) -> Result<Vec<(ObjectId, Object)>> {
    let loaded =
        manifests::load(folder).with_context(|| format!("reading the cluster's objects from {}", folder.display()))?;
    for note in &loaded.notes {
        info!("{note}");
    }
    for (_, object) in loaded.objects.iter() {
        history.apply(object, Timestamp(i64::MIN));
    }
    info!(objects = loaded.objects.len(), "cluster known");
    Ok(identified(&loaded))
}

async fn take_in(mut feed: Feed<Object>, mut history: History, newest: watch::Sender<Snapshot>, clock: Arc<dyn Clock>) {
    let mut changes = Vec::with_capacity(GROUP);
    while feed.changes.recv_many(&mut changes, GROUP).await > 0 {
        let seen = Timestamp(clock.now_ns());
        for change in changes.drain(..) {
            match change {
                Change::Applied { object, .. } => history.apply(&object, seen),
                Change::Deleted { id } => {
                    let (api_version, kind) = (id.kind.api_version(), id.kind.name());
                    if let Some(key) = ObjectKey::find(api_version, kind, &id.namespace, &id.name) {
                        history.remove(&key, seen);
                    }
                }
                Change::Complete { kind } if feed.view == View::Whole => {
                    if let Some(kind) = ObjectKind::find(kind.api_version(), kind.name()) {
                        history.complete(kind);
                    }
                }
                Change::Complete { .. } => {}
            }
        }
        if newest.send(history.latest()).is_err() {
            return;
        }
    }
}

fn read_folder(folder: &Path) -> Found<Object> {
    manifests::load(folder).map(|loaded| identified(&loaded)).map_err(|error| error.to_string())
}

fn read_object(kind: Kind, json: &str) -> Result<Object, String> {
    let kind = ObjectKind::find(kind.api_version(), kind.name()).ok_or("not a kind that is kept")?;
    kind.read_json(json).map_err(|error| error.to_string())
}

fn identified(loaded: &manifests::Loaded) -> Vec<(ObjectId, Object)> {
    let identified = |(key, object): (&ObjectKey, &Object)| {
        let kind = Kind::find(key.kind.api_version(), key.kind.name())?;
        let id = ObjectId { kind, namespace: Arc::clone(&key.namespace), name: Arc::clone(&key.name) };
        Some((id, object.clone()))
    };
    loaded.objects.iter().filter_map(identified).collect()
}
