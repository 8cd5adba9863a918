//! At most so many log lines of one place in the code in a span of time. What was left out is said with the next line of
//! that place.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::LogFormat;

/// The span that lines are counted in.
const SPAN: Duration = Duration::from_secs(10);

/// Lines of one place within it.
const LINES: u32 = 50;

/// A format for events with that limit.
pub(super) struct Limited<F> {
    inner: F,
    format: LogFormat,
    /// As many as there are places in the code that log.
    places: Mutex<HashMap<Identifier, Place>>,
}

/// What came from one place.
struct Place {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl<F> Limited<F> {
    pub(super) fn new(inner: F, format: LogFormat) -> Self {
        Self { inner, format, places: Mutex::default() }
    }

    /// How many lines were left out before this one; `None` = so is this one.
    fn admit(&self, place: Identifier, now: Instant) -> Option<u64> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(place).or_insert(Place { since: now, lines: 0, left_out: 0 });
        if now.duration_since(place.since) >= SPAN {
            (place.since, place.lines) = (now, 0);
        }
        if place.lines >= LINES {
            place.left_out += 1;
            return None;
        }
        place.lines += 1;
        Some(std::mem::take(&mut place.left_out))
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let metadata = event.metadata();
        match self.admit(metadata.callsite(), Instant::now()) {
            None => return Ok(()),
            Some(0) => {}
            Some(left_out) => {
                let (level, target) = (metadata.level(), metadata.target());
                let said = "lines like the next were left out";
                match self.format {
                    LogFormat::Text => writeln!(writer, "{level:>5} {target}: {left_out} {said}"),
                    LogFormat::Json => writeln!(
                        writer,
                        r#"{{"level":"{level}","message":"{said}","left_out":{left_out},"target":"{target}"}}"#
                    ),
                }?;
            }
        }
        self.inner.format_event(context, writer, event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_so_many_lines_a_span_and_says_what_was_left_out() {
        let limited = Limited::new((), LogFormat::Text);
        let (here, other) = (place(true), place(false));
        let start = Instant::now();
        for _ in 0..LINES {
            assert_eq!(limited.admit(here.clone(), start), Some(0));
        }
        for _ in 0..7 {
            assert_eq!(limited.admit(here.clone(), start + SPAN / 2), None);
        }
        assert_eq!(limited.admit(other, start), Some(0), "each place counts for itself");
        assert_eq!(limited.admit(here.clone(), start + SPAN), Some(7));
        assert_eq!(limited.admit(here, start + SPAN), Some(0));
    }

    /// One of two places in the code.
    fn place(first: bool) -> Identifier {
        let metadata =
            if first { tracing::info_span!("first").metadata() } else { tracing::info_span!("second").metadata() };
        metadata.map_or_else(|| panic!("spans are on"), tracing::Metadata::callsite)
    }
}
