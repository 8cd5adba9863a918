//! Logs: events of `tracing` go to stderr as text or JSON. Data never goes there, logs never go to stdout. A place in the
//! code that logs without end is cut short.

mod limited;

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Registry, fmt};

use crate::config::Scalar;
use limited::Limited;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Scalar for LogFormat {
    const EXPECTED: &'static str = "text or json";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Which events are logged: a level, or levels for parts of the program: `info,weir_store=debug`.
#[derive(Clone, Debug)]
pub struct LogLevel(Targets);

impl Scalar for LogLevel {
    const EXPECTED: &'static str = "off, error, warn, info, debug, trace, or with parts: info,weir_store=debug";

    fn parse(text: &str) -> Option<Self> {
        // Without this, a misspelt level would be taken for the name of a part.
        let level = |part: &str| part.rsplit_once('=').map_or(part, |(_, level)| level).to_owned();
        let known = text.split(',').map(level).all(|level| !level.is_empty() && level.parse::<LevelFilter>().is_ok());
        known.then(|| text.parse().ok().map(Self)).flatten()
    }
}

/// Sends the events of the whole process to stderr. Fails where telemetry was started before.
pub fn init(format: LogFormat, level: LogLevel) -> Result<(), TryInitError> {
    subscriber(format, level, io::stderr().is_terminal(), io::stderr).try_init()
}

fn subscriber<W>(format: LogFormat, level: LogLevel, colour: bool, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer).with_ansi(colour);
    match format {
        LogFormat::Text => {
            let lines = lines.map_event_format(|inner| Limited::new(inner, format));
            Box::new(Registry::default().with(lines.with_filter(level.0)))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).map_event_format(|inner| Limited::new(inner, format));
            Box::new(Registry::default().with(lines.with_filter(level.0)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex, PoisonError};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: &str, colour: bool) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let level = LogLevel::parse(level).expect("a level");
        tracing::subscriber::with_default(subscriber(format, level, colour, move || writer.clone()), || {
            tracing::info!(taps = 2, "listening");
            tracing::debug!("detail");
        });
        let bytes = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("logs are text")
    }

    #[test]
    fn text_is_coloured_only_when_asked_and_levels_hold() {
        let plain = logged(LogFormat::Text, "info", false);
        assert!(plain.contains("listening") && plain.contains("taps=2") && !plain.contains("detail"), "{plain}");
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        assert!(logged(LogFormat::Text, "info", true).contains('\u{1b}'));
        assert!(logged(LogFormat::Text, "warn,weir_service=debug", false).contains("detail"));
        assert_eq!(logged(LogFormat::Text, "info,weir_service=off", false), "");
    }

    #[test]
    fn json_is_one_object_a_line() {
        let json = logged(LogFormat::Json, "info", false);
        assert!(json.starts_with('{') && json.ends_with("}\n") && json.lines().count() == 1, "{json}");
        assert!(json.contains(r#""message":"listening""#) && json.contains(r#""taps":2"#), "{json}");
    }

    #[test]
    fn a_flood_from_one_place_is_cut_short() {
        for (format, lines) in [(LogFormat::Text, 50), (LogFormat::Json, 50)] {
            let out = Lines::default();
            let writer = out.clone();
            let level = LogLevel::parse("info").expect("a level");
            tracing::subscriber::with_default(subscriber(format, level, false, move || writer.clone()), || {
                for number in 0..1_000 {
                    tracing::info!(number, "again");
                }
                tracing::info!("something else");
            });
            let bytes = out.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let text = String::from_utf8(bytes).expect("logs are text");
            assert_eq!(text.matches("again").count(), lines, "{text}");
            assert!(text.contains("something else"), "{text}");
        }
    }

    #[test]
    fn misspelt_levels_and_formats_are_refused() {
        for bad in ["", "inof", "info,weir_store", "info,", "weir_store=loud"] {
            assert!(LogLevel::parse(bad).is_none(), "{bad}");
        }
        assert_eq!(LogFormat::parse("xml"), None);
    }
}
