//! Retention: whole hours of packet time leave the lake, oldest first, by age and by size.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::kernel::Action;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::protocol::DeltaOperation;
use weir_model::Timestamp;
use weir_model::tables::PARTITION;

use crate::StoreError;
use crate::commit::add_version;
use crate::lake::{Inner, LakeOptions};
use crate::size::StoredFile;
use crate::table::{LakeTable, Version};

impl Inner {
    /// Drops the hours that are over the limits, and says which.
    pub(crate) async fn retain(&self, now: Timestamp) -> Result<BTreeSet<String>, StoreError> {
        let _writing = self.writing.lock().await;
        let mut hours: BTreeMap<String, u64> = BTreeMap::new();
        for table in &self.tables {
            for file in StoredFile::list(&table.version()?.table, table.shape)? {
                *hours.entry(file.hour).or_default() += file.bytes;
            }
        }
        let dropped = self.options.over(&hours, now);
        if !dropped.is_empty() {
            for table in &self.tables {
                table.drop_hours(&dropped).await?;
            }
        }
        Ok(dropped)
    }
}

impl LakeOptions {
    /// The hours, of those with their bytes, that are to be dropped: too old, or the oldest of too many bytes. For
    /// its size the newest hour never goes.
    fn over(&self, hours: &BTreeMap<String, u64>, now: Timestamp) -> BTreeSet<String> {
        let oldest = self.max_age.map(|age| {
            let age_ns = i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
            now.plus_ns(age_ns.saturating_neg()).hour()
        });
        let last = hours.keys().next_back();
        let mut total: u64 = hours.values().sum();
        let mut over = BTreeSet::new();
        for (hour, bytes) in hours {
            let is_old = oldest.as_ref().is_some_and(|oldest| hour < oldest);
            let is_much = self.max_bytes.is_some_and(|max| total > max) && Some(hour) != last;
            if is_old || is_much {
                total -= bytes;
                over.insert(hour.clone());
            }
        }
        over
    }
}

impl LakeTable {
    /// The caller holds the lock for writing.
    async fn drop_hours(&self, hours: &BTreeSet<String>) -> Result<(), StoreError> {
        let version = self.version()?;
        let files = StoredFile::list(&version.table, self.shape)?;
        let dropped = files.iter().filter(|file| hours.contains(&file.hour));
        let actions: Vec<_> = dropped.map(|file| Action::Remove(file.view.remove_action(true))).collect();
        if actions.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = hours.iter().map(|hour| format!("'{hour}'")).collect();
        let operation = DeltaOperation::Delete { predicate: Some(format!("{PARTITION} IN ({})", names.join(", "))) };
        let table = add_version(&version.table, actions, operation, CommitProperties::default())
            .await
            .map_err(StoreError::table("drop hours of", self.shape.name))?;
        self.publish(Version { table, position: version.position });
        Ok(())
    }
}
