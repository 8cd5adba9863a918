//! `flow.proto`, `request.proto` and `object.proto` in `proto/weir/v1`, made from the columns of their tables. What comes in is the
//! file as it is: the numbers of its fields never change, new columns get the next ones, and a field whose column is gone is
//! an error.

use std::collections::BTreeMap;
use std::fmt::Write;

use weir_model::tables::{FLOWS, OBJECTS, REQUESTS};
use weir_model::{Column, ColumnType};

/// The longest line.
const WIDTH: usize = 118;

/// A message with a field for each column of a table.
#[derive(Clone, Copy, Debug)]
pub struct FlatMessage {
    /// Its name.
    pub name: &'static str,
    /// Its file in `proto/weir/v1`.
    pub file: &'static str,
    /// The table's columns.
    pub columns: &'static [Column],
    head: &'static str,
}

/// Every such message.
pub fn all() -> [FlatMessage; 3] {
    [
        FlatMessage { name: "Flow", file: "flow.proto", columns: FLOWS.columns, head: FLOW_HEAD },
        FlatMessage { name: "Request", file: "request.proto", columns: REQUESTS.columns, head: REQUEST_HEAD },
        FlatMessage { name: "Object", file: "object.proto", columns: OBJECTS.columns, head: OBJECT_HEAD },
    ]
}

const FLOW_HEAD: &str = "\
// One row of the table `flows`: flat and self-contained, for any client. Field names are the column names, absence is
// the column's null; docs/tables.md has the same list. A list without elements is null too, but for the TCP flags of a
// flow that has a tcp_state, in a direction that has packets: none was seen.
//
// Made from crates/model/src/tables; a test compares (`WEIR_UPDATE=1` writes it anew).
syntax = \"proto3\";

package weir.v1;

import \"google/protobuf/timestamp.proto\";
import \"weir/v1/ingest.proto\";

";

const REQUEST_HEAD: &str = "\
// One row of the table `requests`: flat and self-contained, for any client. Field names are the column names, absence is
// the column's null, as is a list without elements; docs/tables.md has the same list.
//
// Made from crates/model/src/tables; a test compares (`WEIR_UPDATE=1` writes it anew).
syntax = \"proto3\";

package weir.v1;

import \"google/protobuf/timestamp.proto\";

";

const OBJECT_HEAD: &str = "\
// One row of the table `objects`: flat and self-contained, for any client. Field names are the column names, absence is
// the column's null; docs/tables.md has the same list.
//
// Made from crates/model/src/tables; a test compares (`WEIR_UPDATE=1` writes it anew).
syntax = \"proto3\";

package weir.v1;

import \"google/protobuf/timestamp.proto\";

";

/// Why the file cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlatProtoError {
    /// Readers of older versions know this field: columns are never removed or renamed.
    #[error("field {0} is no column any more")]
    Removed(String),
    /// A line of the message is neither a comment nor a field.
    #[error("not a field: {0}")]
    NotAField(String),
}

impl FlatMessage {
    /// The whole file, with the field numbers of `current`.
    pub fn text(&self, current: &str) -> Result<String, FlatProtoError> {
        Ok(format!("{}{}", self.head, message(self.name, self.columns, current)?))
    }
}

/// The message `name` for `columns`, with the field numbers of `current`.
pub fn message(name: &str, columns: &[Column], current: &str) -> Result<String, FlatProtoError> {
    let mut numbers = numbers(name, current)?;
    if let Some(gone) = numbers.keys().find(|name| columns.iter().all(|column| column.name != name.as_str())) {
        return Err(FlatProtoError::Removed(gone.clone()));
    }
    let mut next = numbers.values().max().map_or(1, |last| last + 1);
    let mut text = format!("message {name} {{\n");
    for column in columns {
        let number = *numbers.entry(column.name.to_owned()).or_insert_with(|| {
            next += 1;
            next - 1
        });
        comment(&mut text, column.doc);
        writeln!(text, "  {} {} = {number};", field_type(column.kind), column.name)
            .expect("writing to a String cannot fail");
    }
    text.push_str("}\n");
    Ok(text)
}

/// Label and type of the field for a column.
pub const fn field_type(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Bool => "optional bool",
        ColumnType::Int64 => "optional int64",
        ColumnType::Int32 => "optional int32",
        ColumnType::Text | ColumnType::Ip => "optional string",
        ColumnType::Time => "google.protobuf.Timestamp",
        ColumnType::TextList => "repeated string",
        ColumnType::IntList => "repeated uint32",
        ColumnType::Tunnels => "repeated Tunnel",
        ColumnType::Icmps => "repeated Icmp",
        ColumnType::Bytes => "optional bytes",
    }
}

/// The number of each field of message `name`.
fn numbers(name: &str, proto: &str) -> Result<BTreeMap<String, u32>, FlatProtoError> {
    let begin = format!("message {name} {{");
    let lines = proto.lines().map(str::trim).skip_while(|line| *line != begin).skip(1);
    let fields = lines.take_while(|line| *line != "}").filter(|line| !line.is_empty() && !line.starts_with("//"));
    fields.map(|line| field(line).ok_or_else(|| FlatProtoError::NotAField(line.to_owned()))).collect()
}

/// `optional int64 flow_id = 1;` as name and number.
fn field(line: &str) -> Option<(String, u32)> {
    let (declared, number) = line.strip_suffix(';')?.split_once(" = ")?;
    Some((declared.rsplit(' ').next()?.to_owned(), number.parse().ok()?))
}

fn comment(text: &mut String, doc: &str) {
    let mut line = String::from("  //");
    for word in doc.split_whitespace() {
        if line.len() + 1 + word.len() > WIDTH {
            text.push_str(&line);
            text.push('\n');
            line.truncate("  //".len());
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}
