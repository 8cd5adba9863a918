//! Legs in every order give the same connections, primaries and names.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{
    AttributedFlow, Counters, Coverage, Endpoint, EndpointKind, Flow, FlowId, FlowRow, InitiatorBy, Leg, Nat, Outcome,
    PerDirection, PodRef, Protocol, Report, RunId, Service, ServiceMethod, ServiceRef, ServiceType, Tap, TapRole, Tcp,
    TcpFlags, TcpState, Timestamp, Translation, Tuple,
};

use super::{Finality, JoinOptions, Joiner};

const SECOND: i64 = 1_000_000_000;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn pod_ref(name: &str) -> PodRef {
    PodRef { namespace: "shop".into(), name: name.into() }
}

fn pod(name: &str, node: &str) -> Arc<Endpoint> {
    let (namespace, name, node) = (Some("shop".into()), Some(name.into()), Some(node.into()));
    Arc::new(Endpoint { kind: EndpointKind::Pod, namespace, name, node, ..Endpoint::default() })
}

fn other(kind: EndpointKind, name: Option<&str>) -> Arc<Endpoint> {
    let name: Option<Arc<str>> = name.map(Into::into);
    let node = (kind == EndpointKind::Node).then(|| name.clone()).flatten();
    Arc::new(Endpoint { kind, name, node, ..Endpoint::default() })
}

fn web(method: ServiceMethod) -> Arc<Service> {
    let used = ServiceRef {
        namespace: "shop".into(),
        name: "web".into(),
        service_type: ServiceType::ClusterIp,
        port_name: None,
    };
    Arc::new(Service { used: Some(used), method: Some(method), candidates: Vec::new() })
}

/// One leg of a TCP connection from `src` to `dst`.
struct Seen {
    node: &'static str,
    interface: &'static str,
    leg: Leg,
    src: (&'static str, u16),
    dst: (&'static str, u16),
    ends: (Arc<Endpoint>, Arc<Endpoint>),
    service: Option<Arc<Service>>,
}

fn row(seen: Seen, flow: u64, isn: (Option<u32>, Option<u32>)) -> FlowRow {
    let start = Timestamp(1_000 * SECOND + flow as i64 * 1_000);
    let role = if seen.leg == Leg::Transit { TapRole::Uplink } else { TapRole::Pod };
    let answered = isn.1.is_some();
    let tcp = Tcp {
        flags: PerDirection { fwd: TcpFlags::SYN, rev: TcpFlags(if answered { 0x12 } else { 0 }) },
        state: TcpState::Established,
        handshake_rtt_us: None,
        handshake_ack_us: None,
        retransmits: PerDirection::default(),
        out_of_order: PerDirection::default(),
        zero_window: PerDirection::default(),
        fast_retransmits: PerDirection::default(),
        keep_alives: PerDirection::default(),
        lost_bytes: PerDirection::default(),
        isn: PerDirection { fwd: isn.0, rev: isn.1 },
    };
    let flow = Flow {
        id: FlowId(flow),
        report: Report::End,
        is_first: true,
        tuple: Tuple {
            protocol: Protocol::TCP,
            src_ip: ip(seen.src.0),
            src_port: seen.src.1,
            dst_ip: ip(seen.dst.0),
            dst_port: seen.dst.1,
        },
        initiator_by: InitiatorBy::Syn,
        start_ts: start,
        first_ts: start,
        last_ts: start.plus_ns(SECOND),
        window_start: start,
        counters: PerDirection { fwd: Counters { packets: 1, bytes: 60, payload: 0 }, rev: Counters::default() },
        tcp: Some(tcp),
        outcome: if answered { Outcome::Established } else { Outcome::Unanswered },
        end_reason: None,
        vlan: Vec::new(),
        tunnel: Vec::new(),
        icmp: Vec::new(),
        icmp_id: None,
        tracked: None,
    };
    let tap = Arc::new(Tap { interface: seen.interface.into(), role, pod: None, sampling: 1 });
    let (src, dst) = seen.ends;
    let seen_flow = AttributedFlow { flow, tap, leg: Some(seen.leg), src, dst, service: seen.service };
    FlowRow { node: Some(seen.node.into()), ..FlowRow::alone(seen_flow) }
}

fn joiner(tapped: &[(&str, &str)]) -> Joiner {
    let mut joiner = Joiner::new(JoinOptions::default(), None);
    for (node, pod) in tapped {
        let span = Coverage {
            interface: Some("veth".into()),
            role: TapRole::Pod,
            pod: Some(pod_ref(pod)),
            from_ts: Timestamp(0),
            to_ts: None,
            reason: None,
        };
        joiner.cover(&Arc::from(*node), RunId(1), &span);
    }
    joiner
}

const BOTH: (Option<u32>, Option<u32>) = (Some(7), Some(9));

/// client -> web's ClusterIP, translated to web-2 on the other node; four taps see it.
fn cluster_ip() -> Vec<FlowRow> {
    let (client, web_2) = (pod("client", "node-a"), pod("web-2", "node-b"));
    let service = other(EndpointKind::Service, Some("web"));
    let legs = [
        ("node-a", "veth-client", Leg::Client, ("10.96.1.10", 80), service, Some(web(ServiceMethod::ClusterIp))),
        ("node-a", "eth0", Leg::Transit, ("10.244.2.10", 8080), Arc::clone(&web_2), None),
        ("node-b", "eth0", Leg::Transit, ("10.244.2.10", 8080), Arc::clone(&web_2), None),
        ("node-b", "veth-web-2", Leg::Server, ("10.244.2.10", 8080), web_2, Some(web(ServiceMethod::EndpointSlice))),
    ];
    let seen = legs.into_iter().zip(1..).map(|((node, interface, leg, dst, to, service), flow)| {
        let ends = (Arc::clone(&client), to);
        row(Seen { node, interface, leg, src: ("10.244.1.11", 5000), dst, ends, service }, flow, BOTH)
    });
    seen.collect()
}

/// An outside client -> node-a's node port, both ends translated, to web-2 on the other node.
fn node_port() -> Vec<FlowRow> {
    let (outside, node_a) = (other(EndpointKind::External, None), other(EndpointKind::Node, Some("node-a")));
    let (service, web_2) = (other(EndpointKind::Service, Some("web")), pod("web-2", "node-b"));
    let entry = Seen {
        node: "node-a",
        interface: "eth0",
        leg: Leg::Transit,
        src: ("172.31.250.100", 6000),
        dst: ("172.31.250.11", 30080),
        ends: (outside, service),
        service: Some(web(ServiceMethod::NodePort)),
    };
    let inner = |node, interface, leg| Seen {
        node,
        interface,
        leg,
        src: ("172.31.250.11", 41234),
        dst: ("10.244.2.10", 8080),
        ends: (Arc::clone(&node_a), Arc::clone(&web_2)),
        service: None,
    };
    vec![
        row(entry, 1, BOTH),
        row(inner("node-a", "eth0", Leg::Transit), 2, BOTH),
        row(inner("node-b", "eth0", Leg::Transit), 3, BOTH),
        row(inner("node-b", "veth-web-2", Leg::Server), 4, BOTH),
    ]
}

fn orders(rows: &[FlowRow]) -> Vec<Vec<FlowRow>> {
    if rows.len() <= 1 {
        return vec![rows.to_vec()];
    }
    let mut all = Vec::new();
    for first in 0..rows.len() {
        let mut rest = rows.to_vec();
        let head = rest.remove(first);
        all.extend(orders(&rest).into_iter().map(|mut tail| {
            tail.insert(0, head.clone());
            tail
        }));
    }
    all
}

fn together(mut joiner: Joiner, rows: Vec<FlowRow>) -> Vec<FlowRow> {
    for row in &rows {
        joiner.arrive(row, 0);
    }
    let settle = |mut row: FlowRow| {
        joiner.settle(&mut row, &(), Finality::Final);
        row
    };
    rows.into_iter().map(settle).collect()
}

/// Each leg is settled before the next arrives.
fn apart(mut joiner: Joiner, rows: Vec<FlowRow>) -> Vec<FlowRow> {
    let settle = |mut row: FlowRow| {
        joiner.arrive(&row, 0);
        joiner.settle(&mut row, &(), Finality::Final);
        row
    };
    rows.into_iter().map(settle).collect()
}

fn primary(rows: &[FlowRow]) -> &FlowRow {
    let primaries: Vec<&FlowRow> = rows.iter().filter(|row| row.is_primary == Some(true)).collect();
    assert_eq!(primaries.len(), 1, "one primary leg, not {primaries:#?}");
    primaries[0]
}

#[test]
fn whatever_the_order_the_client_leg_is_primary_and_knows_its_backend() {
    for rows in orders(&cluster_ip()) {
        let rows = together(joiner(&[("node-a", "client"), ("node-b", "web-2")]), rows);
        let first = primary(&rows);
        assert_eq!(first.seen.leg, Some(Leg::Client));
        assert_eq!(first.seen.dst.name.as_deref(), Some("web-2"));
        assert_eq!(first.backend, Some((ip("10.244.2.10"), 8080)));
        assert_eq!(first.nat, Some(Nat::Dst));
        assert!(rows.iter().all(|row| row.connection == first.connection));
        let method = |row: &FlowRow| row.seen.service.as_ref().and_then(|s| s.method);
        assert_eq!(method(first), Some(ServiceMethod::ClusterIp));
        let server = rows.iter().find(|row| row.seen.leg == Some(Leg::Server)).expect("is there");
        assert_eq!(method(server), Some(ServiceMethod::Join));
    }
}

#[test]
fn a_watched_opener_makes_its_leg_primary_however_late_it_comes() {
    for rows in orders(&cluster_ip()) {
        let rows = apart(joiner(&[("node-a", "client"), ("node-b", "web-2")]), rows);
        assert_eq!(primary(&rows).seen.leg, Some(Leg::Client));
    }
}

#[test]
fn without_the_openers_agent_the_server_leg_is_primary() {
    for mut rows in orders(&cluster_ip()) {
        rows.retain(|row| row.node.as_deref() == Some("node-b"));
        let rows = apart(joiner(&[("node-b", "web-2")]), rows);
        assert_eq!(primary(&rows).seen.leg, Some(Leg::Server));
    }
}

#[test]
fn behind_snat_the_server_leg_is_primary_and_gets_the_real_client() {
    for rows in orders(&node_port()) {
        let rows = together(joiner(&[("node-b", "web-2")]), rows);
        let first = primary(&rows);
        assert_eq!(first.seen.leg, Some(Leg::Server));
        assert_eq!(first.client, Some((ip("172.31.250.100"), 6000)));
        assert_eq!(first.seen.src.kind, EndpointKind::External);
        assert_eq!(first.nat, Some(Nat::Both));
    }
}

#[test]
fn a_late_leg_never_makes_a_second_primary() {
    for rows in orders(&node_port()) {
        let rows = apart(joiner(&[("node-b", "web-2")]), rows);
        let first = primary(&rows);
        assert!(first.client.is_none_or(|client| client == (ip("172.31.250.100"), 6000)), "never misnamed");
    }
}

#[test]
fn an_unanswered_connection_is_counted_at_the_tap_that_saw_it() {
    let mut rows = cluster_ip();
    rows.retain(|row| row.seen.leg == Some(Leg::Transit) && row.node.as_deref() == Some("node-b"));
    for row in &mut rows {
        row.seen.flow.tcp.as_mut().expect("TCP").isn.rev = None;
        row.seen.flow.tcp.as_mut().expect("TCP").flags.rev = TcpFlags(0);
    }
    // web-2 is watched, but the SYN never got there.
    let rows = apart(joiner(&[("node-b", "web-2")]), rows);
    assert_eq!(primary(&rows).seen.leg, Some(Leg::Transit));
}

#[test]
fn half_a_handshake_joins_by_number_and_address() {
    let half = |mut rows: Vec<FlowRow>| {
        for row in &mut rows {
            row.seen.flow.tcp.as_mut().expect("TCP").isn.rev = None;
        }
        rows
    };
    for rows in orders(&half(cluster_ip())) {
        let rows = together(joiner(&[("node-a", "client")]), rows);
        let first = primary(&rows);
        assert!(rows.iter().all(|row| row.connection == first.connection));
    }
    let mut strangers = half(cluster_ip());
    strangers.truncate(1);
    let mut other = strangers.clone();
    other[0].seen.flow.tuple.src_ip = ip("10.1.1.1");
    other[0].seen.flow.tuple.dst_ip = ip("10.1.1.2");
    other[0].seen.flow.id = FlowId(99);
    let rows = together(joiner(&[]), [strangers, other].concat());
    assert_ne!(rows[0].connection, rows[1].connection, "the same number by chance");
}

#[test]
fn legs_of_one_ping_stay_together_and_pings_apart() {
    let mut rows = Vec::new();
    for id in [7, 8] {
        for mut row in cluster_ip().split_off(1) {
            let flow = &mut row.seen.flow;
            flow.id = FlowId(flow.id.0 + u64::from(id) * 10);
            flow.tcp = None;
            flow.tuple = Tuple { protocol: Protocol::ICMP, src_port: 0, dst_port: 0, ..flow.tuple };
            flow.icmp_id = Some(id);
            rows.push(row);
        }
    }
    for rows in [rows.clone(), rows.iter().rev().cloned().collect()] {
        let rows = together(joiner(&[]), rows);
        let mut connections: Vec<_> = rows.iter().map(|row| (row.seen.flow.icmp_id, row.connection)).collect();
        connections.sort_unstable();
        connections.dedup();
        assert_eq!(connections.len(), 2, "{connections:?}");
        assert_ne!(connections[0].1, connections[1].1);
    }
}

#[test]
fn what_was_forgotten_is_looked_up_and_stays_decided() {
    let options = JoinOptions { max_connections: 1, ..JoinOptions::default() };
    let mut joiner = Joiner::new(options, None);
    let rows = node_port();
    let mut unrelated = cluster_ip().remove(0);
    unrelated.seen.flow.tcp.as_mut().expect("TCP").isn.fwd = Some(1);
    unrelated.seen.flow.id = FlowId(77);
    assert!(!joiner.arrive(&rows[0], 0).may_be_stored);
    joiner.arrive(&unrelated, 1);
    let mut late = rows[3].clone();
    let arrival = joiner.arrive(&late, 2);
    assert!(arrival.may_be_stored);
    joiner.remember(arrival.connection, super::LegKey::of(&rows[0]));
    joiner.settle(&mut late, &(), Finality::Final);
    assert_eq!(late.is_primary, Some(false));
}

#[test]
fn a_tap_that_reports_a_span_and_the_next_goes_on_watching() {
    let mut joiner = joiner(&[("node-a", "client"), ("node-b", "web-2")]);
    let span = Coverage {
        interface: Some("veth".into()),
        role: TapRole::Pod,
        pod: Some(pod_ref("client")),
        from_ts: Timestamp(0),
        to_ts: Some(Timestamp(60 * SECOND)),
        reason: None,
    };
    joiner.cover(&Arc::from("node-a"), RunId(1), &span);
    let next = Coverage { from_ts: Timestamp(60 * SECOND), to_ts: None, ..span };
    joiner.cover(&Arc::from("node-a"), RunId(1), &next);
    let rows = apart(joiner, cluster_ip().into_iter().rev().collect());
    assert_eq!(primary(&rows).seen.leg, Some(Leg::Client));
}

#[test]
fn a_run_that_ended_watches_no_longer() {
    let mut joiner = joiner(&[("node-a", "client"), ("node-b", "web-2")]);
    joiner.run_ended("node-a", RunId(1), Timestamp(10 * SECOND));
    let mut rows = cluster_ip();
    rows.retain(|row| row.node.as_deref() == Some("node-b"));
    assert_eq!(primary(&apart(joiner, rows)).seen.leg, Some(Leg::Server));
}

/// The legs of a DNS query through a ClusterIP: UDP, without sequence numbers, on two nodes.
fn dns() -> Vec<FlowRow> {
    let (client, dns) = (pod("client", "node-a"), pod("dns", "node-b"));
    let legs = [
        ("node-a", "veth-client", Leg::Client, ("10.96.0.10", 53), other(EndpointKind::Service, Some("web"))),
        ("node-a", "eth0", Leg::Transit, ("10.244.2.13", 53), Arc::clone(&dns)),
        ("node-b", "veth-dns", Leg::Server, ("10.244.2.13", 53), dns),
    ];
    let seen = legs.into_iter().zip(1..).map(|((node, interface, leg, dst, to), flow)| {
        let service = (leg == Leg::Client).then(|| web(ServiceMethod::ClusterIp));
        let ends = (Arc::clone(&client), to);
        let mut row = row(Seen { node, interface, leg, src: ("10.244.1.11", 5000), dst, ends, service }, flow, BOTH);
        row.seen.flow.tcp = None;
        row.seen.flow.tuple.protocol = Protocol::UDP;
        row.seen.flow.counters.rev.payload = 99;
        row
    });
    seen.collect()
}

fn translated(before: &FlowRow, after: &FlowRow) -> Translation {
    let (from, original) = (before.seen.flow.start_ts, before.seen.flow.tuple);
    let reply = after.seen.flow.tuple.reversed();
    Translation { original, reply, from_ts: Some(from), to_ts: None, zone: None }
}

/// Rows in turn, the translation at any place among them; then everything is settled.
fn with_translation(mut joiner: Joiner, rows: Vec<FlowRow>, translation: &Translation, place: usize) -> Vec<FlowRow> {
    for (at, row) in rows.iter().enumerate() {
        if at == place {
            joiner.translate(Some(&"node-a".into()), translation, 0);
        }
        joiner.arrive(row, 0);
    }
    if place >= rows.len() {
        joiner.translate(Some(&"node-a".into()), translation, 0);
    }
    let settle = |mut row: FlowRow| {
        joiner.settle(&mut row, &(), Finality::Final);
        row
    };
    rows.into_iter().map(settle).collect()
}

#[test]
fn wherever_conntracks_word_comes_the_legs_of_udp_are_one_connection() {
    let legs = dns();
    let translation = translated(&legs[0], &legs[2]);
    let mut ids = Vec::new();
    for rows in orders(&legs) {
        for place in 0..=rows.len() {
            let rows = with_translation(joiner(&[("node-a", "client")]), rows.clone(), &translation, place);
            let first = primary(&rows);
            assert_eq!(first.seen.leg, Some(Leg::Client));
            assert_eq!((first.backend, first.nat), (Some((ip("10.244.2.13"), 53)), Some(Nat::Dst)));
            assert_eq!(first.seen.dst.name.as_deref(), Some("dns"));
            assert!(rows.iter().all(|row| row.connection == first.connection));
            ids.push(first.connection);
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "one number in whatever order");
}

#[test]
fn without_conntracks_word_what_passes_a_service_stays_two_connections() {
    let rows = together(joiner(&[("node-a", "client"), ("node-b", "dns")]), dns());
    assert_ne!(rows[0].connection, rows[2].connection);
    assert_eq!(rows[1].connection, rows[2].connection, "the same tuple and time");
    let primaries = rows.iter().filter(|row| row.is_primary == Some(true)).count();
    assert_eq!(primaries, 1, "the opener's veth is watched, so nothing else stands for it");
}

#[test]
fn a_late_server_leg_joins_though_conntracks_word_is_forgotten() {
    let legs = dns();
    let mut joiner = joiner(&[("node-a", "client"), ("node-b", "dns")]);
    joiner.translate(Some(&"node-a".into()), &translated(&legs[0], &legs[2]), 0);
    let mut early = legs[0].clone();
    joiner.arrive(&early, 0);
    joiner.settle(&mut early, &(), Finality::Final);
    let hour = 3_600 * SECOND;
    joiner.translate(None, &translated(&legs[0], &legs[0]), hour);
    let mut unrelated = node_port().remove(0);
    unrelated.seen.flow.id = FlowId(77);
    joiner.arrive(&unrelated, hour);
    let mut late = legs[2].clone();
    late.seen.flow.id = FlowId(33);
    let arrival = joiner.arrive(&late, hour);
    assert_eq!(Some(arrival.connection), early.connection, "the number that its tuple after NAT gives");
    assert!(arrival.may_be_stored);
    joiner.remember(arrival.connection, super::LegKey::of(&early));
    joiner.settle(&mut late, &(), Finality::Final);
    assert_eq!(late.is_primary, Some(false));
}

#[test]
fn a_row_that_is_settled_keeps_its_number_and_later_legs_follow_it() {
    let legs = dns();
    let mut joiner = joiner(&[("node-a", "client")]);
    let mut early = legs[0].clone();
    joiner.arrive(&early, 0);
    joiner.settle(&mut early, &(), Finality::Final);
    assert!(joiner.translate(Some(&"node-a".into()), &translated(&legs[0], &legs[2]), 1).is_empty());
    let mut late = legs[2].clone();
    assert_eq!(Some(joiner.arrive(&late, 1).connection), early.connection);
    joiner.settle(&mut late, &(), Finality::Final);
    assert_eq!((early.is_primary, late.is_primary), (Some(true), Some(false)));
}

#[test]
fn clocks_a_minute_apart_join_each_exchange_with_its_own_legs() {
    let minute = |row: &mut FlowRow, seconds: i64| {
        let flow = &mut row.seen.flow;
        for time in [&mut flow.start_ts, &mut flow.first_ts, &mut flow.last_ts] {
            *time = time.plus_ns(seconds * SECOND);
        }
    };
    // The same port again, ten seconds later.
    let mut rows = dns();
    let mut again = dns();
    for (row, flow) in again.iter_mut().zip(11..) {
        row.seen.flow.id = FlowId(flow);
        minute(row, 10);
    }
    let (first, second) = (translated(&rows[0], &rows[2]), translated(&again[0], &again[2]));
    rows.extend(again);
    rows.iter_mut().filter(|row| row.node.as_deref() == Some("node-b")).for_each(|row| minute(row, 60));
    let mut joiner = joiner(&[("node-a", "client")]);
    joiner.translate(Some(&"node-a".into()), &first, 0);
    joiner.translate(Some(&"node-a".into()), &second, 0);
    let rows = together(joiner, rows);
    let of = |at: usize| rows[at].connection;
    assert_eq!((of(0), of(3)), (of(1), of(4)));
    assert_ne!(of(0), of(3));
    assert_eq!((of(2) == of(0), of(5) == of(3)), (of(5) == of(3), of(2) == of(0)), "each of node-b's is one of them");
    assert_ne!(of(2), of(5));
    let primaries = rows.iter().filter(|row| row.is_primary == Some(true));
    assert!(primaries.clone().count() == 2 && primaries.clone().all(|row| row.seen.leg == Some(Leg::Client)));
}

#[test]
fn a_tap_that_took_the_answer_for_the_opening_is_not_misnamed() {
    let mut rows = dns();
    let translation = translated(&rows[0], &rows[2]);
    // Joined half-way: the server's packet was the first that this tap saw.
    let server = &mut rows[2];
    server.seen.flow.tuple = server.seen.flow.tuple.reversed();
    server.seen.leg = Some(Leg::Client);
    std::mem::swap(&mut server.seen.src, &mut server.seen.dst);
    let rows = with_translation(joiner(&[("node-a", "client")]), rows, &translation, 0);
    let names = |row: &FlowRow| (row.seen.src.name.clone(), row.seen.dst.name.clone());
    assert_eq!(names(&rows[0]), (Some("client".into()), Some("dns".into())));
    assert_eq!(names(&rows[2]), (Some("dns".into()), Some("client".into())));
    assert_eq!(rows[0].connection, rows[2].connection);
    assert_eq!(rows.iter().filter(|row| row.is_primary == Some(true)).count(), 1);
}
