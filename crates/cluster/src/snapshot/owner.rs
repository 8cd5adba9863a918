//! The workload behind a pod: its chain of owners, followed to the top.

use std::sync::Arc;

use crate::objects::{ObjectKey, ObjectKind, Objects, OwnerReference, Pod};

/// Owners in a chain at most; real chains have two. A longer one is taken for a circle.
const MAX_CHAIN: usize = 8;

/// Kind and name of the workload that a pod belongs to.
///
/// Up the chain of controllers as far as objects are known; an owner that is not known still counts by kind and name. A
/// `ReplicaSet` that is not known belongs to the Deployment that its name tells, where the pod's `pod-template-hash` label
/// shows that a Deployment made it. A pod without owner, and one that its kubelet made from a file, is its own workload.
/// Where owners form a circle the pod's direct owner is the answer.
pub(super) fn workload(objects: &Objects, pod: &Pod) -> (Arc<str>, Arc<str>) {
    let direct = match pod.metadata.controller() {
        Some(owner) if &*owner.kind != "Node" => owner,
        _ => return (Arc::from("Pod"), Arc::clone(&pod.metadata.name)),
    };
    let mut owner = direct;
    for _ in 0..MAX_CHAIN {
        let Some(kind) = kept(&owner.kind) else { return named(owner) };
        let key = ObjectKey { kind, namespace: Arc::clone(&pod.metadata.namespace), name: Arc::clone(&owner.name) };
        match objects.get(&key).map(|object| object.metadata().controller()) {
            Some(Some(next)) => owner = next,
            Some(None) => return named(owner),
            None => return deployment(pod, owner).unwrap_or_else(|| named(owner)),
        }
    }
    named(direct)
}

fn kept(kind: &str) -> Option<ObjectKind> {
    use ObjectKind::{CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet};
    [ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob].into_iter().find(|kept| kept.name() == kind)
}

fn named(owner: &OwnerReference) -> (Arc<str>, Arc<str>) {
    (Arc::clone(&owner.kind), Arc::clone(&owner.name))
}

/// The Deployment of a `ReplicaSet` that is not known: a `ReplicaSet` is called after its Deployment and template hash.
fn deployment(pod: &Pod, owner: &OwnerReference) -> Option<(Arc<str>, Arc<str>)> {
    let hash = pod.metadata.labels.get("pod-template-hash").filter(|_| &*owner.kind == "ReplicaSet")?;
    let name = owner.name.strip_suffix(&**hash)?.strip_suffix('-').filter(|name| !name.is_empty())?;
    Some((Arc::from("Deployment"), Arc::from(name)))
}
