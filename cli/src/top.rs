//! `weir top routes`: how often each rule of the gateways was met, and what came of it, from the tables of the lake.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::{Context as _, Result};
use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use serde::Serialize;
use weir_cluster::routing::Routing;
use weir_model::filter::TimeRange;
use weir_model::{Routed, RulePlace, Timestamp};
use weir_proto::v1;
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use crate::args::{StatusFormat, TopRoutesArgs};
use crate::endpoint_text::{bytes, span};
use crate::get;
use crate::missing::Missing;
use crate::progress::spinner;
use crate::query::answer;
use crate::server::Contact;

/// What tells rules apart.
const PLACE: &str = "route_kind, route_namespace, route_name, route_rule, route_match";

/// Asks, and prints the answer.
pub(crate) async fn routes(server: &Contact, args: &TopRoutesArgs) -> Result<()> {
    let now = Timestamp(SystemClock.now_ns());
    let range = TimeRange::resolve(args.since, args.until, now).map_err(|error| Usage(error.to_string()))?;
    let waiting = spinner("asking");
    let batches = answer(server, args.lake.as_deref(), &sql(range)).await?;
    drop(waiting);
    let mut lines = lines(&batches).context("the answer has other columns than were asked for")?;
    match (&args.cluster, &args.lake) {
        (Some(dir), _) => {
            let routing = Routing::build(&get::load(dir)?.objects, &get::options(&args.gateway));
            add_unused(&mut lines, routing.rules().filter_map(|rule| Line::unused(&rule)));
        }
        (None, None) => add_unused(&mut lines, get::routes(server).await?.rules.into_iter().map(Line::from)),
        // A folder of tables alone does not know which rules there are.
        (None, Some(_)) => {}
    }
    let mut out = io::BufWriter::new(anstream::stdout());
    match args.output {
        StatusFormat::Text => write_text(&mut out, &lines)?,
        StatusFormat::Json => {
            for line in &lines {
                serde_json::to_writer(&mut out, line)?;
                writeln!(out)?;
            }
        }
    }
    out.flush().context("writing to stdout")?;
    let (from, to) = (range.since.unwrap_or(Timestamp(0)), range.until.unwrap_or(now));
    Missing::read(server, args.lake.as_deref(), from, to).await?.tell();
    Ok(())
}

/// A user's request counts once: at the front where it is read there; where the front is TLS, at the back, joined or not.
/// A connection of a TLSRoute, whose requests nobody reads, counts as one. A request at the back that is not joined, beside fronts that are read but not joined either, counts with one of those.
fn sql(range: TimeRange) -> String {
    let (requests, flows) = (range.to_sql_at("ts"), range.to_sql());
    format!(
        "WITH heard AS (SELECT {PLACE}, route_host, route_path, route_service_namespace, route_service_name, route_leg, \
             connection_id, front_connection_id, front_method, gateway_us, latency_us, \
             coalesce(status >= 500, false) OR coalesce(grpc_status > 0, false) AS failed \
             FROM requests WHERE is_primary AND route_leg IS NOT NULL AND {requests} \
             AND NOT (route_leg = 'back' AND coalesce(array_has(route_flags, 'mirror'), false)) \
             AND (l7 IN ('http', 'grpc') OR l7 = 'tls' AND route_leg = 'front' AND route_kind = 'TLSRoute')), \
         plain AS (SELECT DISTINCT connection_id AS id FROM heard WHERE route_leg = 'front'), \
         counted AS (SELECT heard.*, route_leg = 'front' OR front_method IS NOT NULL AS sure, \
             CASE WHEN route_leg = 'front' AND gateway_us IS NULL THEN 1 ELSE 0 END AS lone \
             FROM heard LEFT JOIN plain ON front_connection_id = plain.id \
             WHERE route_leg = 'front' OR plain.id IS NULL), \
         told AS (SELECT {PLACE}, max(route_host) AS route_host, max(route_path) AS route_path, \
             max(route_service_namespace) AS service_namespace, max(route_service_name) AS service_name, \
             sum(CASE WHEN sure THEN 1 ELSE 0 END) + greatest(sum(CASE WHEN sure THEN 0 ELSE 1 END) - sum(lone), 0) AS requests, \
             sum(CASE WHEN sure AND failed THEN 1 ELSE 0 END) AS errors, \
             approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY latency_us) AS p50_us, \
             approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY latency_us) AS p99_us \
             FROM counted GROUP BY {PLACE}), \
         carried AS (SELECT {PLACE}, sum(coalesce(bytes_fwd, 0) + coalesce(bytes_rev, 0)) AS bytes FROM flows \
             WHERE is_primary AND route_leg = 'back' AND {flows} GROUP BY {PLACE}) \
         SELECT told.route_kind, told.route_namespace, told.route_name, told.route_rule, told.route_match, told.route_host, \
             told.route_path, service_namespace, service_name, \
             CAST(requests AS BIGINT) AS requests, CAST(errors AS BIGINT) AS errors, \
             CAST(p50_us AS DOUBLE) AS p50_us, CAST(p99_us AS DOUBLE) AS p99_us, CAST(bytes AS BIGINT) AS bytes \
         FROM told LEFT JOIN carried ON told.route_kind = carried.route_kind \
             AND told.route_namespace = carried.route_namespace AND told.route_name = carried.route_name \
             AND coalesce(told.route_rule, -1) = coalesce(carried.route_rule, -1) \
             AND coalesce(told.route_match, -1) = coalesce(carried.route_match, -1) \
         ORDER BY requests DESC, told.route_namespace, told.route_name, told.route_rule, told.route_match"
    )
}

/// One rule.
#[derive(Debug, Default, Serialize)]
struct Line {
    /// `None` = requests at gateways that met no rule, or where there is no telling which.
    kind: Option<String>,
    namespace: Option<String>,
    name: Option<String>,
    rule: Option<i64>,
    #[serde(rename = "match")]
    matched: Option<i64>,
    host: Option<String>,
    path: Option<String>,
    service_namespace: Option<String>,
    service: Option<String>,
    requests: i64,
    errors: i64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
    /// Between the gateway and backends, in flows whose requests all met this rule.
    bytes: Option<i64>,
}

fn lines(batches: &[RecordBatch]) -> Option<Vec<Line>> {
    let mut lines = Vec::new();
    for batch in batches {
        let text = |at: usize, row: usize| {
            let array = batch.column(at).as_string_opt::<i32>()?;
            Some(array.is_valid(row).then(|| array.value(row).to_owned()))
        };
        let small = |at: usize, row: usize| {
            let array = batch.column(at).as_primitive_opt::<Int32Type>()?;
            Some(array.is_valid(row).then(|| i64::from(array.value(row))))
        };
        let number = |at: usize, row: usize| {
            let array = batch.column(at).as_primitive_opt::<Int64Type>()?;
            Some(array.is_valid(row).then(|| array.value(row)))
        };
        let real = |at: usize, row: usize| {
            let array = batch.column(at).as_primitive_opt::<Float64Type>()?;
            Some(array.is_valid(row).then(|| array.value(row)))
        };
        for row in 0..batch.num_rows() {
            lines.push(Line {
                kind: text(0, row)?,
                namespace: text(1, row)?,
                name: text(2, row)?,
                rule: small(3, row)?,
                matched: small(4, row)?,
                host: text(5, row)?,
                path: text(6, row)?,
                service_namespace: text(7, row)?,
                service: text(8, row)?,
                requests: number(9, row)?.unwrap_or_default(),
                errors: number(10, row)?.unwrap_or_default(),
                p50_us: real(11, row)?,
                p99_us: real(12, row)?,
                bytes: number(13, row)?,
            });
        }
    }
    Some(lines)
}

/// Adds the rules that nobody met.
fn add_unused(lines: &mut Vec<Line>, rules: impl Iterator<Item = Line>) {
    let place =
        |line: &Line| Some((line.kind.clone()?, line.namespace.clone()?, line.name.clone()?, line.rule, line.matched));
    let mut known: BTreeSet<_> = lines.iter().filter_map(place).collect();
    for line in rules {
        if place(&line).is_some_and(|place| known.insert(place)) {
            lines.push(line);
        }
    }
}

/// A rule that was never met.
impl From<v1::RouteRule> for Line {
    fn from(rule: v1::RouteRule) -> Self {
        Self {
            kind: Some(rule.kind),
            namespace: Some(rule.namespace),
            name: Some(rule.name),
            rule: rule.rule.map(i64::from),
            matched: rule.r#match.map(i64::from),
            host: rule.host,
            path: rule.path,
            service_namespace: rule.service_namespace,
            service: rule.service_name,
            ..Self::default()
        }
    }
}

fn write_text(out: &mut impl Write, lines: &[Line]) -> io::Result<()> {
    if lines.is_empty() {
        return writeln!(out, "no request at a gateway was seen");
    }
    let head = ["RULE", "HOST", "PATH", "SERVICE", "REQUESTS", "ERRORS", "P50", "P99", "BYTES"].map(str::to_owned);
    let cells: Vec<[String; 9]> = std::iter::once(head).chain(lines.iter().map(Line::cells)).collect();
    let widths: [usize; 9] = std::array::from_fn(|at| {
        cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    });
    for row in &cells {
        let padded = row.iter().zip(widths).enumerate().map(|(at, (cell, width))| {
            let pad = " ".repeat(width - cell.chars().count());
            if at < 4 { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
        });
        writeln!(out, "{}", padded.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

impl Line {
    /// A rule that was never met.
    fn unused(routed: &Routed) -> Option<Self> {
        let RulePlace { kind, namespace, name, rule, matched } = routed.place.as_ref()?;
        Some(Self {
            kind: Some((*kind).to_owned()),
            namespace: Some(namespace.to_string()),
            name: Some(name.to_string()),
            rule: rule.map(i64::from),
            matched: matched.map(i64::from),
            host: routed.host.as_ref().map(ToString::to_string),
            path: routed.path.as_ref().map(ToString::to_string),
            service_namespace: routed.service.as_ref().map(|service| service.namespace.to_string()),
            service: routed.service.as_ref().map(|service| service.name.to_string()),
            ..Self::default()
        })
    }

    fn cells(&self) -> [String; 9] {
        let number = |number: Option<i64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let either = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
        let took = |took: Option<f64>| took.map_or_else(|| "-".to_owned(), |took| span(took as i64));
        let rule = match (&self.kind, &self.namespace, &self.name) {
            (Some(kind), Some(namespace), Some(name)) => {
                format!("{kind} {namespace}/{name} {}/{}", number(self.rule), number(self.matched))
            }
            _ => "(no rule)".to_owned(),
        };
        let service = self.service.as_ref().map(|name| format!("{}/{name}", either(&self.service_namespace, "")));
        let is_used = self.requests > 0;
        [
            rule,
            either(&self.host, if self.kind.is_some() { "*" } else { "-" }),
            either(&self.path, "-"),
            either(&service, "-"),
            if is_used { self.requests.to_string() } else { "never".to_owned() },
            if is_used { self.errors.to_string() } else { "-".to_owned() },
            took(self.p50_us),
            took(self.p99_us),
            self.bytes.map_or_else(|| "-".to_owned(), bytes),
        ]
    }
}
