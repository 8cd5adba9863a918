//! `weir sql`: one statement, answered by the collector or read from a lake's folder.

use std::io::{self, Write as _};

use anyhow::Result;
use arrow::record_batch::RecordBatch;
use arrow::util::pretty::pretty_format_batches;

use crate::args::{SqlArgs, TableFormat};
use crate::progress::spinner;
use crate::query::answer;
use crate::server::Contact;

/// Asks, and prints the answer.
pub(crate) async fn sql(server: &Contact, args: &SqlArgs) -> Result<()> {
    let waiting = spinner("asking");
    let batches = answer(server, args.lake.as_deref(), &args.statement).await?;
    drop(waiting);
    print(&batches, args.output)
}

fn print(batches: &[RecordBatch], format: TableFormat) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        TableFormat::Table => writeln!(out, "{}", pretty_format_batches(batches)?)?,
        TableFormat::Json => {
            let mut writer = arrow::json::LineDelimitedWriter::new(&mut out);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
            writer.finish()?;
        }
        TableFormat::Csv => {
            let mut writer = arrow::csv::Writer::new(&mut out);
            batches.iter().try_for_each(|batch| writer.write(batch))?;
        }
    }
    out.flush()?;
    Ok(())
}
