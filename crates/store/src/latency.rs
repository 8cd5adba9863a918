//! Latencies: settled rows in, histograms out, one for each edge, leg and window; and histograms merged without error.
//!
//! Every histogram has two significant digits and grows with its values, so any two may be added.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use hdrhistogram::Histogram as Hdr;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use weir_model::tables::{Histogram, LatencyRow, Measure, RequestRow};
use weir_model::{ConnectionId, Endpoint, Exchange, FlowRow, Leg, Protocol, Service, Timestamp};

/// Significant digits of every histogram.
const DIGITS: u8 = 2;

/// Length of a window.
const WINDOW_NS: i64 = 60_000_000_000;

/// What rows have measured, by edge, leg and window.
#[derive(Debug, Default)]
pub struct Latencies {
    edges: HashMap<Edge, (FlowRow, Vec<u32>)>,
}

/// What measurements have in common whose histograms may be merged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Edge {
    measure: Measure,
    window_start: Timestamp,
    leg: Option<Leg>,
    is_primary: Option<bool>,
    node: Option<Arc<str>>,
    protocol: Protocol,
    dst_port: u16,
    src: Arc<Endpoint>,
    dst: Arc<Endpoint>,
    service: Option<Arc<Service>>,
}

impl Latencies {
    /// Adds what a row of `flows` measured.
    pub fn add_flow(&mut self, row: &FlowRow) {
        let flow = &row.seen.flow;
        if let Some(rtt_us) = flow.tcp.as_ref().and_then(|tcp| tcp.handshake_rtt_us) {
            self.add(Measure::Handshake, flow.first_ts, row, rtt_us);
        }
    }

    /// Adds what a row of `requests` measured.
    pub fn add_request(&mut self, row: &RequestRow) {
        let request = &row.request;
        let (measure, value_us) = match &request.exchange {
            Exchange::Dns(_) => (Measure::Dns, request.latency_us),
            Exchange::Http(_) => (Measure::FirstByte, request.first_byte_us),
            Exchange::Tls(_) => (Measure::TlsHello, request.latency_us),
        };
        if let Some(value_us) = value_us {
            self.add(measure, request.ts, &row.flow, value_us);
        }
    }

    /// One row for each edge, leg and window.
    pub fn into_rows(self) -> Vec<LatencyRow> {
        let rows = self.edges.into_iter().map(|(edge, (flow, values))| {
            let mut histogram = empty();
            for value in &values {
                histogram.record(u64::from(*value)).expect("a histogram grows with its values");
            }
            let sum_us = values.iter().copied().map(u64::from).sum();
            let bound = |bound: Option<&u32>| bound.copied().map_or(0, u64::from);
            LatencyRow {
                flow,
                measure: edge.measure,
                window_start: edge.window_start,
                histogram: Histogram {
                    count: values.len() as u64,
                    sum_us,
                    min_us: bound(values.iter().min()),
                    max_us: bound(values.iter().max()),
                    v2: bytes(&histogram).into(),
                },
            }
        });
        rows.collect()
    }

    fn add(&mut self, measure: Measure, ts: Timestamp, row: &FlowRow, value_us: u32) {
        let seen = &row.seen;
        let edge = Edge {
            measure,
            window_start: ts.window_start(WINDOW_NS),
            leg: seen.leg,
            is_primary: row.is_primary,
            node: row.node.clone(),
            protocol: seen.flow.tuple.protocol,
            dst_port: seen.flow.tuple.dst_port,
            src: Arc::clone(&seen.src),
            dst: Arc::clone(&seen.dst),
            service: seen.service.clone(),
        };
        let of_edge = || FlowRow { connection: None::<ConnectionId>, ..row.clone() };
        self.edges.entry(edge).or_insert_with(|| (of_edge(), Vec::new())).1.push(value_us);
    }
}

/// A histogram that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not an HdrHistogram in its V2 form: {0}")]
pub struct UnreadableHistogram(String);

/// Merged histograms of one leg: how values are spread.
#[derive(Clone, Debug)]
pub struct Spread {
    merged: Hdr<u64>,
    max_us: u64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { merged: empty(), max_us: 0 }
    }
}

impl Spread {
    /// Adds a histogram as it is stored, whose largest value is `max_us`.
    pub fn merge(&mut self, v2: &[u8], max_us: u64) -> Result<(), UnreadableHistogram> {
        let unreadable = |error: &dyn std::fmt::Display| UnreadableHistogram(error.to_string());
        let added: Hdr<u64> = Deserializer::new().deserialize(&mut &*v2).map_err(|error| unreadable(&error))?;
        self.merged.add(&added).map_err(|error| unreadable(&error))?;
        self.max_us = self.max_us.max(max_us);
        Ok(())
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.merged.len()
    }

    /// The value below which so many of a hundred lie, in microseconds, two significant digits.
    pub fn percentile_us(&self, percentile: f64) -> u64 {
        self.merged.value_at_percentile(percentile).min(self.max_us)
    }

    /// The largest value, in microseconds, exactly.
    pub const fn max_us(&self) -> u64 {
        self.max_us
    }

    /// Into how many of `bins` parts of equal ratio between the smallest and the largest value the values fall: the
    /// bounds, in microseconds, and the counts.
    pub fn bins(&self, bins: usize) -> (u64, u64, Vec<u64>) {
        let (low, high) = (self.merged.min().max(1), self.merged.max().max(1));
        let span = (high as f64 / low as f64).ln();
        let mut counts = vec![0; bins];
        for value in self.merged.iter_recorded() {
            let at = (value.value_iterated_to().max(low) as f64 / low as f64).ln();
            let place = if span > 0.0 { (at / span * bins as f64) as usize } else { 0 };
            if let Some(count) = counts.get_mut(place.min(bins.saturating_sub(1))) {
                *count += value.count_at_value();
            }
        }
        (low, self.max_us, counts)
    }
}

/// Makes one row of rows that have everything but their values in common.
pub(crate) fn fold(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let keys: Vec<ArrayRef> = schema
        .fields()
        .iter()
        .zip(rows.columns())
        .filter(|(field, _)| LatencyRow::is_key(field.name()))
        .map(|(_, array)| Arc::clone(array))
        .collect();
    let sort = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let encoded = RowConverter::new(sort)?.convert_columns(&keys)?;
    let mut groups: HashMap<_, Vec<usize>> = HashMap::new();
    for (at, key) in encoded.iter().enumerate() {
        groups.entry(key).or_default().push(at);
    }
    if groups.len() == rows.num_rows() {
        return Ok(rows.clone());
    }
    // In the order of their first rows, so that what was sorted stays sorted.
    let groups: BTreeMap<usize, Vec<usize>> =
        groups.into_values().filter_map(|group| Some((*group.first()?, group))).collect();
    let firsts = UInt32Array::from_iter_values(groups.keys().map(|at| *at as u32));
    let kept = take_record_batch(rows, &firsts)?;
    let groups: Vec<_> = groups.into_values().collect();
    let columns = schema.fields().iter().zip(kept.columns()).map(|(field, array)| {
        let number = |reduce: fn(i64, i64) -> i64| reduced(rows, field.name(), &groups, reduce);
        match field.name().as_str() {
            "count" | "sum_us" => number(i64::saturating_add),
            "min_us" => number(i64::min),
            "max_us" => number(i64::max),
            "histogram" => merged(rows, field.name(), &groups),
            _ => Ok(Arc::clone(array)),
        }
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
}

fn reduced(
    rows: &RecordBatch,
    name: &str,
    groups: &[Vec<usize>],
    reduce: fn(i64, i64) -> i64,
) -> Result<ArrayRef, ArrowError> {
    let array = column(rows, name)?;
    let values = array.as_primitive_opt::<Int64Type>().ok_or_else(|| wrong(name))?;
    let of_group = |group: &Vec<usize>| group.iter().map(|at| values.value(*at)).reduce(reduce);
    Ok(Arc::new(groups.iter().map(of_group).collect::<Int64Array>()))
}

fn merged(rows: &RecordBatch, name: &str, groups: &[Vec<usize>]) -> Result<ArrayRef, ArrowError> {
    let array = column(rows, name)?;
    let values = array.as_binary_opt::<i32>().ok_or_else(|| wrong(name))?;
    let mut merged = Vec::with_capacity(groups.len());
    for group in groups {
        let mut spread = Spread::default();
        for at in group.iter().filter(|at| values.is_valid(**at)) {
            let failed = |error: UnreadableHistogram| ArrowError::ExternalError(Box::new(error));
            spread.merge(values.value(*at), 0).map_err(failed)?;
        }
        merged.push(bytes(&spread.merged));
    }
    Ok(Arc::new(BinaryArray::from_iter_values(merged)))
}

fn column<'a>(rows: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    rows.column_by_name(name).ok_or_else(|| wrong(name))
}

fn wrong(name: &str) -> ArrowError {
    ArrowError::SchemaError(format!("column {name} is missing or has another type"))
}

fn empty() -> Hdr<u64> {
    Hdr::new(DIGITS).expect("two significant digits are allowed")
}

fn bytes(histogram: &Hdr<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    V2Serializer::new().serialize(histogram, &mut bytes).expect("a histogram of this size is written to memory");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[u64]) -> Spread {
        let mut histogram = empty();
        for value in values {
            histogram.record(*value).expect("grows");
        }
        let mut spread = Spread::default();
        spread.merge(&bytes(&histogram), values.iter().copied().max().unwrap_or(0)).expect("was just written");
        spread
    }

    #[test]
    fn histograms_of_any_span_merge_without_error() {
        let mut merged = spread(&[10, 20, 30]);
        let far = spread(&[5_000_000]);
        merged.merge(&bytes(&far.merged), far.max_us()).expect("grows");
        assert_eq!((merged.count(), merged.max_us()), (4, 5_000_000));
        assert_eq!(merged.percentile_us(50.0), 20);
        assert_eq!(merged.percentile_us(100.0), 5_000_000, "the largest value is told exactly");
        assert!(merged.merge(b"no histogram", 0).is_err());
    }

    #[test]
    fn bins_hold_every_value_once() {
        let (low, high, counts) = spread(&[1, 30, 300, 3_000, 10_000]).bins(4);
        assert_eq!((low, high), (1, 10_000));
        assert_eq!(counts, [1, 1, 1, 2]);
        assert_eq!(spread(&[7, 7]).bins(3).2, [2, 0, 0]);
        assert_eq!(Spread::default().bins(3).2, [0, 0, 0]);
    }
}
