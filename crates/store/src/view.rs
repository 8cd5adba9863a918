//! What SQL sees of a table: one version of the lake and the tail behind it, with the columns in the documented order.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::catalog::MemTable;
use datafusion::common::{Column, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, cast, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use deltalake::DeltaTable;

use crate::lake::Inner;
use crate::shape::Shape;
use crate::table::{LakeTable, Version};

/// A table as it is at one moment.
pub(crate) struct View {
    shape: &'static Shape,
    schema: Arc<Schema>,
    version: Option<Version>,
    tail: Vec<RecordBatch>,
}

impl Inner {
    /// Makes the tables known to `context` as they are now.
    pub(crate) async fn register(&self, context: &SessionContext) -> Result<(), DataFusionError> {
        for table in &self.tables {
            let view = View::of(table);
            let frame = view.frame(context).await?;
            context.register_table(view.shape.name, frame.into_view())?;
        }
        Ok(())
    }
}

impl View {
    fn of(table: &LakeTable) -> Self {
        let current = table.read();
        Self {
            shape: table.shape,
            schema: Arc::clone(&table.schema),
            version: current.version.clone(),
            tail: current.tail.batches(),
        }
    }

    /// All rows, once.
    async fn frame(&self, context: &SessionContext) -> Result<DataFrame, DataFusionError> {
        let lake = match &self.version {
            Some(version) => Some(stored(context, &version.table, &self.schema, None).await?),
            None => None,
        };
        match lake {
            Some(lake) if self.tail.is_empty() => Ok(lake),
            Some(lake) => lake.union(self.tail_frame(context)?),
            None => self.tail_frame(context),
        }
    }

    fn tail_frame(&self, context: &SessionContext) -> Result<DataFrame, DataFusionError> {
        let parts = context.copied_config().target_partitions().max(1);
        let mut partitions = vec![Vec::new(); parts.min(self.tail.len()).max(1)];
        for (batch, at) in self.tail.iter().zip((0..partitions.len()).cycle()) {
            if let Some(partition) = partitions.get_mut(at) {
                partition.push(batch.clone());
            }
        }
        let table = MemTable::try_new(Arc::clone(&self.schema), partitions)?;
        let columns = self.schema.fields().iter().map(|field| col(Column::from_name(field.name())));
        context.read_table(Arc::new(table))?.select(columns.collect::<Vec<_>>())
    }
}

/// The rows of `table` (of the files at `paths`, where these are given) with the columns of `schema`: null where the table
/// lacks one; then the columns that only the table has.
pub(crate) async fn stored(
    context: &SessionContext,
    table: &DeltaTable,
    schema: &Schema,
    paths: Option<Vec<String>>,
) -> Result<DataFrame, DataFusionError> {
    // The list of files is in memory already: no log is read again.
    let snapshot = table.snapshot().map_err(DataFusionError::from)?.snapshot().clone();
    let mut provider = table.table_provider().with_eager_snapshot(snapshot).with_session(Arc::new(context.state()));
    if let Some(paths) = paths {
        provider = provider.with_file_paths(paths);
    }
    let provider = provider.await?;
    let present = provider.schema();
    let known = schema.fields().iter().map(|field| {
        let name = field.name();
        match present.field_with_name(name) {
            Ok(found) => Ok(plain(name, found.data_type(), field.data_type())),
            Err(_) => Ok(lit(ScalarValue::try_from(field.data_type())?).alias(name)),
        }
    });
    let unknown = present.fields().iter().filter(|field| schema.field_with_name(field.name()).is_err());
    let unknown = unknown.map(|field| Ok(col(Column::from_name(field.name()))));
    let columns = known.chain(unknown).collect::<Result<Vec<Expr>, DataFusionError>>()?;
    let frame = context.read_table(provider)?;
    let (state, plan) = frame.into_parts();
    Ok(DataFrame::new(state, LogicalPlanBuilder::from(plan).project(columns)?.build()?))
}

/// The column as `wanted`: partition values are read as dictionaries.
fn plain(name: &str, found: &DataType, wanted: &DataType) -> Expr {
    let column = col(Column::from_name(name));
    if found == wanted { column } else { cast(column, wanted.clone()).alias(name) }
}
