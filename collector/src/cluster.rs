//! The cluster's objects: settings in, snapshots and what is compiled of the objects out, new ones whenever something has
//! changed; and everything that is seen, for the recorder.
//!
//! Joining never waits for it: where nothing more can be learnt, what is known stays.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tokio::sync::{mpsc, watch};
use tracing::info;
use weir_cluster::gateways::GatewayOptions;
use weir_cluster::objects::{Object, ObjectKey, ObjectKind};
use weir_cluster::{History, Snapshot, SnapshotOptions, manifests};
use weir_model::Timestamp;
use weir_service::clock::Clock;
use weir_service::exit::{HintExt as _, Usage};
use weir_watch::{Change, Feed, Found, Kind, Knowledge, ObjectId, Place, Readers, View};

use crate::compiled::{Compiled, Desk, ObjectNews, ObjectSender, compile};

/// What is known of the cluster.
pub(crate) struct Cluster {
    /// The newest snapshot.
    pub(crate) snapshots: watch::Receiver<Snapshot>,
    /// What is compiled of its objects.
    pub(crate) compiled: watch::Receiver<Compiled>,
    /// Where it comes from and how well it is known; `None` = there is no source.
    pub(crate) source: Option<(Place, Knowledge)>,
}

/// Something that was seen of an object.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// When, by this program's clock.
    pub(crate) at: Timestamp,
    /// From when on it counts; `None` = it has always been so.
    pub(crate) since: Option<Timestamp>,
    /// What.
    pub(crate) news: ObjectNews,
}

/// Where what is seen goes, in order. While there is no room, the source waits.
pub(crate) type SeenSender = mpsc::Sender<Vec<Seen>>;

/// Changes that become one snapshot, at most.
const GROUP: usize = 256;

impl Cluster {
    /// Follows the objects that `source` names. Manifests are read at once, and must be readable then; an API server may
    /// come later. Without a source nothing is ever known.
    pub(crate) async fn follow(
        source: Option<&str>,
        gateways: GatewayOptions,
        clock: Arc<dyn Clock>,
        recorder: SeenSender,
    ) -> Result<Self> {
        let place = source.map(str::parse::<Place>).transpose().map_err(|error| Usage(format!("cluster {error}")));
        let place = place.hint("write manifests:DIR, kube or kube:KUBECONFIG")?;
        let is_folder = matches!(place, Some(Place::Manifests(_)));
        let mut history = History::new(SnapshotOptions { partial: !is_folder, ..SnapshotOptions::default() });
        let (known, desk) = match &place {
            Some(Place::Manifests(folder)) => load(folder, gateways, &mut history)?,
            Some(Place::Kube(_)) | None => (Vec::new(), Desk::waiting(gateways)),
        };
        let (newest, snapshots) = watch::channel(history.latest());
        let (changes, compiled) = compile(desk);
        let Some(place) = place else { return Ok(Self { snapshots, compiled, source: None }) };
        let kinds = ObjectKind::ALL.iter().filter_map(|kind| watched(*kind)).collect();
        let readers = Readers { folder: read_folder, object: read_object };
        let (at, since) = (now(&*clock), None);
        let news = |(_, object): &(ObjectId, Object)| ObjectNews::Applied(Arc::new(object.clone()));
        let first: Vec<Seen> = known.iter().map(|known| Seen { at, since, news: news(known) }).collect();
        let feed = place.clone().follow(kinds, readers, known).await.context("following the cluster's objects")?;
        let knowledge = feed.knowledge.clone();
        let taker = Taker { history, newest, changes, recorder, clock };
        tokio::spawn(taker.take_in(feed, first));
        Ok(Self { snapshots, compiled, source: Some((place, knowledge)) })
    }
}

/// What a folder says at the start has always been so.
fn load(folder: &Path, gateways: GatewayOptions, history: &mut History) -> Result<(Vec<(ObjectId, Object)>, Desk)> {
    let loaded =
        manifests::load(folder).with_context(|| format!("reading the cluster's objects from {}", folder.display()))?;
    for note in &loaded.notes {
        info!("{note}");
    }
    for (_, object) in loaded.objects.iter() {
        history.apply(object, Timestamp(i64::MIN));
    }
    info!(objects = loaded.objects.len(), "cluster known");
    Ok((identified(&loaded), Desk::of_folder(&loaded.objects, gateways)))
}

/// Takes changes in.
struct Taker {
    history: History,
    newest: watch::Sender<Snapshot>,
    changes: ObjectSender,
    recorder: SeenSender,
    clock: Arc<dyn Clock>,
}

impl Taker {
    /// `first` is what the history has already.
    async fn take_in(mut self, mut feed: Feed<Object>, first: Vec<Seen>) {
        // Who compiles and who records end only with the collector.
        let _ = self.recorder.send(first).await;
        let mut changes = Vec::with_capacity(GROUP);
        while feed.changes.recv_many(&mut changes, GROUP).await > 0 {
            let at = now(&*self.clock);
            let mut seen = Vec::with_capacity(changes.len());
            for change in changes.drain(..) {
                let Some(news) = self.take(change, feed.view, at) else { continue };
                seen.push(Seen { at, since: Some(at), news: news.clone() });
                let _ = self.changes.send((at, news)).await;
            }
            if self.newest.send(self.history.latest()).is_err() {
                return;
            }
            let _ = self.recorder.send(seen).await;
        }
    }

    /// Takes one change into the history; what is left of it is for what is compiled.
    fn take(&mut self, change: Change<Object>, view: View, seen: Timestamp) -> Option<ObjectNews> {
        match change {
            Change::Applied { object, .. } => {
                self.history.apply(&object, seen);
                Some(ObjectNews::Applied(Arc::new(object)))
            }
            Change::Deleted { id } => {
                let (api_version, kind) = (id.kind.api_version(), id.kind.name());
                let key = ObjectKey::find(api_version, kind, &id.namespace, &id.name)?;
                self.history.remove(&key, seen);
                Some(ObjectNews::Removed(key))
            }
            Change::Complete { kind } if view == View::Whole => {
                let kind = ObjectKind::find(kind.api_version(), kind.name())?;
                self.history.complete(kind);
                Some(ObjectNews::Complete(kind))
            }
            Change::Complete { .. } => None,
        }
    }
}

/// In whole microseconds, as the lake keeps times: who reads them there knows the same.
fn now(clock: &dyn Clock) -> Timestamp {
    Timestamp::from_micros(Timestamp(clock.now_ns()).as_micros())
}

fn read_folder(folder: &Path) -> Found<Object> {
    manifests::load(folder).map(|loaded| identified(&loaded)).map_err(|error| error.to_string())
}

/// The kind as the API server is asked for it: of the versions that are read alike the one that is watched.
fn watched(kind: ObjectKind) -> Option<Kind> {
    kind.api_versions().iter().find_map(|api_version| Kind::find(api_version, kind.name()))
}

fn read_object(kind: Kind, json: &str) -> Result<Object, String> {
    let kind = ObjectKind::find(kind.api_version(), kind.name()).ok_or("not a kind that is kept")?;
    kind.read_json(json).map_err(|error| error.to_string())
}

fn identified(loaded: &manifests::Loaded) -> Vec<(ObjectId, Object)> {
    let identified = |(key, object): (&ObjectKey, &Object)| {
        let kind = watched(key.kind)?;
        let id = ObjectId { kind, namespace: Arc::clone(&key.namespace), name: Arc::clone(&key.name) };
        Some((id, object.clone()))
    };
    loaded.objects.iter().filter_map(identified).collect()
}
