//! One line a column, an empty line between rows; columns without a value are left out.

use std::io::{self, Write};

use weir_model::{Record, Value};

use super::FlowPrinter;

pub(super) struct Dict<W> {
    out: W,
}

impl<W: Write> Dict<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write> FlowPrinter for Dict<W> {
    fn print(&mut self, row: &Record) -> io::Result<()> {
        for (column, value) in row.columns.iter().zip(&row.values).filter(|(_, value)| !value.is_null()) {
            writeln!(self.out, "{:>20}: {}", column.name, plain(value))?;
        }
        writeln!(self.out)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn plain(value: &Value<'_>) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Time(time) => time.rfc3339(),
        Value::TextList(words) => words.join(" "),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
