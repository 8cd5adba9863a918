//! `weir latency`: how latencies are spread, from the histograms of the lake.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context as _, Result};
use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value, json};
use weir_model::Timestamp;
use weir_model::filter::TimeRange;
use weir_model::tables::{LATENCY, Measure};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;
use weir_store::Spread;

use crate::args::{LatencyArgs, StatusFormat};
use crate::endpoint_text::span;
use crate::progress::spinner;
use crate::query::answer;
use crate::server::Contact;

/// Percentiles that are shown, and the names they have.
const PERCENTILES: [(f64, &str); 4] = [(50.0, "p50"), (90.0, "p90"), (99.0, "p99"), (99.9, "p99.9")];
/// Columns of the plot.
const BINS: usize = 24;
/// Heights of the plot.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Asks, and prints the answer.
pub(crate) async fn latency(server: &Contact, args: &LatencyArgs) -> Result<()> {
    let keys = keys(args)?;
    let sql = sql(args, &keys)?;
    let waiting = spinner("asking");
    let batches = answer(server, args.lake.as_deref(), &sql).await?;
    drop(waiting);
    let spreads = merged(&batches, keys.len())?;
    let mut out = io::BufWriter::new(anstream::stdout());
    match args.output {
        StatusFormat::Text => write_text(&mut out, &keys, &spreads)?,
        StatusFormat::Json => write_json(&mut out, &keys, &spreads)?,
    }
    out.flush().context("writing to stdout")
}

/// The columns whose values tell the lines apart: histograms of different measures or legs are never merged.
fn keys(args: &LatencyArgs) -> Result<Vec<&str>, Usage> {
    let mut keys = vec!["measure"];
    if args.legs {
        keys.push("leg");
    }
    for name in &args.by {
        if !LATENCY.columns.iter().any(|column| column.name == name) {
            return Err(Usage(format!("--by {name}: latency has no such column")));
        }
        if !keys.contains(&name.as_str()) {
            keys.push(name);
        }
    }
    Ok(keys)
}

fn sql(args: &LatencyArgs, keys: &[&str]) -> Result<String> {
    let range = TimeRange::resolve(args.since, args.until, Timestamp(SystemClock.now_ns()))
        .map_err(|error| Usage(error.to_string()))?;
    let filter = args.filter.filter();
    if let Some(clause) = filter.stranger(LATENCY.columns) {
        return Err(Usage(format!("{clause}: latency has no such column")).into());
    }
    let mut terms = vec![range.to_sql_at("window_start")];
    if !args.legs {
        terms.push("is_primary".to_owned());
    }
    if !args.measure.is_empty() {
        for measure in &args.measure {
            Measure::parse(measure).ok_or_else(|| {
                let known: Vec<_> = Measure::ALL.iter().map(|measure| measure.name()).collect();
                Usage(format!("--measure {measure}: expected one of {}", known.join(", ")))
            })?;
        }
        terms.push(format!("measure IN ('{}')", args.measure.join("', '")));
    }
    if !filter.is_empty() {
        terms.push(format!("({})", filter.to_sql()));
    }
    Ok(format!("SELECT {}, max_us, histogram FROM latency WHERE {}", keys.join(", "), terms.join(" AND ")))
}

/// Merges the histograms of rows whose first `keys` columns are the same.
fn merged(batches: &[RecordBatch], keys: usize) -> Result<BTreeMap<Vec<String>, Spread>> {
    let mut spreads: BTreeMap<Vec<String>, Spread> = BTreeMap::new();
    let options = FormatOptions::default().with_null("-");
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        let (names, values) = batch.columns().split_at(keys);
        let names =
            names.iter().map(|array| ArrayFormatter::try_new(array, &options)).collect::<Result<Vec<_>, _>>()?;
        let (largest, histograms) = read(values).context("the answer has other columns than were asked for")?;
        for row in 0..batch.num_rows() {
            let name: Vec<_> = names.iter().map(|name| name.value(row).to_string()).collect();
            let max_us = largest.value(row).max(0) as u64;
            spreads.entry(name).or_default().merge(histograms.value(row), max_us)?;
        }
    }
    Ok(spreads)
}

fn read(values: &[ArrayRef]) -> Option<(&arrow::array::Int64Array, &arrow::array::BinaryArray)> {
    let [largest, histograms] = values else { return None };
    let whole = largest.null_count() == 0 && histograms.null_count() == 0;
    Some((largest.as_primitive_opt::<Int64Type>()?, histograms.as_binary_opt::<i32>()?)).filter(|_| whole)
}

fn write_text(out: &mut impl Write, keys: &[&str], spreads: &BTreeMap<Vec<String>, Spread>) -> io::Result<()> {
    if spreads.is_empty() {
        return writeln!(out, "nothing was measured");
    }
    let mut lines = vec![head(keys)];
    lines.extend(spreads.iter().map(|(name, spread)| line(name, spread)));
    let widths: Vec<usize> = (0..lines.first().map_or(0, Vec::len))
        .map(|at| lines.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    for line in lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(at, (cell, width))| {
            let pad = " ".repeat(width - cell.chars().count());
            if at < keys.len() || at + 1 == line.len() { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

fn head(keys: &[&str]) -> Vec<String> {
    let names = keys.iter().map(|key| key.to_uppercase());
    let values = PERCENTILES.iter().map(|(_, name)| name.to_uppercase());
    let rest = ["MAX", "FROM SMALLEST TO LARGEST"].map(str::to_owned);
    names.chain(["COUNT".to_owned()]).chain(values).chain(rest).collect()
}

fn line(name: &[String], spread: &Spread) -> Vec<String> {
    let percentiles = PERCENTILES.iter().map(|(percentile, _)| span(spread.percentile_us(*percentile) as i64));
    let values = [spread.count().to_string()].into_iter().chain(percentiles);
    let rest = [span(spread.max_us() as i64), plot(spread)];
    name.iter().cloned().chain(values).chain(rest).collect()
}

/// Counts as bars, from the smallest value to the largest, each part as much wider than the one before.
fn plot(spread: &Spread) -> String {
    let (_, _, counts) = spread.bins(BINS);
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let bar = |count: &u64| match count {
        0 => ' ',
        count => {
            let height = (*count as f64 / most as f64 * (BARS.len() - 1) as f64).round() as usize;
            BARS.get(height).copied().unwrap_or('█')
        }
    };
    counts.iter().map(bar).collect()
}

fn write_json(out: &mut impl Write, keys: &[&str], spreads: &BTreeMap<Vec<String>, Spread>) -> Result<()> {
    for (name, spread) in spreads {
        let mut line = Map::new();
        for (key, value) in keys.iter().zip(name) {
            line.insert((*key).to_owned(), if value == "-" { Value::Null } else { json!(value) });
        }
        line.insert("count".to_owned(), json!(spread.count()));
        for (percentile, name) in PERCENTILES {
            line.insert(format!("{}_us", name.replace('.', "_")), json!(spread.percentile_us(percentile)));
        }
        line.insert("max_us".to_owned(), json!(spread.max_us()));
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)?;
    }
    Ok(())
}
