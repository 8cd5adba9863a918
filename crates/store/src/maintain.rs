//! What a lake needs now and then: retention, compaction, and removal of files that nobody can hold any longer.

use std::sync::Arc;

use deltalake::operations::vacuum::VacuumMode;
use weir_model::Timestamp;

use crate::StoreError;
use crate::lake::{Inner, Lake};

/// What a maintenance did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaintenanceReport {
    /// Hours that were dropped, oldest first.
    pub dropped_hours: Vec<String>,
    /// Small files that were replaced by larger ones.
    pub compacted_files: u64,
    /// The larger ones.
    pub new_files: u64,
    /// Files deleted from the disk, no longer part of a table.
    pub deleted_files: u64,
}

/// When files were last deleted.
#[derive(Debug, Default)]
pub(crate) struct Vacuumed(Option<Timestamp>);

impl Lake {
    /// Drops hours over the limits, compacts closed hours, and deletes files that left the tables long enough ago; also
    /// those that a crash left behind. `now` is packet time. Commits and queries go on meanwhile; a second call waits.
    pub async fn maintain(&self, now: Timestamp) -> Result<MaintenanceReport, StoreError> {
        if !self.inner.is_writable {
            return Err(StoreError::ReadOnly);
        }
        let inner = Arc::clone(&self.inner);
        self.inner.writes.run(async move { inner.maintain(now).await }).await
    }
}

impl Inner {
    async fn maintain(&self, now: Timestamp) -> Result<MaintenanceReport, StoreError> {
        let mut vacuumed = self.maintaining.lock().await;
        let dropped = self.retain(now).await?;
        let compacted = self.compact(now).await?;
        let mut report = MaintenanceReport {
            dropped_hours: dropped.into_iter().collect(),
            compacted_files: compacted.from,
            new_files: compacted.to,
            deleted_files: 0,
        };
        // Listing every file is not free: often enough that little is kept much longer than it must be.
        let every_ns = i64::try_from(self.options.vacuum_after.as_nanos() / 24).unwrap_or(i64::MAX);
        if vacuumed.0.is_none_or(|last| now.since(last) >= every_ns) {
            report.deleted_files = self.vacuum().await?;
            vacuumed.0 = Some(now);
        }
        Ok(report)
    }

    /// Deletes files that have not been part of a table for long enough. Files that a commit is just writing are young.
    async fn vacuum(&self) -> Result<u64, StoreError> {
        let keep = chrono::Duration::from_std(self.options.vacuum_after).unwrap_or(chrono::Duration::MAX);
        let mut deleted = 0;
        for table in &self.tables {
            let vacuum = table.version()?.table.vacuum().with_mode(VacuumMode::Full);
            let (_, metrics) = vacuum
                .with_retention_period(keep)
                .with_enforce_retention_duration(false)
                .await
                .map_err(StoreError::table("vacuum", table.shape.name))?;
            deleted += metrics.files_deleted.len() as u64;
            if !metrics.files_deleted.is_empty() {
                let _writing = self.writing.lock().await;
                table.refresh().await?;
            }
        }
        Ok(deleted)
    }
}
