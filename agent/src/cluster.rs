//! The cluster's objects: settings in, snapshots out, a new one whenever something has changed.
//!
//! Capture never waits for it: where nothing more can be learnt, what is known stays.

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

/// The newest snapshot. It can be asked as of any time.
pub(crate) type Snapshots = watch::Receiver<Snapshot>;

/// What is known of the cluster.
pub(crate) struct Cluster {
    /// The newest snapshot.
    pub(crate) snapshots: Snapshots,
    /// How well it is known; `None` = there is no source.
    pub(crate) knowledge: Option<Knowledge>,
}

/// Changes that become one snapshot, at most.
const GROUP: usize = 256;

/// Follows the objects that `source` names. Manifests are read at once, and must be readable then; an API server may come
/// later. Without a source nothing is ever known.
pub(crate) async fn follow(source: Option<&str>, options: SnapshotOptions, clock: Arc<dyn Clock>) -> Result<Cluster> {
    let place = source.map(str::parse::<Place>).transpose().map_err(|error| Usage(format!("cluster {error}")));
    let place = place.hint("write manifests:DIR, kube or kube:KUBECONFIG")?;
    let is_folder = matches!(place, Some(Place::Manifests(_)));
    let mut history = History::new(SnapshotOptions { partial: !is_folder, ..options });
    let known = match &place {
        Some(Place::Manifests(folder)) => load(folder, &mut history)?,
        Some(Place::Kube(_)) | None => Vec::new(),
    };
    let (newest, snapshots) = watch::channel(history.latest());
    let mut knowledge = None;
    if let Some(place) = place {
        let kinds = ObjectKind::ALL.iter().filter_map(|kind| Kind::find(kind.api_version(), kind.name())).collect();
        let readers = Readers { folder: read_folder, object: read_object };
        let feed = place.follow(kinds, readers, known).await.context("following the cluster's objects")?;
        knowledge = Some(feed.knowledge.clone());
        tokio::spawn(take_in(feed, history, newest, clock));
    }
    Ok(Cluster { snapshots, knowledge })
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::sync::mpsc;
    use weir_model::Protocol;
    use weir_service::clock::ManualClock;
    use weir_watch::{Closed, Outlet, Source, open};

    use super::*;

    const NODE: &str = "{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDR: 10.1.0.0/24}}";

    fn noon() -> Timestamp {
        Timestamp::parse("2026-01-05T12:00:00Z").expect("a time")
    }

    /// A pod that was taken on at noon.
    fn pod(name: &str, ip: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}}, spec: {{nodeName: a}},
             status: {{phase: Running, podIP: {ip}, startTime: '2026-01-05T12:00:00Z'}}}}"
        )
    }

    fn write(folder: &TempDir, name: &str, text: &str) {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }

    fn who(snapshots: &Snapshots, ip: &str, at: Timestamp) -> String {
        let endpoint = snapshots.borrow().as_of(at).endpoint(ip.parse().expect("an address"), 80, Protocol::TCP);
        format!("{} {}", endpoint.kind.name(), endpoint.name.as_deref().unwrap_or("-"))
    }

    async fn follow_folder(folder: &TempDir, clock: &ManualClock) -> Result<Snapshots> {
        let place = format!("manifests:{}", folder.path().display());
        Ok(follow(Some(&place), SnapshotOptions::default(), Arc::new(clock.clone())).await?.snapshots)
    }

    #[tokio::test(start_paused = true)]
    async fn a_pod_that_comes_later_has_its_name_from_when_it_started() {
        let (folder, clock) =
            (tempfile::tempdir().expect("a folder"), ManualClock::at(noon().plus_ns(20_000_000_000).0));
        write(&folder, "node.yaml", NODE);
        write(&folder, "web.yaml", &pod("web", "10.1.0.5"));
        let mut snapshots = follow_folder(&folder, &clock).await.expect("readable");
        let after = noon().plus_ns(5_000_000_000);
        assert_eq!(who(&snapshots, "10.1.0.5", after), "pod web");
        assert_eq!(who(&snapshots, "10.1.0.6", after), "unknown -", "an address of the node's pods");
        assert_eq!(who(&snapshots, "8.8.8.8", after), "external -");
        write(&folder, "api.yaml", &pod("api", "10.1.0.6"));
        let api = "10.1.0.6".parse().expect("an address");
        snapshots.wait_for(|newest| newest.is_known(api)).await.expect("followed");
        assert_eq!(who(&snapshots, "10.1.0.6", after), "pod api");
        assert_eq!(who(&snapshots, "10.1.0.6", noon().plus_ns(-1)), "unknown -", "before it was there");
        std::fs::remove_file(folder.path().join("web.yaml")).expect("it is there");
        let web = "10.1.0.5".parse().expect("an address");
        snapshots.wait_for(|newest| !newest.is_known(web)).await.expect("followed");
        assert_eq!(who(&snapshots, "10.1.0.5", after), "pod web", "flows of its time keep its name");
    }

    #[tokio::test(start_paused = true)]
    async fn a_folder_that_becomes_unreadable_leaves_what_was_known() {
        let (folder, clock) = (tempfile::tempdir().expect("a folder"), ManualClock::at(noon().0));
        write(&folder, "web.yaml", &pod("web", "10.1.0.5"));
        let mut snapshots = follow_folder(&folder, &clock).await.expect("readable");
        write(&folder, "web.yaml", "kind: Pod");
        write(&folder, "api.yaml", &pod("api", "10.1.0.6"));
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(who(&snapshots, "10.1.0.5", noon()), "pod web");
        assert_eq!(who(&snapshots, "10.1.0.6", noon()), "external -");
        write(&folder, "web.yaml", &pod("web", "10.1.0.5"));
        let api = "10.1.0.6".parse().expect("an address");
        snapshots.wait_for(|newest| newest.is_known(api)).await.expect("followed");
    }

    #[tokio::test]
    async fn what_cannot_be_read_at_the_start_is_an_error_with_every_problem() {
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder, "a.yaml", "kind: Pod");
        write(&folder, "b.yaml", "kind: Service");
        let error = follow_folder(&folder, &ManualClock::default()).await.expect_err("two mistakes");
        let text = format!("{error:#}");
        assert!(text.contains("a.yaml") && text.contains("b.yaml"), "{text}");
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::default());
        for place in ["objects", "kube:", "kube:/nowhere/config"] {
            assert!(follow(Some(place), SnapshotOptions::default(), Arc::clone(&clock)).await.is_err(), "{place}");
        }
    }

    /// Tells what a test tells it.
    struct Fed(mpsc::Receiver<Change<Object>>);

    impl Source for Fed {
        type Object = Object;

        fn kinds(&self) -> Vec<Kind> {
            Kind::ALL.to_vec()
        }

        fn view(&self) -> View {
            View::Whole
        }

        async fn run(mut self, out: Outlet<Object>) -> Closed {
            while let Some(change) = self.0.recv().await {
                if let Err(closed) = out.tell(change).await {
                    return closed;
                }
            }
            out.closed().await
        }
    }

    #[tokio::test]
    async fn nothing_is_outside_before_every_kind_with_addresses_was_told() {
        let (tell, fed) = mpsc::channel(16);
        let (feed, running) = open(Fed(fed), 16);
        tokio::spawn(running);
        let history = History::new(SnapshotOptions { partial: true, ..SnapshotOptions::default() });
        let (newest, mut snapshots) = watch::channel(history.latest());
        tokio::spawn(take_in(feed, history, newest, Arc::new(ManualClock::at(noon().0))));
        let loaded = manifests::parse(&pod("web", "10.1.0.5"), "web.yaml").expect("a pod");
        for (id, object) in identified(&loaded) {
            tell.send(Change::Applied { id, object }).await.expect("taken in");
        }
        let complete = |kind: ObjectKind| {
            let kind = Kind::find(kind.api_version(), kind.name()).expect("a kind that is watched");
            tell.send(Change::Complete { kind })
        };
        for kind in [ObjectKind::Node, ObjectKind::Pod, ObjectKind::Service] {
            complete(kind).await.expect("taken in");
        }
        let web = "10.1.0.5".parse().expect("an address");
        snapshots.wait_for(|newest| newest.is_known(web)).await.expect("followed");
        assert_eq!(who(&snapshots, "8.8.8.8", noon()), "unknown -");
        complete(ObjectKind::EndpointSlice).await.expect("taken in");
        snapshots.wait_for(Snapshot::is_whole).await.expect("followed");
        assert_eq!(who(&snapshots, "8.8.8.8", noon()), "external -");
    }
}
