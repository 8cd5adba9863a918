//! Every event of the recordings is found in the flows: where it was seen, by whom, through which Service, to which pod.
//! A leg is asked for only where the recording has a file of that tap.

use std::fs;
use std::net::IpAddr;

use weir_tests::examples::lab_capture;
use weir_tests::recorded::{Row, agent, collector, primaries, rows};
use weir_tests::truth::{Event, Truth, Verdict};

struct Recording {
    mode: &'static str,
    rows: Vec<Row>,
    topology: serde_json::Value,
}

impl Recording {
    fn replay(mode: &'static str) -> Self {
        let data = tempfile::tempdir().expect("a folder for the lake");
        let collector = collector(mode, data.path(), &[]);
        let agents = ["node-a", "node-b"].map(|node| agent(mode, node, collector.url(), &[]));
        for agent in agents {
            assert!(agent.ended().success(), "the agent sends everything");
        }
        let topology = fs::read_to_string(lab_capture().join(mode).join("topology.json")).expect("is recorded");
        let rows = rows(&collector);
        assert!(collector.terminate().success());
        Self { mode, rows, topology: serde_json::from_str(&topology).expect("is JSON") }
    }

    fn find(&self, protocol: &str, leg: &str, src: (IpAddr, u16), dst: (IpAddr, u16)) -> Vec<&Row> {
        let fits = |row: &&Row| {
            row.protocol == protocol
                && row.leg.as_deref() == Some(leg)
                && (row.src_ip, row.src_port) == (src.0, Some(src.1))
                && (row.dst_ip, row.dst_port) == (dst.0, Some(dst.1))
        };
        self.rows.iter().filter(fits).collect()
    }

    /// Whether the scenario has a file of the pod's veth.
    fn taps(&self, scenario: &str, pod: &str) -> bool {
        let pods = self.topology["pods"].as_object().expect("has pods");
        let found = pods.iter().find(|(_, p)| {
            format!("{}/{}", p["ns"].as_str().unwrap_or_default(), p["name"].as_str().unwrap_or_default()) == pod
        });
        found.is_some_and(|(short, p)| {
            let file = format!("{}.veth-{short}.pcap", p["node"].as_str().unwrap_or_default());
            lab_capture().join(self.mode).join(scenario).join(file).is_file()
        })
    }

    /// The connection's primary row.
    fn primary(&self, connection: i64) -> &Row {
        primaries(&self.rows)
            .remove(&connection)
            .unwrap_or_else(|| panic!("connection {connection} has no primary leg"))
    }
}

fn check(recording: &Recording, event: &Event) {
    let id = &event.id;
    let protocol = event.proto.to_lowercase();
    let opener = (event.client.ip, event.client.port);
    let leg = if event.client.pod.is_some() { "client" } else { "transit" };
    let seen = recording.find(&protocol, leg, opener, (event.dst.ip, event.dst.port));
    let seen = *seen.first().unwrap_or_else(|| panic!("{id}: no {leg} leg of {event:#?}"));
    assert!(seen.bytes > 0, "{id}");
    match &event.client.pod {
        Some(pod) => assert_eq!(seen.src.as_ref(), Some(pod), "{id}: source"),
        None => assert_eq!(seen.src_kind, "external", "{id}: source"),
    }
    let outcome = match event.verdict {
        Verdict::Allowed => "established",
        Verdict::Denied | Verdict::DroppedNoLocalEndpoint => "unanswered",
        Verdict::RejectedNoEndpoints => "rejected",
        Verdict::RefusedByPod => "refused",
    };
    assert_eq!(seen.outcome, outcome, "{id}: outcome");
    assert_eq!(seen.service, event.service, "{id}: Service");
    let primary = recording.primary(seen.connection_id);
    assert_eq!(primary.service, event.service, "{id}: Service of the connection");
    let client = primary.client_ip.unwrap_or(primary.src_ip);
    assert_eq!(client, event.client.ip, "{id}: real client");
    if let Some(ingress) = &event.ingress {
        assert_eq!(recording.primary(seen.connection_id).dst.as_ref(), Some(&ingress.controller), "{id}: controller");
    }
    check_server(recording, event, seen, &protocol);
}

/// The server's side of an event that reached a pod.
fn check_server(recording: &Recording, event: &Event, seen: &Row, protocol: &str) {
    let id = &event.id;
    if let (Some(backend), None) = (&event.backend, &event.ingress) {
        let primary = recording.primary(seen.connection_id);
        assert_eq!(
            primary.backend_ip.unwrap_or(primary.dst_ip),
            backend.ip,
            "{id}: backend, whether it was watched or not"
        );
    }
    let Some(backend) = event.backend.as_ref().filter(|backend| recording.taps(&event.scenario, &backend.pod)) else {
        return;
    };
    let socket = (backend.ip, backend.port);
    let peer = event.server_saw_client.as_ref().or_else(|| event.ingress.is_none().then_some(&event.client));
    let server = if let Some(peer) = peer {
        recording.find(protocol, "server", (peer.ip, peer.port), socket)
    } else {
        let to_backend = |row: &&Row| {
            row.leg.as_deref() == Some("server") && (row.dst_ip, row.dst_port) == (backend.ip, Some(backend.port))
        };
        recording.rows.iter().filter(to_backend).collect()
    };
    let server = *server.first().unwrap_or_else(|| panic!("{id}: no server leg of {event:#?}"));
    assert!(server.bytes > 0, "{id}");
    assert_eq!(server.dst.as_ref(), Some(&backend.pod), "{id}: backend");
    if event.ingress.is_none() {
        assert_eq!(server.connection_id, seen.connection_id, "{id}: both ends are one connection");
        let primary = recording.primary(seen.connection_id);
        assert_eq!(primary.dst.as_ref(), Some(&backend.pod), "{id}: backend of the connection");
        assert_eq!(primary.backend_ip.unwrap_or(primary.dst_ip), backend.ip, "{id}: backend");
        if event.snat == Some(true) {
            assert!(matches!(primary.nat.as_deref(), Some("src" | "both")), "{id}: nat {:?}", primary.nat);
        }
        if event.dnat == Some(true) {
            assert!(matches!(primary.nat.as_deref(), Some("dst" | "both")), "{id}: nat {:?}", primary.nat);
        }
    }
}

fn check_all(mode: &'static str, least: usize) {
    let recording = Recording::replay(mode);
    let mut events = 0;
    for scenario in fs::read_dir(lab_capture().join(mode)).expect("the recordings are here") {
        let scenario = scenario.expect("a folder entry").path();
        if scenario.join("truth.json").is_file() {
            let truth = Truth::read(&scenario.join("truth.json")).expect("a truth");
            truth.events.iter().for_each(|event| check(&recording, event));
            events += truth.events.len();
        }
    }
    assert!(events >= least, "{events} events");
}

#[test]
fn every_event_of_the_routed_recording_is_found_and_named() {
    check_all("routed", 58);
}

#[test]
fn every_event_of_the_bridge_recording_is_found_and_named() {
    check_all("bridge", 15);
}

#[test]
fn every_event_of_the_vxlan_recording_is_found_and_named() {
    check_all("vxlan", 8);
}
