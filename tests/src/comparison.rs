//! Rows beside the truth: every event is found, where it was seen, by whom, through which Service, to which pod, with what
//! policies said of it. A leg is asked for only where somebody watched.

use std::net::IpAddr;

use crate::recorded::{Row, primaries};
use crate::truth::{Event, Verdict};

/// Rows, and where somebody watched.
pub struct Comparison<'a> {
    /// All rows of `flows`.
    pub rows: Vec<Row>,
    /// Whether a pod was watched in a scenario.
    pub is_watched: &'a dyn Fn(&str, &str) -> bool,
}

impl Comparison<'_> {
    /// Rows with the event's addresses as its client dialled.
    pub fn rows_of(&self, event: &Event) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.is_of(event)).collect()
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

    /// The connection's primary row.
    fn primary(&self, connection: i64) -> &Row {
        primaries(&self.rows)
            .remove(&connection)
            .unwrap_or_else(|| panic!("connection {connection} has no primary leg"))
    }
}

/// Asserts that an event is found, and named as its client and server knew it.
pub fn check(recording: &Comparison<'_>, event: &Event) {
    let id = &event.id;
    let protocol = event.proto.to_lowercase();
    let opener = (event.client.ip, event.client.port);
    let leg = if event.client.pod.is_some() { "client" } else { "transit" };
    let seen = recording.find(&protocol, leg, opener, (event.dst.ip, event.dst.port));
    assert!(seen.iter().map(|row| row.bytes).sum::<i64>() > 0, "{id}");
    // Rows of one flow: the last one knows most.
    let seen = *seen.last().unwrap_or_else(|| panic!("{id}: no {leg} leg of {event:#?}"));
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
    check_verdict(event, seen);
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

/// What the policies say, and whether that is what happened.
fn check_verdict(event: &Event, seen: &Row) {
    let id = &event.id;
    let expected = match event.verdict {
        Verdict::Allowed => ["allowed", "consistent", ""],
        Verdict::Denied => ["denied", "consistent", "policy"],
        Verdict::RefusedByPod => ["allowed", "consistent", "closed-port"],
        Verdict::RejectedNoEndpoints => ["undecided", "undecided", "no-endpoints"],
        Verdict::DroppedNoLocalEndpoint => ["undecided", "undecided", "no-local-endpoint"],
    };
    let said = [&seen.verdict, &seen.audit, &seen.cause].map(|word| word.as_deref().unwrap_or_default());
    assert_eq!(said, expected, "{id}: verdict, audit and cause: {seen:#?}");
    assert_eq!(seen.denied_by(), event.isolated_by, "{id}: policies");
}

/// The server's side of an event that reached a pod.
fn check_server(recording: &Comparison<'_>, event: &Event, seen: &Row, protocol: &str) {
    let id = &event.id;
    if let (Some(backend), None) = (&event.backend, &event.ingress) {
        let primary = recording.primary(seen.connection_id);
        assert_eq!(
            primary.backend_ip.unwrap_or(primary.dst_ip),
            backend.ip,
            "{id}: backend, whether it was watched or not"
        );
    }
    let Some(backend) = event.backend.as_ref().filter(|backend| (recording.is_watched)(&event.scenario, &backend.pod))
    else {
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
