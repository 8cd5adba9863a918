//! The columns by which rows are chosen: those of every table whose rows are of connections, each name once.

use std::sync::LazyLock;

use super::check::Check;
use crate::tables::{FLOWS, LATENCY, REQUESTS, RequestRow};
use crate::{Column, FlowRow, Record};

/// The columns of `flows` in their order, then what other tables have besides.
static KNOWN: LazyLock<Vec<&'static Column>> = LazyLock::new(|| {
    let mut known: Vec<&Column> = Vec::new();
    for column in FLOWS.columns.iter().chain(REQUESTS.columns).chain(LATENCY.columns) {
        if known.iter().all(|other| other.name != column.name) {
            known.push(column);
        }
    }
    known
});

/// Where each known column is in `requests`.
static IN_REQUESTS: LazyLock<Vec<Option<usize>>> =
    LazyLock::new(|| KNOWN.iter().map(|column| REQUESTS.position(column.name)).collect());

/// A column by which rows can be chosen, by its place among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ColumnId(usize);

impl ColumnId {
    /// The column called `name`.
    pub(super) fn find(name: &str) -> Option<Self> {
        KNOWN.iter().position(|column| column.name == name).map(Self)
    }

    /// Every column.
    pub(super) fn all() -> impl Iterator<Item = &'static Column> {
        KNOWN.iter().copied()
    }

    /// The column.
    pub(super) fn column(self) -> &'static Column {
        KNOWN.get(self.0).copied().unwrap_or(&FLOWS.columns[0])
    }
}

/// Something that has columns. What it lacks counts as null, which passes no check.
pub(super) trait Columns {
    /// Whether the value of the column passes `check`.
    fn passes(&self, column: ColumnId, check: &Check) -> bool;
}

impl Columns for FlowRow {
    fn passes(&self, column: ColumnId, check: &Check) -> bool {
        FLOWS.values.get(column.0).is_some_and(|value| check.accepts(&value(self)))
    }
}

impl Columns for RequestRow {
    fn passes(&self, column: ColumnId, check: &Check) -> bool {
        let at = IN_REQUESTS.get(column.0).copied().flatten();
        at.and_then(|at| REQUESTS.values.get(at)).is_some_and(|value| check.accepts(&value(self)))
    }
}

impl Columns for Record {
    fn passes(&self, column: ColumnId, check: &Check) -> bool {
        if std::ptr::eq(self.columns, FLOWS.columns) {
            return self.values.get(column.0).is_some_and(|value| check.accepts(value));
        }
        check.accepts(self.get(column.column().name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_one_name_are_of_one_kind() {
        for column in FLOWS.columns.iter().chain(REQUESTS.columns).chain(LATENCY.columns) {
            let known = ColumnId::find(column.name).expect("known").column();
            assert_eq!(known.kind, column.kind, "{}", column.name);
        }
        for (at, column) in FLOWS.columns.iter().enumerate() {
            assert_eq!(ColumnId::find(column.name), Some(ColumnId(at)), "{}", column.name);
        }
    }
}
