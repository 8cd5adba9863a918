//! The columns of each table are the same wherever they are named: lake, wire, JSON, filters and pages.

use std::fs;

use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use weir_model::filter::{Clause, Operator};
use weir_model::tables::{self, FLOWS, LATENCY, REQUESTS};
use weir_model::{Column, ColumnGroup, ColumnType, Record, Value};
use weir_tests::{examples, flat_proto};

fn message(name: &str) -> MessageDescriptor {
    let pool = DescriptorPool::decode(weir_proto::v1::DESCRIPTORS).expect("the build made the descriptors");
    pool.get_message_by_name(name).unwrap_or_else(|| panic!("no message {name}"))
}

/// Fields in the order of the file.
fn fields(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(|field| field.path().to_vec());
    fields
}

/// Label and type of a field as a proto file has them.
fn field_type(field: &FieldDescriptor) -> String {
    let kind = match field.kind() {
        Kind::Bool => "bool".to_owned(),
        Kind::Int32 => "int32".to_owned(),
        Kind::Int64 => "int64".to_owned(),
        Kind::Uint32 => "uint32".to_owned(),
        Kind::String => "string".to_owned(),
        Kind::Message(message) => message.full_name().trim_start_matches("weir.v1.").to_owned(),
        other => format!("{other:?}"),
    };
    match field.kind() {
        _ if field.is_list() => format!("repeated {kind}"),
        Kind::Message(_) => kind,
        _ if field.supports_presence() => format!("optional {kind}"),
        _ => kind,
    }
}

/// The comment in front of a field, on one line.
fn comment(field: &FieldDescriptor) -> String {
    let file = field.parent_file();
    let source = file.file_descriptor_proto().source_code_info.as_ref().expect("the descriptors keep comments");
    let place = source.location.iter().find(|location| location.path == field.path());
    one_line(place.map(Location::leading_comments).unwrap_or_default())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn names(columns: &[Column]) -> Vec<&str> {
    columns.iter().map(|column| column.name).collect()
}

#[test]
fn flat_messages_are_made_from_the_columns() {
    for message in flat_proto::all() {
        let path = examples::workspace().join("proto/weir/v1").join(message.file);
        let current = fs::read_to_string(&path).unwrap_or_default();
        let made = message.text(&current).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if examples::update() {
            fs::write(&path, &made).expect("the file can be written");
        } else {
            assert!(made == current, "{} is old: run this test with WEIR_UPDATE=1", path.display());
        }
    }
}

#[test]
fn numbers_of_fields_stay_and_new_columns_get_the_next() {
    let column = |name, kind, doc| Column { name, kind, group: ColumnGroup::Identity, doc };
    let columns = [
        column("a", ColumnType::Int64, "First."),
        column("b", ColumnType::Tunnels, "New."),
        column("c", ColumnType::Bool, "Last."),
    ];
    let current = "message Flow {\n  // Old.\n  optional bool c = 7;\n  optional int64 a = 3;\n}\n";
    let made = flat_proto::message("Flow", &columns, current).expect("both fields are columns");
    assert_eq!(
        made,
        "message Flow {\n  // First.\n  optional int64 a = 3;\n  // New.\n  repeated Tunnel b = 8;\n  // Last.\n  optional bool c = 7;\n}\n"
    );
    assert_eq!(flat_proto::message("Flow", &columns, &made), Ok(made));
    let gone = flat_proto::message("Flow", &columns[1..], current);
    assert_eq!(gone, Err(flat_proto::FlatProtoError::Removed("a".to_owned())));
}

#[test]
fn flat_messages_have_the_columns_of_their_tables() {
    for flat in flat_proto::all() {
        let fields = fields(&message(&format!("weir.v1.{}", flat.name)));
        assert_eq!(fields.iter().map(FieldDescriptor::name).collect::<Vec<_>>(), names(flat.columns));
        for (field, column) in fields.iter().zip(flat.columns) {
            assert_eq!(field_type(field), flat_proto::field_type(column.kind), "{}", column.name);
            assert_eq!(comment(field), one_line(column.doc), "{}", column.name);
        }
    }
}

/// Names of the fields of a message, those of the pod in it among them, as columns are called.
fn flattened(name: &str) -> Vec<String> {
    let as_column = |field: &FieldDescriptor| match field.kind() {
        Kind::Message(pod) => fields(&pod).iter().map(|field| field.name().to_owned()).collect(),
        _ => vec![field.name().replace("_time_ns", "_ts")],
    };
    fields(&message(name)).iter().flat_map(as_column).collect()
}

#[test]
fn losses_and_spans_on_the_wire_have_the_columns_of_their_tables() {
    // Node and run are said once, by the message around them.
    let rest = |columns| names(columns).into_iter().filter(|name| !["node", "run"].contains(name)).collect::<Vec<_>>();
    assert_eq!(flattened("weir.v1.Loss"), rest(tables::LOSSES.columns));
    assert_eq!(flattened("weir.v1.Coverage"), rest(tables::COVERAGE.columns));
    for name in ["node", "run", "losses", "coverage"] {
        assert!(message("weir.v1.Batch").get_field_by_name(name).is_some(), "{name}");
    }
}

#[test]
fn json_has_the_columns_as_keys_in_their_order() {
    for (table, _, columns) in tables::all() {
        let record = Record { columns, values: vec![Value::Null; columns.len()] };
        let keys: Vec<_> = columns.iter().map(|column| format!("\"{}\":null", column.name)).collect();
        let json = serde_json::to_string(&record).expect("serialises");
        assert_eq!(json, format!("{{{}}}", keys.join(",")), "{table}");
        assert!(!names(columns).contains(&"community_id"), "{table}: it is made on output only");
    }
}

#[test]
fn every_column_of_a_connection_is_a_field_of_the_filter_language() {
    for column in FLOWS.columns.iter().chain(REQUESTS.columns).chain(LATENCY.columns) {
        let value = match column.kind {
            ColumnType::Bool => "true",
            ColumnType::Int64 | ColumnType::Int32 | ColumnType::IntList => "1",
            ColumnType::Text if column.name == "protocol" => "tcp",
            ColumnType::Text | ColumnType::TextList => "*",
            ColumnType::Ip => "10.0.0.1",
            ColumnType::Time => "2026-11-22T21:00:00Z",
            ColumnType::Tunnels => "vxlan",
            ColumnType::Icmps => "3",
            ColumnType::Bytes => continue,
        };
        let clause = Clause::new(column.name, Operator::Equals, &[value]);
        clause.unwrap_or_else(|error| panic!("{}: {error}", column.name));
    }
}

/// Name, type and meaning of each column in the section of `table`.
fn documented(page: &str, table: &str) -> Vec<(String, String, String)> {
    let lines = page.lines().skip_while(|line| *line != format!("## {table}")).skip(1);
    let rows = lines.take_while(|line| !line.starts_with("## ")).filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.map(|row| row.strip_suffix(" |").expect("a row ends").splitn(3, " | ").map(str::to_owned));
    cells
        .map(|mut cells| {
            let mut cell = || cells.next().expect("three cells");
            (cell().trim_end_matches('`').to_owned(), cell(), cell())
        })
        .collect()
}

#[test]
fn the_page_has_the_columns_of_each_table() {
    let page = fs::read_to_string(examples::workspace().join("docs/tables.md")).expect("docs/tables.md");
    for (table, _, columns) in tables::all() {
        let expected: Vec<_> = columns
            .iter()
            .map(|column| (column.name.to_owned(), column.kind.name().to_owned(), column.doc.to_owned()))
            .collect();
        assert_eq!(documented(&page, table), expected, "{table}");
    }
}
