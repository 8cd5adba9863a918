//! The lake: rows come in by journal position, lie in a live tail, are committed to Delta tables, and are answered for.
//!
//! There is one table (one folder) for each entry of [`weir_model::tables`]. A query sees, for each table, one version of
//! the lake and the tail entries behind the journal position that this version carries: every row once. Nothing here
//! knows flows, agents or the journal itself; time is given by the caller.

mod batch;
mod commit;
mod compact;
mod error;
mod flows;
mod lake;
mod latency;
mod maintain;
mod objects;
mod parquet_file;
mod query;
mod record;
mod retain;
mod schema;
mod session;
mod shape;
mod size;
mod table;
mod tail;
mod view;
mod workers;

pub use batch::Rows;
pub use commit::CommitReport;
pub use error::{QueryError, StoreError};
pub use flows::{Order, StoredPrimary};
pub use lake::{Lake, LakeOptions, TablePositions};
pub use latency::{Latencies, Spread, UnreadableHistogram};
pub use maintain::MaintenanceReport;
pub use objects::last_objects;
pub use query::{QueryLimits, RowStream};
pub use record::records;
pub use size::{LakeSize, TableSize};
