//! Aligned columns. Rows of a live tail do not wait for each other: there, widths are fixed.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;
use weir_model::Record;

use super::{FlowPrinter, answer_style, outcome_style};
use crate::endpoint_text::{answered, asked, dst, micros, seen_bytes, service, src};
use crate::filter_args::Rows;
use crate::verdict_text::verdict;

/// What the columns of a table are.
struct Form {
    head: &'static [&'static str],
    live_widths: &'static [usize],
    /// The column that is coloured.
    result: usize,
    /// A row's cells, and the colour of its result.
    cells: fn(&Record) -> Cells,
}

type Cells = (Vec<String>, Style);

const FLOWS: Form = Form {
    head: &["TIME", "SOURCE", "SERVICE", "DESTINATION", "PROTO", "OUTCOME", "OUT/BACK", "RTT", "VERDICT"],
    live_widths: &[12, 36, 30, 40, 5, 11, 17, 7, 20],
    result: 5,
    cells: flow,
};

const REQUESTS: Form = Form {
    head: &["TIME", "SOURCE", "SERVICE", "DESTINATION", "L7", "REQUEST", "ANSWER", "TOOK"],
    live_widths: &[12, 36, 30, 40, 5, 40, 16, 7],
    result: 6,
    cells: request,
};

/// Rows that are aligned with each other at the most.
const PAGE: usize = 10_000;

pub(super) struct Table<W> {
    out: W,
    form: &'static Form,
    live: bool,
    headed: bool,
    rows: Vec<Cells>,
}

impl<W: Write> Table<W> {
    pub(super) const fn new(out: W, rows: Rows, live: bool) -> Self {
        let form = match rows {
            Rows::Flows => &FLOWS,
            Rows::Requests => &REQUESTS,
        };
        Self { out, form, live, headed: false, rows: Vec::new() }
    }

    fn write_rows(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.rows);
        let mut widths: Vec<usize> = if self.live {
            self.form.live_widths.to_vec()
        } else {
            self.form.head.iter().map(|name| name.len()).collect()
        };
        if !self.live {
            for (row, _) in &rows {
                for (width, cell) in widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.width());
                }
            }
        }
        if !self.headed {
            self.headed = true;
            let head: Vec<String> = self.form.head.iter().map(|name| (*name).to_owned()).collect();
            self.write_row(&head, Style::new(), &widths)?;
        }
        rows.iter().try_for_each(|(row, style)| self.write_row(row, *style, &widths))
    }

    fn write_row(&mut self, row: &[String], result: Style, widths: &[usize]) -> io::Result<()> {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let style = if column == self.form.result { result } else { Style::new() };
            let last = column + 1 == row.len();
            let pad = if last { 0 } else { width.saturating_sub(cell.width()) + 2 };
            write!(self.out, "{style}{cell}{style:#}{:pad$}", "")?;
        }
        writeln!(self.out)
    }
}

impl<W: Write> FlowPrinter for Table<W> {
    fn print(&mut self, row: &Record) -> io::Result<()> {
        self.rows.push((self.form.cells)(row));
        if self.live || self.rows.len() >= PAGE { self.write_rows() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_rows()?;
        self.out.flush()
    }
}

fn flow(row: &Record) -> Cells {
    let outcome = text(row, "outcome");
    let style = outcome_style(&outcome);
    let cells = vec![
        row.get("first_ts").as_time().unwrap_or_default().clock(),
        src(row),
        service(row),
        dst(row),
        text(row, "protocol"),
        outcome,
        format!("{}/{}", seen_bytes(row, "bytes_fwd"), seen_bytes(row, "bytes_rev")),
        micros(row, "handshake_rtt_us"),
        verdict(row),
    ];
    (cells, style)
}

fn request(row: &Record) -> Cells {
    let cells = vec![
        row.get("ts").as_time().unwrap_or_default().clock(),
        src(row),
        service(row),
        dst(row),
        text(row, "l7"),
        asked(row),
        answered(row),
        micros(row, "latency_us"),
    ];
    (cells, answer_style(row))
}

fn text(row: &Record, column: &str) -> String {
    row.get(column).as_text().unwrap_or_default().to_owned()
}
