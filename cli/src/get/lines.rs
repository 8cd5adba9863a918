//! Lines of an answer: aligned columns for people, or one JSON object each.

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;
use weir_model::Timestamp;

use super::seen::Traffic;
use crate::args::LineFormat;
use crate::endpoint_text::bytes;

/// One line.
pub(super) trait Line: Serialize {
    /// What the columns are.
    const HEAD: &'static [&'static str];

    /// The columns.
    fn cells(&self) -> Vec<String>;
}

/// The lines as text.
pub(super) fn written<L: Line>(lines: &[L], format: LineFormat) -> Result<String> {
    match format {
        LineFormat::Json => {
            let texts: Vec<String> = lines.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
            Ok(texts.into_iter().map(|text| text + "\n").collect())
        }
        LineFormat::Text if lines.is_empty() => Ok("nothing is known\n".to_owned()),
        LineFormat::Text => Ok(aligned(L::HEAD, lines.iter().map(Line::cells).collect())),
    }
}

fn aligned(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell}{:1$}", "", width - cell.width()));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// Writes text on stdout.
pub(super) fn print(text: &str) -> Result<()> {
    io::stdout().lock().write_all(text.as_bytes()).context("writing to stdout")
}

/// A text, `-` where there is none.
pub(super) fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

/// Several texts with commas, `-` where there are none.
pub(super) fn list<T: ToString>(items: &[T]) -> String {
    or_dash(Some(&items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")))
}

/// A time, `-` where there is none.
pub(super) fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), Timestamp::rfc3339)
}

/// Flows, bytes and when the last packet was.
pub(super) fn traffic(traffic: &Traffic) -> [String; 3] {
    [traffic.flows.to_string(), bytes(traffic.bytes), time(traffic.last_ts)]
}
