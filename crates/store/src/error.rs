//! What can go wrong, named by what failed. Queries have their own errors: they are the asker's, not the store's.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use datafusion::error::DataFusionError;
use deltalake::DeltaTableError;

/// A lake that could not be opened, written or maintained.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A folder could not be made or read.
    #[error("{}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no lake in this folder.
    #[error("{}: no lake here (none of its tables exists)", .0.display())]
    NoLake(PathBuf),
    /// A table was written by a later version of the program: it can be read, not written.
    #[error("table {table} was written by a newer version ({found}): it can be read, not written")]
    NewerLake {
        /// The table.
        table: &'static str,
        /// What this version does not know.
        found: String,
    },
    /// A column of an existing table has another type than it must have.
    #[error("table {table}: column {column} is {found}, expected {expected}")]
    ColumnType {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
        /// Its type in the table.
        found: String,
        /// The type it must have.
        expected: String,
    },
    /// The lake was opened for reading.
    #[error("the lake is open for reading only")]
    ReadOnly,
    /// Reading or writing a table failed.
    #[error("cannot {action} table {table}")]
    Table {
        /// What was tried: "open", "create", "commit", ...
        action: &'static str,
        /// The table.
        table: &'static str,
        /// Why.
        source: Box<DeltaTableError>,
    },
    /// Sorting or re-reading rows failed.
    #[error("cannot {action} rows of table {table}")]
    Rows {
        /// What was tried.
        action: &'static str,
        /// The table.
        table: &'static str,
        /// Why.
        source: Box<DataFusionError>,
    },
    /// The threads of the lake are gone: the program is ending.
    #[error("the lake is closing")]
    Closing,
}

impl StoreError {
    pub(crate) fn table<E: Into<DeltaTableError>>(action: &'static str, table: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Table { action, table, source: Box::new(source.into()) }
    }

    pub(crate) fn rows<E: Into<DataFusionError>>(action: &'static str, table: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Rows { action, table, source: Box::new(source.into()) }
    }
}

/// A query that got no answer, or not all of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is no query over the tables of the lake; the planner's message.
    #[error("{0}")]
    Invalid(String),
    /// The text is a statement that changes something or reaches beyond the lake.
    #[error("only queries are allowed: {0}")]
    Refused(String),
    /// The query needs more memory than it may have.
    #[error("the query needs more than {bytes} bytes of memory: {message}")]
    Memory {
        /// The limit.
        bytes: usize,
        /// What asked for more.
        message: String,
    },
    /// The query took longer than it may.
    #[error("the query was stopped after {0:?}")]
    Time(Duration),
    /// The answer has more rows than it may; those before this error are right, the rest is missing.
    #[error("the answer has more than {0} rows (add a LIMIT, or aggregate)")]
    Rows(usize),
    /// The query failed while it ran.
    #[error("the query failed: {0}")]
    Failed(String),
}

impl QueryError {
    /// An error of planning.
    pub(crate) fn planning(error: &DataFusionError) -> Self {
        Self::Invalid(message(error))
    }

    /// An error of running with `memory_bytes`.
    pub(crate) fn running(error: &DataFusionError, memory_bytes: usize) -> Self {
        match error.find_root() {
            DataFusionError::ResourcesExhausted(message) => {
                Self::Memory { bytes: memory_bytes, message: first_line(message) }
            }
            _ => Self::Failed(message(error)),
        }
    }
}

fn message(error: &DataFusionError) -> String {
    error.strip_backtrace()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
