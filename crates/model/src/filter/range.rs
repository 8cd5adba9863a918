//! A span of packet time for a question: `since` and `until` as points or as spans before now. It is no part of a filter,
//! because "10 minutes ago" means another time whenever it is asked.

use std::str::FromStr;

use super::sql;
use crate::tables::PARTITION;
use crate::{ParseTimeError, Timestamp, parse_duration_ns};

/// One end of a [`TimeRange`] as it is written: `10m` (ago), `now`, `2026-11-22T21:00:00Z`, or seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBound {
    /// This many nanoseconds before now.
    Ago(i64),
    /// A point in time.
    At(Timestamp),
}

impl TimeBound {
    /// The point in time, where now is `now`.
    pub const fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Ago(nanos) => now.plus_ns(nanos.saturating_neg()),
            Self::At(time) => time,
        }
    }
}

impl FromStr for TimeBound {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        if text == "now" {
            return Ok(Self::Ago(0));
        }
        parse_duration_ns(text).map(Self::Ago).or_else(|_| Timestamp::parse(text).map(Self::At))
    }
}

/// Packet time from `since` up to, not including, `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The start; `None` = from the first row on.
    pub since: Option<Timestamp>,
    /// The end; `None` = without end.
    pub until: Option<Timestamp>,
}

impl TimeRange {
    /// The range between two bounds, where now is `now`.
    pub fn resolve(since: Option<TimeBound>, until: Option<TimeBound>, now: Timestamp) -> Result<Self, TimeRangeError> {
        let since = since.map(|bound| bound.resolve(now));
        let until = until.map(|bound| bound.resolve(now));
        match (since, until) {
            (Some(since), Some(until)) if since >= until => Err(TimeRangeError::Empty { since, until }),
            _ => Ok(Self { since, until }),
        }
    }

    /// Whether a row whose packets lie between `first_ts` and `last_ts` has a part in the range. Compared by the
    /// microsecond, as the lake can.
    pub fn overlaps(&self, first_ts: Timestamp, last_ts: Timestamp) -> bool {
        self.since.is_none_or(|since| last_ts.as_micros() >= since.as_micros())
            && self.until.is_none_or(|until| first_ts.as_micros() < until.as_micros())
    }

    /// Whether a point in time is in the range, by the microsecond.
    pub fn contains(&self, ts: Timestamp) -> bool {
        self.overlaps(ts, ts)
    }

    /// The same as a boolean SQL expression over a table whose rows are of one point in time, its column `time`.
    pub fn to_sql_at(&self, time: &str) -> String {
        self.written(time, time)
    }

    /// [`TimeRange::overlaps`] as a boolean SQL expression over `flows`. It names the partition column too, so that other hours are not
    /// read: no row crosses an hour.
    pub fn to_sql(&self) -> String {
        self.written("first_ts", "last_ts")
    }

    fn written(&self, first: &str, last: &str) -> String {
        let since =
            self.since.map(|since| format!("{PARTITION} >= '{}' AND {last} >= {}", since.hour(), sql::time(since)));
        let until =
            self.until.map(|until| format!("{PARTITION} <= '{}' AND {first} < {}", until.hour(), sql::time(until)));
        match (since, until) {
            (Some(since), Some(until)) => format!("{since} AND {until}"),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => "true".to_owned(),
        }
    }
}

/// Bounds that make no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeRangeError {
    /// Nothing can lie between them.
    #[error("the time range is empty: since {} until {}", since.rfc3339(), until.rfc3339())]
    Empty {
        /// The start.
        since: Timestamp,
        /// The end.
        until: Timestamp,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_342_149_000_000_000);

    fn range(since: &str, until: &str) -> Result<TimeRange, TimeRangeError> {
        let bound = |text: &str| (!text.is_empty()).then(|| text.parse().expect("valid"));
        TimeRange::resolve(bound(since), bound(until), NOW)
    }

    #[test]
    fn spans_count_back_from_now_and_points_stand() {
        let range = range("10m", "2026-11-22T10:09:08Z").expect("not empty");
        assert_eq!(range.since, Some(Timestamp(NOW.0 - 600_000_000_000)));
        assert_eq!(range.until.map(Timestamp::rfc3339).as_deref(), Some("2026-11-22T10:09:08.000000Z"));
    }

    #[test]
    fn a_range_that_holds_nothing_is_refused() {
        assert!(matches!(range("now", "10m"), Err(TimeRangeError::Empty { .. })));
        assert!(matches!(range("1m", "1m"), Err(TimeRangeError::Empty { .. })));
        assert!("yesterday".parse::<TimeBound>().is_err());
    }

    #[test]
    fn rows_count_where_any_part_of_them_is_within() {
        let range = TimeRange { since: Some(Timestamp(10_000)), until: Some(Timestamp(20_000)) };
        let overlaps = |first, last| range.overlaps(Timestamp(first), Timestamp(last));
        assert!(overlaps(0, 10_000) && overlaps(19_999, 30_000) && overlaps(0, 50_000));
        assert!(!overlaps(0, 9_999) && !overlaps(20_000, 30_000));
        assert!(TimeRange::default().overlaps(NOW, NOW));
    }

    #[test]
    fn sql_names_the_hours() {
        let sql = range("1h", "now").expect("not empty").to_sql();
        assert_eq!(
            sql,
            "hour >= '2026-11-22T09' AND last_ts >= TIMESTAMP '2026-11-22T09:09:09.000000Z' \
             AND hour <= '2026-11-22T10' AND first_ts < TIMESTAMP '2026-11-22T10:09:09.000000Z'"
        );
        let since = TimeRange { until: None, ..range("1h", "now").expect("not empty") };
        assert_eq!(since.to_sql_at("ts"), "hour >= '2026-11-22T09' AND ts >= TIMESTAMP '2026-11-22T09:09:09.000000Z'");
        assert_eq!(TimeRange::default().to_sql(), "true");
    }
}
