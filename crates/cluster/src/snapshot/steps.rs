//! A value that changes with time: what it was at a time, and how long that is remembered.

use weir_model::Timestamp;

/// What holds from each time on, in order. Most values have one step.
#[derive(Clone, Debug)]
pub(crate) enum Steps<V> {
    One(Timestamp, V),
    Many(Vec<(Timestamp, Option<V>)>),
}

impl<V> Default for Steps<V> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// When something that is seen counts from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct News {
    /// When it was seen.
    pub(crate) seen: Timestamp,
    /// Where nothing held before, from here on.
    pub(crate) early: Timestamp,
    /// It is part of a first list: what it adds to was so too, all the time.
    pub(crate) is_listed: bool,
}

impl<V: PartialEq> Steps<V> {
    pub(crate) fn at(&self, time: Timestamp) -> Option<&V> {
        match self {
            Self::One(from, value) => (*from <= time).then_some(value),
            Self::Many(steps) => steps.iter().rev().find(|(from, _)| *from <= time)?.1.as_ref(),
        }
    }

    /// What holds now.
    pub(crate) fn last(&self) -> Option<&V> {
        match self {
            Self::One(_, value) => Some(value),
            Self::Many(steps) => steps.last()?.1.as_ref(),
        }
    }

    /// Something else is seen to hold, or nothing. Returns whether what held before has ended.
    pub(crate) fn tell(&mut self, news: News, value: Option<V>) -> bool {
        let Some(last) = self.last_mut() else {
            self.set(news.early, value);
            return false;
        };
        match value {
            Some(value) if news.is_listed => {
                *last = value;
                false
            }
            value => self.set(news.seen, value),
        }
    }

    fn last_mut(&mut self) -> Option<&mut V> {
        match self {
            Self::One(_, value) => Some(value),
            Self::Many(steps) => steps.last_mut()?.1.as_mut(),
        }
    }

    /// From a time on something else holds; steps that would lie behind that are dropped. Returns whether it was news.
    fn set(&mut self, from: Timestamp, value: Option<V>) -> bool {
        if self.last() == value.as_ref() {
            return false;
        }
        let mut steps = match std::mem::take(self) {
            Self::One(from, value) => vec![(from, Some(value))],
            Self::Many(steps) => steps,
        };
        steps.retain(|(earlier, _)| *earlier < from);
        if steps.last().map(|(_, last)| last) != Some(&value) {
            steps.push((from, value));
        }
        *self = match <[_; 1]>::try_from(steps) {
            Ok([(from, Some(value))]) => Self::One(from, value),
            Ok([only]) => Self::Many(vec![only]),
            Err(steps) => Self::Many(steps),
        };
        true
    }

    /// Drops what ended before a time.
    pub(crate) fn forget(&mut self, before: Timestamp) {
        if let Self::Many(steps) = self {
            let holding = steps.iter().rposition(|(from, _)| *from <= before).unwrap_or(0);
            steps.drain(..holding);
        }
        *self = match std::mem::take(self) {
            Self::Many(steps) if steps.iter().all(|(_, value)| value.is_none()) => Self::default(),
            Self::Many(steps) => match <[_; 1]>::try_from(steps) {
                Ok([(from, Some(value))]) => Self::One(from, value),
                Ok([only]) => Self::Many(vec![only]),
                Err(steps) => Self::Many(steps),
            },
            one @ Self::One(..) => one,
        };
    }

    pub(crate) const fn is_empty(&self) -> bool {
        match self {
            Self::One(..) => false,
            Self::Many(steps) => steps.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(times: [i64; 2], is_listed: bool) -> (Steps<char>, bool) {
        let mut steps = Steps::default();
        for (seen, value) in times.into_iter().zip(['a', 'b']) {
            let news = News { seen: Timestamp(seen), early: Timestamp(seen - 5), is_listed };
            if steps.tell(news, Some(value)) {
                return (steps, true);
            }
        }
        (steps, false)
    }

    #[test]
    fn what_is_seen_first_counts_from_early_on_and_ends_with_the_next() {
        let (steps, has_ended) = told([10, 20], false);
        assert!(has_ended);
        let values = [4, 5, 19, 20].map(|t| steps.at(Timestamp(t)).copied());
        assert_eq!(values, [None, Some('a'), Some('a'), Some('b')]);
    }

    #[test]
    fn what_a_list_adds_to_was_so_all_the_time() {
        let (mut steps, has_ended) = told([10, 20], true);
        assert!(!has_ended);
        assert_eq!([4, 5, 19, 20].map(|t| steps.at(Timestamp(t)).copied()), [None, Some('b'), Some('b'), Some('b')]);
        let gone = News { seen: Timestamp(30), early: Timestamp(25), is_listed: true };
        assert!(steps.tell(gone, None), "what is gone has ended, whatever else is still to be listed");
        assert_eq!([29, 30].map(|t| steps.at(Timestamp(t)).copied()), [Some('b'), None]);
    }

    #[test]
    fn each_time_has_the_value_of_the_step_before_it() {
        let mut steps = Steps::default();
        assert!(steps.set(Timestamp(10), Some('a')));
        assert!(!steps.set(Timestamp(15), Some('a')), "no news");
        assert!(steps.set(Timestamp(20), None));
        assert!(steps.set(Timestamp(30), Some('b')));
        let values: String =
            [5, 10, 19, 20, 30].iter().map(|t| steps.at(Timestamp(*t)).copied().unwrap_or('-')).collect();
        assert_eq!(values, "-aa-b");
        steps.forget(Timestamp(25));
        assert_eq!((steps.at(Timestamp(12)), steps.at(Timestamp(30))), (None, Some(&'b')));
        assert!(steps.set(Timestamp(40), None));
        steps.forget(Timestamp(50));
        assert!(steps.is_empty());
    }
}
