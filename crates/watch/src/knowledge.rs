//! What is known of each kind, since when, and what happened on the way: for status pages and metrics.
//!
//! Sources note, programs read. One small entry for each kind; nothing here grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::Kind;

/// Where the knowledge of a kind stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not every object has been told yet.
    #[default]
    Incomplete,
    /// Every object was told, and changes are followed.
    Current,
    /// Every object was told once; changes since are missing. What is known stays.
    Stale,
    /// The API server does not have this kind. It is asked again now and then.
    Absent,
}

impl State {
    /// As in metrics and status.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Current => "current",
            Self::Stale => "stale",
            Self::Absent => "absent",
        }
    }
}

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lists that came to their end (for a folder: times it was read).
    pub lists: u64,
    /// Pages of lists.
    pub pages: u64,
    /// Streams of changes that were opened.
    pub watches: u64,
    /// Changes in them.
    pub events: u64,
    /// Bookmarks in them.
    pub bookmarks: u64,
    /// Changes that were known already, or came after a newer one of the same object.
    pub repeated: u64,
    /// Times that the server had forgotten the place to go on from (410).
    pub expired: u64,
    /// Objects that could not be read. The version before stays.
    pub unreadable: u64,
    /// Everything else that failed.
    pub failures: u64,
}

/// What is known of one kind.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Where it stands.
    pub state: State,
    /// How many objects there are.
    pub objects: u64,
    /// When the source last said something of the kind, be it that nothing changed.
    pub heard: Option<Instant>,
    /// What happened.
    pub counts: Counts,
    /// What failed last, naming operation and kind; `None` once changes are followed again.
    pub error: Option<Arc<str>>,
    /// The last object that could not be read, and why. Stays.
    pub unreadable: Option<Arc<str>>,
}

impl Known {
    /// How old the knowledge is; `None` where nothing was heard yet.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        self.heard.map(|heard| now.saturating_duration_since(heard))
    }
}

/// The knowledge of every kind that a source tells. Clones show the same.
#[derive(Clone, Debug)]
pub struct Knowledge {
    kinds: Arc<Mutex<BTreeMap<Kind, Known>>>,
}

impl Knowledge {
    pub(crate) fn of(kinds: Vec<Kind>) -> Self {
        let kinds = kinds.into_iter().map(|kind| (kind, Known::default())).collect();
        Self { kinds: Arc::new(Mutex::new(kinds)) }
    }

    /// Every kind with what is known of it now.
    pub fn all(&self) -> Vec<(Kind, Known)> {
        self.lock().iter().map(|(kind, known)| (*kind, known.clone())).collect()
    }

    /// What is known of a kind; `None` where the source does not tell it.
    pub fn of_kind(&self, kind: Kind) -> Option<Known> {
        self.lock().get(&kind).cloned()
    }

    /// Whether every object of every kind has been told.
    pub fn is_complete(&self) -> bool {
        self.lock().values().all(|known| known.state != State::Incomplete)
    }

    /// Where the knowledge stands as a whole: as its worst kind does. Kinds that are absent do not count.
    pub fn state(&self) -> State {
        let kinds = self.lock();
        let is_some = |state| kinds.values().any(|known| known.state == state);
        [State::Incomplete, State::Stale].into_iter().find(|state| is_some(*state)).unwrap_or(State::Current)
    }

    /// How many objects there are, of all kinds.
    pub fn objects(&self) -> u64 {
        self.lock().values().map(|known| known.objects).sum()
    }

    /// What fails now and which objects cannot be read, each once.
    pub fn problems(&self) -> BTreeSet<Arc<str>> {
        self.lock().values().flat_map(|known| known.error.iter().chain(&known.unreadable)).cloned().collect()
    }

    /// The age of the oldest knowledge; `None` while some kind was never heard of.
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let ages = self.lock().values().map(|known| known.age(now)).collect::<Option<Vec<_>>>()?;
        ages.into_iter().max()
    }

    /// Changes what is known of a kind: for sources.
    pub fn note(&self, kind: Kind, note: impl FnOnce(&mut Known)) {
        if let Some(known) = self.lock().get_mut(&kind) {
            note(known);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Kind, Known>> {
        // A note that panicked leaves numbers, nothing that could be half done.
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
