//! Questions that programs ask: rows of `flows` and `requests` as records, and the primary legs of connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, col, lit};
use datafusion::prelude::{DataFrame, SessionContext};
use futures::{StreamExt, TryStreamExt};
use weir_model::tables::{FLOWS, PARTITION, REQUESTS};
use weir_model::{Column, ConnectionId, FlowId, Record, Timestamp, Value};

use crate::lake::Lake;
use crate::record::records;
use crate::session::execute;
use crate::{QueryError, QueryLimits};

/// Which rows are wanted, by packet time. They come in ascending order either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The first so many.
    First(usize),
    /// The last so many.
    Last(usize),
}

/// A table whose rows have a time.
#[derive(Clone, Copy)]
struct Timed {
    table: &'static str,
    columns: &'static [Column],
    time: &'static str,
}

/// The leg that stands for a connection, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPrimary {
    /// The node whose agent saw it.
    pub node: Option<Arc<str>>,
    /// The tap.
    pub interface: Arc<str>,
    /// The opener's address as the tap saw it.
    pub src_ip: IpAddr,
    /// The opener's port; 0 where the protocol has none.
    pub src_port: u16,
    /// The other side's address as the tap saw it.
    pub dst_ip: IpAddr,
    /// The other side's port; 0 where the protocol has none.
    pub dst_port: u16,
    /// The flow's number.
    pub flow_id: FlowId,
}

impl Lake {
    /// Rows of `flows` for which `where_sql` (a boolean SQL expression; `None` = all rows) is true, ordered by the packet
    /// time of their first packet.
    pub async fn flows(
        &self,
        where_sql: Option<&str>,
        order: Order,
        limits: QueryLimits,
    ) -> Result<Vec<Record>, QueryError> {
        self.rows(Timed { table: FLOWS.name, columns: FLOWS.columns, time: "first_ts" }, where_sql, order, limits).await
    }

    /// Rows of `requests`, in the same way, ordered by the time of their first byte.
    pub async fn requests(
        &self,
        where_sql: Option<&str>,
        order: Order,
        limits: QueryLimits,
    ) -> Result<Vec<Record>, QueryError> {
        self.rows(Timed { table: REQUESTS.name, columns: REQUESTS.columns, time: "ts" }, where_sql, order, limits).await
    }

    async fn rows(
        &self,
        of: Timed,
        where_sql: Option<&str>,
        order: Order,
        limits: QueryLimits,
    ) -> Result<Vec<Record>, QueryError> {
        let where_sql = where_sql.map(str::to_owned);
        let memory_bytes = limits.memory_bytes;
        let plan = move |context| async move { ordered(&context, of, where_sql.as_deref(), order, memory_bytes).await };
        let (_, batches) = self.ask(limits, plan).await?;
        let batches: Vec<_> = batches.try_collect().await?;
        let mut rows: Vec<_> = batches.iter().flat_map(|batch| records(of.columns, batch)).collect();
        if matches!(order, Order::Last(_)) {
            rows.reverse();
        }
        Ok(rows)
    }

    /// The primary legs already stored (or in the tail) for these connections, in the hours of packet time from `from` to
    /// `to`. Connections without one are left out.
    pub async fn primaries(
        &self,
        connections: &[ConnectionId],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<HashMap<ConnectionId, StoredPrimary>, QueryError> {
        if connections.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<_> = connections.iter().map(|id| lit(id.0 as i64)).collect();
        let wanted = col("connection_id")
            .in_list(ids, false)
            .and(col("is_primary"))
            .and(col(PARTITION).between(lit(from.hour()), lit(to.hour())));
        let names = ["connection_id", "node", "interface", "src_ip", "src_port", "dst_ip", "dst_port", "flow_id"];
        let plan = move |context: SessionContext| async move {
            let planning = |error| QueryError::planning(&error);
            let flows = context.table(FLOWS.name).await.map_err(planning)?;
            let rows = flows.filter(wanted).map_err(planning)?;
            // Grouping makes one row of all windows of a flow.
            rows.aggregate(names.map(col).to_vec(), vec![count(lit(1))]).map_err(planning)
        };
        let limits = QueryLimits { rows: usize::MAX, ..QueryLimits::default() };
        let (_, mut batches) = self.ask(limits, plan).await?;
        let mut found = HashMap::new();
        while let Some(batch) = batches.next().await {
            for record in records(FLOWS.columns, &batch?) {
                if let Some((id, primary)) = StoredPrimary::read(&record) {
                    found.entry(id).or_insert(primary);
                }
            }
        }
        Ok(found)
    }
}

impl StoredPrimary {
    /// `None` where a value that every flow has is missing.
    fn read(record: &Record) -> Option<(ConnectionId, Self)> {
        let number = |name| record.get(name).as_int();
        let port = |name| number(name).and_then(|port| port.try_into().ok()).unwrap_or_default();
        let address = |name| if let Value::Ip(address) = record.get(name) { Some(*address) } else { None };
        let primary = Self {
            node: record.get("node").as_text().map(Into::into),
            interface: record.get("interface").as_text()?.into(),
            src_ip: address("src_ip")?,
            src_port: port("src_port"),
            dst_ip: address("dst_ip")?,
            dst_port: port("dst_port"),
            flow_id: FlowId(number("flow_id")? as u64),
        };
        Some((ConnectionId(number("connection_id")? as u64), primary))
    }
}

/// The wanted rows, the outermost first. The time of the innermost one is looked up before, from few columns: then whole
/// rows are read only from there on.
async fn ordered(
    context: &SessionContext,
    of: Timed,
    where_sql: Option<&str>,
    order: Order,
    memory_bytes: usize,
) -> Result<DataFrame, QueryError> {
    let planning = |error| QueryError::planning(&error);
    let (wanted, ascending) = match order {
        Order::First(wanted) => (wanted, true),
        Order::Last(wanted) => (wanted, false),
    };
    let mut rows = context.table(of.table).await.map_err(planning)?;
    if let Some(where_sql) = where_sql {
        let condition = rows.parse_sql_expr(where_sql).map_err(planning)?;
        rows = rows.filter(condition).map_err(planning)?;
    }
    let by_time = || col(of.time).sort(ascending, false);
    let times = rows.clone().select(vec![col(of.time)]).and_then(|times| times.sort(vec![by_time()]));
    let innermost = times.and_then(|times| times.limit(wanted.saturating_sub(1), Some(1))).map_err(planning)?;
    if let Some(time) = single(innermost, memory_bytes).await? {
        let bound = if ascending { col(of.time).lt_eq(time) } else { col(of.time).gt_eq(time) };
        rows = rows.filter(bound).map_err(planning)?;
    }
    let keys = vec![by_time(), col("node").sort(ascending, false), col("flow_id").sort(ascending, false)];
    rows.sort(keys).and_then(|rows| rows.limit(0, Some(wanted))).map_err(planning)
}

/// The one value of a plan of at most one row and one column.
async fn single(frame: DataFrame, memory_bytes: usize) -> Result<Option<Expr>, QueryError> {
    let running = |error| QueryError::running(&error, memory_bytes);
    let batches: Vec<_> = execute(frame).await.map_err(running)?.try_collect().await.map_err(running)?;
    let value = batches.iter().find(|batch| batch.num_rows() > 0).and_then(|batch| {
        let array = batch.columns().first()?;
        datafusion::common::ScalarValue::try_from_array(array, 0).ok()
    });
    Ok(value.map(lit))
}
