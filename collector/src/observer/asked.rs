//! What a caller wants to see: which rows, of which time, how many, stored or arriving.

use tonic::Status;
use weir_model::filter::{Filter, TimeRange};
use weir_model::{Column, Record};
use weir_proto::{time_from_wire, v1};
use weir_store::Order;

/// The most stored rows that one answer holds unless the caller asks for another number.
const DEFAULT_ROWS: usize = 1_000_000;

/// The question, understood.
pub(super) struct Asked {
    pub(super) filter: Filter,
    pub(super) range: TimeRange,
    pub(super) history: bool,
    pub(super) follow: bool,
    pub(super) all_legs: bool,
    order: Order,
}

impl Asked {
    /// Reads a question about rows with `columns` of the table `table`.
    pub(super) fn read(request: &v1::GetRequestsRequest, table: &str, columns: &[Column]) -> Result<Self, Status> {
        let filter: Filter =
            request.filter.parse().map_err(|error| Status::invalid_argument(format!("filter: {error}")))?;
        if let Some(clause) = filter.stranger(columns) {
            let field = clause.field();
            return Err(Status::invalid_argument(format!("filter: {field} is nothing that {table} have")));
        }
        let order = match (request.first, request.last) {
            (Some(_), Some(_)) => return Err(Status::invalid_argument("first and last exclude each other")),
            (Some(first), None) => Order::First(usize::try_from(first).unwrap_or(usize::MAX)),
            (None, Some(last)) => Order::Last(usize::try_from(last).unwrap_or(usize::MAX)),
            (None, None) => Order::First(DEFAULT_ROWS),
        };
        let limited = request.first.is_some() || request.last.is_some() || request.since.is_some();
        Ok(Self {
            filter,
            range: TimeRange {
                since: request.since.as_ref().map(time_from_wire),
                until: request.until.as_ref().map(time_from_wire),
            },
            order,
            history: limited || !request.follow,
            follow: request.follow,
            all_legs: request.all_legs,
        })
    }

    /// The question in SQL, where `range` is that of its time; a superset where the filter says more than SQL can.
    pub(super) fn to_sql(&self, range: String) -> String {
        let mut terms = vec![range];
        if !self.all_legs {
            terms.push("is_primary".to_owned());
        }
        if !self.filter.is_empty() {
            terms.push(format!("({})", self.filter.to_sql()));
        }
        terms.join(" AND ")
    }

    /// How many rows to read: where SQL says less than the filter, rows are chosen after they are read.
    pub(super) fn order(&self) -> Order {
        match self.order {
            order if self.filter.is_exact_in_sql() => order,
            Order::First(_) => Order::First(DEFAULT_ROWS),
            Order::Last(_) => Order::Last(DEFAULT_ROWS),
        }
    }

    /// Of the rows that were read those that were asked for.
    pub(super) fn chosen(&self, mut rows: Vec<Record>) -> Vec<Record> {
        rows.retain(|row| self.filter.matches(row));
        match self.order {
            Order::First(keep) => rows.truncate(keep),
            Order::Last(keep) => drop(rows.drain(..rows.len().saturating_sub(keep))),
        }
        rows
    }
}

/// The same question as one about requests.
pub(super) fn of_flows(request: v1::GetFlowsRequest) -> v1::GetRequestsRequest {
    let v1::GetFlowsRequest { filter, since, until, first, last, follow, all_legs } = request;
    v1::GetRequestsRequest { filter, since, until, first, last, follow, all_legs }
}
