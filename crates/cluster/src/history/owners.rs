//! The workload behind a pod: its chain of owners, followed to the top, whichever of them is known first.

use std::collections::BTreeSet;
use std::sync::Arc;

use weir_model::PodRef;

use super::History;
use crate::objects::{ObjectKey, ObjectKind, OwnerReference};
use crate::snapshot::HashMap;

/// Owners in a chain at most; real chains have two. A longer one is taken for a circle.
const MAX_CHAIN: usize = 8;

const OWNERS: [ObjectKind; 6] = {
    use ObjectKind::{CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet};
    [ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob]
};

pub(super) const fn is_owner(kind: ObjectKind) -> bool {
    use ObjectKind::{CronJob, DaemonSet, Deployment, Job, ReplicaSet, StatefulSet};
    matches!(kind, ReplicaSet | Deployment | StatefulSet | DaemonSet | Job | CronJob)
}

/// An owner by kind and name, in the namespace of what it owns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) kind: Arc<str>,
    pub(super) name: Arc<str>,
}

/// What a pod says of its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Owned {
    pub(super) by: Option<Owner>,
    /// `pod-template-hash`.
    pub(super) template_hash: Option<Arc<str>>,
}

#[derive(Debug, Default)]
pub(super) struct Owners {
    /// The controllers of the owners that are known.
    controllers: HashMap<ObjectKey, Option<Owner>>,
    /// What each owner owns in its namespace, pods and owners, whether it is known itself or not.
    owned: HashMap<ObjectKey, BTreeSet<(ObjectKind, Arc<str>)>>,
}

impl Owners {
    fn key(namespace: &Arc<str>, owner: &Owner) -> Option<ObjectKey> {
        let kind = OWNERS.into_iter().find(|kind| kind.name() == &*owner.kind)?;
        Some(ObjectKey { kind, namespace: Arc::clone(namespace), name: Arc::clone(&owner.name) })
    }

    /// Something has an owner.
    pub(super) fn adopt(&mut self, owned: &ObjectKey, owner: Option<&Owner>) {
        if let Some(key) = owner.and_then(|owner| Self::key(&owned.namespace, owner)) {
            self.owned.entry(key).or_default().insert((owned.kind, Arc::clone(&owned.name)));
        }
    }

    /// Something no longer has that owner.
    pub(super) fn release(&mut self, owned: &ObjectKey, owner: Option<&Owner>) {
        let Some(key) = owner.and_then(|owner| Self::key(&owned.namespace, owner)) else { return };
        if let Some(all) = self.owned.get_mut(&key) {
            all.remove(&(owned.kind, Arc::clone(&owned.name)));
            if all.is_empty() {
                self.owned.remove(&key);
            }
        }
    }

    /// Kind and name of the workload that a pod belongs to.
    ///
    /// Up the chain of controllers as far as objects are known; an owner that is not known still counts by kind and
    /// name. A `ReplicaSet` that is not known belongs to the Deployment that its name tells, where the pod's
    /// `pod-template-hash` label shows that a Deployment made it. A pod without owner, and one that its kubelet made from
    /// a file, is its own workload. Where owners form a circle the pod's direct owner is the answer.
    pub(super) fn workload(&self, pod: &PodRef, owned: &Owned) -> Owner {
        let direct = match &owned.by {
            Some(owner) if &*owner.kind != "Node" => owner,
            _ => return Owner { kind: Arc::from("Pod"), name: Arc::clone(&pod.name) },
        };
        let mut owner = direct;
        for _ in 0..MAX_CHAIN {
            let Some(key) = Self::key(&pod.namespace, owner) else { return owner.clone() };
            match self.controllers.get(&key) {
                Some(Some(next)) => owner = next,
                Some(None) => return owner.clone(),
                None => return deployment(owner, owned).unwrap_or_else(|| owner.clone()),
            }
        }
        direct.clone()
    }

    /// The pods below an owner.
    fn pods_below(&self, key: &ObjectKey) -> BTreeSet<ObjectKey> {
        let (mut pods, mut level) = (BTreeSet::new(), vec![key.clone()]);
        for _ in 0..=MAX_CHAIN {
            let next = level.iter().filter_map(|key| self.owned.get(key)).flatten().map(|(kind, name)| ObjectKey {
                kind: *kind,
                namespace: Arc::clone(&key.namespace),
                name: Arc::clone(name),
            });
            let (of_level, owners): (Vec<_>, Vec<_>) = next.partition(|key| key.kind == ObjectKind::Pod);
            pods.extend(of_level);
            level = owners;
        }
        pods
    }
}

/// The Deployment of a `ReplicaSet` that is not known: a `ReplicaSet` is called after its Deployment and template hash.
fn deployment(owner: &Owner, owned: &Owned) -> Option<Owner> {
    let hash = owned.template_hash.as_ref().filter(|_| &*owner.kind == "ReplicaSet")?;
    let name = owner.name.strip_suffix(&**hash)?.strip_suffix('-').filter(|name| !name.is_empty())?;
    Some(Owner { kind: Arc::from("Deployment"), name: Arc::from(name) })
}

impl History {
    pub(super) fn owner(&mut self, reference: &OwnerReference) -> Owner {
        Owner { kind: self.names.name(&reference.kind), name: self.names.name(&reference.name) }
    }

    /// An owner is known, or has another one above it.
    pub(super) fn put_owner(&mut self, key: &ObjectKey, above: Option<&OwnerReference>) {
        let above = above.map(|reference| self.owner(reference));
        let before = self.owners.controllers.insert(key.clone(), above.clone());
        if before.as_ref() == Some(&above) {
            return;
        }
        self.owners.release(key, before.flatten().as_ref());
        self.owners.adopt(key, above.as_ref());
        self.name_workloads_below(key);
    }

    /// An owner is gone. Its pods keep the workload they were told: most go with it.
    pub(super) fn remove_owner(&mut self, key: &ObjectKey) {
        let above = self.owners.controllers.remove(key).flatten();
        self.owners.release(key, above.as_ref());
    }

    fn name_workloads_below(&mut self, key: &ObjectKey) {
        for pod in self.owners.pods_below(key) {
            self.amend_pod(&PodRef { namespace: pod.namespace, name: pod.name });
        }
    }
}
