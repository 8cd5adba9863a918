//! Stored connections grouped by what verdicts depend on: grouped where they are stored, so that what comes here is as large as
//! the cluster and not as its traffic.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use weir_cluster::backtest::Stats;
use weir_cluster::join::{Arriving, Conversation, Talker};
use weir_model::filter::TimeRange;
use weir_model::{Endpoint, EndpointKind, Outcome, Protocol, ServiceRef, ServiceType, Timestamp, Verdict};

use crate::query::{answer, rows};
use crate::stored_objects::Source;

/// Connections that verdicts cannot tell apart, of one epoch.
pub(crate) struct Group {
    pub(crate) epoch: usize,
    /// When the first of them began.
    pub(crate) start: Timestamp,
    pub(crate) conversation: Conversation,
    pub(crate) stats: Stats,
    /// What came of them.
    pub(crate) outcome: Outcome,
    /// As it was judged when it was stored; `None` = it was not.
    pub(crate) stored: Option<Verdict>,
}

/// A part of the time, with the epochs that begin in it.
pub(crate) struct Slice {
    /// The place of the first of `starts` among all epochs.
    pub(crate) first: usize,
    /// When each epoch begins; the first may have begun before.
    pub(crate) starts: Vec<Timestamp>,
    pub(crate) end: Timestamp,
}

/// Epochs of one question at most: each is a branch of it.
const EPOCHS: usize = 64;

/// The time of one question at most, in nanoseconds.
const SLICE_NS: i64 = 24 * 3_600_000_000_000;

/// Cuts the time up to `end` into parts that are asked for one by one.
pub(crate) fn slices(starts: &[Timestamp], end: Timestamp) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    for (number, start) in starts.iter().enumerate() {
        let next = starts.get(number + 1).copied().unwrap_or(end);
        let mut from = *start;
        while from < next {
            let until = next.min(from.plus_ns(SLICE_NS));
            match slices.last_mut() {
                Some(last) if last.starts.len() < EPOCHS && until.since(last.begin()) <= SLICE_NS => {
                    last.starts.push(from);
                    last.end = until;
                }
                _ => slices.push(Slice { first: number, starts: vec![from], end: until }),
            }
            from = until;
        }
    }
    slices
}

impl Slice {
    fn begin(&self) -> Timestamp {
        self.starts.first().copied().unwrap_or(self.end)
    }

    /// The number of a row's epoch, as SQL: by halves.
    fn epoch(&self) -> String {
        fn halves(starts: &[Timestamp], first: usize) -> String {
            let middle = starts.len() / 2;
            match (starts.get(..middle), starts.get(middle)) {
                (Some(before), Some(start)) if middle > 0 => format!(
                    "CASE WHEN start_ts < {} THEN {} ELSE {} END",
                    time(*start),
                    halves(before, first),
                    halves(starts.get(middle..).unwrap_or_default(), first + middle)
                ),
                _ => first.to_string(),
            }
        }
        halves(&self.starts, self.first)
    }
}

fn time(at: Timestamp) -> String {
    format!("to_timestamp_micros({})", at.as_micros())
}

/// What is asked of which rows: those of a part of the time, and only of a namespace where one is named.
pub(crate) struct Past<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) range: TimeRange,
    pub(crate) namespace: Option<&'a str>,
}

impl Past<'_> {
    /// The connections that began in a part of the time; in the first one also those that began before.
    pub(crate) async fn groups(&self, slice: &Slice, is_first: bool) -> Result<Vec<Group>> {
        let sql = self.sql(slice, is_first);
        let found: Vec<Row> =
            rows(&answer(self.source.server, self.source.lake, &sql).await.context("reading flows")?)?;
        Ok(found.into_iter().filter_map(Row::group).collect())
    }

    /// Of a time the part in which connections began.
    pub(crate) async fn within(&self, (since, until): (Timestamp, Timestamp)) -> Result<(Timestamp, Timestamp)> {
        let sql = format!(
            "SELECT cast(min(start_ts) AS bigint) first, cast(max(start_ts) AS bigint) last FROM flows WHERE is_primary AND {}",
            self.range.to_sql()
        );
        let found: Vec<Ends> =
            rows(&answer(self.source.server, self.source.lake, &sql).await.context("reading flows")?)?;
        let micros = |us: Option<i64>| us.map(|us| Timestamp(us.saturating_mul(1_000)));
        let ends = found.into_iter().next().and_then(|ends| micros(ends.first).zip(micros(ends.last)));
        Ok(ends.map_or((since, since), |(first, last)| (first.max(since), last.plus_ns(1_000).min(until))))
    }

    fn sql(&self, slice: &Slice, is_first: bool) -> String {
        let mut terms = vec!["is_primary".to_owned(), self.range.to_sql(), format!("start_ts < {}", time(slice.end))];
        if !is_first {
            terms.push(format!("start_ts >= {}", time(slice.begin())));
            terms.push(TimeRange { since: Some(slice.begin()), until: None }.to_sql());
        }
        if let Some(namespace) = self.namespace {
            let name = namespace.replace('\'', "''");
            terms.push(format!("(src_namespace = '{name}' OR dst_namespace = '{name}')"));
        }
        let terms = terms.join(" AND ");
        // What is behind SNAT arrives as the other side's own tap shows it.
        let translated = "leg = 'client' AND nat IN ('src', 'both')";
        let arrived = format!(
            "(SELECT connection_id arrived_id, min(src_ip) arrived_ip FROM flows WHERE leg = 'server' AND NOT is_primary AND \
             {} AND connection_id IN (SELECT connection_id FROM flows WHERE {terms} AND {translated}) GROUP BY connection_id)",
            self.range.to_sql()
        );
        let keys = format!(
            "{epoch} epoch, leg, node, protocol, nat, coalesce(client_ip, src_ip) opener_ip, src_ip, \
             src_kind, src_namespace, src_name, src_workload, src_node, src_dns_name, \
             coalesce(backend_ip, dst_ip) target_ip, coalesce(backend_port, dst_port) port, \
             dst_kind, dst_namespace, dst_name, dst_workload, dst_node, dst_dns_name, \
             CASE WHEN dst_kind = 'service' THEN service_namespace END service_namespace, \
             CASE WHEN dst_kind = 'service' THEN service_name END service_name, \
             CASE WHEN dst_kind = 'service' THEN service_type END service_type, \
             CASE WHEN dst_kind = 'service' THEN service_port_name END service_port_name, \
             CASE WHEN initiator_by = 'first-packet' AND (protocol IN ('tcp', 'sctp') OR \
             (protocol = 'udp' AND src_port < 1024 AND dst_port >= 1024)) THEN src_port END unsure_port, \
             outcome, verdict",
            epoch = slice.epoch()
        );
        let sums =
            "is_first, coalesce(bytes_fwd, 0) + coalesce(bytes_rev, 0) bytes, start_ts, first_ts, last_ts, flow_id";
        format!(
            "WITH seen AS (\
             SELECT {keys}, NULL arrived_ip, {sums} FROM flows WHERE {terms} AND ({translated}) IS NOT TRUE \
             UNION ALL \
             SELECT {keys}, arrived_ip, {sums} FROM flows LEFT JOIN {arrived} ON connection_id = arrived_id \
             WHERE {terms} AND {translated}) \
             SELECT {names}, count(*) FILTER (WHERE is_first) connections, sum(bytes) bytes, \
             cast(min(first_ts) AS bigint) first_us, cast(max(last_ts) AS bigint) last_us, \
             cast(min(start_ts) AS bigint) start_us, min(flow_id) flow, max(flow_id) last_flow \
             FROM seen GROUP BY {names}",
            names = NAMES.join(", ")
        )
    }
}

const NAMES: [&str; 29] = [
    "epoch",
    "leg",
    "node",
    "protocol",
    "nat",
    "opener_ip",
    "src_ip",
    "arrived_ip",
    "src_kind",
    "src_namespace",
    "src_name",
    "src_workload",
    "src_node",
    "src_dns_name",
    "target_ip",
    "port",
    "dst_kind",
    "dst_namespace",
    "dst_name",
    "dst_workload",
    "dst_node",
    "dst_dns_name",
    "service_namespace",
    "service_name",
    "service_type",
    "service_port_name",
    "unsure_port",
    "outcome",
    "verdict",
];

#[derive(Deserialize)]
struct Ends {
    first: Option<i64>,
    last: Option<i64>,
}

type Text = Option<Arc<str>>;

/// One row of the answer.
#[derive(Deserialize)]
struct Row {
    epoch: usize,
    leg: Text,
    node: Text,
    protocol: String,
    nat: Text,
    opener_ip: IpAddr,
    src_ip: IpAddr,
    arrived_ip: Option<IpAddr>,
    src_kind: String,
    src_namespace: Text,
    src_name: Text,
    src_workload: Text,
    src_node: Text,
    src_dns_name: Text,
    target_ip: IpAddr,
    port: Option<u16>,
    dst_kind: String,
    dst_namespace: Text,
    dst_name: Text,
    dst_workload: Text,
    dst_node: Text,
    dst_dns_name: Text,
    service_namespace: Text,
    service_name: Text,
    service_type: Text,
    service_port_name: Text,
    unsure_port: Option<u16>,
    outcome: String,
    verdict: Text,
    connections: u64,
    bytes: u64,
    first_us: i64,
    last_us: i64,
    start_us: i64,
    flow: i64,
    last_flow: i64,
}

impl Row {
    /// `None` where a word is not one that this version knows.
    fn group(self) -> Option<Group> {
        let arrival = self.arrival();
        let is_at_home =
            self.leg.as_deref() == Some("server") && self.dst_node.is_some() && self.dst_node == self.src_name;
        let service = self.service_name.zip(self.service_namespace).zip(self.service_type).and_then(
            |((name, namespace), service_type)| {
                let service_type = ServiceType::parse(&service_type)?;
                Some(ServiceRef { namespace, name, service_type, port_name: self.service_port_name })
            },
        );
        let opener = Endpoint {
            kind: EndpointKind::parse(&self.src_kind)?,
            namespace: self.src_namespace,
            name: self.src_name,
            workload: self.src_workload,
            node: self.src_node,
            dns_name: self.src_dns_name,
            ..Endpoint::default()
        };
        let target = Endpoint {
            kind: EndpointKind::parse(&self.dst_kind)?,
            namespace: self.dst_namespace,
            name: self.dst_name,
            workload: self.dst_workload,
            node: self.dst_node,
            dns_name: self.dst_dns_name,
            ..Endpoint::default()
        };
        let micros = |us: i64| Timestamp(us.saturating_mul(1_000));
        let mut flows = vec![self.flow];
        flows.extend(Some(self.last_flow).filter(|last| *last != self.flow));
        Some(Group {
            epoch: self.epoch,
            start: micros(self.start_us),
            conversation: Conversation {
                protocol: Protocol::parse(&self.protocol)?,
                opener: Talker { endpoint: Arc::new(opener), ip: self.opener_ip },
                arrival,
                target: Talker { endpoint: Arc::new(target), ip: self.target_ip },
                port: self.port.unwrap_or_default(),
                service,
                unsure_port: self.unsure_port,
                is_at_home,
            },
            stats: Stats {
                // Those that went on from before the range count, too.
                connections: self.connections.max(1),
                bytes: self.bytes,
                first_seen: micros(self.first_us),
                last_seen: micros(self.last_us),
                flows,
            },
            outcome: Outcome::parse(&self.outcome)?,
            stored: self.verdict.as_deref().and_then(Verdict::parse),
        })
    }

    fn arrival(&self) -> Arriving {
        let is_translated = matches!(self.nat.as_deref(), Some("src" | "both"));
        match (self.leg.as_deref(), self.arrived_ip) {
            (_, Some(ip)) => Arriving::As(ip),
            (leg, None) if leg != Some("client") && self.src_ip != self.opener_ip => Arriving::As(self.src_ip),
            (Some("server"), None) => Arriving::AsItself,
            (_, None) if is_translated => {
                let entry = self.src_node.as_ref().or(self.node.as_ref());
                entry.map_or(Arriving::AsItself, |node| Arriving::MaybeAs(Arc::clone(node)))
            }
            _ => Arriving::AsItself,
        }
    }
}
