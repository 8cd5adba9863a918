//! One line a row: when, who, through which Service, to whom, and what came of it or was said.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use weir_model::Record;

use super::{FlowPrinter, answer_style, outcome_style, write_styled};
use crate::endpoint_text::{answered, asked, dst, micros, seen_bytes, service, src};
use crate::filter_args::Rows;
use crate::verdict_text::{verdict, verdict_style};

pub(super) struct Compact<W> {
    out: W,
    rows: Rows,
}

impl<W: Write> Compact<W> {
    pub(super) const fn new(out: W, rows: Rows) -> Self {
        Self { out, rows }
    }

    fn line(&mut self, row: &Record, rest: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        let column = if self.rows == Rows::Flows { "first_ts" } else { "ts" };
        let time = row.get(column).as_time().unwrap_or_default().clock();
        write_styled(&mut self.out, Style::new().dimmed(), &time)?;
        write!(self.out, "  {}", src(row))?;
        let service = service(row);
        if !service.is_empty() {
            write!(self.out, " -> ")?;
            write_styled(&mut self.out, AnsiColor::Cyan.on_default(), &service)?;
        }
        let column = if self.rows == Rows::Flows { "protocol" } else { "l7" };
        write!(self.out, " -> {}  {}", dst(row), row.get(column).as_text().unwrap_or("?"))?;
        rest(&mut self.out)?;
        writeln!(self.out)
    }

    fn request(&mut self, row: &Record) -> io::Result<()> {
        let took = match (micros(row, "first_byte_us"), micros(row, "latency_us")) {
            (first, whole) if !first.is_empty() && row.get("status").as_int().is_some() => {
                format!("  first byte {first}, whole {whole}")
            }
            (_, whole) if !whole.is_empty() => format!("  {whole}"),
            _ => String::new(),
        };
        self.line(row, |out| {
            write!(out, " {} -> ", asked(row))?;
            write_styled(out, answer_style(row), &answered(row))?;
            write!(out, "{took}")
        })
    }
}

impl<W: Write> FlowPrinter for Compact<W> {
    fn print(&mut self, row: &Record) -> io::Result<()> {
        if self.rows == Rows::Requests {
            return self.request(row);
        }
        let outcome = row.get("outcome").as_text().unwrap_or_default().to_owned();
        let ended = row.get("end_reason").as_text().filter(|reason| !matches!(*reason, "fin" | "capture-end"));
        let more = ended.map(|reason| format!(" [{reason}]")).unwrap_or_default();
        let rtt = micros(row, "handshake_rtt_us");
        let rtt = if rtt.is_empty() { rtt } else { format!("  rtt {rtt}") };
        let verdict = verdict(row);
        let (sent, back) = (seen_bytes(row, "bytes_fwd"), seen_bytes(row, "bytes_rev"));
        self.line(row, |out| {
            write!(out, " ")?;
            write_styled(out, outcome_style(&outcome), &outcome)?;
            if !verdict.is_empty() {
                write!(out, " (")?;
                write_styled(out, verdict_style(row), &verdict)?;
                write!(out, ")")?;
            }
            write!(out, "  {sent} out {back} back{rtt}{more}")
        })
    }

    fn started(&mut self, row: &Record) -> io::Result<()> {
        self.line(row, |out| write!(out, " begins"))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
