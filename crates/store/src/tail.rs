//! The live tail of one table: rows that were put but are not yet in the lake, by the position of their journal entry.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;

/// Rows by position. Entries without rows are not kept.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    entries: BTreeMap<u64, RecordBatch>,
    rows: usize,
}

impl Tail {
    /// Puts the rows of the entry at `position`, in place of any that were there.
    pub(crate) fn put(&mut self, position: u64, batch: RecordBatch) {
        let rows = batch.num_rows();
        let before = if rows == 0 { self.entries.remove(&position) } else { self.entries.insert(position, batch) };
        self.rows = self.rows + rows - before.map_or(0, |before| before.num_rows());
    }

    /// The rows up to `position`, in order.
    pub(crate) fn up_to(&self, position: u64) -> Vec<RecordBatch> {
        self.entries.range(..=position).map(|(_, batch)| batch.clone()).collect()
    }

    /// All rows, in order.
    pub(crate) fn batches(&self) -> Vec<RecordBatch> {
        self.entries.values().cloned().collect()
    }

    /// Forgets the rows up to `position`.
    pub(crate) fn drop_up_to(&mut self, position: u64) {
        self.entries = self.entries.split_off(&position.saturating_add(1));
        self.rows = self.entries.values().map(RecordBatch::num_rows).sum();
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }
}
