//! Which objects of a kind were told, in which version: what makes deletions out of a new list, and nothing out of what
//! is known.
//!
//! About 100 bytes an object; as large as the cluster, never larger.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::{Kind, ObjectId};

/// `resourceVersion` of an object. Numbers that grow are what API servers make (and promise since Kubernetes 1.35);
/// anything else can only be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Number(u64),
    Opaque(u64),
}

impl Version {
    fn parse(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Opaque(hash(text)), Self::Number)
    }

    fn is_after(self, other: Self) -> bool {
        match (self, other) {
            (Self::Number(new), Self::Number(old)) => new > old,
            _ => self != other,
        }
    }
}

/// Whether a version comes after another, as far as that can be told; equal ones do not.
pub(super) fn is_after(new: &str, old: &str) -> bool {
    Version::parse(new).is_after(Version::parse(old))
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// An object's version as it arrives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival<'a> {
    /// Namespace; empty for kinds without one.
    pub(super) namespace: &'a str,
    /// Name.
    pub(super) name: &'a str,
    /// `uid`.
    pub(super) uid: &'a str,
    /// `resourceVersion`.
    pub(super) version: &'a str,
}

impl Arrival<'_> {
    /// A namespace has no slash.
    fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    pub(super) fn id(&self, kind: Kind) -> ObjectId {
        ObjectId { kind, namespace: Arc::from(self.namespace), name: Arc::from(self.name) }
    }
}

/// What an arrival is to what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Not held.
    New,
    /// A version that is not held.
    Newer,
    /// Another object of the same name: the held one is gone.
    Anew,
    /// Held already, or older than what is.
    Known,
}

#[derive(Debug)]
struct Told {
    uid: u64,
    version: Version,
    /// The list that showed it last.
    list: u32,
}

/// Deletions remembered at most; then all of them are forgotten.
const MAX_GONE: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct Held {
    told: HashMap<Box<str>, Told>,
    /// In which version objects were deleted since the last list: a late event does not bring them back.
    gone: HashMap<Box<str>, Version>,
    list: u32,
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.told.len()
    }

    /// A new list begins: what it does not show is gone when it ends.
    pub(super) fn begin_list(&mut self) {
        self.list = self.list.wrapping_add(1);
        self.gone.clear();
    }

    /// The list has ended: forgets what it did not show.
    pub(super) fn end_list(&mut self, kind: Kind) -> Vec<ObjectId> {
        let list = self.list;
        self.take(kind, |told| told.list != list)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self, kind: Kind) -> Vec<ObjectId> {
        self.take(kind, |_| true)
    }

    fn take(&mut self, kind: Kind, gone: impl Fn(&Told) -> bool) -> Vec<ObjectId> {
        let mut taken: Vec<ObjectId> =
            self.told.extract_if(|_, told| gone(told)).filter_map(|(key, _)| id(kind, &key)).collect();
        taken.sort();
        self.told.shrink_to(self.told.len() * 2);
        taken
    }

    /// What an entry of a list is. It counts as shown.
    pub(super) fn listed(&mut self, arrival: &Arrival<'_>) -> News {
        let list = self.list;
        self.compare(arrival, |told| told.list = list, |new, old| new != old)
    }

    /// What an event's object is.
    pub(super) fn changed(&mut self, arrival: &Arrival<'_>) -> News {
        let gone = self.gone.get(&*arrival.key());
        if gone.is_some_and(|gone| !Version::parse(arrival.version).is_after(*gone)) {
            return News::Known;
        }
        self.compare(arrival, |_| {}, Version::is_after)
    }

    fn compare(
        &mut self,
        arrival: &Arrival<'_>,
        touch: impl Fn(&mut Told),
        is_news: impl Fn(Version, Version) -> bool,
    ) -> News {
        let Some(told) = self.told.get_mut(&*arrival.key()) else { return News::New };
        touch(told);
        let news = is_news(Version::parse(arrival.version), told.version);
        match (news, told.uid == hash(arrival.uid)) {
            (false, _) => News::Known,
            (true, true) => News::Newer,
            (true, false) => News::Anew,
        }
    }

    /// Notes what was told.
    pub(super) fn put(&mut self, arrival: &Arrival<'_>) {
        let told = Told { uid: hash(arrival.uid), version: Version::parse(arrival.version), list: self.list };
        self.told.insert(arrival.key().into(), told);
    }

    /// Forgets the object of this name, whichever it is.
    pub(super) fn forget(&mut self, arrival: &Arrival<'_>) {
        self.told.remove(&*arrival.key());
    }

    /// Forgets an object, where it is the one that is held.
    pub(super) fn remove(&mut self, arrival: &Arrival<'_>) -> bool {
        match self.told.entry(arrival.key().into()) {
            Entry::Occupied(entry) if entry.get().uid == hash(arrival.uid) => {
                let (key, _) = entry.remove_entry();
                if self.gone.len() >= MAX_GONE {
                    self.gone.clear();
                }
                self.gone.insert(key, Version::parse(arrival.version));
                true
            }
            Entry::Occupied(_) | Entry::Vacant(_) => false,
        }
    }
}

fn id(kind: Kind, key: &str) -> Option<ObjectId> {
    let (namespace, name) = key.split_once('/')?;
    Some(ObjectId { kind, namespace: Arc::from(namespace), name: Arc::from(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod<'a>(name: &'a str, uid: &'a str, version: &'a str) -> Arrival<'a> {
        Arrival { namespace: "shop", name, uid, version }
    }

    #[test]
    fn an_event_that_is_not_newer_is_known() {
        let mut held = Held::default();
        assert_eq!(held.changed(&pod("web", "u1", "10")), News::New);
        held.put(&pod("web", "u1", "10"));
        assert_eq!(held.changed(&pod("web", "u1", "10")), News::Known, "repeated");
        assert_eq!(held.changed(&pod("web", "u1", "9")), News::Known, "9 is before 10, as numbers");
        assert_eq!(held.changed(&pod("web", "u1", "11")), News::Newer);
        assert_eq!(held.changed(&pod("web", "u2", "12")), News::Anew);
        assert_eq!(held.changed(&pod("web", "u0", "8")), News::Known, "the one before it");
    }

    #[test]
    fn a_list_counts_also_where_versions_went_back() {
        let mut held = Held::default();
        held.put(&pod("web", "u1", "1000"));
        assert_eq!(held.listed(&pod("web", "u1", "7")), News::Newer, "a server from a backup");
        assert_eq!(held.listed(&pod("web", "u1", "1000")), News::Known);
    }

    #[test]
    fn what_a_list_does_not_show_is_gone() {
        let mut held = Held::default();
        held.put(&pod("old", "u1", "1"));
        held.put(&pod("stays", "u2", "2"));
        held.begin_list();
        assert_eq!(held.listed(&pod("stays", "u2", "2")), News::Known);
        let kind = Kind::find("v1", "Pod").expect("a kind");
        let gone: Vec<_> = held.end_list(kind).iter().map(ToString::to_string).collect();
        assert_eq!(gone, ["Pod shop/old"]);
        assert_eq!(held.len(), 1);
    }

    #[test]
    fn a_late_event_brings_nothing_back() {
        let mut held = Held::default();
        held.put(&pod("web", "u1", "5"));
        assert!(held.remove(&pod("web", "u1", "7")));
        assert_eq!(held.changed(&pod("web", "u1", "6")), News::Known);
        assert_eq!(held.changed(&pod("web", "u2", "8")), News::New);
    }

    #[test]
    fn a_deletion_of_the_one_before_takes_nothing() {
        let mut held = Held::default();
        held.put(&pod("web", "u2", "5"));
        assert!(!held.remove(&pod("web", "u1", "4")));
        assert!(held.remove(&pod("web", "u2", "6")));
    }
}
