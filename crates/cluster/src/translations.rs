//! How nodes rewrite connections: translations in, the way of one connection's packets through them out.
//!
//! A way is found from any tuple on it, seen at any node. It never guesses between two entries of one tuple: the one
//! counts whose time fits, and of several the nearest.

mod way;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use weir_model::{Timestamp, Translation, Tuple};

use crate::Snapshot;
pub use way::{Sighting, Way};

/// Whether a node's word of a connection tells who is who: it rewrites it, or it is the node of the pod that opened it, so
/// that no node before it has rewritten it.
pub fn is_telling(snapshot: &Snapshot, node: &str, translation: &Translation) -> bool {
    let opener = || snapshot.pod(translation.original.src_ip);
    translation.rewrites() || opener().is_some_and(|pod| pod.node().is_some_and(|own| **own == *node))
}

/// The bounds of [`Translations`].
#[derive(Clone, Copy, Debug)]
pub struct TranslationOptions {
    /// The most translations remembered, some 400 bytes each; the one that was told first goes.
    pub max: usize,
    /// How far apart a node's packets and its connection tracking may be in time, in nanoseconds.
    pub slack_ns: i64,
    /// How far apart the clocks of two nodes may be, in nanoseconds.
    pub clock_slack_ns: i64,
}

impl Default for TranslationOptions {
    fn default() -> Self {
        Self { max: 100_000, slack_ns: 2_000_000_000, clock_slack_ns: 120_000_000_000 }
    }
}

/// A translation and whose it is.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) node: Option<Arc<str>>,
    pub(crate) translation: Translation,
    learned_ns: i64,
}

/// Remembers translations of all nodes.
///
/// Key: node, both tuples, zone and beginning. Cap: [`TranslationOptions::max`]. Eviction: told first, first.
#[derive(Debug)]
pub struct Translations {
    options: TranslationOptions,
    told: HashMap<u64, Told, foldhash::fast::RandomState>,
    /// Where to find them: by what comes to the node, and by what leaves it.
    originals: Index,
    translated: Index,
    next: u64,
    oldest: u64,
}

type Index = HashMap<Tuple, Vec<u64>, foldhash::fast::RandomState>;

/// The most translations that one way may have.
const MAX_STEPS: usize = 4;

impl Translations {
    /// Nothing yet.
    pub fn new(options: TranslationOptions) -> Self {
        let (originals, translated) = (Index::default(), Index::default());
        Self { options, told: HashMap::default(), originals, translated, next: 0, oldest: 0 }
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.told.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Learns a translation of a node. True where it says something new about who is who.
    pub fn learn(&mut self, node: Option<&Arc<str>>, translation: &Translation, now_ns: i64) -> bool {
        let same = |told: &Told| {
            told.node.as_ref() == node
                && told.translation.reply == translation.reply
                && told.translation.zone == translation.zone
                && told.translation.from_ts == translation.from_ts
        };
        let numbers = self.originals.get(&translation.original).into_iter().flatten();
        let known = numbers.copied().find(|number| self.told.get(number).is_some_and(same));
        if let Some(told) = known.and_then(|number| self.told.get_mut(&number)) {
            told.translation.to_ts = told.translation.to_ts.max(translation.to_ts);
            return false;
        }
        let number = self.next;
        self.next += 1;
        self.originals.entry(translation.original).or_default().push(number);
        self.translated.entry(translation.translated()).or_default().push(number);
        self.told.insert(number, Told { node: node.cloned(), translation: *translation, learned_ns: now_ns });
        while self.told.len() > self.options.max {
            self.forget_oldest();
        }
        true
    }

    /// Forgets what was told before a time of the caller's clock.
    pub fn forget(&mut self, before_ns: i64) {
        while self.told.get(&self.oldest).is_some_and(|told| told.learned_ns < before_ns) {
            self.forget_oldest();
        }
    }

    /// The way of the connection that a tuple was seen of. `None` where no translation is known of it.
    pub fn way(&self, seen: &Sighting<'_>) -> Option<Way> {
        if self.told.is_empty() {
            return None;
        }
        let first = self.best(seen, seen.tuple).or_else(|| self.best(seen, seen.tuple.reversed()))?;
        let mut way = Way::new(first.translation.original, first.translation.translated());
        let mut used = HashSet::from([(first.translation.original, first.translation.translated())]);
        for _ in 1..MAX_STEPS {
            let next = self.nearest(seen, self.originals.get(&way.last()), Translation::rewrites);
            let Some(next) = next.filter(|told| used.insert(ends(told))) else { break };
            way.push(next.translation.translated());
        }
        for _ in way.steps()..MAX_STEPS {
            let previous = self.nearest(seen, self.translated.get(&way.first()), Translation::rewrites);
            let Some(previous) = previous.filter(|told| used.insert(ends(told))) else { break };
            way.push_front(previous.translation.original);
        }
        Some(way)
    }

    /// The entry that a tuple belongs to: one that rewrites, before one that does not.
    fn best(&self, seen: &Sighting<'_>, tuple: Tuple) -> Option<&Told> {
        let (originals, translated) = (self.originals.get(&tuple), self.translated.get(&tuple));
        self.nearest(seen, originals, Translation::rewrites)
            .or_else(|| self.nearest(seen, translated, Translation::rewrites))
            .or_else(|| self.nearest(seen, originals, |_| true))
    }

    fn nearest(
        &self,
        seen: &Sighting<'_>,
        numbers: Option<&Vec<u64>>,
        takes: impl Fn(&Translation) -> bool,
    ) -> Option<&Told> {
        let told = numbers?.iter().filter_map(|number| self.told.get(number));
        let fitting = told.filter(|told| takes(&told.translation)).filter_map(|told| {
            let is_own = told.node.as_ref() == seen.node;
            let allowed = if is_own { self.options.slack_ns } else { self.options.clock_slack_ns };
            seen.distance(&told.translation, allowed).map(|distance| (distance, told))
        });
        let mut fitting = fitting.peekable();
        let (_, first) = *fitting.peek()?;
        if first.translation.original.protocol.has_ports() {
            return fitting.min_by_key(|(distance, _)| *distance).map(|(_, told)| told);
        }
        // Without ports several connections may look the same behind SNAT: then there is no telling.
        fitting.all(|(_, told)| ends(told) == ends(first)).then_some(first)
    }

    fn forget_oldest(&mut self) {
        let oldest = self.oldest;
        self.oldest += 1;
        let Some(told) = self.told.remove(&oldest) else { return };
        remove(&mut self.originals, &told.translation.original, oldest);
        remove(&mut self.translated, &told.translation.translated(), oldest);
    }
}

fn ends(told: &Told) -> (Tuple, Tuple) {
    (told.translation.original, told.translation.translated())
}

fn remove(index: &mut Index, tuple: &Tuple, number: u64) {
    if let Some(numbers) = index.get_mut(tuple) {
        numbers.retain(|known| *known != number);
        if numbers.is_empty() {
            index.remove(tuple);
        }
    }
}

impl Sighting<'_> {
    /// How far a translation is from what was seen: first the time between the two, then between their beginnings.
    /// `None` where it is another connection's.
    fn distance(&self, translation: &Translation, allowed_ns: i64) -> Option<(i64, i64)> {
        let earliest = translation.from_ts.unwrap_or(Timestamp(i64::MIN));
        let latest = translation.to_ts.unwrap_or(Timestamp(i64::MAX));
        let gap = earliest.since(self.until).max(self.from.since(latest)).max(0);
        let apart = translation.from_ts.map_or(i64::MAX, |from| self.from.since(from).saturating_abs());
        // A connection that was seen to open has an entry of its own.
        let is_another = self.is_opening && translation.from_ts.is_some() && apart > allowed_ns;
        (gap <= allowed_ns && !is_another).then_some((gap, apart))
    }
}

#[cfg(test)]
mod tests;
