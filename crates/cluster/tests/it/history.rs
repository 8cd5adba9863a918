//! Who had an address at a time that is past: with late and early news, reuse, and clocks that differ.

use std::net::IpAddr;

use weir_cluster::objects::{Object, ObjectKey, ObjectKind};
use weir_cluster::{History, Memory, Snapshot, SnapshotOptions, attribute};
use weir_model::{EndpointKind, Leg, Protocol, ServiceMethod, TapRole, Timestamp};

use crate::given::{self, endpoint, flow, node, objects, pod, said, service, slice, tap};

const SECOND: i64 = 1_000_000_000;

/// So many seconds after 08:00:00, when the pods of these tests live.
fn at(seconds: f64) -> Timestamp {
    Timestamp::parse("2026-01-05T08:00:00Z").expect("a time").plus_ns((seconds * SECOND as f64) as i64)
}

fn object(yaml: &str) -> Object {
    objects(yaml).iter().next().expect("one object").1.clone()
}

fn key(kind: ObjectKind, name: &str) -> ObjectKey {
    ObjectKey { kind, namespace: "shop".into(), name: name.into() }
}

fn history() -> History {
    History::new(SnapshotOptions::default())
}

/// A running pod of namespace `shop` at 10.1.0.5, taken on at a full second.
fn started(name: &str, second: u32) -> Object {
    let text =
        pod(name, "10.1.0.5", "a", 0).replace("08:00:00Z", &format!("08:{:02}:{:02}Z", second / 60, second % 60));
    object(&text)
}

/// The same pod when its network is known to be there, by a full second.
fn ran(name: &str, second: u32, ran: u32) -> Object {
    let Object::Pod(mut pod) = started(name, second) else { panic!("a pod") };
    let run = weir_cluster::objects::ContainerRun { started_at: Some(at(f64::from(ran))), finished_at: None };
    pod.status.container_statuses = vec![weir_cluster::objects::ContainerStatus {
        state: weir_cluster::objects::ContainerState { running: Some(run), terminated: None },
    }];
    Object::Pod(pod)
}

/// The same pod when its containers have ended, by a full second.
fn finished(name: &str, second: u32, ended: u32) -> Object {
    let Object::Pod(mut pod) = started(name, second) else { panic!("a pod") };
    pod.metadata.deletion_timestamp = Some(at(f64::from(ended) + 30.0));
    let run = weir_cluster::objects::ContainerRun { started_at: None, finished_at: Some(at(f64::from(ended))) };
    pod.status.container_statuses = vec![weir_cluster::objects::ContainerStatus {
        state: weir_cluster::objects::ContainerState { running: None, terminated: Some(run) },
    }];
    Object::Pod(pod)
}

fn who(history: &History, seconds: f64) -> String {
    said(&endpoint(&history.snapshot(at(seconds)), "10.1.0.5", 80))
}

fn candidates(snapshot: &Snapshot) -> Vec<String> {
    let ip: IpAddr = "10.1.0.5".parse().expect("an address");
    let mut names: Vec<_> = snapshot.pods_at(ip).iter().map(|entry| entry.pod.name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn an_address_is_its_pods_from_start_to_deletion() {
    let mut history = history();
    history.apply(&started("web", 10), at(12.0));
    history.remove(&key(ObjectKind::Pod, "web"), at(30.0));
    for (seconds, expected) in [
        (9.9, "external -/-"),
        (10.0, "pod shop/web"),
        (11.0, "pod shop/web"),
        (29.9, "pod shop/web"),
        (30.0, "external -/-"),
    ] {
        assert_eq!(who(&history, seconds), expected, "{seconds}");
    }
    let ip = "10.1.0.5".parse().expect("an address");
    assert!(history.snapshot(at(20.0)).is_known(ip));
    assert!(!history.snapshot(at(30.0)).is_known(ip), "may be known soon: ask again");
}

#[test]
fn a_snapshot_that_is_held_does_not_change() {
    let mut history = history();
    history.apply(&started("web", 10), at(12.0));
    let before = history.latest();
    history.remove(&key(ObjectKind::Pod, "web"), at(30.0));
    history.apply(&started("next", 31), at(32.0));
    assert_eq!(said(&endpoint(&before, "10.1.0.5", 80)), "pod shop/web");
    assert_eq!(said(&endpoint(&before.as_of(at(20.0)), "10.1.0.5", 80)), "pod shop/web");
    assert_eq!(said(&endpoint(&history.latest(), "10.1.0.5", 80)), "pod shop/next");
    assert_eq!(before.pods_on("a").count(), 1);
}

#[test]
fn a_reused_address_is_each_pods_in_its_time_however_late_that_is_known() {
    // Both deletion and start are told a minute late, the next pod even before the one is gone.
    let mut history = history();
    history.apply(&started("old", 10), at(12.0));
    history.apply(&ran("new", 20, 21), at(80.0));
    history.apply(&finished("old", 10, 18), at(81.0));
    history.remove(&key(ObjectKind::Pod, "old"), at(82.0));
    for (seconds, expected) in [
        (15.0, "pod shop/old"),
        (18.9, "pod shop/old"),
        (19.5, "external -/-"),
        (20.0, "pod shop/new"),
        (50.0, "pod shop/new"),
        (90.0, "pod shop/new"),
    ] {
        assert_eq!(who(&history, seconds), expected, "{seconds}");
    }
}

#[test]
fn while_either_of_two_pods_may_have_an_address_neither_is_named() {
    let mut history = history();
    history.apply(&started("old", 10), at(12.0));
    history.apply(&started("new", 20), at(21.5));
    history.remove(&key(ObjectKind::Pod, "old"), at(20.8));
    for (seconds, expected) in [
        (19.9, "pod shop/old"),
        (20.0, "pod shop/-"),
        (20.7, "pod shop/-"),
        (20.8, "pod shop/new"),
        (22.0, "pod shop/new"),
    ] {
        assert_eq!(who(&history, seconds), expected, "{seconds}");
    }
    let between = history.snapshot(at(20.5));
    assert_eq!(candidates(&between), ["new", "old"]);
    let either = endpoint(&between, "10.1.0.5", 80);
    assert_eq!((either.kind, either.node.as_deref()), (EndpointKind::Pod, Some("a")), "what both are");
    assert_eq!(between.pod("10.1.0.5".parse().expect("an address")), None);
}

#[test]
fn at_a_pods_own_tap_it_is_that_pod() {
    let mut history = history();
    history.apply(&started("old", 10), at(12.0));
    history.apply(&started("new", 20), at(21.5));
    let between = history.snapshot(at(20.5));
    for (name, leg) in [("shop/old", Some(Leg::Client)), ("shop/new", Some(Leg::Client)), ("shop/third", None)] {
        let tap = tap(TapRole::Pod, Some(name));
        let named = attribute(&between, &tap, flow(("10.1.0.5", 40_000), ("8.8.8.8", 53), Protocol::UDP));
        assert_eq!(named.leg, leg, "{name}");
        assert_eq!(said(&named.src) == format!("pod {name}"), leg.is_some(), "{name}");
    }
}

#[test]
fn two_pods_that_claim_one_address_since_the_same_second_are_both_candidates() {
    let mut history = history();
    history.apply(&started("a-pod", 10), at(12.0));
    history.apply(&started("b-pod", 10), at(12.0));
    assert_eq!(who(&history, 60.0), "pod shop/-");
    assert_eq!(candidates(&history.latest()), ["a-pod", "b-pod"]);
    assert_eq!(history.latest().pods_on("a").count(), 2, "both are there");
}

#[test]
fn the_containers_of_a_pod_that_ran_say_since_when_it_had_its_address() {
    let mut history = history();
    history.apply(&started("stuck", 10), at(12.0));
    history.apply(&ran("new", 20, 22), at(50.0));
    assert_eq!(who(&history, 22.5), "pod shop/-", "in that second");
    assert_eq!(who(&history, 23.0), "pod shop/new");
}

#[test]
fn a_pod_that_came_and_went_unseen_had_its_address_all_the_same() {
    let mut history = history();
    let Object::Pod(mut job) = finished("job", 10, 15) else { panic!("a pod") };
    job.status.phase = weir_cluster::objects::Phase::Succeeded;
    history.apply(&Object::Pod(job), at(40.0));
    assert_eq!(who(&history, 12.0), "pod shop/job");
    assert_eq!(who(&history, 16.0), "external -/-");
}

#[test]
fn a_pod_that_gets_another_address_leaves_the_first() {
    let mut history = history();
    history.apply(&started("web", 10), at(12.0));
    history.apply(&object(&pod("web", "10.1.0.6", "a", 0).replace("08:00:00Z", "08:00:10Z")), at(20.0));
    let named = |ip: &str, seconds| said(&endpoint(&history.snapshot(at(seconds)), ip, 80));
    assert_eq!((named("10.1.0.5", 15.0), named("10.1.0.5", 25.0)), ("pod shop/web".into(), "external -/-".into()));
    assert_eq!(named("10.1.0.6", 25.0), "pod shop/web");
}

#[test]
fn a_pod_without_status_has_no_address_until_it_has_one() {
    let mut history = history();
    let bare = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\nspec: {nodeName: a}\n";
    history.apply(&object(bare), at(10.0));
    assert_eq!(history.latest().pods_on("a").count(), 0);
    history.apply(&started("web", 10), at(12.0));
    assert_eq!(who(&history, 11.0), "pod shop/web", "since its start");
}

#[test]
fn labels_are_those_of_the_time_and_workload_and_zone_as_they_are_known_at_last() {
    let mut history = history();
    let owned = pod("web-1", "10.1.0.5", "a", 0)
        .replace("labels:", "ownerReferences: [{kind: ReplicaSet, name: web-7d, controller: true}], labels:");
    history.apply(&object(&owned), at(10.0));
    history.apply(&object(&owned.replace("app: web-1", "app: other")), at(20.0));
    history.apply(&object(&node("a", "172.31.0.1", "10.1.0.0/24")), at(30.0));
    let owner = "apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: web-7d, namespace: shop, \
                 ownerReferences: [{kind: Deployment, name: web, controller: true}]}\n";
    history.apply(&object(owner), at(31.0));
    for (seconds, label) in [(15.0, "app=web-1"), (25.0, "app=other")] {
        let endpoint = endpoint(&history.snapshot(at(seconds)), "10.1.0.5", 80);
        assert_eq!(endpoint.labels.iter().map(|l| &**l).collect::<Vec<_>>(), [label]);
        assert_eq!((endpoint.zone.as_deref(), endpoint.workload.as_deref()), (Some("z-a"), Some("web")));
    }
    let above = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop, \
                 ownerReferences: [{kind: App, name: store, controller: true}]}\n";
    history.apply(&object(above), at(32.0));
    assert_eq!(endpoint(&history.latest(), "10.1.0.5", 80).workload.as_deref(), Some("store"), "two owners up");
}

fn used(history: &History, ip: &str, port: u16, seconds: f64) -> Option<(String, ServiceMethod)> {
    let snapshot = history.snapshot(at(seconds));
    let hit = snapshot.service_at(ip.parse().expect("an address"), port, Protocol::TCP)?;
    Some((hit.service.name.to_string(), hit.method))
}

#[test]
fn a_service_address_that_is_given_anew_is_each_services_in_its_time() {
    let mut history = history();
    let web = "clusterIP: 10.96.0.1, ports: [{port: 80}]";
    history.apply(&object(&service("web", web)), at(10.0));
    history.remove(&key(ObjectKind::Service, "web"), at(20.0));
    history.apply(&object(&service("shop", web)), at(30.0));
    let name = |seconds| used(&history, "10.96.0.1", 80, seconds).map(|(name, _)| name);
    assert_eq!(name(15.0).as_deref(), Some("web"));
    assert_eq!(name(21.0), None);
    assert_eq!(name(35.0).as_deref(), Some("shop"));
    assert_eq!(name(28.5).as_deref(), Some("shop"), "the news of it may be 2 s late");
    assert_eq!(said(&endpoint(&history.snapshot(at(15.0)), "10.96.0.1", 81)), "service shop/web");
    assert_eq!(said(&endpoint(&history.snapshot(at(21.0)), "10.96.0.1", 81)), "external -/-");
}

#[test]
fn a_node_port_and_an_external_address_follow_their_service() {
    let mut history = history();
    history.apply(&object(&node("a", "172.31.0.1", "10.1.0.0/24")), at(1.0));
    let spec = "type: NodePort, clusterIP: 10.96.0.1, externalIPs: [192.0.2.1], ports: [{port: 80, nodePort: 30080}]";
    history.apply(&object(&service("web", spec)), at(10.0));
    history.apply(&object(&service("web", &spec.replace("30080", "30081"))), at(20.0));
    let method = |ip, port, seconds| used(&history, ip, port, seconds).map(|(_, method)| method);
    assert_eq!(method("172.31.0.1", 30080, 15.0), Some(ServiceMethod::NodePort));
    assert_eq!(method("172.31.0.1", 30080, 25.0), None);
    assert_eq!(method("172.31.0.1", 30081, 25.0), Some(ServiceMethod::NodePort));
    assert_eq!(method("192.0.2.1", 80, 25.0), Some(ServiceMethod::ExternalIp));
    let outside = endpoint(&history.snapshot(at(25.0)), "192.0.2.1", 81);
    assert_eq!(said(&outside), "external -/-", "only its ports are the Service's");
}

#[test]
fn endpoints_are_named_after_the_services_of_the_time() {
    let mut history = history();
    let named = |history: &History, seconds| {
        let snapshot = history.snapshot(at(seconds));
        let services = snapshot.services_of("10.1.0.5".parse().expect("an address"), 8080, Protocol::TCP);
        services.iter().map(|service| service.name.to_string()).collect::<Vec<_>>()
    };
    // The slice is known before its Service.
    history.apply(&object(&slice("web-1", "web", "[{port: 8080}]", "[{addresses: ['10.1.0.5']}]")), at(10.0));
    assert!(named(&history, 15.0).is_empty());
    history.apply(&object(&service("web", "clusterIP: 10.96.0.1, ports: [{port: 80}]")), at(11.0));
    assert_eq!(named(&history, 15.0), ["web"]);
    history.apply(&object(&service("all", "clusterIP: None, ports: [{port: 80}]")), at(20.0));
    history.apply(&object(&slice("all-1", "all", "[{port: 8080}]", "[{addresses: ['10.1.0.5']}]")), at(20.0));
    // The same endpoint in two slices while they are rewritten, then in one.
    history.apply(&object(&slice("web-2", "web", "[{port: 8080}]", "[{addresses: ['10.1.0.5']}]")), at(21.0));
    history.remove(&key(ObjectKind::EndpointSlice, "web-1"), at(22.0));
    assert_eq!((named(&history, 15.0), named(&history, 25.0)), (vec!["web".into()], vec!["all".into(), "web".into()]));
    history.remove(&key(ObjectKind::EndpointSlice, "web-2"), at(30.0));
    assert_eq!(named(&history, 35.0), ["all"]);
    let web = used(&history, "10.96.0.1", 80, 35.0).expect("still there").0;
    let snapshot = history.latest();
    let hit = snapshot.service_at("10.96.0.1".parse().expect("an address"), 80, Protocol::TCP).expect("known");
    assert_eq!((&*web, hit.backends.len()), ("web", 0));
}

#[test]
fn nodes_come_and_go_and_pods_tell_what_nodes_do_not() {
    let mut history = history();
    let host = pod("agent", "172.31.0.9", "a", 0).replace("nodeName: a", "nodeName: a, hostNetwork: true");
    history.apply(&object(&host), at(10.0));
    history.apply(&object(&host.replace("name: agent", "name: proxy")), at(10.0));
    let named = |history: &History, ip: &str, seconds| said(&endpoint(&history.snapshot(at(seconds)), ip, 80));
    assert_eq!(named(&history, "172.31.0.9", 11.0), "node -/a");
    history.remove(&key(ObjectKind::Pod, "agent"), at(20.0));
    assert_eq!(named(&history, "172.31.0.9", 21.0), "node -/a", "another pod tells it too");
    history.remove(&key(ObjectKind::Pod, "proxy"), at(30.0));
    assert_eq!(
        (named(&history, "172.31.0.9", 25.0), named(&history, "172.31.0.9", 31.0)),
        ("node -/a".into(), "external -/-".into())
    );
    history.apply(&object(&node("b", "172.31.0.9", "10.2.0.0/24")), at(40.0));
    assert_eq!(
        (named(&history, "10.2.0.1", 41.0), named(&history, "10.2.0.7", 41.0)),
        ("node -/b".into(), "unknown -/-".into())
    );
    history.remove(&ObjectKey { kind: ObjectKind::Node, namespace: "".into(), name: "b".into() }, at(50.0));
    assert_eq!(
        (named(&history, "172.31.0.9", 45.0), named(&history, "172.31.0.9", 51.0)),
        ("node -/b".into(), "external -/-".into())
    );
    assert_eq!(named(&history, "10.2.0.7", 51.0), "external -/-", "nobody's range any more");
}

#[test]
fn overlapping_ranges_of_nodes_are_no_ones_but_still_inside() {
    let yaml = node("a", "172.31.0.1", "10.1.0.0/16") + &node("b", "172.31.0.2", "10.1.0.0/24");
    let snapshot = given::snapshot(&yaml);
    assert_eq!(said(&endpoint(&snapshot, "10.1.0.1", 80)), "node -/a", "the first by name has the bridge");
    assert_eq!(said(&endpoint(&snapshot, "10.1.0.7", 80)), "unknown -/-");
    assert_eq!(said(&endpoint(&snapshot, "10.1.9.7", 80)), "unknown -/-");
}

#[test]
fn what_ended_long_ago_is_forgotten_and_times_before_that_are_unknown() {
    let memory = Memory { keep_ns: 100 * SECOND, ..Memory::default() };
    let mut history = History::remembering(SnapshotOptions::default(), memory);
    history.apply(&started("web", 10), at(12.0));
    history.apply(&object(&service("api", "clusterIP: 10.96.0.1, ports: [{port: 80}]")), at(12.0));
    history.remove(&key(ObjectKind::Pod, "web"), at(30.0));
    history.remove(&key(ObjectKind::Service, "api"), at(30.0));
    assert!(history.remembered() > 0);
    history.advance(at(129.0));
    assert_eq!(who(&history, 20.0), "pod shop/web");
    history.advance(at(131.0));
    assert_eq!(history.remembered(), 0);
    assert_eq!(who(&history, 20.0), "unknown -/-", "nobody remembers");
    assert_eq!(who(&history, 120.0), "external -/-");
    assert_eq!(used(&history, "10.96.0.1", 80, 20.0), None);
}

#[test]
fn what_is_remembered_has_a_cap() {
    let memory = Memory { max_ended: 100, ..Memory::default() };
    let mut history = History::remembering(SnapshotOptions::default(), memory);
    for round in 0..1_000 {
        history.apply(&started(&format!("web-{round}"), round), at(f64::from(round)));
        history.remove(&key(ObjectKind::Pod, &format!("web-{round}")), at(f64::from(round) + 0.5));
        assert!(history.remembered() <= 102, "{round}");
    }
    assert_eq!(who(&history, 999.2), "pod shop/web-999");
    assert_eq!(who(&history, 10.2), "unknown -/-");
}

#[test]
fn a_history_and_a_snapshot_of_the_same_objects_say_the_same_in_whatever_order_they_came() {
    let yaml = node("a", "172.31.0.1", "10.1.0.0/24")
        + &pod("web", "10.1.0.5", "a", 1)
        + &pod("late", "10.1.0.5", "a", 2)
        + &service("api", "type: NodePort, clusterIP: 10.96.0.1, ports: [{port: 80, nodePort: 30080}]")
        + &service("twin", "clusterIP: 10.96.0.1, ports: [{port: 80}]")
        + &slice("api-1", "api", "[{port: 8080}]", "[{addresses: ['10.1.0.5']}]");
    let given = objects(&yaml);
    let whole = given::snapshot(&yaml);
    let mut order: Vec<Object> = given.iter().map(|(_, object)| object.clone()).collect();
    for turn in 0..order.len() {
        order.rotate_left(1);
        let mut history = history();
        for object in &order {
            history.apply(object, at(3600.0));
            history.apply(object, at(3601.0));
        }
        for (ip, port) in
            [("10.1.0.5", 8080), ("10.96.0.1", 80), ("172.31.0.1", 30080), ("10.1.0.1", 1), ("8.8.8.8", 53)]
        {
            let latest = history.latest();
            assert_eq!(endpoint(&latest, ip, port), endpoint(&whole, ip, port), "{ip}:{port} in order {turn}");
            let address = ip.parse().expect("an address");
            assert_eq!(
                latest.services_of(address, port, Protocol::TCP),
                whole.services_of(address, port, Protocol::TCP)
            );
            let known = |snapshot: &Snapshot| {
                snapshot.service_at(address, port, Protocol::TCP).map(|hit| (hit.known.clone(), hit.backends.to_vec()))
            };
            assert_eq!(known(&latest), known(&whole), "{ip}:{port}");
        }
    }
}

#[test]
fn a_partial_history_is_whole_when_every_kind_with_addresses_was_told() {
    let mut history = History::new(SnapshotOptions { partial: true, ..SnapshotOptions::default() });
    let kinds = [ObjectKind::Pod, ObjectKind::Node, ObjectKind::Pod, ObjectKind::Service, ObjectKind::ReplicaSet];
    for kind in kinds {
        history.complete(kind);
        assert_eq!(said(&endpoint(&history.latest(), "8.8.8.8", 53)), "unknown -/-", "after {kind:?}");
    }
    let before = history.latest();
    history.complete(ObjectKind::EndpointSlice);
    assert_eq!(said(&endpoint(&history.latest(), "8.8.8.8", 53)), "external -/-");
    assert!(!before.is_whole() && history.latest().is_whole(), "a snapshot never changes");
}
