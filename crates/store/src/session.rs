//! DataFusion set up for one query: its memory, its threads, and nothing to reach but what is registered.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream, execute_stream};
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

/// What a query may use.
pub(crate) struct Resources {
    /// Memory of sorts, joins and groups, in bytes.
    pub(crate) memory_bytes: usize,
    /// Parallel parts of a plan.
    pub(crate) threads: usize,
    /// Folder for what does not fit; `None` = the query fails.
    pub(crate) spill: Option<PathBuf>,
}

/// A context without tables.
pub(crate) fn context(resources: Resources) -> Result<SessionContext, DataFusionError> {
    let mode = resources.spill.map_or(DiskManagerMode::Disabled, |dir| DiskManagerMode::Directories(vec![dir]));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_limit(resources.memory_bytes, 1.0)
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
        .build_arc()?;
    let config = SessionConfig::new()
        .with_target_partitions(resources.threads.max(1))
        .with_information_schema(true)
        .set_bool("datafusion.execution.parquet.pushdown_filters", true)
        .set_bool("datafusion.execution.parquet.reorder_filters", true)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_table_factories(std::collections::HashMap::new())
        .build();
    Ok(SessionContext::new_with_state(state))
}

/// Runs a plan so that it can be stopped: every node gives way now and then.
pub(crate) async fn execute(frame: DataFrame) -> Result<SendableRecordBatchStream, DataFusionError> {
    let context = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    execute_stream(cooperative(plan)?, context)
}

/// DataFusion itself makes only leaves give way: a join of a few rows with many matches would never return.
pub(crate) fn cooperative(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
    let wrap = |node: Arc<dyn ExecutionPlan>| {
        if node.children().is_empty() {
            return Ok(Transformed::no(node));
        }
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(node)) as Arc<dyn ExecutionPlan>))
    };
    plan.transform_up(wrap).data()
}
