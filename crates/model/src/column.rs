//! Columns and tables: the one list that storage, wire, JSON, command line and documentation are made from.

use crate::Value;

/// How a column's values are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnType {
    /// True or false.
    Bool,
    /// 64-bit signed number.
    Int64,
    /// 32-bit signed number.
    Int32,
    /// UTF-8 text.
    Text,
    /// An address, held as text.
    Ip,
    /// A time: microseconds UTC in the lake, seconds with nine digits in JSON.
    Time,
    /// List of text.
    TextList,
    /// List of 32-bit numbers.
    IntList,
    /// List of `{type: text, id: 64-bit number or null}`.
    Tunnels,
    /// List of `{type: 32-bit number, code: 32-bit number}`.
    Icmps,
    /// Bytes; hexadecimal text in JSON.
    Bytes,
}

impl ColumnType {
    /// The type's name in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Text | Self::Ip => "text",
            Self::Time => "timestamp",
            Self::TextList => "list of text",
            Self::IntList => "list of int32",
            Self::Tunnels => "list of {type: text, id: int64}",
            Self::Icmps => "list of {type: int32, code: int32}",
            Self::Bytes => "binary",
        }
    }
}

/// What a column is about; the order of the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnGroup {
    /// Which row this is.
    Identity,
    /// Where it was seen.
    Tap,
    /// When.
    Time,
    /// Addresses and headers.
    Network,
    /// Packets and bytes.
    Counters,
    /// TCP.
    Tcp,
    /// What was said above the transport layer.
    Request,
    /// How long it took.
    Latency,
    /// Who talked.
    Endpoints,
    /// Address translation.
    Nat,
    /// Which Service.
    Service,
    /// Which Ingress or Gateway rule.
    Route,
    /// What happened.
    Policy,
    /// What is missing.
    Loss,
    /// What was watched.
    Coverage,
    /// An object of the cluster.
    Object,
}

impl ColumnGroup {
    /// The heading in the documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Tap => "tap",
            Self::Time => "time",
            Self::Network => "network",
            Self::Counters => "counters",
            Self::Tcp => "tcp",
            Self::Request => "request",
            Self::Latency => "latency",
            Self::Endpoints => "endpoints",
            Self::Nat => "nat",
            Self::Service => "service",
            Self::Route => "route",
            Self::Policy => "policy",
            Self::Loss => "loss",
            Self::Coverage => "coverage",
            Self::Object => "object",
        }
    }
}

/// One column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// The name, the same everywhere.
    pub name: &'static str,
    /// How values are held.
    pub kind: ColumnType,
    /// What it is about.
    pub group: ColumnGroup,
    /// Unit, meaning, and what null means.
    pub doc: &'static str,
}

/// A table of the lake whose rows are made from `R`.
pub struct Table<R: 'static> {
    /// The table's name: its folder in the lake and its name in SQL.
    pub name: &'static str,
    /// One line on what a row is.
    pub doc: &'static str,
    /// The columns in order.
    pub columns: &'static [Column],
    /// How each column's value is taken from a row, in the order of `columns`.
    pub values: &'static [fn(&R) -> Value<'_>],
}

impl<R> Table<R> {
    /// The position of the column called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// All values of `row`, independent of it.
    pub fn record(&self, row: &R) -> Record {
        Record { columns: self.columns, values: self.values.iter().map(|get| get(row).into_owned()).collect() }
    }
}

/// A row as a list of values: what outputs and filters work on.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// The table's columns.
    pub columns: &'static [Column],
    /// One value for each column.
    pub values: Vec<Value<'static>>,
}

impl Record {
    /// The value of the column called `name`; null for a name that is no column.
    pub fn get(&self, name: &str) -> &Value<'static> {
        const NULL: &Value<'static> = &Value::Null;
        let position = self.columns.iter().position(|column| column.name == name);
        position.and_then(|at| self.values.get(at)).unwrap_or(NULL)
    }
}
