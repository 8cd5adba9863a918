//! What the lake's tables hold: live files, as their newest versions list them.

use deltalake::DeltaTable;
use deltalake::kernel::LogicalFileView;
use weir_model::tables::PARTITION;

use crate::StoreError;
use crate::lake::Lake;
use crate::shape::Shape;

/// Sizes of a lake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LakeSize {
    /// Each table.
    pub tables: Vec<TableSize>,
}

/// Sizes of a table. What readers may still hold, and the live tail, are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableSize {
    /// The table.
    pub name: &'static str,
    /// Number of its newest version; 0 where it does not exist.
    pub version: u64,
    /// Parquet files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
}

impl LakeSize {
    /// Parquet files of all tables.
    pub fn files(&self) -> u64 {
        self.tables.iter().map(|table| table.files).sum()
    }

    /// Bytes of all tables.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

impl Lake {
    /// What the newest version of each table holds.
    pub fn size(&self) -> Result<LakeSize, StoreError> {
        let sizes = self.inner.tables.iter().map(|table| {
            let mut size = TableSize { name: table.shape.name, version: 0, files: 0, bytes: 0, rows: 0 };
            if let Ok(version) = table.version() {
                size.version = version.table.version().unwrap_or_default();
                for file in StoredFile::list(&version.table, table.shape)? {
                    size.files += 1;
                    size.bytes += file.bytes;
                    size.rows += file.view.num_records().unwrap_or_default() as u64;
                }
            }
            Ok(size)
        });
        Ok(LakeSize { tables: sizes.collect::<Result<_, _>>()? })
    }
}

/// A live file of a table.
pub(crate) struct StoredFile {
    /// As the table's log has it.
    pub(crate) view: LogicalFileView,
    /// Its partition.
    pub(crate) hour: String,
    /// Its size.
    pub(crate) bytes: u64,
}

impl StoredFile {
    /// The live files of `table`.
    pub(crate) fn list(table: &DeltaTable, shape: &'static Shape) -> Result<Vec<Self>, StoreError> {
        let failed = || StoreError::table("list", shape.name);
        let log = table.snapshot().map_err(failed())?.snapshot().try_log_data().map_err(failed())?;
        let file = |view: LogicalFileView| {
            let hour = view.partition_values_map().remove(PARTITION).flatten().unwrap_or_default();
            Self { bytes: view.size().max(0) as u64, hour, view }
        };
        Ok(log.iter().map(file).collect())
    }
}
