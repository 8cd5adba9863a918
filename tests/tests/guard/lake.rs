//! The tables of the lake have the columns of the model: as Delta and every other reader sees them, and as queries answer.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use weir_model::{ColumnType, tables};
use weir_store::{Lake, LakeOptions, QueryLimits};

/// The type of a column in the schema of a Delta table.
fn delta_type(kind: ColumnType) -> Value {
    let list = |element| json!({"type": "array", "elementType": element, "containsNull": true});
    let pair = |fields: [(&str, &str); 2]| {
        let fields = fields.map(|(name, kind)| json!({"name": name, "type": kind, "nullable": true, "metadata": {}}));
        json!({"type": "struct", "fields": fields})
    };
    match kind {
        ColumnType::Bool => json!("boolean"),
        ColumnType::Int64 => json!("long"),
        ColumnType::Int32 => json!("integer"),
        ColumnType::Text | ColumnType::Ip => json!("string"),
        ColumnType::Time => json!("timestamp"),
        ColumnType::TextList => list(json!("string")),
        ColumnType::IntList => list(json!("integer")),
        ColumnType::Tunnels => list(pair([("type", "string"), ("id", "long")])),
        ColumnType::Icmps => list(pair([("type", "integer"), ("code", "integer")])),
        ColumnType::Bytes => json!("binary"),
    }
}

/// The type of a column in the answer to a query, as Arrow prints it.
fn arrow_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bool => "Boolean",
        ColumnType::Int64 => "Int64",
        ColumnType::Int32 => "Int32",
        ColumnType::Text | ColumnType::Ip => "Utf8",
        ColumnType::Time => "Timestamp(µs, \"UTC\")",
        ColumnType::TextList => "List(Utf8, field: 'element')",
        ColumnType::IntList => "List(Int32, field: 'element')",
        ColumnType::Tunnels => "List(Struct(\"type\": Utf8, \"id\": Int64), field: 'element')",
        ColumnType::Icmps => "List(Struct(\"type\": Int32, \"code\": Int32), field: 'element')",
        ColumnType::Bytes => "Binary",
    }
}

/// The first version of a table in the lake's own words: its metadata.
fn delta_metadata(table: &Path) -> Value {
    let log = fs::read_to_string(table.join("_delta_log/00000000000000000000.json")).expect("the first version");
    let mut actions = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    actions.find_map(|action| action.get("metaData").cloned()).expect("the first version has metadata")
}

#[tokio::test]
async fn the_lake_has_the_hour_and_the_columns_of_each_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = Lake::open(folder.path(), LakeOptions::default()).await.expect("a new lake");
    for (table, _, columns) in tables::all() {
        let metadata = delta_metadata(&folder.path().join(table));
        assert_eq!(metadata["partitionColumns"], json!([tables::PARTITION]), "{table}");
        let schema = metadata["schemaString"].as_str().expect("a schema");
        let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
        let fields = schema["fields"].as_array().expect("fields");
        let (hour, fields) = fields.split_first().expect("fields");
        assert_eq!((&hour["name"], &hour["type"]), (&json!(tables::PARTITION), &json!("string")), "{table}");
        let expected: Vec<_> = columns
            .iter()
            .map(|column| {
                json!({"name": column.name, "type": delta_type(column.kind), "nullable": true,
                       "metadata": {"comment": column.doc}})
            })
            .collect();
        assert_eq!(*fields, *expected, "{table}");

        let all = format!("SELECT * FROM {table}");
        let (schema, _) = lake.query(&all, QueryLimits::default()).await.expect("answered");
        let answered: Vec<_> =
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().to_string())).collect();
        let hour = (tables::PARTITION.to_owned(), "Utf8".to_owned());
        let columns = columns.iter().map(|column| (column.name.to_owned(), arrow_type(column.kind).to_owned()));
        assert_eq!(answered, std::iter::once(hour).chain(columns).collect::<Vec<_>>(), "{table}");
    }
}
