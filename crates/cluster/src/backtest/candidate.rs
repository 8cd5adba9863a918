//! The policies that are tried out: objects that come or take another's place, and objects that go.

use crate::objects::{Object, ObjectKey, Objects};
use crate::policy::PolicySet;

/// A change of policies that nobody has made yet.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// Policies that are there, in the place of those of the same key.
    pub put: Vec<Object>,
    /// Policies that are gone.
    pub removed: Vec<ObjectKey>,
}

impl Candidate {
    /// The set of a cluster with the change, where `set` is the one of `objects` without it. `objects` are as before when
    /// this returns.
    pub fn tried(&self, objects: &mut Objects, set: &PolicySet) -> PolicySet {
        let gone: Vec<Object> = self.removed.iter().filter_map(|key| objects.remove(key)).collect();
        let came: Vec<(ObjectKey, Option<Object>)> =
            self.put.iter().map(|object| (object.key(), objects.insert(object.clone()))).collect();
        let changed: Vec<ObjectKey> =
            self.removed.iter().cloned().chain(came.iter().map(|(key, _)| key.clone())).collect();
        let tried = set.with_changed(objects, &changed);
        for (key, before) in came {
            match before {
                Some(before) => {
                    objects.insert(before);
                }
                None => {
                    objects.remove(&key);
                }
            }
        }
        for object in gone {
            objects.insert(object);
        }
        tried
    }
}
