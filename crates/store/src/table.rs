//! One table of the lake: its folder, its newest version, and the tail behind that.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use deltalake::{DeltaTable, DeltaTableBuilder, DeltaTableError, ensure_table_uri};
use weir_model::tables::PARTITION;

use crate::schema::{VERSION, VERSION_PROPERTY};
use crate::shape::Shape;
use crate::tail::Tail;
use crate::{LakeOptions, StoreError};

/// Names this program in the application transactions of a table; there is one number for each table.
pub(crate) const APP_ID: &str = "weir.journal";

/// A table.
#[derive(Debug)]
pub(crate) struct LakeTable {
    /// What it is.
    pub(crate) shape: &'static Shape,
    /// Partition column and known columns.
    pub(crate) schema: SchemaRef,
    current: RwLock<Current>,
}

/// What a query sees of a table. Changed only under one lock, so that version and tail always fit.
#[derive(Debug)]
pub(crate) struct Current {
    /// The newest version; `None` where the table does not exist (a lake opened for reading).
    pub(crate) version: Option<Version>,
    /// The rows behind the version's position.
    pub(crate) tail: Tail,
    /// Up to here no row is missing in the lake: the version's position, or further where no rows followed it.
    pub(crate) covered: u64,
}

/// A version of a table.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// The table as of this version.
    pub(crate) table: DeltaTable,
    /// The journal position it covers: its application transaction.
    pub(crate) position: u64,
}

impl LakeTable {
    /// Opens the table in `lake` for writing; makes it where it does not exist, adds columns that it lacks.
    pub(crate) async fn open(lake: &Path, shape: &'static Shape, options: &LakeOptions) -> Result<Self, StoreError> {
        let table = match load(lake, shape).await? {
            Some(table) => upgrade(table, shape).await?,
            None => create(lake, shape, options).await?,
        };
        Self::new(shape, Some(table)).await
    }

    /// Opens the table in `lake` as it is, for reading.
    pub(crate) async fn open_read_only(lake: &Path, shape: &'static Shape) -> Result<Self, StoreError> {
        let table = if lake.join(shape.name).is_dir() { load(lake, shape).await? } else { None };
        Self::new(shape, table).await
    }

    /// Whether the table exists.
    pub(crate) fn exists(&self) -> bool {
        self.read().version.is_some()
    }

    /// Puts rows into the tail, unless the lake has them.
    pub(crate) fn put(&self, position: u64, batch: RecordBatch) {
        let mut current = self.write();
        if current.version.as_ref().is_none_or(|version| version.position < position) {
            current.tail.put(position, batch);
        }
    }

    /// Replaces the version and forgets the rows that it holds, as one step.
    pub(crate) fn publish(&self, version: Version) {
        let mut current = self.write();
        current.tail.drop_up_to(version.position);
        current.covered = current.covered.max(version.position);
        current.version = Some(version);
    }

    /// Says that no row up to `position` is missing in the lake.
    pub(crate) fn cover(&self, position: u64) {
        let mut current = self.write();
        current.covered = current.covered.max(position);
    }

    /// The newest version.
    pub(crate) fn version(&self) -> Result<Version, StoreError> {
        self.read().version.clone().ok_or(StoreError::ReadOnly)
    }

    /// Looks at what queries see.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }

    async fn new(shape: &'static Shape, table: Option<DeltaTable>) -> Result<Self, StoreError> {
        let version = match table {
            Some(table) => Some(Version { position: position(&table, shape).await?, table }),
            None => None,
        };
        let covered = version.as_ref().map_or(0, |version| version.position);
        let current = Current { version, tail: Tail::default(), covered };
        Ok(Self { shape, schema: shape.arrow_schema(), current: RwLock::new(current) })
    }
}

async fn position(table: &DeltaTable, shape: &'static Shape) -> Result<u64, StoreError> {
    let failed = StoreError::table("open", shape.name);
    let log = table.log_store();
    let version = match table.snapshot() {
        Ok(state) => state.transaction_version(log.as_ref(), APP_ID).await,
        Err(error) => Err(error),
    };
    version.map_err(failed).map(|version| version.map_or(0, |version| version.max(0) as u64))
}

async fn load(lake: &Path, shape: &'static Shape) -> Result<Option<DeltaTable>, StoreError> {
    match handle(lake, shape)?.load().await {
        Ok(table) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(StoreError::table("open", shape.name)(error)),
    }
}

fn handle(lake: &Path, shape: &'static Shape) -> Result<DeltaTableBuilder, StoreError> {
    ensure_table_uri(lake.join(shape.name).to_string_lossy())
        .and_then(DeltaTableBuilder::from_url)
        .map_err(StoreError::table("open", shape.name))
}

async fn create(lake: &Path, shape: &'static Shape, options: &LakeOptions) -> Result<DeltaTable, StoreError> {
    let failed = || StoreError::table("create", shape.name);
    let table = handle(lake, shape)?.build().map_err(failed())?;
    let hours = format!("interval {} hours", (options.vacuum_after.as_secs() / 3600).max(1));
    let properties = HashMap::from([
        (VERSION_PROPERTY.to_owned(), Some(VERSION.to_string())),
        ("delta.checkpointInterval".to_owned(), Some("50".to_owned())),
        ("delta.logRetentionDuration".to_owned(), Some(hours.clone())),
        ("delta.deletedFileRetentionDuration".to_owned(), Some(hours)),
        ("delta.dataSkippingStatsColumns".to_owned(), Some(shape.statistics.join(","))),
    ]);
    table
        .create()
        .with_table_name(shape.name)
        .with_comment(shape.doc)
        .with_columns(shape.fields())
        .with_partition_columns([PARTITION])
        .with_configuration(properties)
        .with_raise_if_key_not_exists(false)
        .await
        .map_err(failed())
}

/// Adds the columns that `table` lacks. Refuses a table that has more than this version knows.
async fn upgrade(table: DeltaTable, shape: &'static Shape) -> Result<DeltaTable, StoreError> {
    let failed = || StoreError::table("upgrade", shape.name);
    let state = table.snapshot().map_err(failed())?;
    let present = state.schema();
    if let Some(found) = shape.unknown(&present, state.metadata().configuration()) {
        return Err(StoreError::NewerLake { table: shape.name, found });
    }
    let missing = shape.missing(&present)?;
    if missing.is_empty() {
        return Ok(table);
    }
    tracing::info!(table = shape.name, columns = missing.len(), "adding columns");
    table.add_columns().with_fields(missing).await.map_err(failed())
}

/// A shared table.
pub(crate) type TableRef = Arc<LakeTable>;
