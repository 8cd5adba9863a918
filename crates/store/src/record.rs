//! Arrow batches in, records of the model out: the way back from [`crate::batch`].

use std::borrow::Cow;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use weir_model::{Column, ColumnType, Icmp, Record, Timestamp, Tunnel, TunnelKind, Value};

/// The rows of `batch` as records of `columns`. Columns that the batch lacks, or has with another type, are null.
pub fn records(columns: &'static [Column], batch: &RecordBatch) -> Vec<Record> {
    let readers: Vec<_> =
        columns.iter().map(|column| Reader::new(column.kind, batch.column_by_name(column.name))).collect();
    (0..batch.num_rows())
        .map(|row| Record { columns, values: readers.iter().map(|reader| reader.value(row)).collect() })
        .collect()
}

/// One column's array, as the type its values are held in.
enum Reader<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int64(&'a Int64Array),
    Int32(&'a Int32Array),
    Text(&'a StringArray),
    Ip(&'a StringArray),
    Time(&'a TimestampMicrosecondArray),
    TextList(&'a ListArray),
    IntList(&'a ListArray),
    Tunnels(&'a ListArray),
    Icmps(&'a ListArray),
    Bytes(&'a BinaryArray),
}

impl<'a> Reader<'a> {
    fn new(kind: ColumnType, array: Option<&'a ArrayRef>) -> Self {
        let Some(array) = array else { return Self::Null };
        let reader = match kind {
            ColumnType::Bool => array.as_boolean_opt().map(Self::Bool),
            ColumnType::Int64 => array.as_primitive_opt::<Int64Type>().map(Self::Int64),
            ColumnType::Int32 => array.as_primitive_opt::<Int32Type>().map(Self::Int32),
            ColumnType::Text => array.as_string_opt().map(Self::Text),
            ColumnType::Ip => array.as_string_opt().map(Self::Ip),
            ColumnType::Time => array.as_primitive_opt::<TimestampMicrosecondType>().map(Self::Time),
            ColumnType::TextList => array.as_list_opt().map(Self::TextList),
            ColumnType::IntList => array.as_list_opt().map(Self::IntList),
            ColumnType::Tunnels => array.as_list_opt().map(Self::Tunnels),
            ColumnType::Icmps => array.as_list_opt().map(Self::Icmps),
            ColumnType::Bytes => array.as_binary_opt().map(Self::Bytes),
        };
        reader.unwrap_or(Self::Null)
    }

    fn value(&self, row: usize) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(array) => present(*array, row).map(|row| array.value(row)).into_value(Value::Bool),
            Self::Int64(array) => present(*array, row).map(|row| array.value(row)).into_value(Value::Int),
            Self::Int32(array) => present(*array, row).map(|row| array.value(row).into()).into_value(Value::Int),
            Self::Text(array) => present(*array, row).map(|row| array.value(row).to_owned()).into_value(Value::from),
            Self::Ip(array) => present(*array, row).map(|row| array.value(row)).into_value(address),
            Self::Time(array) => {
                present(*array, row).map(|row| Timestamp::from_micros(array.value(row))).into_value(Value::Time)
            }
            Self::TextList(array) => present(*array, row).map(|row| array.value(row)).into_value(|items| words(&items)),
            Self::IntList(array) => {
                present(*array, row).map(|row| array.value(row)).into_value(|items| numbers(&items))
            }
            Self::Tunnels(array) => {
                present(*array, row).map(|row| array.value(row)).into_value(|items| tunnels(&items))
            }
            Self::Icmps(array) => present(*array, row).map(|row| array.value(row)).into_value(|items| messages(&items)),
            Self::Bytes(array) => present(*array, row)
                .map(|row| array.value(row).to_vec())
                .into_value(|bytes| Value::Bytes(Cow::Owned(bytes))),
        }
    }
}

fn present(array: &dyn Array, row: usize) -> Option<usize> {
    array.is_valid(row).then_some(row)
}

trait IntoValue<T> {
    fn into_value(self, make: impl FnOnce(T) -> Value<'static>) -> Value<'static>;
}

impl<T> IntoValue<T> for Option<T> {
    fn into_value(self, make: impl FnOnce(T) -> Value<'static>) -> Value<'static> {
        self.map_or(Value::Null, make)
    }
}

/// Text that is no address stays text: a newer lake may hold other forms.
fn address(text: &str) -> Value<'static> {
    text.parse().map_or_else(|_| text.to_owned().into(), Value::Ip)
}

fn words(items: &ArrayRef) -> Value<'static> {
    let words = items.as_string_opt::<i32>().into_iter().flatten().flatten();
    Value::TextList(words.map(|word| Cow::Owned(word.to_owned())).collect())
}

fn numbers(items: &ArrayRef) -> Value<'static> {
    let numbers = items.as_primitive_opt::<Int32Type>().into_iter().flatten().flatten();
    Value::IntList(Cow::Owned(numbers.filter_map(|number| u16::try_from(number).ok()).collect()))
}

fn tunnels(items: &ArrayRef) -> Value<'static> {
    let fields = items.as_struct_opt().and_then(|items| {
        let kinds = field(items, "type")?.as_string_opt::<i32>()?;
        let ids = field(items, "id")?.as_primitive_opt::<Int64Type>()?;
        Some(kinds.iter().zip(ids))
    });
    let tunnel = |(kind, id): (Option<&str>, Option<i64>)| {
        Some(Tunnel { kind: TunnelKind::parse(kind?)?, id: id.and_then(|id| id.try_into().ok()) })
    };
    Value::Tunnels(Cow::Owned(fields.into_iter().flatten().filter_map(tunnel).collect()))
}

fn messages(items: &ArrayRef) -> Value<'static> {
    let fields = items.as_struct_opt().and_then(|items| {
        let kinds = field(items, "type")?.as_primitive_opt::<Int32Type>()?;
        let codes = field(items, "code")?.as_primitive_opt::<Int32Type>()?;
        Some(kinds.iter().zip(codes))
    });
    let message = |(kind, code): (Option<i32>, Option<i32>)| {
        Some(Icmp { kind: kind?.try_into().ok()?, code: code?.try_into().ok()? })
    };
    Value::Icmps(Cow::Owned(fields.into_iter().flatten().filter_map(message).collect()))
}

fn field<'a>(items: &'a StructArray, name: &str) -> Option<&'a ArrayRef> {
    items.column_by_name(name)
}
