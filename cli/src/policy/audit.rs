//! `weir policy audit`: where what happened is not what the policies say, what they stopped, and what failed for other reasons;
//! from the verdicts that the lake holds, grouped by who talked to whom.

use std::io::{self, Write};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use weir_model::Timestamp;
use weir_model::filter::TimeRange;
use weir_model::tables::FLOWS;
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use super::likely::{Likely, Totals};
use crate::args::{AuditArgs, StatusFormat};
use crate::progress::spinner;
use crate::query::{answer, rows};
use crate::server::Contact;

/// Connections of one edge that fared alike.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Edge {
    pub(super) audit: String,
    pub(super) verdict: String,
    pub(super) outcome: String,
    pub(super) cause: Option<String>,
    pub(super) evidence: String,
    pub(super) src: String,
    pub(super) dst: String,
    pub(super) protocol: String,
    pub(super) port: Option<i64>,
    /// Why each side has its verdict.
    pub(super) egress_reason: String,
    pub(super) ingress_reason: String,
    /// The policies that both sides name.
    pub(super) policies: Option<String>,
    pub(super) connections: u64,
    pub(super) first_seen: String,
    pub(super) last_seen: String,
    /// Flows to look at: the first and the last of them.
    pub(super) first_flow: i64,
    pub(super) last_flow: i64,
}

/// An edge and what it looks like.
#[derive(Serialize)]
struct Finding<'a> {
    #[serde(flatten)]
    edge: &'a Edge,
    likely: Likely,
}

/// Asks, and prints the answer.
pub(crate) async fn audit(server: &Contact, args: &AuditArgs) -> Result<()> {
    let sql = sql(args)?;
    let waiting = spinner("asking");
    let edges: Vec<Edge> = rows(&answer(server, args.lake.as_deref(), &sql).await?)?;
    drop(waiting);
    let totals = Totals::of(&edges);
    let findings = edges.iter().filter_map(|edge| Some(Finding { edge, likely: totals.likely(edge)? }));
    let mut out = io::BufWriter::new(anstream::stdout());
    match args.output {
        StatusFormat::Text => write_text(&mut out, findings, &totals)?,
        StatusFormat::Json => write_json(&mut out, findings.collect(), &totals)?,
    }
    out.flush().context("writing to stdout")
}

/// One row for each edge, verdict and fate. A connection counts as its last row has it: a later one may know more.
fn sql(args: &AuditArgs) -> Result<String> {
    let range = TimeRange::resolve(args.since, args.until, Timestamp(SystemClock.now_ns()))
        .map_err(|error| Usage(error.to_string()))?;
    let filter = args.filter.filter();
    if let Some(clause) = filter.stranger(FLOWS.columns) {
        return Err(Usage(format!("{clause}: flows have no such column")).into());
    }
    let mut terms = vec![range.to_sql(), "is_primary".to_owned(), "verdict IS NOT NULL".to_owned()];
    if !filter.is_empty() {
        terms.push(format!("({})", filter.to_sql()));
    }
    let last = |column: &str| format!("last_value({column} ORDER BY first_ts) {column}");
    let kept = ["audit", "verdict", "outcome", "cause", "evidence", "protocol", "egress_reason", "ingress_reason"];
    let kept: Vec<String> = kept.map(last).into();
    // Of the sides that have the verdict of the whole: on a deny, who denies.
    let policies = ["egress", "ingress"].map(|side| {
        let names = format!("nullif(array_to_string({side}_policies, ', '), '')");
        let decisive = format!("CASE WHEN {side}_verdict = verdict THEN {names} END");
        format!("last_value({decisive} ORDER BY first_ts) {side}_policies")
    });
    let end = |side: &str, ip: &str| {
        let name = format!("coalesce({side}_workload, {side}_name)");
        format!(
            "last_value(coalesce({side}_namespace || '/' || {name}, {side}_kind || ':' || {side}_name, {ip}) \
             ORDER BY first_ts) {}",
            if side == "src" { "src" } else { "dst" }
        )
    };
    Ok(format!(
        "WITH connections AS (SELECT connection_id, {kept}, {policies}, {src}, {dst}, \
         last_value(coalesce(backend_port, dst_port) ORDER BY first_ts) port, min(start_ts) began, max(last_ts) ended, \
         min(flow_id) flow FROM flows WHERE {terms} GROUP BY connection_id), \
         named AS (SELECT *, coalesce(egress_policies || ', ' || ingress_policies, egress_policies, \
         ingress_policies) policies FROM connections) \
         SELECT audit, verdict, outcome, cause, evidence, src, dst, protocol, port, egress_reason, ingress_reason, policies, \
         count(*) connections, min(began) first_seen, max(ended) last_seen, \
         first_value(flow ORDER BY began) first_flow, last_value(flow ORDER BY began) last_flow \
         FROM named GROUP BY audit, verdict, outcome, cause, evidence, src, dst, protocol, port, egress_reason, \
         ingress_reason, policies ORDER BY connections DESC, src, dst, port",
        kept = kept.join(", "),
        policies = policies.join(", "),
        src = end("src", "coalesce(client_ip, src_ip)"),
        dst = end("dst", "coalesce(backend_ip, dst_ip)"),
        terms = terms.join(" AND "),
    ))
}

fn write_text<'a>(
    out: &mut impl Write,
    findings: impl Iterator<Item = Finding<'a>>,
    totals: &Totals,
) -> io::Result<()> {
    let mut findings: Vec<Finding<'_>> = findings.collect();
    findings.sort_by_key(|finding| finding.likely.rank());
    for finding in findings {
        let Finding { edge, likely } = finding;
        let port = edge.port.map(|port| format!(":{port}")).unwrap_or_default();
        let style = likely.style();
        writeln!(
            out,
            "{style}{}{style:#}  {} -> {}{port}  {} {}  {} connection{}",
            edge.audit,
            edge.src,
            edge.dst,
            edge.protocol,
            edge.outcome,
            edge.connections,
            if edge.connections == 1 { "" } else { "s" }
        )?;
        let policies = edge.policies.as_ref().map(|policies| format!(" ({policies})")).unwrap_or_default();
        writeln!(out, "    policies: {}{policies}, {}", edge.verdict, edge.evidence)?;
        writeln!(out, "    likely: {}", likely.text(edge))?;
        writeln!(
            out,
            "    from {} to {}, flows {} .. {}",
            edge.first_seen, edge.last_seen, edge.first_flow, edge.last_flow
        )?;
    }
    writeln!(out, "{totals}")
}

fn write_json(out: &mut impl Write, findings: Vec<Finding<'_>>, totals: &Totals) -> Result<()> {
    #[derive(Serialize)]
    struct Answer<'a> {
        #[serde(flatten)]
        totals: &'a Totals,
        edges: Vec<Finding<'a>>,
    }
    serde_json::to_writer(&mut *out, &Answer { totals, edges: findings })?;
    Ok(writeln!(out)?)
}
