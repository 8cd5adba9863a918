//! Retention: whole hours of packet time leave the lake, oldest first, by age and by size. Of rows that hold until the next
//! of their subject the last before what stays is written anew: it says how things were when that begins.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::kernel::Action;
use deltalake::kernel::transaction::CommitProperties;
use deltalake::protocol::DeltaOperation;
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use futures::StreamExt;
use weir_model::Timestamp;
use weir_model::tables::PARTITION;

use crate::StoreError;
use crate::commit::add_version;
use crate::compact::SPILL;
use crate::lake::{Inner, LakeOptions};
use crate::session::{Resources, context, execute};
use crate::shape::Lasting;
use crate::size::StoredFile;
use crate::table::{LakeTable, Version};
use crate::view::stored;

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
                let lasting = match &table.shape.lasting {
                    Some(lasting) => self.rewrite_lasting(table, lasting, &dropped, now).await?,
                    None => Vec::new(),
                };
                table.drop_hours(&dropped, lasting).await?;
            }
        }
        Ok(dropped)
    }

    /// Writes the rows of dropped hours that still hold when what stays begins, as rows of this hour: so each is written
    /// once in a retention's time.
    async fn rewrite_lasting(
        &self,
        table: &LakeTable,
        lasting: &Lasting,
        dropped: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Vec<Action>, StoreError> {
        let failed = || StoreError::rows("keep", table.shape.name);
        let written = || StoreError::table("write", table.shape.name);
        let resources =
            Resources { memory_bytes: self.options.sort_bytes, threads: 1, spill: Some(self.dir.join(SPILL)) };
        let context = context(resources).map_err(failed())?;
        let version = table.version()?.table;
        let rows = stored(&context, &version, &table.schema, None).await.map_err(failed())?;
        context.register_table(table.shape.name, rows.into_view()).map_err(failed())?;
        let frame = context.sql(&lasting.to_sql(table, dropped, &now.hour())).await.map_err(failed())?;
        let mut batches = execute(frame).await.map_err(failed())?;
        let files = StoredFile::list(&version, table.shape)?;
        let count =
            files.iter().filter(|file| dropped.contains(&file.hour)).filter_map(|file| file.view.num_records()).sum();
        let mut writer = RecordBatchWriter::for_table(&version)
            .map_err(written())?
            .with_writer_properties(table.shape.writer_properties(count));
        while let Some(batch) = batches.next().await {
            writer.write(batch.map_err(failed())?).await.map_err(written())?;
        }
        let mut adds = writer.flush().await.map_err(written())?;
        for add in &mut adds {
            add.data_change = false;
        }
        Ok(adds.into_iter().map(Action::Add).collect())
    }
}

impl Lasting {
    /// Of the rows in dropped hours those that hold when the hours after them begin.
    fn to_sql(&self, table: &LakeTable, dropped: &BTreeSet<String>, now: &str) -> String {
        let (name, time) = (table.shape.name, self.time);
        // Some names are words of SQL.
        let columns = |names: &mut dyn Iterator<Item = &str>| {
            names.map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
        };
        let last = dropped.last().map_or("", String::as_str);
        format!(
            "SELECT '{now}' AS {PARTITION}, {} FROM {name} WHERE {PARTITION} IN ({}) AND {} AND {time} IN \
             (SELECT max({time}) FROM {name} WHERE {PARTITION} <= '{last}' GROUP BY {}) ORDER BY {}",
            columns(&mut table.shape.columns.iter().map(|column| column.name)),
            quoted(dropped),
            self.holds,
            columns(&mut self.subject.iter().copied()),
            columns(&mut table.shape.sort.iter().copied()),
        )
    }
}

fn quoted(hours: &BTreeSet<String>) -> String {
    hours.iter().map(|hour| format!("'{hour}'")).collect::<Vec<_>>().join(", ")
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
    /// Takes hours out and puts files in, as one version. The caller holds the lock for writing.
    async fn drop_hours(&self, hours: &BTreeSet<String>, adds: Vec<Action>) -> Result<(), StoreError> {
        let version = self.version()?;
        let files = StoredFile::list(&version.table, self.shape)?;
        let dropped = files.iter().filter(|file| hours.contains(&file.hour));
        let mut actions: Vec<_> = dropped.map(|file| Action::Remove(file.view.remove_action(true))).collect();
        if actions.is_empty() {
            return Ok(());
        }
        actions.extend(adds);
        let operation = DeltaOperation::Delete { predicate: Some(format!("{PARTITION} IN ({})", quoted(hours))) };
        let table = add_version(&version.table, actions, operation, CommitProperties::default())
            .await
            .map_err(StoreError::table("drop hours of", self.shape.name))?;
        self.publish(Version { table, position: version.position });
        Ok(())
    }
}
