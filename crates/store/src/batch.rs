//! Rows of the model in, Arrow batches of a table's schema out: one code path for all tables, column by column.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Int32Builder, Int64Builder, ListBuilder, RecordBatch, StringArray,
    StringBuilder, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, FieldRef, SchemaRef};
use weir_model::tables::{
    COVERAGE, CoverageRow, FLOWS, LATENCY, LOSSES, LatencyRow, LossRow, OBJECTS, ObjectRow, REQUESTS, RequestRow,
};

use weir_model::{Column, ColumnType, FlowRow, Table, Timestamp, Value};

use crate::shape::TABLES;

const NANOS_PER_HOUR: i64 = 3_600_000_000_000;

/// Rows for each table, as one journal entry makes them.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Rows of `flows`.
    pub flows: Vec<FlowRow>,
    /// Rows of `requests`.
    pub requests: Vec<RequestRow>,
    /// Rows of `latency`.
    pub latency: Vec<LatencyRow>,
    /// Rows of `losses`.
    pub losses: Vec<LossRow>,
    /// Rows of `coverage`; each must have its end.
    pub coverage: Vec<CoverageRow>,
    /// Rows of `objects`.
    pub objects: Vec<ObjectRow>,
}

impl Rows {
    /// How many rows there are in all.
    pub fn len(&self) -> usize {
        let measured = self.flows.len() + self.requests.len() + self.latency.len();
        measured + self.losses.len() + self.coverage.len() + self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One batch for each table in the order of [`crate::shape::SHAPES`], with the schemas of these.
    pub(crate) fn batches(
        &self,
        [flows, requests, latency, losses, coverage, objects]: [&SchemaRef; TABLES],
    ) -> [RecordBatch; TABLES] {
        [
            batch(&FLOWS, flows, &self.flows, |row| row.seen.flow.window_start),
            batch(&REQUESTS, requests, &self.requests, |row| row.request.ts),
            batch(&LATENCY, latency, &self.latency, |row| row.window_start),
            batch(&LOSSES, losses, &self.losses, |row| row.loss.from_ts),
            batch(&COVERAGE, coverage, &self.coverage, |row| row.coverage.from_ts),
            batch(&OBJECTS, objects, &self.objects, |row| row.seen_ts),
        ]
    }
}

/// `rows` as a batch of `schema`: the hour of `time`, then the table's columns.
fn batch<R>(table: &Table<R>, schema: &SchemaRef, rows: &[R], time: impl Fn(&R) -> Timestamp) -> RecordBatch {
    let columns = table.columns.iter().zip(table.values).zip(schema.fields().iter().skip(1));
    let arrays = columns.map(|((column, value), field)| {
        let mut builder = Builder::new(column, field.data_type(), rows.len());
        for row in rows {
            builder.append(value(row));
        }
        builder.finish()
    });
    let hours = hours(rows.iter().map(time));
    RecordBatch::try_new(Arc::clone(schema), std::iter::once(hours).chain(arrays).collect())
        .expect("the arrays were built for the schema")
}

fn hours(times: impl Iterator<Item = Timestamp>) -> ArrayRef {
    let mut last: Option<(i64, Arc<str>)> = None;
    let hours = times.map(|time| {
        let number = time.0.div_euclid(NANOS_PER_HOUR);
        let name = match &last {
            Some((known, name)) if *known == number => Arc::clone(name),
            _ => time.hour().into(),
        };
        last = Some((number, Arc::clone(&name)));
        Some(name)
    });
    Arc::new(hours.collect::<StringArray>())
}

/// Collects the values of one column. A value of another kind than the column's becomes null.
enum Builder {
    Bool(BooleanBuilder),
    Int64(Int64Builder),
    Int32(Int32Builder),
    Text(StringBuilder),
    Time(TimestampMicrosecondBuilder),
    TextList(ListBuilder<StringBuilder>),
    IntList(ListBuilder<Int32Builder>),
    Tunnels(ListBuilder<StructBuilder>),
    Icmps(ListBuilder<StructBuilder>),
    Bytes(BinaryBuilder),
}

impl Builder {
    fn new(column: &Column, kind: &DataType, rows: usize) -> Self {
        match column.kind {
            ColumnType::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
            ColumnType::Int64 => Self::Int64(Int64Builder::with_capacity(rows)),
            ColumnType::Int32 => Self::Int32(Int32Builder::with_capacity(rows)),
            ColumnType::Text | ColumnType::Ip => Self::Text(StringBuilder::with_capacity(rows, rows * 12)),
            ColumnType::Time => {
                Self::Time(TimestampMicrosecondBuilder::with_capacity(rows).with_data_type(kind.clone()))
            }
            ColumnType::TextList => Self::TextList(ListBuilder::new(StringBuilder::new()).with_field(element(kind))),
            ColumnType::IntList => Self::IntList(ListBuilder::new(Int32Builder::new()).with_field(element(kind))),
            ColumnType::Tunnels => Self::Tunnels(structs(kind)),
            ColumnType::Icmps => Self::Icmps(structs(kind)),
            ColumnType::Bytes => Self::Bytes(BinaryBuilder::new()),
        }
    }

    fn append(&mut self, value: Value<'_>) {
        match (self, value) {
            (Self::Bool(to), value) => to.append_option(value.as_bool()),
            (Self::Int64(to), value) => to.append_option(value.as_int()),
            (Self::Int32(to), value) => to.append_option(value.as_int().map(saturated)),
            (Self::Time(to), value) => to.append_option(value.as_time().map(Timestamp::as_micros)),
            (Self::Text(to), Value::Text(text)) => to.append_value(text),
            (Self::Text(to), Value::Ip(address)) => {
                // Writing to a builder cannot fail; what is written becomes the value appended.
                let _ = write!(to, "{address}");
                to.append_value("");
            }
            (Self::Text(to), _) => to.append_null(),
            (Self::TextList(to), Value::TextList(words)) => {
                for word in &words {
                    to.values().append_value(word);
                }
                to.append(true);
            }
            (Self::TextList(to), _) => to.append_null(),
            (Self::IntList(to), Value::IntList(numbers)) => {
                for number in numbers.iter() {
                    to.values().append_value(i32::from(*number));
                }
                to.append(true);
            }
            (Self::IntList(to), _) => to.append_null(),
            (Self::Tunnels(to), Value::Tunnels(tunnels)) => {
                for tunnel in tunnels.iter() {
                    if let Some(kind) = to.values().field_builder::<StringBuilder>(0) {
                        kind.append_value(tunnel.kind.name());
                    }
                    if let Some(id) = to.values().field_builder::<Int64Builder>(1) {
                        id.append_option(tunnel.id.map(i64::from));
                    }
                    to.values().append(true);
                }
                to.append(true);
            }
            (Self::Icmps(to), Value::Icmps(messages)) => {
                for message in messages.iter() {
                    for (at, number) in [message.kind, message.code].into_iter().enumerate() {
                        if let Some(field) = to.values().field_builder::<Int32Builder>(at) {
                            field.append_value(i32::from(number));
                        }
                    }
                    to.values().append(true);
                }
                to.append(true);
            }
            (Self::Tunnels(to) | Self::Icmps(to), _) => to.append_null(),
            (Self::Bytes(to), Value::Bytes(bytes)) => to.append_value(bytes),
            (Self::Bytes(to), _) => to.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut from) => Arc::new(from.finish()),
            Self::Int64(mut from) => Arc::new(from.finish()),
            Self::Int32(mut from) => Arc::new(from.finish()),
            Self::Text(mut from) => Arc::new(from.finish()),
            Self::Time(mut from) => Arc::new(from.finish()),
            Self::TextList(mut from) => Arc::new(from.finish()),
            Self::IntList(mut from) => Arc::new(from.finish()),
            Self::Tunnels(mut from) | Self::Icmps(mut from) => Arc::new(from.finish()),
            Self::Bytes(mut from) => Arc::new(from.finish()),
        }
    }
}

fn saturated(number: i64) -> i32 {
    number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
}

fn element(kind: &DataType) -> FieldRef {
    match kind {
        DataType::List(element) => Arc::clone(element),
        other => unreachable!("a list column has type {other}"),
    }
}

fn structs(kind: &DataType) -> ListBuilder<StructBuilder> {
    let element = element(kind);
    let DataType::Struct(fields) = element.data_type() else { unreachable!("a list of structs has type {kind}") };
    ListBuilder::new(StructBuilder::from_fields(fields.clone(), 0)).with_field(element)
}
