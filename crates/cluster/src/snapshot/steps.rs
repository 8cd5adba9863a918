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

    /// From a time on something else holds; steps that would lie behind that are dropped. Returns whether it was news.
    pub(crate) fn set(&mut self, from: Timestamp, value: Option<V>) -> bool {
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
