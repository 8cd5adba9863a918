//! The tables of the lake, each as one list of columns.
//!
//! A column is named in one place, `name: type, group, documentation, value;`: storage, wire, JSON, the command line and
//! `docs/tables.md` are all made from these lists. Columns that tables share are in `party`.

mod flows;
mod latency;
mod losses;
mod objects;
mod party;
mod requests;
mod watched;

pub use flows::FLOWS;
#[doc(hidden)]
pub use flows::{egress, flags, ingress, non_empty, port, protocol, seen};
pub use latency::{Histogram, LATENCY, LatencyRow, Measure};
pub use losses::{LOSSES, LossRow};
pub use objects::{OBJECTS, ObjectEvent, ObjectRow};
pub use party::OfFlow;
#[doc(hidden)]
pub use party::{names, place, routed, sent_to, used, words};
pub use requests::{REQUESTS, RequestRow};
#[doc(hidden)]
pub use requests::{http, texts, tls};
pub use watched::{COVERAGE, CoverageRow};

use crate::Column;

/// The partition column that every table has in front of its own columns: the hour of packet time, `2026-11-22T21`.
pub const PARTITION: &str = "hour";

/// Name, one-line documentation and columns of every table, in the order of the documentation.
pub fn all() -> [(&'static str, &'static str, &'static [Column]); 6] {
    [
        (FLOWS.name, FLOWS.doc, FLOWS.columns),
        (REQUESTS.name, REQUESTS.doc, REQUESTS.columns),
        (LATENCY.name, LATENCY.doc, LATENCY.columns),
        (LOSSES.name, LOSSES.doc, LOSSES.columns),
        (COVERAGE.name, COVERAGE.doc, COVERAGE.columns),
        (OBJECTS.name, OBJECTS.doc, OBJECTS.columns),
    ]
}

/// Makes a [`crate::Table`] from a list of columns.
macro_rules! define_table {
    ($table:ident: $row:ty, $name:literal, $doc:literal; $($column:ident: $kind:ident, $group:ident, $cdoc:literal, $value:expr;)+) => {
        #[doc = $doc]
        pub static $table: $crate::Table<$row> = $crate::Table {
            name: $name,
            doc: $doc,
            columns: &[$($crate::Column {
                name: stringify!($column),
                kind: $crate::ColumnType::$kind,
                group: $crate::ColumnGroup::$group,
                doc: $cdoc,
            }),+],
            values: &[$($value),+],
        };
    };
}
use define_table;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_no_words_that_break_readers() {
        for (table, _, columns) in super::all() {
            let mut seen = HashSet::new();
            for column in columns {
                assert!(seen.insert(column.name), "{table}.{} twice", column.name);
                assert!(!["primary", "end", "window", super::PARTITION].contains(&column.name));
                assert!(column.doc.ends_with('.'), "{table}.{}: {}", column.name, column.doc);
            }
        }
    }
}
