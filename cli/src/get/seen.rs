//! What was seen lately: flows and bytes by Service, pod, namespace or node, and the taps of pods.

use std::collections::HashMap;

use anyhow::Result;
use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use serde::Serialize;
use weir_model::Timestamp;

use super::Asked;

/// Traffic of the legs that stand for their connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Traffic {
    /// Flows that began.
    pub(super) flows: i64,
    /// IP bytes, both ways.
    pub(super) bytes: i64,
    /// The last packet.
    pub(super) last_ts: Option<Timestamp>,
}

/// Traffic by namespace (empty where there is none) and name.
pub(super) type TrafficBy = HashMap<(String, String), Traffic>;

const SUMS: &str = "count(*) FILTER (WHERE is_first) AS flows, sum(coalesce(bytes_fwd, 0) + coalesce(bytes_rev, 0)) AS bytes, \
     cast(max(last_ts) AS bigint) AS last";

/// Each side of a flow, and the other one.
const SIDES: [(&str, &str); 2] = [("src", "dst"), ("dst", "src")];

/// By the Service that was used.
pub(super) async fn by_service(asked: &Asked<'_>) -> Result<TrafficBy> {
    let sql = format!(
        "SELECT service_namespace AS namespace, service_name AS name, {SUMS} FROM flows \
         WHERE is_primary AND service_name IS NOT NULL AND {} GROUP BY 1, 2",
        asked.range.to_sql()
    );
    read(asked, &sql).await
}

/// By pod, each flow once for each of its pods.
pub(super) async fn by_pod(asked: &Asked<'_>) -> Result<TrafficBy> {
    by_side(asked, "namespace", "name", " AND {side}_kind = 'pod'").await
}

/// By namespace, each flow once for each of its namespaces.
pub(super) async fn by_namespace(asked: &Asked<'_>) -> Result<TrafficBy> {
    by_side(asked, "namespace", "namespace", "").await
}

async fn by_side(asked: &Asked<'_>, namespace: &str, name: &str, condition: &str) -> Result<TrafficBy> {
    let of_side = |(side, other): (&str, &str)| {
        // What is on both sides is taken from one.
        let once = if side == "src" { String::new() } else { distinct(side, other, namespace, name) };
        format!(
            "SELECT {side}_{namespace} AS namespace, {side}_{name} AS name, is_first, bytes_fwd, bytes_rev, last_ts \
             FROM flows WHERE is_primary AND {side}_{name} IS NOT NULL{}{once} AND {}",
            condition.replace("{side}", side),
            asked.range.to_sql()
        )
    };
    let sides = SIDES.map(of_side).join(" UNION ALL ");
    read(asked, &format!("SELECT namespace, name, {SUMS} FROM ({sides}) GROUP BY 1, 2")).await
}

fn distinct(side: &str, other: &str, namespace: &str, name: &str) -> String {
    let differs = |column: &str| format!("({side}_{column} IS DISTINCT FROM {other}_{column})");
    format!(" AND ({} OR {})", differs(namespace), differs(name))
}

/// By the node whose agent saw it, every leg.
pub(super) async fn by_agent(asked: &Asked<'_>) -> Result<TrafficBy> {
    let sql = format!(
        "SELECT '' AS namespace, node AS name, {SUMS} FROM flows WHERE node IS NOT NULL AND {} GROUP BY 2",
        asked.range.to_sql()
    );
    read(asked, &sql).await
}

async fn read(asked: &Asked<'_>, sql: &str) -> Result<TrafficBy> {
    let mut found = TrafficBy::new();
    for batch in asked.ask(sql, "traffic").await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let Some(name) = rows.text("name", row) else { continue };
            let traffic = Traffic {
                flows: rows.number("flows", row).unwrap_or_default(),
                bytes: rows.number("bytes", row).unwrap_or_default(),
                last_ts: rows.number("last", row).map(Timestamp::from_micros),
            };
            found.insert((rows.text("namespace", row).unwrap_or_default(), name), traffic);
        }
    }
    Ok(found)
}

/// How a pod was watched last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Watched {
    /// The node whose agent says so.
    pub(super) node: String,
    /// The tap; `None` = it had none.
    pub(super) interface: Option<String>,
    /// Why it had none.
    pub(super) reason: Option<String>,
    /// Until when; a tap that is open is told of now and then.
    pub(super) until_ts: Option<Timestamp>,
}

/// The last word on each pod, by namespace and name.
pub(super) async fn watched(asked: &Asked<'_>) -> Result<HashMap<(String, String), Watched>> {
    let sql = "SELECT namespace, name, node, interface, reason, cast(max(to_ts) AS bigint) AS last FROM coverage \
               WHERE name IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY last";
    let mut found = HashMap::new();
    for batch in asked.ask(sql, "taps").await? {
        let rows = Rows(&batch);
        for row in 0..batch.num_rows() {
            let text = |column| rows.text(column, row);
            let Some(pod) = text("namespace").zip(text("name")) else { continue };
            let watched = Watched {
                node: text("node").unwrap_or_default(),
                interface: text("interface"),
                reason: text("reason"),
                until_ts: rows.number("last", row).map(Timestamp::from_micros),
            };
            found.insert(pod, watched);
        }
    }
    Ok(found)
}

/// The rows of a batch, by the names of its columns.
struct Rows<'a>(&'a RecordBatch);

impl Rows<'_> {
    fn column(&self, name: &str, row: usize) -> Option<&ArrayRef> {
        self.0.column_by_name(name).filter(|column| column.is_valid(row))
    }

    fn text(&self, name: &str, row: usize) -> Option<String> {
        Some(self.column(name, row)?.as_string_opt::<i32>()?.value(row).to_owned())
    }

    fn number(&self, name: &str, row: usize) -> Option<i64> {
        Some(self.column(name, row)?.as_primitive_opt::<Int64Type>()?.value(row))
    }
}
