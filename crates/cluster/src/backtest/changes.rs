//! The objects that verdicts depend on as they came and went, cut into epochs.
//!
//! A pod that comes or goes begins no epoch: an epoch's objects have every pod that was there in it, and conversations call
//! pods by name. So there are as many epochs as policies, labels, nodes and hosts of pods changed.

use std::collections::HashMap;

use weir_model::Timestamp;

use crate::objects::{Object, ObjectKey, ObjectKind, Objects, Pod};

/// Changes closer to each other than this are one epoch, in nanoseconds: no CNI is faster for sure.
const TOGETHER_NS: i64 = 1_000_000_000;

/// How long after a packet of it a pod may become known, in nanoseconds.
const LATE_NS: i64 = 60_000_000_000;

/// The objects that policies look at, as they came and went. Feed it in the order of time.
#[derive(Debug, Default)]
pub struct Changes {
    list: Vec<(Timestamp, Change)>,
    /// The place in the list of what each object is now.
    now: HashMap<ObjectKey, usize>,
    first: Option<Timestamp>,
}

#[derive(Debug)]
enum Change {
    /// It is there, or is now like this; and whether that begins an epoch.
    Applied(Box<Object>, bool),
    Removed(ObjectKey),
}

impl Changes {
    /// An object is there, or is now like this.
    pub fn apply(&mut self, object: Object, since: Timestamp) {
        let key = object.key();
        if !is_looked_at(key.kind) {
            return;
        }
        self.first.get_or_insert(since);
        let before = self.now.get(&key).and_then(|at| self.list.get(*at)).map(|(_, change)| change);
        let breaks = match before {
            Some(Change::Applied(before, _)) => match difference(before, &object) {
                Difference::None => return,
                Difference::Learned => false,
                Difference::Real => true,
            },
            _ => key.kind.is_policy(),
        };
        self.now.insert(key, self.list.len());
        self.list.push((since, Change::Applied(Box::new(object), breaks)));
    }

    /// An object is gone.
    pub fn remove(&mut self, key: ObjectKey, since: Timestamp) {
        if is_looked_at(key.kind) && self.now.contains_key(&key) {
            self.list.push((since, Change::Removed(key)));
        }
    }

    /// Since when anything is known; `None` = nothing is.
    pub const fn known_since(&self) -> Option<Timestamp> {
        self.first
    }

    /// Every policy that there was at any time.
    pub fn policies(&self) -> impl Iterator<Item = &ObjectKey> {
        self.now.keys().filter(|key| key.kind.is_policy())
    }

    /// Cuts the time between `since` and `until` into epochs.
    pub fn epochs(&self, since: Timestamp, until: Timestamp) -> Epochs<'_> {
        let mut starts = vec![since];
        let mut last = since;
        for (at, change) in self.list.iter().filter(|(at, _)| *at > since && *at < until) {
            let breaks = match change {
                Change::Applied(_, breaks) => *breaks,
                Change::Removed(key) => key.kind.is_policy(),
            };
            // Before the first objects nothing is known, which is an epoch of its own.
            let begins = breaks || self.first == Some(*at);
            if begins && at.since(last) >= TOGETHER_NS {
                starts.push(*at);
                last = *at;
            }
        }
        Epochs { list: &self.list, starts, next: 0, at: 0, objects: Objects::default(), gone: Vec::new() }
    }
}

/// The epochs of a time, one after the other.
#[derive(Debug)]
pub struct Epochs<'a> {
    list: &'a [(Timestamp, Change)],
    starts: Vec<Timestamp>,
    /// The epoch that comes next, and the first change that is not in `objects`.
    next: usize,
    at: usize,
    objects: Objects,
    /// Objects that ended in the epoch before.
    gone: Vec<ObjectKey>,
}

impl Epochs<'_> {
    /// When each epoch begins; the first one is what was before the second, too. Never empty.
    pub fn starts(&self) -> &[Timestamp] {
        &self.starts
    }

    /// Goes on to the next epoch; its objects. `None` after the last one.
    pub fn advance(&mut self) -> Option<&mut Objects> {
        self.starts.get(self.next)?;
        for key in self.gone.drain(..) {
            self.objects.remove(&key);
        }
        let end = self.starts.get(self.next + 1).copied();
        while let Some((_, change)) = self.list.get(self.at).filter(|(at, _)| end.is_none_or(|end| *at < end)) {
            match change {
                Change::Applied(object, _) => {
                    let key = object.key();
                    self.gone.retain(|gone| *gone != key);
                    self.objects.insert(Object::clone(object));
                }
                Change::Removed(key) if key.kind.is_policy() => {
                    self.objects.remove(key);
                }
                Change::Removed(key) => self.gone.push(key.clone()),
            }
            self.at += 1;
        }
        self.late(end);
        self.next += 1;
        Some(&mut self.objects)
    }

    /// Pods that became known soon after the end: packets are faster than news.
    fn late(&mut self, end: Option<Timestamp>) {
        let Some(end) = end else { return };
        for (_, change) in self.list.iter().skip(self.at).take_while(|(at, _)| at.since(end) <= LATE_NS) {
            if let Change::Applied(object, _) = change
                && object.kind() == ObjectKind::Pod
                && self.objects.get(&object.key()).is_none()
            {
                self.objects.insert(Object::clone(object));
            }
        }
    }
}

const fn is_looked_at(kind: ObjectKind) -> bool {
    kind.is_policy() || matches!(kind, ObjectKind::Pod | ObjectKind::Node | ObjectKind::Namespace)
}

/// How two versions of an object differ to policies.
enum Difference {
    None,
    /// The later one only knows more.
    Learned,
    Real,
}

fn difference(before: &Object, now: &Object) -> Difference {
    let is_same = match (before, now) {
        (Object::Pod(before), Object::Pod(now)) => return of_pods(before, now),
        (Object::Node(before), Object::Node(now)) => {
            before.metadata.labels == now.metadata.labels && before.ips().eq(now.ips())
        }
        (Object::Namespace(before), Object::Namespace(now)) => before.metadata.labels == now.metadata.labels,
        (before, now) => before == now,
    };
    if is_same { Difference::None } else { Difference::Real }
}

fn of_pods(before: &Pod, now: &Pod) -> Difference {
    let (old, new) = (&before.spec, &now.spec);
    let moved = old.node_name.is_some() && old.node_name != new.node_name;
    let ports_differ = !before.ports().eq(now.ports());
    if before.metadata.labels != now.metadata.labels || old.host_network != new.host_network || moved || ports_differ {
        return Difference::Real;
    }
    let is_same = old.node_name == new.node_name && before.ips().eq(now.ips());
    if is_same { Difference::None } else { Difference::Learned }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests;

    const SECOND: i64 = 1_000_000_000;

    fn object(text: &str) -> Object {
        let loaded = manifests::parse(text, "test.yaml").expect("a manifest");
        let (_, object) = loaded.objects.iter().next().expect("one object");
        object.clone()
    }

    fn pod(name: &str, app: &str) -> Object {
        object(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: n, labels: {{app: {app}}}}}}}"
        ))
    }

    fn policy(app: &str) -> Object {
        object(&format!(
            "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: n}}, spec: {{podSelector: \
             {{matchLabels: {{app: {app}}}}}}}}}"
        ))
    }

    fn names(objects: &Objects) -> Vec<String> {
        objects.pods().map(|pod| pod.metadata.name.to_string()).collect()
    }

    #[test]
    fn pods_come_and_go_within_an_epoch_and_policies_and_labels_begin_one() {
        let mut changes = Changes::default();
        let at = |seconds: i64| Timestamp(seconds * SECOND);
        changes.apply(pod("a", "x"), Timestamp(i64::MIN));
        changes.apply(policy("x"), Timestamp(i64::MIN));
        changes.apply(pod("b", "x"), at(10));
        changes.remove(pod("a", "x").key(), at(20));
        changes.apply(policy("x"), at(25));
        changes.apply(policy("y"), at(30));
        changes.apply(pod("c", "x"), at(80));
        changes.apply(pod("b", "z"), at(200));
        changes.remove(policy("y").key(), at(300));
        let mut epochs = changes.epochs(at(0), at(1_000));
        assert_eq!(epochs.starts(), [at(0), at(30), at(200), at(300)]);
        // c is known 50 s after the first epoch's end: its packets may have been in it.
        assert_eq!(names(epochs.advance().expect("the first")), ["a", "b", "c"]);
        assert_eq!(names(epochs.advance().expect("the second")), ["b", "c"]);
        let third = epochs.advance().expect("the third");
        assert_eq!((names(third), third.policies().count()), (vec!["b".to_owned(), "c".to_owned()], 1));
        assert_eq!(epochs.advance().expect("the fourth").policies().count(), 0);
        assert!(epochs.advance().is_none());
    }

    #[test]
    fn what_is_told_at_once_is_one_epoch() {
        let mut changes = Changes::default();
        let at = |ms: i64| Timestamp(ms * SECOND / 1_000);
        changes.apply(policy("x"), at(10_000));
        changes.apply(policy("y"), at(10_400));
        changes.apply(policy("z"), at(12_000));
        assert_eq!(changes.known_since(), Some(at(10_000)));
        assert_eq!(changes.epochs(at(0), at(60_000)).starts(), [at(0), at(10_000), at(12_000)]);
    }
}
