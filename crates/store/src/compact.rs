//! Compaction: the small files of a closed hour become few large ones, sorted. What rows say does not change: those that
//! may be merged are. The rewriting runs beside commits; only the exchange of the files waits for them.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU64;

use datafusion::logical_expr::col;
use deltalake::kernel::Action;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::protocol::DeltaOperation;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use futures::StreamExt;
use weir_model::Timestamp;

use crate::StoreError;
use crate::commit::add_version;
use crate::lake::Inner;
use crate::session::{Resources, context, execute};
use crate::size::StoredFile;
use crate::table::{LakeTable, Version};
use crate::view::stored;

/// Folder in the lake for rows that do not fit into memory while they are sorted.
pub(crate) const SPILL: &str = ".sorting";

/// Files before and after.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Compacted {
    /// Files that were replaced.
    pub(crate) from: u64,
    /// Files that replaced them.
    pub(crate) to: u64,
}

impl Inner {
    /// Compacts every hour that is closed at `now`. The caller holds the lock for maintaining, so that no other
    /// compaction or retention takes the files away.
    pub(crate) async fn compact(&self, now: Timestamp) -> Result<Compacted, StoreError> {
        let wait_ns = i64::try_from(self.options.closed_after.as_nanos()).unwrap_or(i64::MAX);
        let open = now.plus_ns(wait_ns.saturating_neg()).hour();
        let mut report = Compacted::default();
        for table in &self.tables {
            let version = table.version()?;
            let mut files = StoredFile::list(&version.table, table.shape)?;
            files.retain(|file| file.hour < open);
            for group in groups(files, self.options.file_bytes) {
                let from = group.len() as u64;
                let adds = self.rewrite(table, &version, &group).await?;
                report.to += adds.len() as u64;
                report.from += from;
                self.exchange(table, &group, adds).await?;
            }
        }
        Ok(report)
    }

    /// Writes the rows of `files` to new files, in the table's order.
    async fn rewrite(
        &self,
        table: &LakeTable,
        version: &Version,
        files: &[StoredFile],
    ) -> Result<Vec<Action>, StoreError> {
        let failed = || StoreError::rows("compact", table.shape.name);
        let written = || StoreError::table("write", table.shape.name);
        let spill = self.dir.join(SPILL);
        let resources = Resources { memory_bytes: self.options.sort_bytes, threads: 1, spill: Some(spill) };
        let context = context(resources).map_err(failed())?;
        let paths = files.iter().map(|file| file.view.path().into_owned()).collect();
        let rows = stored(&context, &version.table, &table.schema, Some(paths)).await.map_err(failed())?;
        let keys = table.shape.sort.iter().map(|name| col(*name).sort(true, false)).collect();
        let sorted = rows.sort(keys).map_err(failed())?;
        let mut batches = execute(sorted).await.map_err(failed())?;

        let count = files.iter().filter_map(|file| file.view.num_records()).sum();
        let mut writer = RecordBatchWriter::for_table(&version.table)
            .map_err(written())?
            .with_writer_properties(table.shape.writer_properties(count))
            .with_target_file_size(NonZeroU64::new(self.options.file_bytes).map_or(1, NonZeroU64::get));
        while let Some(batch) = batches.next().await {
            let batch = table.shape.folded(batch.map_err(failed())?);
            let batch = batch.map_err(StoreError::rows("merge", table.shape.name))?;
            writer.write(batch).await.map_err(written())?;
        }
        let mut adds = writer.flush().await.map_err(written())?;
        for add in &mut adds {
            add.data_change = false;
        }
        Ok(adds.into_iter().map(Action::Add).collect())
    }

    /// Puts `adds` in the place of `files`, as one version.
    async fn exchange(&self, table: &LakeTable, files: &[StoredFile], adds: Vec<Action>) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let version = table.version()?;
        let replaced: HashSet<_> = files.iter().map(|file| file.view.path().into_owned()).collect();
        let present = StoredFile::list(&version.table, table.shape)?;
        let removes: Vec<_> = present
            .iter()
            .filter(|file| replaced.contains(file.view.path().as_ref()))
            .map(|file| Action::Remove(file.view.remove_action(false)))
            .collect();
        if removes.len() != files.len() {
            // Someone else took a file away: the new files are left to the vacuum.
            tracing::warn!(table = table.shape.name, "compaction given up: its files are no longer part of the table");
            return Ok(());
        }
        let operation = DeltaOperation::Optimize { predicate: None, target_size: self.options.file_bytes as i64 };
        let actions = removes.into_iter().chain(adds).collect();
        let newest = add_version(&version.table, actions, operation, CommitProperties::default())
            .await
            .map_err(StoreError::table("compact", table.shape.name))?;
        table.publish(Version { table: newest, position: version.position });
        Ok(())
    }
}

/// Small files of the same hour that are worth rewriting together: two or more, together at most about `file_bytes`.
fn groups(files: Vec<StoredFile>, file_bytes: u64) -> Vec<Vec<StoredFile>> {
    let mut hours: BTreeMap<String, Vec<StoredFile>> = BTreeMap::new();
    for file in files {
        if file.bytes < file_bytes / 2 {
            hours.entry(file.hour.clone()).or_default().push(file);
        }
    }
    let mut groups = Vec::new();
    for mut small in hours.into_values() {
        small.sort_by_key(|file| file.bytes);
        let (mut group, mut bytes) = (Vec::new(), 0);
        for file in small {
            if bytes + file.bytes > file_bytes {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
            bytes += file.bytes;
            group.push(file);
        }
        groups.push(group);
    }
    groups.retain(|group| group.len() > 1);
    groups
}
