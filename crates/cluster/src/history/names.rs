//! Values that many objects share, held once: names, and what is known of Services.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use crate::snapshot::HashSet;

/// Looks for unused values no earlier than at this many.
const FIRST_SWEEP: usize = 4_096;

#[derive(Debug)]
pub(super) struct Held<T: ?Sized> {
    values: HashSet<Arc<T>>,
    sweep_at: usize,
}

impl<T: ?Sized> Default for Held<T> {
    fn default() -> Self {
        Self { values: HashSet::default(), sweep_at: FIRST_SWEEP }
    }
}

impl<T: ?Sized + Hash + Eq> Held<T> {
    /// The one that is held of equal values.
    pub(super) fn share<V: Borrow<T> + Into<Arc<T>>>(&mut self, value: V) -> Arc<T> {
        if let Some(held) = self.values.get(value.borrow()) {
            return Arc::clone(held);
        }
        if self.values.len() >= self.sweep_at {
            self.values.retain(|value| Arc::strong_count(value) > 1);
            self.sweep_at = FIRST_SWEEP.max(2 * self.values.len());
        }
        let value = value.into();
        self.values.insert(Arc::clone(&value));
        value
    }
}

impl Held<str> {
    /// The one that is held of equal names.
    pub(super) fn name(&mut self, name: &str) -> Arc<str> {
        self.share(name)
    }
}
