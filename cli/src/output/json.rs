//! One JSON object a line: every column, and the Community ID, which is made here and stored nowhere.

use std::io::{self, Write};

use serde::Serialize;
use weir_model::Record;

use super::FlowPrinter;

pub(super) struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    row: &'a Record,
    community_id: Option<String>,
}

impl<W: Write> FlowPrinter for Json<W> {
    fn print(&mut self, row: &Record) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, &Line { row, community_id: weir_model::community_id_of(row) })?;
        writeln!(self.out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
