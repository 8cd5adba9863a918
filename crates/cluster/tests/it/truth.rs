//! Every event of the recorded lab against its truth: who, through which Service, to which backend, what was translated;
//! one primary leg, and the bytes of it. And with less to go by, or with wrong clocks: less is known, nothing wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;
use weir_cluster::join::{Finality, JoinOptions, Joiner, LegKey};
use weir_cluster::{Snapshot, SnapshotOptions};
use weir_model::{
    ConnectionId, Counters, Endpoint, EndpointKind, FlowRow, Leg, Nat, Outcome, PerDirection, Protocol, RunId,
    ServiceMethod, Timestamp, Tuple,
};

use crate::counted::ip_bytes;
use crate::recorded::{Node, Recording};

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3_600 * SECOND;

struct Lab {
    recording: Recording,
    snapshot: Snapshot,
    nodes: Vec<Node>,
    events: Vec<Event>,
}

/// What the truth says of one request.
struct Event {
    id: String,
    truth: Value,
    /// The scenario's time, with room for what came before and after.
    from: Timestamp,
    until: Timestamp,
}

impl Lab {
    fn new(mode: &'static str) -> Self {
        Self::with(mode, Recording::nodes)
    }

    fn with(mode: &'static str, nodes: impl Fn(Recording, &Snapshot) -> Vec<Node>) -> Self {
        let recording = Recording(mode);
        let snapshot = Snapshot::build(&recording.objects(), &SnapshotOptions::default());
        let nodes = nodes(recording, &snapshot);
        let folders = std::fs::read_dir(recording.folder()).expect("recorded").map(|entry| entry.expect("an entry"));
        let truths = folders.map(|folder| folder.path().join("truth.json")).filter(|truth| truth.is_file());
        let events = truths.flat_map(|truth| {
            let text = std::fs::read_to_string(truth).expect("readable");
            let truth: Value = serde_json::from_str(&text).expect("JSON");
            truth["events"].as_array().cloned().expect("events")
        });
        let event = |truth: Value| {
            let time = |key: &str| Timestamp((truth[key].as_f64().expect("a time") * 1e9) as i64);
            let (from, until) = (time("ts_start").plus_ns(-5 * SECOND), time("ts_end").plus_ns(5 * SECOND));
            Event { id: format!("{mode}/{}", truth["id"].as_str().expect("an id")), truth, from, until }
        };
        Self { recording, snapshot, nodes, events: events.map(event).collect() }
    }

    /// What becomes of the nodes' rows that arrive in groups, an hour apart. Decisions that were forgotten are found in
    /// what is stored.
    fn settle(&self, groups: &[&[usize]], with_conntrack: bool) -> Vec<FlowRow> {
        let mut joiner = Joiner::new(JoinOptions::default(), None);
        for node in groups.iter().copied().flatten().map(|at| &self.nodes[*at]) {
            node.coverage.iter().for_each(|span| joiner.cover(&node.name, RunId(1), span));
        }
        let mut stored: HashMap<ConnectionId, LegKey> = HashMap::new();
        let mut settled = Vec::new();
        for (group, hour) in groups.iter().zip(0..) {
            let now = hour * HOUR;
            for node in group.iter().map(|at| &self.nodes[*at]) {
                let translations = node.translations.iter().filter(|_| with_conntrack);
                for row in &node.rows {
                    let arrival = joiner.arrive(row, now);
                    if let Some(primary) = stored.get(&arrival.connection).filter(|_| arrival.may_be_stored) {
                        joiner.remember(arrival.connection, primary.clone());
                    }
                }
                for translation in translations {
                    for moved in joiner.translate(Some(&node.name), translation, now) {
                        if let Some(primary) = stored.get(&moved.arrival.connection) {
                            joiner.remember(moved.arrival.connection, primary.clone());
                        }
                    }
                }
            }
            for row in group.iter().flat_map(|at| &self.nodes[*at].rows) {
                let mut row = row.clone();
                joiner.settle(&mut row, &self.snapshot, Finality::Final);
                if let (Some(id), Some(true)) = (row.connection, row.is_primary) {
                    stored.entry(id).or_insert_with(|| LegKey::of(&row));
                }
                settled.push(row);
            }
        }
        settled
    }

    /// The same with one node's clock wrong.
    fn with_clock(mut self, node: usize, wrong_by_ns: i64) -> Self {
        let node = &mut self.nodes[node];
        for row in &mut node.rows {
            let flow = &mut row.seen.flow;
            for time in [&mut flow.start_ts, &mut flow.first_ts, &mut flow.last_ts, &mut flow.window_start] {
                *time = time.plus_ns(wrong_by_ns);
            }
        }
        for span in &mut node.coverage {
            span.from_ts = span.from_ts.plus_ns(wrong_by_ns);
            span.to_ts = span.to_ts.map(|to| to.plus_ns(wrong_by_ns));
        }
        for translation in &mut node.translations {
            translation.from_ts = translation.from_ts.map(|from| from.plus_ns(wrong_by_ns));
            translation.to_ts = translation.to_ts.map(|to| to.plus_ns(wrong_by_ns));
        }
        for event in &mut self.events {
            event.from = event.from.plus_ns(wrong_by_ns.min(0));
            event.until = event.until.plus_ns(wrong_by_ns.max(0));
        }
        self
    }
}

impl Event {
    fn text(&self, path: &str) -> Option<&str> {
        self.truth.pointer(path)?.as_str()
    }

    fn socket(&self, path: &str) -> Option<(IpAddr, u16)> {
        let ip = self.text(&format!("{path}/ip"))?.parse().expect("an address");
        let port = self.truth.pointer(&format!("{path}/port"))?.as_u64().expect("a port");
        Some((ip, port as u16))
    }

    fn tuple(&self, src: (IpAddr, u16), dst: (IpAddr, u16)) -> Tuple {
        let protocol = Protocol::parse(self.text("/proto").expect("a protocol")).expect("known");
        Tuple { protocol, src_ip: src.0, src_port: src.1, dst_ip: dst.0, dst_port: dst.1 }
    }

    /// As the client sent it.
    fn dialled(&self) -> Tuple {
        self.tuple(self.socket("/client").expect("a client"), self.socket("/dst").expect("a destination"))
    }

    /// As the server had it. Behind the Ingress controller that is another connection.
    fn arrived(&self) -> Option<Tuple> {
        if self.truth["ingress"].is_object() {
            return None;
        }
        let source = self.socket("/server_saw_client").or_else(|| self.socket("/client"))?;
        Some(self.tuple(source, self.socket("/backend")?))
    }

    /// The pod that was reached, or the controller before it.
    fn reached(&self) -> Option<&str> {
        self.text("/ingress/controller").or_else(|| self.text("/backend/pod"))
    }

    /// The Service's name is only in a DNS answer.
    fn is_named_by_dns(&self) -> bool {
        matches!(self.text("/via"), Some("Headless" | "ExternalName"))
    }

    /// The rows of taps that saw it, at either end.
    fn rows<'a>(&'a self, rows: &'a [FlowRow]) -> impl Iterator<Item = &'a FlowRow> {
        let tuples = [Some(self.dialled()), self.arrived()];
        rows.iter().filter(move |row| {
            let flow = &row.seen.flow;
            tuples.contains(&Some(flow.tuple)) && flow.start_ts <= self.until && self.from <= flow.last_ts
        })
    }

    /// The primary legs of all connections that its rows say they belong to.
    fn primaries<'a>(&'a self, rows: &'a [FlowRow]) -> BTreeMap<(Option<ConnectionId>, LegKey), &'a FlowRow> {
        let connections: BTreeSet<_> = self.rows(rows).map(|row| row.connection).collect();
        let primary = rows.iter().filter(|row| row.is_primary == Some(true) && connections.contains(&row.connection));
        primary.map(|row| ((row.connection, LegKey::of(row)), row)).collect()
    }
}

fn name(endpoint: &Endpoint) -> Option<String> {
    let name = endpoint.name.as_ref()?;
    Some(endpoint.namespace.as_ref().map_or_else(|| name.to_string(), |namespace| format!("{namespace}/{name}")))
}

fn used(row: &FlowRow) -> Option<String> {
    let used = row.seen.service.as_ref()?.used.as_ref()?;
    Some(format!("{}/{}", used.namespace, used.name))
}

/// Whether what was rewritten is as the truth has it; what the truth does not say is not asked.
fn nat_fits(event: &Event, nat: Nat) -> bool {
    let says = |key: &str, is_so: bool| event.truth[key].as_bool().is_none_or(|truth| truth == is_so);
    says("snat", matches!(nat, Nat::Src | Nat::Both)) && says("dnat", matches!(nat, Nat::Dst | Nat::Both))
}

/// The whole truth, at the one primary leg.
fn check(event: &Event, rows: &[FlowRow]) {
    let (id, primaries) = (&event.id, event.primaries(rows));
    assert_eq!(primaries.len(), 1, "{id}: one primary leg, not {primaries:#?}");
    let Some((_, row)) = primaries.first_key_value() else { return };
    let (src, dst) = (&row.seen.src, &row.seen.dst);
    match event.text("/client/pod") {
        Some(pod) => assert_eq!(name(src).as_deref(), Some(pod), "{id}: source"),
        None => assert_eq!(src.kind, EndpointKind::External, "{id}: source"),
    }
    match (event.text("/via"), event.reached()) {
        (Some("HostNetwork"), _) => assert_eq!(dst.kind, EndpointKind::Node, "{id}: destination"),
        (_, Some(pod)) if pod.starts_with("outside/") => assert_eq!(dst.kind, EndpointKind::External, "{id}"),
        (_, Some(pod)) => assert_eq!(name(dst).as_deref(), Some(pod), "{id}: destination"),
        (_, None) => assert_ne!(dst.kind, EndpointKind::Unknown, "{id}: destination"),
    }
    if event.is_named_by_dns() {
        assert!(used(row).is_none() || used(row).as_deref() == event.text("/service"), "{id}: Service");
    } else {
        assert_eq!(used(row).as_deref(), event.text("/service"), "{id}: Service");
    }
    let tuple = row.seen.flow.tuple;
    let client = row.client.unwrap_or((tuple.src_ip, tuple.src_port));
    assert_eq!(Some(client), event.socket("/client"), "{id}: client");
    if let Some(arrived) = event.arrived() {
        let backend = row.backend.unwrap_or((tuple.dst_ip, tuple.dst_port));
        assert_eq!(backend, (arrived.dst_ip, arrived.dst_port), "{id}: backend");
        assert!(row.nat.is_some_and(|nat| nat_fits(event, nat)), "{id}: {:?}", row.nat);
    }
}

/// Nothing wrong, at any leg: what is not known is null, or has candidates.
fn check_not_wrong(event: &Event, rows: &[FlowRow], why: &str) {
    let id = format!("{}, {why}", event.id);
    let primaries = event.primaries(rows);
    assert!(primaries.len() <= 1, "{id}: two primary legs: {primaries:#?}");
    for row in event.rows(rows) {
        let (src, dst) = (&row.seen.src, &row.seen.dst);
        // A node stands for what it masquerades.
        let hidden = event.truth["snat"] == Value::Bool(true) && src.kind == EndpointKind::Node;
        let is_outside = event.text("/client/pod").is_none() && src.kind == EndpointKind::External;
        assert!(hidden || is_outside || name(src).as_deref() == event.text("/client/pod"), "{id}: {src:?}");
        let reached = [event.reached(), event.text("/service")];
        let is_named = reached.contains(&name(dst).as_deref());
        assert!(is_named || event.reached().is_none() || dst.kind != EndpointKind::Pod, "{id}: {dst:?}");
        // A leg that did not see what was dialled infers the pod's only Service, and says so.
        let method = row.seen.service.as_ref().and_then(|service| service.method);
        let may_infer = event.text("/service").is_none() && row.seen.leg != Some(Leg::Client);
        let is_inferred = may_infer && method == Some(ServiceMethod::EndpointSlice);
        let fits = used(row).is_none() || used(row).as_deref() == event.text("/service");
        assert!(fits || is_inferred, "{id}: {:?}", row.seen.service);
        if event.arrived().is_some() {
            assert!(row.nat.is_none_or(|nat| nat_fits(event, nat)), "{id}: {:?}", row.nat);
        }
        assert!(row.client.is_none() || row.client == event.socket("/client"), "{id}: {:?}", row.client);
        let backend = event.arrived().map(|arrived| (arrived.dst_ip, arrived.dst_port));
        assert!(row.backend.is_none() || backend.is_none() || row.backend == backend, "{id}: {:?}", row.backend);
    }
}

/// The primary legs of one Service.
#[derive(Default)]
struct Sum {
    bytes: u64,
    /// Taps, and the tuples that they saw.
    seen: BTreeSet<(Arc<str>, Tuple)>,
}

/// Bytes of primary legs are those in the files of their taps, Service by Service; payload is the same on all legs.
fn check_sums(lab: &Lab, rows: &[FlowRow]) {
    let mut sums: BTreeMap<Option<String>, Sum> = BTreeMap::new();
    let mut payload: BTreeMap<Option<ConnectionId>, BTreeMap<LegKey, u64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.seen.flow.tuple.protocol.has_ports()) {
        let (flow, counters) = (&row.seen.flow, row.seen.flow.counters);
        *payload.entry(row.connection).or_default().entry(LegKey::of(row)).or_default() +=
            counters.fwd.payload + counters.rev.payload;
        if row.is_primary == Some(true) {
            let sum = sums.entry(used(row)).or_default();
            sum.bytes += counters.fwd.bytes + counters.rev.bytes;
            sum.seen.insert((Arc::clone(&row.seen.tap.interface), flow.tuple.canonical()));
        }
    }
    let files = ["node-a", "node-b"].into_iter().flat_map(|node| lab.recording.captures(node));
    let counted: HashMap<String, HashMap<Tuple, u64>> = files.map(|(tap, paths)| (tap, ip_bytes(&paths))).collect();
    assert!(sums.len() > 1, "several Services");
    for (service, sum) in sums.iter().filter(|(service, _)| service.is_some()) {
        let expected: u64 = sum.seen.iter().map(|(tap, tuple)| counted[&**tap][tuple]).sum();
        assert_eq!(sum.bytes, expected, "{}: {service:?}", lab.recording.0);
    }
    for (connection, legs) in payload {
        let sums: BTreeSet<u64> = legs.values().copied().collect();
        assert_eq!(sums.len(), 1, "{}: {connection:?} {legs:#?}", lab.recording.0);
    }
}

fn check_all(mode: &'static str, events: usize) {
    let lab = Lab::new(mode);
    assert_eq!(lab.events.len(), events);
    let rows = lab.settle(&[&[0, 1]], true);
    lab.events.iter().for_each(|event| check(event, &rows));
    check_sums(&lab, &rows);
    let turned = lab.settle(&[&[1, 0]], true);
    lab.events.iter().for_each(|event| check(event, &turned));
}

/// What primary rows say of one connection.
#[derive(Debug, PartialEq)]
struct Exchange {
    outcome: Outcome,
    counters: PerDirection<Counters>,
    unseen: PerDirection<bool>,
    /// How many taps saw it.
    legs: usize,
}

/// The exchanges of each event.
fn exchanges(lab: &Lab, rows: &[FlowRow]) -> BTreeMap<String, Vec<Exchange>> {
    let exchange = |connection: Option<ConnectionId>| {
        let of_it = || rows.iter().filter(|row| row.connection == connection);
        let legs = of_it().map(LegKey::of).collect::<BTreeSet<_>>().len();
        let primary = of_it().filter(|row| row.is_primary == Some(true));
        primary.fold(None, |sum: Option<Exchange>, row| {
            let (outcome, unseen) = (row.seen.flow.outcome, row.unseen);
            let mut counters = sum.map_or(PerDirection::default(), |sum| sum.counters);
            let more = row.seen.flow.counters;
            for (sum, more) in [(&mut counters.fwd, more.fwd), (&mut counters.rev, more.rev)] {
                sum.packets += more.packets;
                sum.bytes += more.bytes;
                sum.payload += more.payload;
            }
            Some(Exchange { outcome, counters, unseen, legs })
        })
    };
    let of_event = |event: &Event| {
        let connections: BTreeSet<_> = event.rows(rows).map(|row| row.connection).collect();
        connections.into_iter().filter_map(exchange).collect()
    };
    lab.events.iter().map(|event| (event.id.clone(), of_event(event))).collect()
}

/// Taps that miss what a pod is sent give the same names, outcomes and sums over primary rows as those that see all; what no
/// tap saw is unknown.
fn check_one_way(mode: &'static str) {
    let (whole, half) = (Lab::new(mode), Lab::with(mode, Recording::one_way_nodes));
    let expected = exchanges(&whole, &whole.settle(&[&[0, 1]], true));
    let mut alone = 0;
    for order in [[0, 1], [1, 0]] {
        let rows = half.settle(&[&order], true);
        half.events.iter().for_each(|event| check(event, &rows));
        for (event, found) in exchanges(&half, &rows) {
            let expected = &expected[&event];
            assert_eq!(found.len(), expected.len(), "{event}");
            for (found, expected) in found.iter().zip(expected) {
                if found.unseen == PerDirection::default() {
                    assert_eq!((found.outcome, found.counters), (expected.outcome, expected.counters), "{event}");
                } else {
                    assert_eq!((expected.legs, found.outcome), (1, Outcome::OneWay), "{event}: {found:?}");
                    assert_eq!((found.unseen.rev, found.counters.fwd), (true, expected.counters.fwd), "{event}");
                    alone += 1;
                }
            }
        }
    }
    assert!(alone < half.events.len(), "few were seen at one tap alone");
}

#[test]
fn one_way_taps_tell_the_same_of_the_routed_recording() {
    check_one_way("routed");
}

#[test]
fn one_way_taps_tell_the_same_of_the_bridge_recording() {
    check_one_way("bridge");
}

#[test]
fn one_way_taps_tell_the_same_of_the_vxlan_recording() {
    check_one_way("vxlan");
}

fn check_with_less(mode: &'static str) {
    let lab = Lab::new(mode);
    let cases: [(&[&[usize]], bool, &str); 8] = [
        (&[&[0]], true, "without node-b"),
        (&[&[1]], true, "without node-a"),
        (&[&[0], &[1]], true, "node-b an hour late"),
        (&[&[1], &[0]], true, "node-a an hour late"),
        (&[&[0, 1]], false, "without conntrack"),
        (&[&[0], &[1]], false, "without conntrack, node-b an hour late"),
        (&[&[1], &[0]], false, "without conntrack, node-a an hour late"),
        (&[&[1]], false, "without conntrack and node-a"),
    ];
    for (groups, with_conntrack, why) in cases {
        let rows = lab.settle(groups, with_conntrack);
        lab.events.iter().for_each(|event| check_not_wrong(event, &rows, why));
    }
    for wrong_by in [60 * SECOND, -60 * SECOND] {
        let lab = Lab::new(mode).with_clock(1, wrong_by);
        for (groups, with_conntrack) in [(&[&[0, 1][..]][..], true), (&[&[1, 0]], true), (&[&[0, 1]], false)] {
            let rows = lab.settle(groups, with_conntrack);
            let why = format!("clocks {wrong_by} ns apart, conntrack: {with_conntrack}");
            lab.events.iter().for_each(|event| check_not_wrong(event, &rows, &why));
        }
    }
}

#[test]
fn every_event_of_the_routed_recording_is_as_its_truth_says() {
    check_all("routed", 60);
}

#[test]
fn every_event_of_the_bridge_recording_is_as_its_truth_says() {
    check_all("bridge", 19);
}

#[test]
fn every_event_of_the_vxlan_recording_is_as_its_truth_says() {
    check_all("vxlan", 12);
}

#[test]
fn with_less_to_go_by_nothing_of_the_routed_recording_is_wrong() {
    check_with_less("routed");
}

#[test]
fn with_less_to_go_by_nothing_of_the_bridge_recording_is_wrong() {
    check_with_less("bridge");
}

#[test]
fn with_less_to_go_by_nothing_of_the_vxlan_recording_is_wrong() {
    check_with_less("vxlan");
}
