//! A table's columns as Delta and Arrow types, and what opening an existing table finds different.

use std::collections::HashMap;

use arrow::datatypes::{Schema, SchemaRef};
use deltalake::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake::kernel::{ArrayType, DataType, MetadataValue, PrimitiveType, StructField, StructType};
use weir_model::ColumnType;
use weir_model::tables::PARTITION;

use crate::StoreError;
use crate::shape::Shape;

/// Table property that says which schema wrote the table.
pub(crate) const VERSION_PROPERTY: &str = "weir.schemaVersion";

/// Rises when columns change their meaning; added columns alone do not raise it.
pub(crate) const VERSION: u32 = 1;

const PARTITION_DOC: &str = "Hour of packet time (UTC) that the row belongs to, 2026-11-22T21.";

impl Shape {
    /// All fields of the Delta table: the partition column, then the columns. Everything may be null.
    pub(crate) fn fields(&self) -> Vec<StructField> {
        let partition = field(PARTITION, DataType::Primitive(PrimitiveType::String), PARTITION_DOC);
        let columns = self.columns.iter().map(|column| field(column.name, delta_type(column.kind), column.doc));
        std::iter::once(partition).chain(columns).collect()
    }

    /// The same as an Arrow schema.
    pub(crate) fn arrow_schema(&self) -> SchemaRef {
        let schema: Schema = StructType::try_new(self.fields())
            .and_then(|fields| (&fields).try_into_arrow().map_err(Into::into))
            .expect("column names are unique and their types are Delta's");
        schema.into()
    }

    /// The known columns that a table with `present` fields lacks. An error where a field has another type.
    pub(crate) fn missing(&self, present: &StructType) -> Result<Vec<StructField>, StoreError> {
        let mut missing = Vec::new();
        for expected in self.fields() {
            match present.field(expected.name()) {
                None => missing.push(expected),
                Some(found) if found.data_type() == expected.data_type() => {}
                Some(found) => {
                    return Err(StoreError::ColumnType {
                        table: self.name,
                        column: found.name().clone(),
                        found: found.data_type().to_string(),
                        expected: expected.data_type().to_string(),
                    });
                }
            }
        }
        Ok(missing)
    }

    /// What a table has that this version does not know, in words; `None` where there is nothing.
    pub(crate) fn unknown(&self, present: &StructType, properties: &HashMap<String, String>) -> Option<String> {
        let version = properties.get(VERSION_PROPERTY).and_then(|text| text.parse::<u32>().ok());
        if let Some(version) = version.filter(|version| *version > VERSION) {
            return Some(format!("schema version {version}"));
        }
        let is_known = |name: &str| name == PARTITION || self.columns.iter().any(|column| column.name == name);
        let unknown: Vec<_> =
            present.fields().map(|field| field.name().as_str()).filter(|name| !is_known(name)).collect();
        (!unknown.is_empty()).then(|| format!("columns {}", unknown.join(", ")))
    }
}

fn field(name: &str, kind: DataType, doc: &str) -> StructField {
    StructField::nullable(name, kind).with_metadata([("comment", MetadataValue::String(doc.to_owned()))])
}

fn delta_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Bool => DataType::BOOLEAN,
        ColumnType::Int64 => DataType::LONG,
        ColumnType::Int32 => DataType::INTEGER,
        ColumnType::Text | ColumnType::Ip => DataType::STRING,
        ColumnType::Time => DataType::TIMESTAMP,
        ColumnType::TextList => list(DataType::STRING),
        ColumnType::IntList => list(DataType::INTEGER),
        ColumnType::Tunnels => list_of([("type", DataType::STRING), ("id", DataType::LONG)]),
        ColumnType::Icmps => list_of([("type", DataType::INTEGER), ("code", DataType::INTEGER)]),
        ColumnType::Bytes => DataType::BINARY,
    }
}

fn list(element: DataType) -> DataType {
    ArrayType::new(element, true).into()
}

fn list_of<const N: usize>(fields: [(&str, DataType); N]) -> DataType {
    let fields = fields.map(|(name, kind)| StructField::nullable(name, kind));
    list(StructType::new_unchecked(fields).into())
}
