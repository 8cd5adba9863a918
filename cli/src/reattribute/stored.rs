//! Rows of `flows` as they are stored, with those of the other legs of their connections.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use weir_model::filter::TimeRange;
use weir_model::tables::FLOWS;
use weir_model::{
    Flow, FlowId, InitiatorBy, Outcome, PerDirection, Protocol, Record, Report, Service, ServiceMethod, ServiceRef,
    ServiceType, Tap, Timestamp, Tuple, Value,
};
use weir_store::records;

use super::COMPARED;
use super::taps::Taps;
use crate::query::answer;
use crate::stored_objects::Source;

/// Columns that are read beside those that are compared.
const NEEDED: [&str; 18] = [
    "flow_id",
    "connection_id",
    "node",
    "interface",
    "start_ts",
    "first_ts",
    "last_ts",
    "window_start",
    "protocol",
    "src_ip",
    "src_port",
    "dst_ip",
    "dst_port",
    "client_ip",
    "client_port",
    "backend_ip",
    "backend_port",
    "outcome",
];

/// A row.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) record: Record,
    pub(super) node: Option<Arc<str>>,
    pub(super) is_asked_for: bool,
    interface: Arc<str>,
    tuple: Tuple,
    start_ts: Timestamp,
    first_ts: Timestamp,
    last_ts: Timestamp,
}

/// The rows in a range and the others of their connections, those of one connection together.
pub(super) async fn read(source: Source<'_>, range: TimeRange) -> Result<Vec<Stored>> {
    let columns = NEEDED.into_iter().chain(COMPARED).collect::<Vec<_>>().join(", ");
    let asked_for = range.to_sql();
    let sql = format!(
        "SELECT {columns} FROM flows WHERE ({asked_for}) OR connection_id IN \
         (SELECT connection_id FROM flows WHERE {asked_for}) ORDER BY connection_id, first_ts, node, flow_id"
    );
    let mut rows = Vec::new();
    for batch in answer(source.server, source.lake, &sql).await.context("reading flows")? {
        rows.extend(records(FLOWS.columns, &batch).into_iter().filter_map(|record| Stored::read(record, &range)));
    }
    Ok(rows)
}

impl Stored {
    /// `None` where a value that every row has is missing.
    fn read(record: Record, range: &TimeRange) -> Option<Self> {
        let text = |name| record.get(name).as_text().map(Arc::<str>::from);
        let time = |name| record.get(name).as_time();
        let ip = |name| if let Value::Ip(ip) = record.get(name) { Some(*ip) } else { None };
        let port = |name| record.get(name).as_int().and_then(|port| port.try_into().ok()).unwrap_or_default();
        let tuple = Tuple {
            protocol: Protocol::parse(record.get("protocol").as_text()?)?,
            src_ip: ip("src_ip")?,
            src_port: port("src_port"),
            dst_ip: ip("dst_ip")?,
            dst_port: port("dst_port"),
        };
        let (first_ts, last_ts) = (time("first_ts")?, time("last_ts")?);
        Some(Self {
            node: text("node"),
            interface: text("interface")?,
            is_asked_for: range.overlaps(first_ts, last_ts),
            tuple,
            start_ts: time("start_ts")?,
            first_ts,
            last_ts,
            record,
        })
    }

    /// Whether two rows are of one connection.
    pub(super) fn is_joined_with(&self, other: &Self) -> bool {
        let connection = |stored: &Self| stored.record.get("connection_id").as_int();
        connection(self).is_some() && connection(self) == connection(other)
    }

    /// The tap that saw it.
    pub(super) fn tap(&self, taps: &Taps) -> Option<Arc<Tap>> {
        taps.find(self.node.as_ref()?, &self.interface, self.first_ts).map(Arc::clone)
    }

    /// The client and the backend behind NAT, where they are known.
    pub(super) fn behind_nat(&self) -> [Option<(IpAddr, u16)>; 2] {
        let socket = |ip, port| {
            let Value::Ip(ip) = self.record.get(ip) else { return None };
            let port = self.record.get(port).as_int().and_then(|port| port.try_into().ok());
            Some((*ip, port.unwrap_or_default()))
        };
        [socket("client_ip", "client_port"), socket("backend_ip", "backend_port")]
    }

    /// The Service that a name or a gateway's rule led to, or that connection tracking told, where that is how it was found.
    pub(super) fn resolved(&self) -> Option<Service> {
        let text = |name| self.record.get(name).as_text();
        let method = ServiceMethod::parse(text("service_method")?)
            .filter(|method| matches!(method, ServiceMethod::Dns | ServiceMethod::Conntrack | ServiceMethod::Route))?;
        let used = ServiceRef {
            namespace: text("service_namespace")?.into(),
            name: text("service_name")?.into(),
            service_type: ServiceType::parse(text("service_type")?)?,
            port_name: text("service_port_name").map(Into::into),
        };
        let candidates = match self.record.get("service_candidates") {
            Value::TextList(words) => words.iter().map(|word| Arc::from(&**word)).collect(),
            _ => Vec::new(),
        };
        Some(Service { used: Some(used), method: Some(method), candidates })
    }

    /// The report as far as naming looks at it.
    pub(super) fn flow(&self) -> Flow {
        let id = self.record.get("flow_id").as_int().unwrap_or_default();
        Flow {
            id: FlowId(id as u64),
            report: Report::Window,
            is_first: false,
            tuple: self.tuple,
            initiator_by: InitiatorBy::FirstPacket,
            start_ts: self.start_ts,
            first_ts: self.first_ts,
            last_ts: self.last_ts,
            window_start: self.record.get("window_start").as_time().unwrap_or_default(),
            counters: PerDirection::default(),
            tcp: None,
            outcome: self.record.get("outcome").as_text().and_then(Outcome::parse).unwrap_or(Outcome::HalfSeen),
            end_reason: None,
            vlan: Vec::new(),
            tunnel: Vec::new(),
            icmp: Vec::new(),
            icmp_id: None,
            tracked: self.record.get("tracked").as_bool(),
        }
    }
}
