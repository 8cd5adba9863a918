//! Verdict, policies, outcome, audit and cause of every event of the recordings, as the truth beside them has it. With one
//! node's agent taken away: the same verdict, or none and why.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use serde_json::Value;
use weir_cluster::join::{Finality, JoinOptions, Joiner};
use weir_cluster::manifests;
use weir_cluster::objects::{Object, Objects};
use weir_cluster::policy::{PolicyOptions, PolicySet};
use weir_cluster::{Known, Snapshot, SnapshotOptions, Timeline};
use weir_model::{
    Audit, Cause, Evidence, FlowRow, Judgement, Leg, Outcome, PolicyLog, Protocol, Reason, RunId, SideJudgement,
    Verdict,
};

use crate::recorded::{Node, Recording};

/// The rows of the nodes, settled and judged when all have arrived.
fn judged(nodes: &[Node], logs: &[PolicyLog], known: &Known<'_>) -> Vec<FlowRow> {
    let mut joiner = Joiner::new(JoinOptions::default(), None);
    let mut rows = Vec::new();
    for log in logs {
        assert!(joiner.log(log), "{log:?}");
    }
    for node in nodes {
        for span in &node.coverage {
            joiner.cover(&node.name, RunId(1), span);
        }
        rows.extend(node.rows.iter().cloned());
    }
    for row in &mut rows {
        row.connection = Some(joiner.arrive(row, 0).connection);
    }
    for row in &mut rows {
        joiner.settle(row, known.snapshot, Finality::Final);
        joiner.judge(row, known, Finality::Final);
    }
    rows
}

struct Lab {
    recording: Recording,
    snapshot: Snapshot,
    policies: Timeline<PolicySet>,
}

impl Lab {
    fn of(mode: &'static str) -> Self {
        Self::with(mode, |_| {})
    }

    /// With other objects than were there.
    fn with(mode: &'static str, change: impl FnOnce(&mut Objects)) -> Self {
        let recording = Recording(mode);
        let mut objects = recording.objects();
        change(&mut objects);
        let snapshot = Snapshot::build(&objects, &SnapshotOptions::default());
        let policies = Timeline::always(PolicySet::build(&objects, PolicyOptions::default()));
        Self { recording, snapshot, policies }
    }

    fn nodes(&self) -> Vec<Node> {
        self.recording.nodes(&self.snapshot)
    }

    fn judged(&self, nodes: &[Node]) -> Vec<FlowRow> {
        self.judged_with(nodes, &[])
    }

    fn judged_with(&self, nodes: &[Node], logs: &[PolicyLog]) -> Vec<FlowRow> {
        judged(nodes, logs, &Known { snapshot: &self.snapshot, policies: &self.policies })
    }

    fn events(&self) -> Vec<Value> {
        let truth = fs::read_to_string(self.recording.folder().join("truth.json")).expect("a truth");
        let truth: Value = serde_json::from_str(&truth).expect("is JSON");
        truth["events"].as_array().expect("has events").clone()
    }
}

fn socket(peer: &Value) -> (IpAddr, u16) {
    let ip = peer["ip"].as_str().and_then(|ip| ip.parse().ok()).expect("an address");
    (ip, peer["port"].as_u64().expect("a port") as u16)
}

/// The row that shows an event as its client dialled it, where a tap saw that.
fn row_of<'a>(rows: &'a [FlowRow], event: &Value) -> Option<&'a FlowRow> {
    let protocol = Protocol::parse(&event["proto"].as_str().expect("a protocol").to_lowercase()).expect("known");
    let (client, dialled) = (socket(&event["client"]), socket(&event["dst"]));
    rows.iter().find(|row| {
        let tuple = row.seen.flow.tuple;
        let (src, dst) = ((tuple.src_ip, tuple.src_port), (tuple.dst_ip, tuple.dst_port));
        tuple.protocol == protocol && src == client && dst == dialled
    })
}

/// Verdict, outcome, audit and cause.
type Whole = (Verdict, Outcome, Audit, Option<Cause>);

fn expected(event: &Value) -> Whole {
    match event["verdict"].as_str().expect("a verdict") {
        "allowed" => (Verdict::Allowed, Outcome::Established, Audit::Consistent, None),
        "denied" => (Verdict::Denied, Outcome::Unanswered, Audit::Consistent, Some(Cause::Policy)),
        "refused-by-pod" => (Verdict::Allowed, Outcome::Refused, Audit::Consistent, Some(Cause::ClosedPort)),
        "rejected-no-endpoints" => (Verdict::Undecided, Outcome::Rejected, Audit::Undecided, Some(Cause::NoEndpoints)),
        "dropped-no-local-endpoint" => {
            (Verdict::Undecided, Outcome::Unanswered, Audit::Undecided, Some(Cause::NoLocalEndpoint))
        }
        other => panic!("{other}"),
    }
}

fn said(row: &FlowRow) -> &Judgement {
    row.judgement.as_deref().unwrap_or_else(|| panic!("no judgement: {row:#?}"))
}

fn check(row: &FlowRow, event: &Value) {
    let id = event["id"].as_str().expect("an id");
    let judgement = said(row);
    let audit = row.audit.expect("what is judged is compared");
    let whole = (judgement.verdict(), row.seen.flow.outcome, audit, row.cause);
    assert_eq!(whole, expected(event), "{id}: {judgement:?}");
    let names = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let isolated_by = names(&event["isolated_by"]);
    let denying: Vec<String> = [&judgement.egress, &judgement.ingress]
        .into_iter()
        .filter(|side| side.verdict == Verdict::Denied)
        .inspect(|side| assert_eq!(side.reason, Reason::IsolatedNoMatch, "{id}"))
        .flat_map(|side| side.policies.iter().map(ToString::to_string))
        .collect();
    assert_eq!(denying, isolated_by, "{id}");
    for log in event["policies"].as_array().into_iter().flatten() {
        let side = if log["direction"] == "egress" { &judgement.egress } else { &judgement.ingress };
        check_log(id, side, log);
    }
    if judgement.verdict() == Verdict::Undecided {
        assert_eq!(judgement.ingress.reason, Reason::NoBackend, "{id}");
    }
}

/// What the cluster's own log said of one direction: `API0|...` is the first rule of a policy.
fn check_log(id: &str, side: &SideJudgement, log: &Value) {
    let Some(policy) = log["policy"].as_str() else { return };
    assert_eq!((side.verdict, side.reason), (Verdict::Allowed, Reason::AllowedBy), "{id}");
    assert_eq!(side.policies.iter().map(|name| &**name).collect::<Vec<_>>(), [policy], "{id}");
    let prefix = log["nflog_prefix"].as_str().expect("a prefix");
    let index: String = prefix.chars().skip(3).take_while(char::is_ascii_digit).collect();
    assert_eq!(side.rule.map(|rule| rule.to_string()), Some(index), "{id}");
}

fn check_all(mode: &'static str, least: usize) {
    let lab = Lab::of(mode);
    let rows = lab.judged(&lab.nodes());
    let events = lab.events();
    for event in &events {
        let row = row_of(&rows, event).unwrap_or_else(|| panic!("no row of {event:#}"));
        check(row, event);
    }
    assert!(events.len() >= least, "{} events", events.len());
    let mut of_connections: BTreeMap<_, (&FlowRow, &Judgement)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.judgement.is_some()) {
        let known = *of_connections.entry(row.connection).or_insert((row, said(row)));
        assert_eq!((known.1, known.0.audit, known.0.cause), (said(row), row.audit, row.cause), "{row:#?}");
    }
}

#[test]
fn every_event_of_the_routed_recording_is_judged_as_it_was() {
    check_all("routed", 60);
}

#[test]
fn every_event_of_the_bridge_recording_is_judged_as_it_was() {
    check_all("bridge", 19);
}

#[test]
fn every_event_of_the_vxlan_recording_is_judged_as_it_was() {
    check_all("vxlan", 12);
}

#[test]
fn without_one_agent_a_verdict_is_the_same_or_there_is_none() {
    let (mut seen, mut open) = (0, 0);
    for mode in ["routed", "bridge", "vxlan"] {
        let lab = Lab::of(mode);
        let (events, nodes) = (lab.events(), lab.nodes());
        for node in &nodes {
            let rows = lab.judged(std::slice::from_ref(node));
            for event in &events {
                let Some(row) = row_of(&rows, event) else { continue };
                let judgement = said(row);
                seen += 1;
                let verdict = judgement.verdict();
                if verdict == expected(event).0 {
                    continue;
                }
                open += 1;
                let why = [&judgement.egress, &judgement.ingress].map(|side| side.reason);
                let is_told = |reason: &Reason| matches!(reason, Reason::AmbiguousBackend | Reason::UnknownPeer);
                assert_eq!(verdict, Verdict::Undecided, "{mode} {}: {judgement:?}", event["id"]);
                assert!(why.iter().any(is_told), "{mode} {}: {judgement:?}", event["id"]);
            }
        }
    }
    assert!(seen > 90, "{seen} events");
    assert!(open < seen / 10, "{open} of {seen} undecided");
}

#[test]
fn the_clusters_own_log_is_evidence_and_changes_no_verdict() {
    for mode in ["routed", "bridge", "vxlan"] {
        let lab = Lab::of(mode);
        let logs = lab.recording.logs();
        assert!(!logs.is_empty(), "{mode}");
        let rows = lab.judged_with(&lab.nodes(), &logs);
        for event in &lab.events() {
            let row = row_of(&rows, event).expect("checked elsewhere");
            check(row, event);
            let is_logged = event["policies"].as_array().is_some_and(|logged| !logged.is_empty());
            if is_logged {
                assert_eq!(said(row).evidence, Evidence::Enforced, "{mode} {}", event["id"]);
            }
        }
    }
}

/// The opener's node tracked what was let go, and had no entry for what was dropped on it.
fn told_by_conntrack(nodes: &mut [Node], events: &[Value]) {
    for row in nodes.iter_mut().flat_map(|node| &mut node.rows).filter(|row| row.seen.leg == Some(Leg::Client)) {
        let tuple = row.seen.flow.tuple;
        let is_its = |event: &&Value| {
            socket(&event["client"]) == (tuple.src_ip, tuple.src_port)
                && socket(&event["dst"]) == (tuple.dst_ip, tuple.dst_port)
        };
        let Some(event) = events.iter().find(is_its) else { continue };
        let node = event["client"]["node"].as_str();
        let denied_at = event["policies"].as_array().and_then(|logs| logs.last()).and_then(|log| log["node"].as_str());
        row.seen.flow.tracked = Some(event["verdict"] != "denied" || denied_at != node);
    }
}

#[test]
fn what_its_node_dropped_is_evidence_and_changes_no_verdict() {
    let mut enforced = 0;
    for mode in ["routed", "bridge", "vxlan"] {
        let lab = Lab::of(mode);
        let (events, mut nodes) = (lab.events(), lab.nodes());
        told_by_conntrack(&mut nodes, &events);
        let rows = lab.judged(&nodes);
        for event in &events {
            let row = row_of(&rows, event).expect("checked elsewhere");
            check(row, event);
            let is_dropped_here = row.seen.flow.tracked == Some(false);
            let evidence = if is_dropped_here { Evidence::Enforced } else { Evidence::Inferred };
            assert_eq!(said(row).evidence, evidence, "{mode} {}", event["id"]);
            enforced += usize::from(is_dropped_here);
        }
    }
    assert!(enforced >= 6, "{enforced}");
}

#[test]
fn what_policies_allow_and_its_node_dropped_is_told_whoever_watched_there() {
    let lab = Lab::with("routed", |objects| {
        let keys: Vec<_> = objects.policies().map(|(key, _)| key.clone()).collect();
        for key in &keys {
            objects.remove(key);
        }
    });
    let (events, mut nodes) = (lab.events(), lab.nodes());
    told_by_conntrack(&mut nodes, &events);
    let rows = lab.judged(&nodes);
    let mut dropped = 0;
    for event in events.iter().filter(|event| event["verdict"] == "denied") {
        let row = row_of(&rows, event).expect("a row");
        assert_eq!(said(row).verdict(), Verdict::Allowed, "{}", event["id"]);
        if row.seen.flow.tracked == Some(false) {
            let here = (Some(Audit::AllowedButBlocked), Some(Cause::DroppedHere));
            assert_eq!((row.audit, row.cause), here, "{}", event["id"]);
            dropped += 1;
        } else {
            assert_ne!(row.cause, Some(Cause::DroppedHere), "{}", event["id"]);
        }
    }
    assert!(dropped >= 2, "{dropped}");
}

fn object(text: &str) -> Object {
    let loaded = manifests::parse(text, "object.yaml").expect("an object");
    loaded.objects.iter().map(|(_, object)| object.clone()).next().expect("one")
}

const CALICO: &str =
    "{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: own, namespace: shop}, spec: {}}";

#[test]
fn where_a_foreign_policy_has_a_say_only_the_clusters_own_log_gives_a_verdict() {
    let lab = Lab::with("routed", |objects| drop(objects.insert(object(CALICO))));
    let (nodes, events) = (lab.nodes(), lab.events());
    let (without, with) = (lab.judged(&nodes), lab.judged_with(&nodes, &lab.recording.logs()));
    let mut settled = 0;
    for event in &events {
        let policies = event["policies"].as_array().map_or(0, Vec::len);
        let is_of_shop =
            |rows| row_of(rows, event).is_some_and(|row| said(row).ingress.reason == Reason::ForeignPolicy);
        if policies == 0 || !is_of_shop(&without) {
            continue;
        }
        let (open, decided) = (row_of(&without, event).expect("a row"), row_of(&with, event).expect("a row"));
        assert_eq!(said(open).ingress.verdict, Verdict::Undecided, "{}", event["id"]);
        assert_eq!(said(decided).verdict(), expected(event).0, "{}", event["id"]);
        assert_eq!(said(decided).evidence, Evidence::Enforced, "{}", event["id"]);
        settled += 1;
    }
    assert!(settled > 4, "{settled}");
}

const NOBODY_TO_WEB: &str = "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, \
     metadata: {name: web-http-only, namespace: shop}, spec: {podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress]}}";

#[test]
fn what_policies_deny_and_went_through_all_the_same_is_told() {
    let usual = Lab::of("routed");
    let lab = Lab::with("routed", |objects| drop(objects.insert(object(NOBODY_TO_WEB))));
    let (before, after) = (usual.judged(&usual.nodes()), lab.judged(&lab.nodes()));
    let mut passed = 0;
    for event in &lab.events() {
        let row = row_of(&after, event).expect("a row");
        let is_to_web = row.seen.dst.name.as_deref().is_some_and(|name| name == "web" || name.starts_with("web-"));
        // Nobody keeps a pod from itself, nor the node that it runs on, as whom outside clients arrive there.
        let itself = matches!(said(row).ingress.reason, Reason::OwnPod | Reason::LocalNode);
        let was_allowed = expected(event).0 == Verdict::Allowed;
        if is_to_web && was_allowed && !itself {
            assert_eq!(said(row).verdict(), Verdict::Denied, "{}: {row:#?}", event["id"]);
            assert_eq!((row.audit, row.cause), (Some(Audit::DeniedButPassed), None), "{}", event["id"]);
            passed += 1;
        } else {
            let whole = |row: &FlowRow| (said(row).verdict(), row.audit, row.cause);
            assert_eq!(whole(row), whole(row_of(&before, event).expect("a row")), "{}", event["id"]);
        }
    }
    assert!(passed > 20, "{passed}");
}

#[test]
fn what_policies_allow_and_never_arrived_is_told_only_where_somebody_watched() {
    let is_isolating = |object: &Object| object.metadata().name.as_ref() == "db-allow-web";
    let lab = Lab::with("routed", |objects| {
        let keys: Vec<_> =
            objects.policies().filter(|(_, policy)| is_isolating(policy)).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            objects.remove(key);
        }
    });
    let mut nodes = lab.nodes();
    let audits = |nodes: &[Node]| -> Vec<Option<Audit>> {
        let rows = lab.judged(nodes);
        let events = lab.events();
        let is_by = |name: &Value| name == "shop/db-allow-web";
        let denied =
            events.iter().filter(|event| event["isolated_by"].as_array().is_some_and(|by| by.iter().any(is_by)));
        let audit = |event: &Value| {
            let row = row_of(&rows, event).expect("a row");
            assert_eq!(said(row).verdict(), Verdict::Allowed, "{}", event["id"]);
            row.audit
        };
        denied.map(audit).collect()
    };
    // Nobody recorded at the second pod then, and a recording watches from its first to its last packet.
    assert_eq!(audits(&nodes).last(), Some(&Some(Audit::Undecided)));
    for span in nodes.iter_mut().flat_map(|node| &mut node.coverage) {
        span.to_ts = span.to_ts.map(|to| to.plus_ns(60_000_000_000));
    }
    assert_eq!(audits(&nodes), [Some(Audit::AllowedButBlocked), Some(Audit::AllowedButBlocked)]);
}
