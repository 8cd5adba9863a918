//! From the tail into the lake: each table's rows as one version that carries the journal position it covers.

use std::sync::Arc;

use arrow::array::RecordBatch;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use deltalake::{DeltaTable, DeltaTableError};
use weir_model::tables::PARTITION;

use crate::StoreError;
use crate::lake::{Inner, Lake};
use crate::table::{APP_ID, LakeTable, Version};

/// What a commit wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CommitReport {
    /// Rows.
    pub rows: u64,
    /// Bytes of Parquet files.
    pub bytes: u64,
    /// Parquet files.
    pub files: u64,
}

impl Lake {
    /// Writes the rows up to `position` to each table that lacks them, and takes them out of the tail in the same moment.
    ///
    /// Every journal entry up to `position` must have been put. Rows and position become durable as one, for each
    /// table: after a crash between two tables, the same entries and the same commit again write only what is missing.
    /// Commits wait for each other. A commit that has begun is carried through, also when the caller stops waiting.
    pub async fn commit(&self, position: u64) -> Result<CommitReport, StoreError> {
        if !self.inner.is_writable {
            return Err(StoreError::ReadOnly);
        }
        let inner = Arc::clone(&self.inner);
        self.inner.writes.run(async move { inner.commit(position).await }).await
    }
}

impl Inner {
    async fn commit(&self, position: u64) -> Result<CommitReport, StoreError> {
        let _writing = self.writing.lock().await;
        let mut report = CommitReport::default();
        for table in &self.tables {
            let result = table.commit(position).await;
            if result.is_err() {
                table.refresh().await?;
            }
            let written = result?;
            report.rows += written.rows;
            report.bytes += written.bytes;
            report.files += written.files;
        }
        Ok(report)
    }
}

impl LakeTable {
    /// The caller holds the lock for writing.
    async fn commit(&self, position: u64) -> Result<CommitReport, StoreError> {
        let batches = self.read().tail.up_to(position);
        if batches.is_empty() {
            self.cover(position);
            return Ok(CommitReport::default());
        }
        let version = self.version()?;
        let sorted = self.shape.sorted(&self.schema, &batches).map_err(StoreError::rows("sort", self.shape.name))?;
        let sorted = self.shape.folded(sorted).map_err(StoreError::rows("merge", self.shape.name))?;
        let rows = sorted.num_rows();
        let actions =
            self.write_files(&version.table, sorted).await.map_err(StoreError::table("write", self.shape.name))?;
        let sizes = actions.iter().map(|action| if let Action::Add(add) = action { add.size as u64 } else { 0 });
        let report = CommitReport { rows: rows as u64, bytes: sizes.sum(), files: actions.len() as u64 };

        let transaction = Transaction::new(APP_ID, position as i64);
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec![PARTITION.to_owned()]),
            predicate: None,
        };
        let properties = CommitProperties::default().with_application_transaction(transaction);
        let table = add_version(&version.table, actions, operation, properties)
            .await
            .map_err(StoreError::table("commit to", self.shape.name))?;
        self.publish(Version { table, position });
        Ok(report)
    }

    /// Reads the newest version again: after a failed commit nobody knows whether it was made. The caller holds the lock
    /// for writing.
    pub(crate) async fn refresh(&self) -> Result<(), StoreError> {
        let failed = || StoreError::table("reload", self.shape.name);
        let mut table = self.version()?.table;
        table.update_state().await.map_err(failed())?;
        let log = table.log_store();
        let state = table.snapshot().map_err(failed())?;
        let position = state.transaction_version(log.as_ref(), APP_ID).await.map_err(failed())?;
        self.publish(Version { position: position.map_or(0, |position| position.max(0) as u64), table });
        Ok(())
    }

    /// Writes files that are not yet part of the table.
    async fn write_files(&self, table: &DeltaTable, rows: RecordBatch) -> Result<Vec<Action>, DeltaTableError> {
        let properties = self.shape.writer_properties(rows.num_rows());
        let mut writer = RecordBatchWriter::for_table(table)?.with_writer_properties(properties);
        writer.write(rows).await?;
        Ok(writer.flush().await?.into_iter().map(Action::Add).collect())
    }
}

/// Makes a version of `table` with `actions`, and gives the newest version back.
pub(crate) async fn add_version(
    table: &DeltaTable,
    actions: Vec<Action>,
    operation: DeltaOperation,
    properties: CommitProperties,
) -> Result<DeltaTable, DeltaTableError> {
    let builder = CommitBuilder::from(properties).with_actions(actions);
    builder.build(Some(table.snapshot()?), table.log_store(), operation).await?;
    let mut newest = table.clone();
    newest.update_state().await?;
    Ok(newest)
}
