//! What the store must know of each table beyond its columns: how rows are sorted, which columns are looked up, whether
//! rows may be merged, and which of them outlast their hour.

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use weir_model::tables::{COVERAGE, FLOWS, LATENCY, LOSSES, OBJECTS, REQUESTS};
use weir_model::{Column, ColumnType};

use crate::latency;

/// A table of the lake.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its name: the folder, and the name in SQL.
    pub(crate) name: &'static str,
    /// What a row is.
    pub(crate) doc: &'static str,
    /// Its columns, without the partition column.
    pub(crate) columns: &'static [Column],
    /// Rows within a file are in this order, so that names that are asked for together lie together.
    pub(crate) sort: &'static [&'static str],
    /// Columns with a bloom filter.
    pub(crate) blooms: &'static [&'static str],
    /// Columns whose least and greatest value of each file is in the table's log.
    pub(crate) statistics: &'static [&'static str],
    /// Makes one row of those that may be merged; `None` = rows stay as they are.
    pub(crate) fold: Option<Fold>,
    /// What rows are about, where the last of each stands for what goes on; `None` = rows say nothing beyond their hour.
    pub(crate) lasting: Option<Lasting>,
}

/// Rows that follow each other: of those of one subject each holds until the next.
#[derive(Debug)]
pub(crate) struct Lasting {
    /// Columns that name the subject.
    pub(crate) subject: &'static [&'static str],
    /// The time from which on a row holds, another one in every row.
    pub(crate) time: &'static str,
    /// Whether a row holds beyond its hour, in SQL.
    pub(crate) holds: &'static str,
}

/// Makes one row of rows that may be merged.
pub(crate) type Fold = fn(&RecordBatch) -> Result<RecordBatch, ArrowError>;

/// How many tables there are.
pub(crate) const TABLES: usize = 6;

/// Every table, in the order of [`weir_model::tables::all`].
pub(crate) static SHAPES: [Shape; TABLES] = [
    Shape {
        name: FLOWS.name,
        doc: FLOWS.doc,
        columns: FLOWS.columns,
        sort: &["dst_namespace", "dst_name", "dst_port", "src_namespace", "src_name", "first_ts"],
        blooms: &["connection_id", "src_name", "dst_name"],
        statistics: &[
            "start_ts",
            "first_ts",
            "last_ts",
            "window_start",
            "node",
            "src_namespace",
            "src_name",
            "dst_namespace",
            "dst_name",
            "dst_port",
            "service_namespace",
            "service_name",
        ],
        fold: None,
        lasting: None,
    },
    Shape {
        name: REQUESTS.name,
        doc: REQUESTS.doc,
        columns: REQUESTS.columns,
        sort: &["dst_namespace", "dst_name", "l7", "host", "src_namespace", "src_name", "ts"],
        blooms: &["connection_id", "src_name", "dst_name", "request_id"],
        statistics: &[
            "ts",
            "node",
            "l7",
            "host",
            "qname",
            "sni",
            "src_namespace",
            "src_name",
            "dst_namespace",
            "dst_name",
            "service_namespace",
            "service_name",
        ],
        fold: None,
        lasting: None,
    },
    Shape {
        name: LATENCY.name,
        doc: LATENCY.doc,
        columns: LATENCY.columns,
        sort: &["measure", "dst_namespace", "dst_name", "src_namespace", "src_name", "window_start"],
        blooms: &[],
        statistics: &[
            "window_start",
            "node",
            "measure",
            "src_namespace",
            "dst_namespace",
            "service_namespace",
            "service_name",
        ],
        fold: Some(latency::fold),
        lasting: None,
    },
    Shape {
        name: LOSSES.name,
        doc: LOSSES.doc,
        columns: LOSSES.columns,
        sort: &["node", "from_ts"],
        blooms: &[],
        statistics: &["from_ts", "to_ts", "node"],
        fold: None,
        lasting: None,
    },
    Shape {
        name: COVERAGE.name,
        doc: COVERAGE.doc,
        columns: COVERAGE.columns,
        sort: &["node", "namespace", "name", "from_ts"],
        blooms: &[],
        statistics: &["from_ts", "to_ts", "node", "namespace", "name"],
        fold: None,
        lasting: None,
    },
    Shape {
        name: OBJECTS.name,
        doc: OBJECTS.doc,
        columns: OBJECTS.columns,
        sort: &["kind", "namespace", "name", "seen_ts"],
        blooms: &["name", "uid"],
        statistics: &["seen_ts", "since_ts", "api_version", "kind", "namespace", "name", "event"],
        fold: None,
        lasting: Some(Lasting {
            subject: &["cluster", "api_version", "kind", "namespace", "name"],
            time: "seen_ts",
            holds: "event <> 'deleted'",
        }),
    },
];

impl Shape {
    /// Whether a column's values are mostly different in each row, so that a dictionary of them would only cost.
    pub(crate) fn is_mostly_unique(column: &Column) -> bool {
        column.kind == ColumnType::Time
            || matches!(
                column.name,
                "flow_id" | "connection_id" | "request_id" | "histogram" | "resource_version" | "object"
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(shape: &Shape) -> impl Iterator<Item = &&'static str> {
        shape.lasting.iter().flat_map(|lasting| lasting.subject.iter().chain([&lasting.time]))
    }

    #[test]
    fn every_table_of_the_model_is_here_with_columns_that_exist() {
        let model: Vec<_> = weir_model::tables::all().iter().map(|(name, ..)| *name).collect();
        assert_eq!(SHAPES.iter().map(|shape| shape.name).collect::<Vec<_>>(), model);
        for shape in &SHAPES {
            for name in shape.sort.iter().chain(shape.blooms).chain(shape.statistics).chain(lasting(shape)) {
                assert!(shape.columns.iter().any(|column| column.name == *name), "{}.{name}", shape.name);
            }
        }
    }
}
