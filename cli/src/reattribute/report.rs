//! What came of a comparison: totals, and the rows that differ.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use serde_json::{Value as Json, json};
use weir_model::{Record, Value};

use crate::args::LineFormat;

/// Rows that differ are shown up to here in text.
const SHOWN: u64 = 20;

/// Counts, and prints rows that differ as they come.
pub(super) struct Report {
    format: LineFormat,
    out: io::BufWriter<anstream::Stdout>,
    compared: u64,
    different: u64,
    unknown_taps: u64,
    columns: BTreeMap<&'static str, u64>,
}

impl Report {
    pub(super) fn new(format: LineFormat) -> Self {
        let out = io::BufWriter::new(anstream::stdout());
        Self { format, out, compared: 0, different: 0, unknown_taps: 0, columns: BTreeMap::new() }
    }

    /// Rows that are stored otherwise.
    pub(super) const fn different(&self) -> u64 {
        self.different
    }

    /// A row cannot be compared: nobody says whose tap saw it.
    pub(super) fn tap_is_unknown(&mut self) {
        self.unknown_taps += 1;
    }

    /// A row was compared; `columns` differ.
    pub(super) fn row(&mut self, stored: &Record, recomputed: &Record, columns: &[&'static str]) -> Result<()> {
        self.compared += 1;
        if columns.is_empty() {
            return Ok(());
        }
        self.different += 1;
        for column in columns {
            *self.columns.entry(column).or_default() += 1;
        }
        match self.format {
            LineFormat::Json => self.write_json(stored, recomputed, columns),
            LineFormat::Text if self.different <= SHOWN => self.write_text(stored, recomputed, columns),
            LineFormat::Text => Ok(()),
        }
    }

    fn write_text(&mut self, stored: &Record, recomputed: &Record, columns: &[&str]) -> Result<()> {
        let at = stored.get("first_ts").as_time().unwrap_or_default().rfc3339();
        let [node, interface, flow] = ["node", "interface", "flow_id"].map(|column| Shown(stored.get(column)));
        writeln!(self.out, "{at} flow {flow} at {node} {interface}")?;
        for column in columns {
            let (was, is) = (Shown(stored.get(column)), Shown(recomputed.get(column)));
            writeln!(self.out, "  {column}: stored {was}, recomputed {is}")?;
        }
        Ok(())
    }

    fn write_json(&mut self, stored: &Record, recomputed: &Record, columns: &[&str]) -> Result<()> {
        let key = ["flow_id", "connection_id", "node", "interface", "first_ts"].map(|key| (key, stored.get(key)));
        let mut line = serde_json::Map::new();
        for (name, value) in key {
            line.insert(name.to_owned(), serde_json::to_value(value)?);
        }
        let differences: serde_json::Map<String, Json> = columns
            .iter()
            .map(|column| {
                let both = json!({"stored": stored.get(column), "recomputed": recomputed.get(column)});
                ((*column).to_owned(), both)
            })
            .collect();
        line.insert("differences".to_owned(), differences.into());
        serde_json::to_writer(&mut self.out, &line)?;
        writeln!(self.out).context("writing to stdout")
    }

    /// Prints the totals.
    pub(super) fn finish(&mut self) -> Result<()> {
        let Self { compared, different, unknown_taps, .. } = *self;
        let equal = compared - different;
        if self.format == LineFormat::Json {
            let totals = json!({
                "compared": compared, "equal": equal, "different": different, "unknown_taps": unknown_taps,
                "columns": self.columns,
            });
            writeln!(self.out, "{totals}")?;
            return self.out.flush().context("writing to stdout");
        }
        if different > SHOWN {
            writeln!(self.out, "{} more rows differ", different - SHOWN)?;
        }
        writeln!(self.out, "{compared} rows compared: {equal} equal, {different} different")?;
        for (column, rows) in &self.columns {
            writeln!(self.out, "  {column} differs in {rows}")?;
        }
        if unknown_taps > 0 {
            writeln!(self.out, "{unknown_taps} rows not compared: it is not known whose tap saw them")?;
        }
        self.out.flush().context("writing to stdout")
    }
}

/// A value in words.
struct Shown<'a>(&'a Value<'a>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("nothing"),
            Value::Text(text) => f.write_str(text),
            Value::TextList(words) => f.write_str(&words.join(",")),
            Value::Int(number) => write!(f, "{number}"),
            other => write!(f, "{other:?}"),
        }
    }
}
