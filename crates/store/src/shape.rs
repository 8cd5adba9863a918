//! What the store must know of each table beyond its columns: how rows are sorted, and which columns are looked up.

use weir_model::tables::{COVERAGE, FLOWS, LOSSES};
use weir_model::{Column, ColumnType};

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
}

/// Every table, in the order of [`weir_model::tables::all`].
pub(crate) static SHAPES: [Shape; 3] = [
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
    },
    Shape {
        name: LOSSES.name,
        doc: LOSSES.doc,
        columns: LOSSES.columns,
        sort: &["node", "from_ts"],
        blooms: &[],
        statistics: &["from_ts", "to_ts", "node"],
    },
    Shape {
        name: COVERAGE.name,
        doc: COVERAGE.doc,
        columns: COVERAGE.columns,
        sort: &["node", "namespace", "name", "from_ts"],
        blooms: &[],
        statistics: &["from_ts", "to_ts", "node", "namespace", "name"],
    },
];

impl Shape {
    /// Whether a column's values are mostly different in each row, so that a dictionary of them would only cost.
    pub(crate) fn is_mostly_unique(column: &Column) -> bool {
        column.kind == ColumnType::Time || matches!(column.name, "flow_id" | "connection_id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_the_model_is_here_with_columns_that_exist() {
        let model: Vec<_> = weir_model::tables::all().iter().map(|(name, ..)| *name).collect();
        assert_eq!(SHAPES.iter().map(|shape| shape.name).collect::<Vec<_>>(), model);
        for shape in &SHAPES {
            for name in shape.sort.iter().chain(shape.blooms).chain(shape.statistics) {
                assert!(shape.columns.iter().any(|column| column.name == *name), "{}.{name}", shape.name);
            }
        }
    }
}
