//! How rows become Parquet files: sorted, compressed, with the indexes that queries use. Files are written, not committed.

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use deltalake::parquet::basic::{Compression, Encoding, ZstdLevel};
use deltalake::parquet::file::properties::WriterProperties;
use deltalake::parquet::schema::types::ColumnPath;
use weir_model::ColumnType;
use weir_model::tables::PARTITION;

use crate::shape::Shape;

/// Rows of a row group: large enough to compress, small enough to skip.
const ROW_GROUP_ROWS: usize = 131_072;
const ZSTD_LEVEL: i32 = 3;

/// Nulls come last, as in `ORDER BY`.
const ASCENDING: SortOptions = SortOptions { descending: false, nulls_first: false };

impl Shape {
    /// How files of at most `rows` rows are written.
    pub(crate) fn writer_properties(&self, rows: usize) -> WriterProperties {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).unwrap_or_default();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned());
        for column in self.columns.iter().filter(|column| Self::is_mostly_unique(column)) {
            let path = ColumnPath::from(column.name);
            properties = properties.set_column_dictionary_enabled(path.clone(), false);
            if column.kind == ColumnType::Time || column.name == "flow_id" {
                properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
            }
        }
        let distinct = rows.clamp(1, ROW_GROUP_ROWS) as u64;
        for name in self.blooms {
            let path = ColumnPath::from(*name);
            properties = properties
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, distinct);
        }
        properties.build()
    }

    /// The rows of `batches` as one batch, by hour, then in the table's order.
    pub(crate) fn sorted(&self, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
        let all = concat_batches(schema, batches)?;
        let keys = std::iter::once(&PARTITION).chain(self.sort).filter_map(|name| {
            let values = all.column_by_name(name)?;
            Some(SortColumn { values: values.clone(), options: Some(ASCENDING) })
        });
        let order = lexsort_to_indices(&keys.collect::<Vec<_>>(), None)?;
        take_record_batch(&all, &order)
    }

    /// With rows merged where the table's may be.
    pub(crate) fn folded(&self, rows: RecordBatch) -> Result<RecordBatch, ArrowError> {
        match self.fold {
            Some(fold) => fold(&rows),
            None => Ok(rows),
        }
    }
}
