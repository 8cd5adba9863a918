//! Aligned columns. Rows of a live tail do not wait for each other: there, widths are fixed.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;
use weir_model::Record;

use super::{FlowPrinter, outcome_style};
use crate::endpoint_text::{bytes, dst, micros, service, src};

const HEAD: [&str; 8] = ["TIME", "SOURCE", "SERVICE", "DESTINATION", "PROTO", "OUTCOME", "OUT/BACK", "RTT"];
const LIVE_WIDTHS: [usize; 8] = [12, 36, 30, 40, 5, 11, 17, 7];
const OUTCOME: usize = 5;

/// Rows that are aligned with each other at the most.
const PAGE: usize = 10_000;

pub(super) struct Table<W> {
    out: W,
    live: bool,
    headed: bool,
    rows: Vec<[String; 8]>,
}

impl<W: Write> Table<W> {
    pub(super) const fn new(out: W, live: bool) -> Self {
        Self { out, live, headed: false, rows: Vec::new() }
    }

    fn write_rows(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let mut widths = if self.live { LIVE_WIDTHS } else { HEAD.map(str::len) };
        if !self.live {
            for row in &rows {
                for (width, cell) in widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.width());
                }
            }
        }
        if !self.headed {
            self.headed = true;
            self.write_row(&HEAD.map(ToOwned::to_owned), &widths)?;
        }
        rows.iter().try_for_each(|row| self.write_row(row, &widths))
    }

    fn write_row(&mut self, row: &[String; 8], widths: &[usize; 8]) -> io::Result<()> {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let style = if column == OUTCOME { outcome_style(cell) } else { anstyle::Style::new() };
            let last = column + 1 == row.len();
            let pad = if last { 0 } else { width.saturating_sub(cell.width()) + 2 };
            write!(self.out, "{style}{cell}{style:#}{:pad$}", "")?;
        }
        writeln!(self.out)
    }
}

impl<W: Write> FlowPrinter for Table<W> {
    fn print(&mut self, row: &Record) -> io::Result<()> {
        let text = |name: &str| row.get(name).as_text().unwrap_or_default().to_owned();
        let sum = |name: &str| bytes(row.get(name).as_int().unwrap_or_default());
        self.rows.push([
            row.get("first_ts").as_time().unwrap_or_default().clock(),
            src(row),
            service(row),
            dst(row),
            text("protocol"),
            text("outcome"),
            format!("{}/{}", sum("bytes_fwd"), sum("bytes_rev")),
            micros(row, "handshake_rtt_us"),
        ]);
        if self.live || self.rows.len() >= PAGE { self.write_rows() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_rows()?;
        self.out.flush()
    }
}
