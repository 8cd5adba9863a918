//! Rows of flows and requests on stdout, in the form that was asked for.

mod compact;
mod dict;
mod json;
mod table;

use std::io::{self, BufWriter, Write};

use weir_model::{Record, Request};

use crate::args::FlowFormat;
use crate::filter_args::Rows;

/// Prints rows.
pub(crate) trait FlowPrinter {
    /// Prints one row, now or with later ones.
    fn print(&mut self, row: &Record) -> io::Result<()>;

    /// Prints a flow together with what it said above the transport layer, where the form has room for that.
    fn print_with(&mut self, row: &Record, _said: &[Request]) -> io::Result<()> {
        self.print(row)
    }

    /// Prints a flow that has just begun; only tails have those.
    fn started(&mut self, _row: &Record) -> io::Result<()> {
        Ok(())
    }

    /// Makes everything so far visible.
    fn flush(&mut self) -> io::Result<()>;
}

/// The printer for a format. `live` = rows must not wait for each other.
pub(crate) fn printer(format: FlowFormat, rows: Rows, live: bool) -> Box<dyn FlowPrinter> {
    match format {
        FlowFormat::Compact => Box::new(compact::Compact::new(stdout(), rows)),
        FlowFormat::Table => Box::new(table::Table::new(stdout(), rows, live)),
        FlowFormat::Dict => Box::new(dict::Dict::new(stdout())),
        FlowFormat::Json => Box::new(json::Json::new(stdout())),
        FlowFormat::None => Box::new(Nothing),
    }
}

/// Colours are dropped where stdout is no terminal.
fn stdout() -> BufWriter<anstream::Stdout> {
    BufWriter::new(anstream::stdout())
}

struct Nothing;

impl FlowPrinter for Nothing {
    fn print(&mut self, _: &Record) -> io::Result<()> {
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The style of what came back for a request.
fn answer_style(row: &Record) -> anstyle::Style {
    let number = |column| row.get(column).as_int();
    let colour = match (number("status"), number("grpc_status"), number("rcode")) {
        (Some(500..), ..) | (_, Some(1..), _) | (_, _, Some(2)) => anstyle::AnsiColor::Red,
        (Some(400..), ..) | (_, _, Some(1..)) => anstyle::AnsiColor::Yellow,
        (None, None, None) if row.get("tls_version").is_null() => return anstyle::Style::new(),
        _ => anstyle::AnsiColor::Green,
    };
    colour.on_default()
}

/// The style of an outcome.
fn outcome_style(outcome: &str) -> anstyle::Style {
    let colour = match outcome {
        "established" => anstyle::AnsiColor::Green,
        "refused" | "rejected" => anstyle::AnsiColor::Red,
        "unanswered" => anstyle::AnsiColor::Yellow,
        _ => return anstyle::Style::new(),
    };
    colour.on_default()
}

fn write_styled(out: &mut impl Write, style: anstyle::Style, text: &str) -> io::Result<()> {
    write!(out, "{style}{text}{style:#}")
}
