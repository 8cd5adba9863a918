//! The lake as its users hold it: opening, the live tail, and how far each table is. Committing, maintaining and asking
//! are in their own files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};

use crate::maintain::Vacuumed;
use crate::shape::{SHAPES, Shape, TABLES};
use crate::table::{LakeTable, TableRef};
use crate::workers::Workers;
use crate::{Rows, StoreError};

/// How a lake is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LakeOptions {
    /// Hours of packet time that ended longer ago than this are dropped. `None` = never. Default 14 days.
    pub max_age: Option<Duration>,
    /// The oldest hours are dropped until all live files together are at most this large, in bytes. `None` = no cap.
    pub max_bytes: Option<u64>,
    /// Files are compacted up to about this size, in bytes; files of half of it are left alone. Default 64 MiB.
    pub file_bytes: u64,
    /// An hour is compacted when it ended at least this long ago. Default 15 minutes.
    pub closed_after: Duration,
    /// Files that are no longer part of a table are kept this long for readers that may still hold them. Default 1 day.
    pub vacuum_after: Duration,
    /// Memory for sorting while compacting, in bytes; what needs more goes through a file in the lake's folder. Default
    /// 256 MiB.
    pub sort_bytes: usize,
    /// Threads for queries. Default 2.
    pub query_threads: usize,
    /// Queries that run at the same time; more wait. Default 4.
    pub concurrent_queries: usize,
}

impl Default for LakeOptions {
    fn default() -> Self {
        Self {
            max_age: Some(Duration::from_hours(14 * 24)),
            max_bytes: None,
            file_bytes: 64 << 20,
            closed_after: Duration::from_mins(15),
            vacuum_after: Duration::from_hours(24),
            sort_bytes: 256 << 20,
            query_threads: 2,
            concurrent_queries: 4,
        }
    }
}

/// The journal position up to which each table lacks nothing; 0 = none.
///
/// A table's position is stored with its rows. Entries without rows for a table move its position here only, in memory:
/// after a restart it may be behind, but what lies between had no rows for it. So everything up to
/// [`TablePositions::min`] may be trimmed from the journal, and putting entries again that a table has is harmless.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TablePositions {
    /// Of `flows`.
    pub flows: u64,
    /// Of `requests`.
    pub requests: u64,
    /// Of `latency`.
    pub latency: u64,
    /// Of `losses`.
    pub losses: u64,
    /// Of `coverage`.
    pub coverage: u64,
    /// Of `objects`.
    pub objects: u64,
}

impl TablePositions {
    /// The position that every table has reached.
    pub fn min(&self) -> u64 {
        let Self { flows, requests, latency, losses, coverage, objects } = *self;
        flows.min(requests).min(latency).min(losses).min(coverage).min(objects)
    }
}

/// An open lake. Clones are the same lake.
#[derive(Clone, Debug)]
pub struct Lake {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) dir: PathBuf,
    pub(crate) options: LakeOptions,
    /// In the order of [`SHAPES`].
    pub(crate) tables: [TableRef; TABLES],
    pub(crate) is_writable: bool,
    /// Held by whoever adds a version to a table, so that a table's position is always that of its newest version.
    pub(crate) writing: Mutex<()>,
    /// Held by the one maintenance that may run.
    pub(crate) maintaining: Mutex<Vacuumed>,
    pub(crate) queries: Workers,
    pub(crate) writes: Workers,
    pub(crate) slots: Arc<Semaphore>,
}

impl Lake {
    /// Opens the lake in `dir` for writing. Makes folder and tables where they do not exist, and adds the columns that
    /// tables of an older version lack; refuses tables of a newer one. There must be one writer.
    pub async fn open(dir: &Path, options: LakeOptions) -> Result<Self, StoreError> {
        fs::create_dir_all(dir).map_err(|source| StoreError::Folder { path: dir.to_owned(), source })?;
        let open = async |shape: &'static Shape| LakeTable::open(dir, shape, &options).await.map(Arc::new);
        let [flows, requests, latency, losses, coverage, objects] = &SHAPES;
        let tables = [
            open(flows).await?,
            open(requests).await?,
            open(latency).await?,
            open(losses).await?,
            open(coverage).await?,
            open(objects).await?,
        ];
        Self::new(dir, options, tables, true)
    }

    /// Opens the lake in `dir` as it is now, for reading; also one of a newer version. Tables that do not exist are empty.
    pub async fn open_read_only(dir: &Path) -> Result<Self, StoreError> {
        let open = async |shape: &'static Shape| LakeTable::open_read_only(dir, shape).await.map(Arc::new);
        let [flows, requests, latency, losses, coverage, objects] = &SHAPES;
        let tables = [
            open(flows).await?,
            open(requests).await?,
            open(latency).await?,
            open(losses).await?,
            open(coverage).await?,
            open(objects).await?,
        ];
        if !tables.iter().any(|table| table.exists()) {
            return Err(StoreError::NoLake(dir.to_owned()));
        }
        Self::new(dir, LakeOptions::default(), tables, false)
    }

    /// The journal position up to which each table lacks nothing.
    pub fn positions(&self) -> TablePositions {
        let covered = self.inner.tables.each_ref().map(|table| table.read().covered);
        let [flows, requests, latency, losses, coverage, objects] = covered;
        TablePositions { flows, requests, latency, losses, coverage, objects }
    }

    /// Puts the rows of one journal entry into the live tail, where queries see them at once. The same position again
    /// replaces them; rows that a table has committed already are left out. In a lake opened for reading, the tail is
    /// all there will be.
    pub fn put(&self, position: u64, rows: &Rows) {
        let schemas = self.inner.tables.each_ref().map(|table| &table.schema);
        for (table, batch) in self.inner.tables.iter().zip(rows.batches(schemas)) {
            table.put(position, batch);
        }
    }

    /// Rows in the live tail.
    pub fn tail_rows(&self) -> usize {
        self.inner.tables.iter().map(|table| table.read().tail.rows()).sum()
    }

    fn new(
        dir: &Path,
        options: LakeOptions,
        tables: [TableRef; TABLES],
        is_writable: bool,
    ) -> Result<Self, StoreError> {
        let start = |name, threads| {
            Workers::start(name, threads).map_err(|source| StoreError::Folder { path: dir.to_owned(), source })
        };
        let inner = Inner {
            dir: dir.to_owned(),
            queries: start("weir-query", options.query_threads)?,
            writes: start("weir-write", 2)?,
            slots: Arc::new(Semaphore::new(options.concurrent_queries.clamp(1, Semaphore::MAX_PERMITS))),
            options,
            tables,
            is_writable,
            writing: Mutex::new(()),
            maintaining: Mutex::new(Vacuumed::default()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
}
