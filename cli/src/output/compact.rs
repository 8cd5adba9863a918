//! One line a flow: when, who, through which Service, to whom, and what came of it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use weir_model::Record;

use super::{FlowPrinter, outcome_style, write_styled};
use crate::endpoint_text::{bytes, dst, micros, service, src};

pub(super) struct Compact<W> {
    out: W,
}

impl<W: Write> Compact<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }

    fn line(&mut self, row: &Record, rest: impl FnOnce(&mut W) -> io::Result<()>) -> io::Result<()> {
        let time = row.get("first_ts").as_time().unwrap_or_default().clock();
        write_styled(&mut self.out, Style::new().dimmed(), &time)?;
        write!(self.out, "  {}", src(row))?;
        let service = service(row);
        if !service.is_empty() {
            write!(self.out, " -> ")?;
            write_styled(&mut self.out, AnsiColor::Cyan.on_default(), &service)?;
        }
        write!(self.out, " -> {}  {}", dst(row), row.get("protocol").as_text().unwrap_or("?"))?;
        rest(&mut self.out)?;
        writeln!(self.out)
    }
}

impl<W: Write> FlowPrinter for Compact<W> {
    fn print(&mut self, row: &Record) -> io::Result<()> {
        let sum = |name: &str| row.get(name).as_int().unwrap_or_default();
        let outcome = row.get("outcome").as_text().unwrap_or_default().to_owned();
        let ended = row.get("end_reason").as_text().filter(|reason| !matches!(*reason, "fin" | "capture-end"));
        let more = ended.map(|reason| format!(" [{reason}]")).unwrap_or_default();
        let rtt = micros(row, "handshake_rtt_us");
        let rtt = if rtt.is_empty() { rtt } else { format!("  rtt {rtt}") };
        let sent = bytes(sum("bytes_fwd"));
        let back = bytes(sum("bytes_rev"));
        self.line(row, |out| {
            write!(out, " ")?;
            write_styled(out, outcome_style(&outcome), &outcome)?;
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
