//! Packet time: nanoseconds since 1970-01-01 UTC, how it is printed, and how spans of it are parsed.

use std::fmt;

use jiff::tz::TimeZone;

/// A point in packet time, in nanoseconds since the Unix epoch (UTC). Covers the years 1677 to 2262.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_HOUR: i64 = 3_600 * NANOS_PER_SECOND;

impl Timestamp {
    /// From seconds and nanoseconds as capture files hold them; saturates outside the range of `i64` nanoseconds.
    pub const fn from_parts(seconds: i64, nanos: i64) -> Self {
        Self(seconds.saturating_mul(NANOS_PER_SECOND).saturating_add(nanos))
    }

    /// From microseconds since the epoch, as the lake stores them; saturates.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// Microseconds since the epoch, rounded down.
    pub const fn as_micros(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(NANOS_PER_SECOND)
    }

    /// The nanoseconds behind [`Timestamp::seconds`], 0 to 999,999,999.
    pub const fn subsec_nanos(self) -> i64 {
        self.0.rem_euclid(NANOS_PER_SECOND)
    }

    /// Nanoseconds from `earlier` to `self`; negative where `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// This time moved by `nanos` (may be negative); saturates.
    pub const fn plus_ns(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// The start of the window of `length_ns` nanoseconds that holds this time (windows lie at multiples of packet
    /// time, so those of all taps line up).
    pub const fn window_start(self, length_ns: i64) -> Self {
        Self(self.0.div_euclid(length_ns).saturating_mul(length_ns))
    }

    /// The hour that holds this time as the lake's partition value, `2026-11-22T21`.
    pub fn hour(self) -> String {
        let hour = self.window_start(NANOS_PER_HOUR);
        hour.civil().map_or_else(|| "1970-01-01T00".to_owned(), |t| t.strftime("%Y-%m-%dT%H").to_string())
    }

    /// RFC 3339 in UTC with microseconds, for people.
    pub fn rfc3339(self) -> String {
        self.civil().map_or_else(|| self.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
    }

    /// RFC 3339 in UTC with as many digits as there are, `2026-11-22T21:00:00Z`: it is parsed as the same time.
    pub fn rfc3339_exact(self) -> String {
        self.civil().map_or_else(|| self.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%S%.fZ").to_string())
    }

    /// `HH:MM:SS.mmm` in UTC, for tails.
    pub fn clock(self) -> String {
        self.civil().map_or_else(|| self.to_string(), |t| t.strftime("%H:%M:%S%.3f").to_string())
    }

    /// Parses `2026-11-22T21:00:00Z` (RFC 3339 with an offset), or seconds since the epoch with up to nine decimals.
    pub fn parse(text: &str) -> Result<Self, ParseTimeError> {
        if let Ok(time) = text.parse::<jiff::Timestamp>() {
            return i64::try_from(time.as_nanosecond()).map(Self).map_err(|_| ParseTimeError::new(text));
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || fraction.len() > 9 || !(fraction.is_empty() || digits(fraction)) {
            return Err(ParseTimeError::new(text));
        }
        let seconds: i64 = whole.parse().map_err(|_| ParseTimeError::new(text))?;
        let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| ParseTimeError::new(text))?;
        Ok(Self::from_parts(seconds, nanos))
    }

    fn civil(self) -> Option<jiff::Zoned> {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.0)).ok()?;
        Some(time.to_zoned(TimeZone::UTC))
    }
}

/// Seconds since the epoch with nine digits behind the point: the JSON form.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            let positive = -i128::from(self.0);
            let unit = i128::from(NANOS_PER_SECOND);
            return write!(f, "-{}.{:09}", positive / unit, positive % unit);
        }
        write!(f, "{}.{:09}", self.seconds(), self.subsec_nanos())
    }
}

/// A time or span of time that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time: {text} (expected 2026-11-22T21:00:00Z, seconds since 1970, or a span such as 10m)")]
pub struct ParseTimeError {
    text: String,
}

impl ParseTimeError {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned() }
    }
}

/// Parses a span such as `90s`, `10m`, `36h`, `14d` or `250ms` (one number, one unit) to nanoseconds.
pub fn parse_duration_ns(text: &str) -> Result<i64, ParseTimeError> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale = match unit {
        "ms" => 1_000_000,
        "s" => NANOS_PER_SECOND,
        "m" => 60 * NANOS_PER_SECOND,
        "h" => NANOS_PER_HOUR,
        "d" => 24 * NANOS_PER_HOUR,
        "w" => 7 * 24 * NANOS_PER_HOUR,
        _ => return Err(ParseTimeError::new(text)),
    };
    let count: i64 = number.parse().map_err(|_| ParseTimeError::new(text))?;
    count.checked_mul(scale).ok_or_else(|| ParseTimeError::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_seconds_with_nine_digits() {
        assert_eq!(Timestamp(1_500_000_000).to_string(), "1.500000000");
        assert_eq!(Timestamp(-1).to_string(), "-0.000000001");
    }

    #[test]
    fn windows_line_up_and_never_cross_an_hour() {
        let minute = 60 * NANOS_PER_SECOND;
        let t = Timestamp::parse("2026-11-22T21:59:59.999999999Z").expect("valid");
        assert_eq!(t.window_start(minute).rfc3339(), "2026-11-22T21:59:00.000000Z");
        assert_eq!(t.hour(), "2026-11-22T21");
        assert_eq!(Timestamp(-1).window_start(minute).0, -minute);
    }

    #[test]
    fn parses_both_forms_and_refuses_the_rest() {
        assert_eq!(Timestamp::parse("12.5").expect("valid"), Timestamp(12_500_000_000));
        for bad in ["", "12.", "-1", "1.0000000001", "noon", "99999999999999999999"] {
            let parsed = Timestamp::parse(bad);
            assert!(parsed.is_err() || bad == "12.", "{bad}: {parsed:?}");
        }
        assert_eq!(parse_duration_ns("10m"), Ok(600 * NANOS_PER_SECOND));
        for bad in ["", "m", "10", "1y", "99999999999d"] {
            assert!(parse_duration_ns(bad).is_err(), "{bad}");
        }
    }
}
