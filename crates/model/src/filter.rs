//! The filter language: one text for tails, queries and the API. What comes in is text or clauses, what goes out is a
//! test on rows and the same test as SQL. Nothing here reads a clock: "10 minutes ago" needs a `now`.
//!
//! A filter is clauses joined by `and`; a clause is `[not] field operator value[,value...]`, true where any value fits:
//!
//! ```text
//! namespace=shop,guest and to.service=shop/web and port=80 and not outcome=established and bytes_fwd>=1000
//! ```
//!
//! **Fields** are the columns of `flows`, `requests` and `latency` by name, and words for either side of a connection; `from.` before a word means
//! the opener, `to.` the other side:
//!
//! | word | values | what is compared |
//! |---|---|---|
//! | `pod` | `name` or `namespace/name` | endpoints that are pods |
//! | `namespace` | `name` | the endpoints' namespaces |
//! | `workload` | `name`, `namespace/name` or `Kind/namespace/name` | the workloads that own the pods |
//! | `ip` | address or network | `src_ip`, `dst_ip`, and behind NAT `client_ip` (from), `backend_ip` (to) |
//! | `port` | number or range `8000-8100` | the ports beside those addresses |
//! | `label` | `key=value` or `key` | the endpoints' labels |
//! | `service` | `name` or `namespace/name` | the Service used (to), and endpoints that are a Service's address |
//! | `policy` | `name` or `namespace/name` | the policies that the verdict names, of the opener's side (from) and the other's (to) |
//! | `dns` | `name` | the names that the endpoints' addresses were resolved from |
//! | `from.node`, `to.node` | `name` | the endpoints' nodes; `node` alone is the column: where the tap is |
//!
//! **Values.** `*` in text stands for any characters, so `service_name=*` means "not null". Numbers take ranges; numbers
//! and times take `>=`, `<=`, `>`, `<` with one value. Times are compared by the microsecond. Columns with a fixed list
//! of words take only those. Protocols and addresses may be written in any form, all other text is compared as it
//! stands, in its own case. A value with blanks, commas, parentheses or quotes goes in double quotes, where a backslash
//! takes the next character as it is.
//!
//! **Null** fits no value, so `not x=y` keeps rows whose `x` is null.

mod check;
mod clause;
mod columns;
mod error;
mod field;
mod parse;
mod range;
mod sql;
mod value;

pub use clause::{Clause, Operator};
pub use error::{FilterError, Problem};
pub use range::{TimeBound, TimeRange, TimeRangeError};

use std::fmt;
use std::str::FromStr;

use crate::tables::RequestRow;
use crate::{Column, FlowRow, Record};
use columns::Columns;

/// Clauses that must all hold. Without clauses it lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    clauses: Vec<Clause>,
}

impl Filter {
    /// A filter of `clauses`.
    pub const fn new(clauses: Vec<Clause>) -> Self {
        Self { clauses }
    }

    /// The clauses in the order they were given.
    pub fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Whether there is no clause, so that everything passes.
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// This filter and one more clause.
    pub fn and(mut self, clause: Clause) -> Self {
        self.clauses.push(clause);
        self
    }

    /// This filter and all clauses of `other`.
    pub fn and_all(mut self, other: Self) -> Self {
        self.clauses.extend(other.clauses);
        self
    }

    /// Whether a record of `flows` passes. In a record of another table or a query, columns are found by name, and those
    /// it lacks count as null.
    pub fn matches(&self, record: &Record) -> bool {
        self.holds(record)
    }

    /// Whether a row of `requests` passes.
    pub fn matches_request(&self, row: &RequestRow) -> bool {
        self.holds(row)
    }

    /// The first clause that looks at another column than `columns`: rows of a table with these would never fit it.
    pub fn stranger(&self, columns: &[Column]) -> Option<&Clause> {
        self.clauses.iter().find(|clause| !clause.fits(columns))
    }

    /// Whether a row of `flows` passes; the same answer as [`Filter::matches`] on its record, without making one.
    pub fn matches_row(&self, row: &FlowRow) -> bool {
        self.holds(row)
    }

    /// A boolean SQL expression over a table that has the columns it looks at; true for every row that passes; for others too only where
    /// [`Filter::is_exact_in_sql`] is false. Values are quoted: no value can end its literal. Needs `LIKE ... ESCAPE`,
    /// `array_has` and `array_to_string` (DataFusion, DuckDB).
    pub fn to_sql(&self) -> String {
        if self.clauses.is_empty() {
            return "true".to_owned();
        }
        self.clauses.iter().map(Clause::to_sql).collect::<Vec<_>>().join(" AND ")
    }

    /// Whether [`Filter::to_sql`] passes the same rows as [`Filter::matches`]. Where it is false (networks that no text
    /// prefix describes, wildcards in lists, tunnels, ICMP), apply `matches` to what the query returns.
    pub fn is_exact_in_sql(&self) -> bool {
        self.clauses.iter().all(Clause::is_exact_in_sql)
    }

    fn holds(&self, row: &impl Columns) -> bool {
        self.clauses.iter().all(|clause| clause.holds(row))
    }
}

/// Reads the text form; blank text is the filter without clauses.
impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse::filter(text).map(Self::new)
    }
}

/// The text form. Values are written as they were understood: `protocol=6` prints as `protocol=tcp`.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, clause) in self.clauses.iter().enumerate() {
            if at > 0 {
                f.write_str(" and ")?;
            }
            clause.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
