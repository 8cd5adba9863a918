//! What was compiled of the cluster's objects, each version valid from a time on.
//!
//! Flows are judged as of their first packet, and are told of a minute later: so the last versions are kept. Versions
//! come in, the one of a time goes out; nothing here reads a clock or knows what is kept.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_model::Timestamp;

/// The last versions of something. Cheap to clone.
///
/// One timeline for each thing that is compiled: [`crate::policy::PolicySet`] now; whatever else is judged as of the
/// flow's start, such as routes, gets one of its own beside it. Cap: as many versions as it is made for; the oldest is
/// forgotten first, and nothing is said of its time any more.
#[derive(Debug)]
pub struct Timeline<T> {
    versions: VecDeque<(Timestamp, Arc<T>)>,
    cap: usize,
}

impl<T> Timeline<T> {
    /// Remembers `cap` versions, at least one.
    pub fn new(cap: usize) -> Self {
        Self { versions: VecDeque::new(), cap: cap.max(1) }
    }

    /// One version that has always been so.
    pub fn always(value: T) -> Self {
        let mut timeline = Self::new(1);
        timeline.push(Timestamp(i64::MIN), value);
        timeline
    }

    /// From a time on this holds. Versions that would begin later are replaced by it.
    pub fn push(&mut self, from: Timestamp, value: T) {
        self.versions.retain(|(earlier, _)| *earlier < from);
        self.versions.push_back((from, Arc::new(value)));
        while self.versions.len() > self.cap {
            self.versions.pop_front();
        }
    }

    /// The newest version only knows more than it did: this takes its place, and its time. Where there is none it holds
    /// from `from` on.
    pub fn amend(&mut self, from: Timestamp, value: T) {
        let from = self.versions.pop_back().map_or(from, |(from, _)| from);
        self.push(from, value);
    }

    /// What held at a time, and since when; `None` = that is not known, or not any more.
    pub fn at(&self, time: Timestamp) -> Option<(Timestamp, &Arc<T>)> {
        self.since(time).next()
    }

    /// What held at a time, then what came after it, each with its time; nothing where that time is not known.
    pub fn since(&self, time: Timestamp) -> impl Iterator<Item = (Timestamp, &Arc<T>)> {
        let later = self.versions.partition_point(|(from, _)| *from <= time);
        let first = later.checked_sub(1).unwrap_or(self.versions.len());
        self.versions.iter().skip(first).map(|(from, value)| (*from, value))
    }

    /// The newest version.
    pub fn newest(&self) -> Option<&Arc<T>> {
        self.versions.back().map(|(_, value)| value)
    }
}

impl<T> Clone for Timeline<T> {
    fn clone(&self) -> Self {
        Self { versions: self.versions.clone(), cap: self.cap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(timeline: &Timeline<char>, time: i64) -> Option<char> {
        timeline.at(Timestamp(time)).map(|(_, value)| **value)
    }

    #[test]
    fn each_time_has_the_version_that_held_then() {
        let mut timeline = Timeline::new(8);
        assert_eq!(at(&timeline, 0), None);
        timeline.push(Timestamp(10), 'a');
        timeline.push(Timestamp(20), 'b');
        assert_eq!(
            [9, 10, 19, 20, 99].map(|time| at(&timeline, time)),
            [None, Some('a'), Some('a'), Some('b'), Some('b')]
        );
        let since: Vec<char> = timeline.since(Timestamp(15)).map(|(_, value)| **value).collect();
        assert_eq!(since, ['a', 'b']);
        assert_eq!(timeline.since(Timestamp(5)).count(), 0);
    }

    #[test]
    fn the_oldest_version_is_forgotten_and_nothing_is_said_of_its_time() {
        let mut timeline = Timeline::new(2);
        for (time, value) in [(10, 'a'), (20, 'b'), (30, 'c')] {
            timeline.push(Timestamp(time), value);
        }
        assert_eq!([15, 25, 35].map(|time| at(&timeline, time)), [None, Some('b'), Some('c')]);
    }

    #[test]
    fn a_version_that_knows_more_holds_since_the_one_it_replaces() {
        let mut timeline = Timeline::new(2);
        timeline.amend(Timestamp(5), 'a');
        timeline.push(Timestamp(10), 'b');
        timeline.amend(Timestamp(30), 'c');
        assert_eq!([7, 12, 35].map(|time| at(&timeline, time)), [Some('a'), Some('c'), Some('c')]);
        assert_eq!(timeline.newest().map(|value| **value), Some('c'));
    }
}
