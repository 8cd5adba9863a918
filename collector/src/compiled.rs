//! What is compiled of the cluster's objects, for every time that is remembered: changes in, a new version out when they
//! have come to rest.
//!
//! Compiling takes up to a third of a second in a large cluster, so it has a blocking thread of its own: neither the task that
//! takes changes in nor settling waits for it. The objects are kept here, those that something is compiled of.

mod routes;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};
use weir_cluster::Timeline;
use weir_cluster::gateways::GatewayOptions;
use weir_cluster::objects::{Object, ObjectKey, ObjectKind, Objects, Pod};
use weir_cluster::policy::{PolicyOptions, PolicySet};
use weir_cluster::routing::Routing;
use weir_model::Timestamp;

use routes::{StaleRoutes, is_routed};

/// Everything that is compiled. What else is to be judged as of a flow's start gets a timeline beside these, a field of
/// [`Desk`] that says whether it is out of date, and a line in [`Desk::compile`].
#[derive(Clone, Debug)]
pub(crate) struct Compiled {
    /// What the policies say.
    pub(crate) policies: Timeline<PolicySet>,
    /// Which rules gateways follow.
    pub(crate) routes: Timeline<Routing>,
}

impl Default for Compiled {
    fn default() -> Self {
        Self { policies: Timeline::new(VERSIONS), routes: Timeline::new(VERSIONS) }
    }
}

/// A change of one object, or that all of a kind are known, with the time it was seen.
#[derive(Clone, Debug)]
pub(crate) enum ObjectNews {
    Applied(Arc<Object>),
    Removed(ObjectKey),
    Complete(ObjectKind),
}

/// Versions that are remembered. Each shares what it has in common with the one before, where only policies changed.
const VERSIONS: usize = 64;

/// Changes that wait to be compiled; then who takes them in waits, and the source with it.
const QUEUE: usize = 1_024;

/// How long changes are collected at least. In a cluster that changes all the time it is as long as the last compiling
/// took, so that this never takes more than half a core.
const REST: Duration = Duration::from_millis(200);

/// How long changes are collected where only pods and nodes come and go, so that the versions reach back some minutes.
const REST_OF_PODS: Duration = Duration::from_secs(2);

/// The kinds without which nothing can be said.
const NEEDED: [ObjectKind; 3] = [ObjectKind::Pod, ObjectKind::Node, ObjectKind::Namespace];

/// Where changes go.
pub(crate) type ObjectSender = mpsc::Sender<(Timestamp, ObjectNews)>;

/// The objects, and what is not compiled of them yet.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    objects: Objects,
    compiled: Compiled,
    /// Kinds that have not been told in full. Until it is empty nothing is compiled.
    awaited: BTreeSet<ObjectKind>,
    stale: Stale,
    stale_routes: StaleRoutes,
    gateways: GatewayOptions,
}

/// How far the newest version is out of date.
#[derive(Debug, Default)]
struct Stale {
    /// The first change that is not in it.
    since: Option<Timestamp>,
    policies: Vec<ObjectKey>,
    /// Something else changed.
    others: bool,
    /// Something else than that pods came, or came to have addresses.
    is_other: bool,
}

impl Desk {
    /// Objects that are known in full and have always been so.
    pub(crate) fn of_folder(objects: &Objects, gateways: GatewayOptions) -> Self {
        let mut desk = Self { gateways, ..Self::default() };
        for (key, object) in objects.iter().filter(|(key, _)| is_compiled(key.kind)) {
            desk.put(key, object.clone(), Timestamp(i64::MIN));
        }
        desk.note(Timestamp(i64::MIN), true);
        desk.compile();
        desk
    }

    /// Nothing is known yet.
    pub(crate) fn waiting(gateways: GatewayOptions) -> Self {
        let policies = ObjectKind::ALL.iter().copied().filter(|kind| kind.is_policy());
        let stale_routes = StaleRoutes::waiting();
        Self { awaited: policies.chain(NEEDED).collect(), stale_routes, gateways, ..Self::default() }
    }

    /// What is compiled by now.
    pub(crate) fn compiled(&self) -> Compiled {
        self.compiled.clone()
    }

    fn take(&mut self, seen: Timestamp, news: ObjectNews) {
        match news {
            ObjectNews::Applied(object) => {
                let key = object.key();
                if is_compiled(key.kind) {
                    self.put(&key, Arc::unwrap_or_clone(object), seen);
                }
            }
            ObjectNews::Removed(key) => {
                if self.objects.remove(&key).is_some() {
                    self.changed(&key, seen, true);
                    self.stale_routes.changed(&key, seen);
                }
            }
            ObjectNews::Complete(kind) => {
                if self.awaited.remove(&kind) && self.awaited.is_empty() {
                    self.note(seen, true);
                }
                self.stale_routes.complete(kind, seen);
            }
        }
    }

    fn put(&mut self, key: &ObjectKey, object: Object, seen: Timestamp) {
        let before = self.objects.insert(object);
        let Some(now) = self.objects.get(key) else { return };
        self.stale_routes.put(key, before.as_ref(), now, seen);
        let (says_other, is_new) = match (&before, now) {
            (None, Object::Pod(_)) => (true, true),
            (Some(Object::Pod(before)), Object::Pod(now)) => {
                (pod_facts(before) != pod_facts(now), before.ips().next().is_none())
            }
            (Some(Object::Node(before)), Object::Node(now)) => {
                let facts = |node: &weir_cluster::objects::Node| {
                    (node.metadata.labels.clone(), node.ips().collect::<Vec<_>>(), node.pod_cidrs().collect::<Vec<_>>())
                };
                (facts(before) != facts(now), false)
            }
            (Some(Object::Namespace(before)), Object::Namespace(now)) => {
                (before.metadata.labels != now.metadata.labels, false)
            }
            _ => (true, false),
        };
        if says_other {
            self.changed(key, seen, !is_new);
        }
    }

    fn changed(&mut self, key: &ObjectKey, seen: Timestamp, is_other: bool) {
        if key.kind.is_policy() {
            self.stale.policies.push(key.clone());
            self.stale.is_other = true;
            self.stale.since.get_or_insert(seen);
        } else if NEEDED.contains(&key.kind) {
            self.note(seen, is_other);
        }
    }

    fn note(&mut self, seen: Timestamp, is_other: bool) {
        self.stale.others = true;
        self.stale.is_other |= is_other;
        self.stale.since.get_or_insert(seen);
    }

    /// How long to wait for more changes before compiling; `None` = there is nothing to compile.
    fn rest(&self) -> Option<Duration> {
        let of_policies = self.stale.since.filter(|_| self.awaited.is_empty()).map(|_| {
            let is_urgent = !self.stale.policies.is_empty() || self.compiled.policies.newest().is_none();
            if is_urgent { REST } else { REST_OF_PODS }
        });
        of_policies.into_iter().chain(self.stale_routes.rest()).min()
    }

    fn compile(&mut self) {
        self.stale_routes.compile(&self.objects, &self.gateways, &mut self.compiled.routes);
        if self.awaited.is_empty() {
            self.compile_policies();
        }
    }

    fn compile_policies(&mut self) {
        let stale = std::mem::take(&mut self.stale);
        let Some(since) = stale.since else { return };
        let newest = self.compiled.policies.newest();
        let set = match newest {
            Some(newest) if !stale.others => newest.with_changed(&self.objects, &stale.policies),
            _ => PolicySet::build(&self.objects, PolicyOptions::default()),
        };
        if stale.is_other {
            self.compiled.policies.push(since, set);
        } else {
            self.compiled.policies.amend(since, set);
        }
    }
}

fn is_compiled(kind: ObjectKind) -> bool {
    kind.is_policy() || NEEDED.contains(&kind) || is_routed(kind)
}

/// What policies ask of a pod.
fn pod_facts(pod: &Pod) -> impl PartialEq {
    (
        pod.metadata.labels.clone(),
        pod.spec.node_name.clone(),
        pod.spec.host_network,
        pod.ips().collect::<Vec<_>>(),
        pod.ports().cloned().collect::<Vec<_>>(),
        pod.is_over(),
    )
}

/// Compiles changes as they come, until nobody sends any or nobody looks.
pub(crate) fn compile(desk: Desk) -> (ObjectSender, watch::Receiver<Compiled>) {
    let (newest, compiled) = watch::channel(desk.compiled());
    let (changes, queue) = mpsc::channel(QUEUE);
    tokio::spawn(follow(desk, queue, newest));
    (changes, compiled)
}

async fn follow(mut desk: Desk, mut changes: mpsc::Receiver<(Timestamp, ObjectNews)>, newest: watch::Sender<Compiled>) {
    let mut took = Duration::ZERO;
    while let Some((seen, news)) = changes.recv().await {
        desk.take(seen, news);
        let begun = Instant::now();
        while let Some(rest) = desk.rest() {
            match timeout_at(begun + rest.max(took), changes.recv()).await {
                Ok(Some((seen, news))) => desk.take(seen, news),
                Ok(None) | Err(_) => break,
            }
        }
        if desk.rest().is_none() {
            continue;
        }
        let started = Instant::now();
        let compiling = tokio::task::spawn_blocking(move || {
            desk.compile();
            desk
        });
        desk = match compiling.await {
            Ok(desk) => desk,
            Err(error) => {
                warn!("policies and routes are not compiled any more: {error}");
                return;
            }
        };
        took = started.elapsed();
        debug!(took_ms = took.as_millis(), "policies and routes compiled");
        if newest.send(desk.compiled()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_cluster::manifests;

    use super::*;

    fn news(text: &str) -> Vec<ObjectNews> {
        let loaded = manifests::parse(text, "objects.yaml").expect("objects");
        loaded.objects.iter().map(|(_, object)| ObjectNews::Applied(Arc::new(object.clone()))).collect()
    }

    const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, \
         spec: {nodeName: a}, status: {podIP: 10.0.1.1}}";
    const POLICY: &str = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: db, namespace: shop}, \
         spec: {podSelector: {}, policyTypes: [Ingress]}}";

    fn versions(compiled: &Compiled) -> Vec<i64> {
        compiled.policies.since(Timestamp(i64::MAX)).map(|(from, _)| from.0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_said_before_every_kind_was_told() {
        let (changes, mut compiled) = compile(Desk::waiting(GatewayOptions::default()));
        for news in news(&format!("{POD}\n---\n{POLICY}")) {
            changes.send((Timestamp(10), news)).await.expect("taken");
        }
        let kinds = ObjectKind::ALL.iter().copied().filter(|kind| kind.is_policy() || NEEDED.contains(kind));
        for kind in kinds {
            assert!(compiled.borrow().policies.newest().is_none());
            changes.send((Timestamp(20), ObjectNews::Complete(kind))).await.expect("taken");
        }
        compiled.changed().await.expect("compiled");
        assert!(compiled.borrow().policies.at(Timestamp(9)).is_none());
        assert_eq!(versions(&compiled.borrow()), [10]);
        assert!(compiled.borrow().routes.newest().is_none(), "Services were not told");
        for kind in ObjectKind::ALL.iter().copied().filter(|kind| is_compiled(*kind)) {
            changes.send((Timestamp(30), ObjectNews::Complete(kind))).await.expect("taken");
        }
        compiled.changed().await.expect("compiled");
        assert!(compiled.borrow().routes.newest().is_some());
        assert_eq!(versions(&compiled.borrow()), [10]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_policy_counts_from_when_it_was_seen_and_a_new_pod_always_did() {
        let objects = manifests::parse(POD, "objects.yaml").expect("objects").objects;
        let (changes, mut compiled) = compile(Desk::of_folder(&objects, GatewayOptions::default()));
        for policy in news(POLICY) {
            changes.send((Timestamp(50), policy)).await.expect("taken");
        }
        compiled.changed().await.expect("compiled");
        assert_eq!(
            compiled.borrow_and_update().policies.at(Timestamp(49)).map(|(from, _)| from),
            Some(Timestamp(i64::MIN))
        );
        assert_eq!(versions(&compiled.borrow()), [50]);
        for pod in news(&POD.replace("name: db,", "name: web,")) {
            changes.send((Timestamp(60), pod)).await.expect("taken");
        }
        compiled.changed().await.expect("compiled");
        let now = compiled.borrow_and_update().clone();
        assert_eq!(versions(&now), [50]);
        assert!(now.policies.newest().is_some_and(|set| set.pod("shop", "web").is_some()));
        changes
            .send((
                Timestamp(70),
                ObjectNews::Removed(ObjectKey::find("v1", "Pod", &"shop".into(), &"web".into()).expect("a kind")),
            ))
            .await
            .expect("taken");
        compiled.changed().await.expect("compiled");
        assert_eq!(versions(&compiled.borrow()), [70]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_policies_do_not_ask_for_compiles_nothing() {
        let objects = manifests::parse(POD, "objects.yaml").expect("objects").objects;
        let (changes, compiled) = compile(Desk::of_folder(&objects, GatewayOptions::default()));
        for pod in
            news(&POD.replace("podIP: 10.0.1.1", "podIP: 10.0.1.1, phase: Running, startTime: '2026-01-05T08:00:00Z'"))
        {
            changes.send((Timestamp(60), pod)).await.expect("taken");
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert!(!compiled.has_changed().expect("alive"));
    }
}
