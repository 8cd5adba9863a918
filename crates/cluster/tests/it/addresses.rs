//! Who has an address.

use std::sync::Arc;

use weir_cluster::{NamedNetwork, Snapshot, SnapshotOptions};
use weir_model::{EndpointKind, PodRef, Protocol};

use crate::given::{self, endpoint, node, objects, pod, said, service, snapshot};

#[test]
fn a_pod_is_found_by_every_address_it_has() {
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {app: web, tier: front}}\n\
                spec: {nodeName: a}\n\
                status: {phase: Running, podIP: 10.1.0.5, podIPs: [{ip: 10.1.0.5}, {ip: 'fd00::5'}]}\n"
        .to_owned()
        + &node("a", "172.31.0.1", "10.1.0.0/24");
    let snapshot = snapshot(&yaml);
    let v4 = endpoint(&snapshot, "10.1.0.5", 80);
    assert_eq!(said(&v4), "pod shop/web");
    assert_eq!((v4.node.as_deref(), v4.zone.as_deref()), (Some("a"), Some("z-a")));
    assert_eq!(v4.labels, [Arc::from("app=web")], "only labels on the list");
    assert!(Arc::ptr_eq(&v4, &endpoint(&snapshot, "fd00::5", 0)));
    assert!(Arc::ptr_eq(&v4, &endpoint(&snapshot, "::ffff:10.1.0.5", 80)), "IPv4-mapped is IPv4");
    let entry = snapshot.pod("fd00::5".parse().expect("valid")).expect("known");
    assert_eq!(entry.ips.len(), 2);
    assert_eq!(entry.pod.to_string(), "shop/web");
}

#[test]
fn of_two_pods_with_one_address_the_later_start_has_it() {
    for (first, second) in [(1, 2), (2, 1)] {
        let yaml = pod("a-pod", "10.1.0.5", "a", first) + &pod("b-pod", "10.1.0.5", "b", second);
        let snapshot = snapshot(&yaml);
        let expected = if first > second { "pod shop/a-pod" } else { "pod shop/b-pod" };
        assert_eq!(said(&endpoint(&snapshot, "10.1.0.5", 80)), expected);
        let listed: Vec<_> = snapshot.pods_on("a").chain(snapshot.pods_on("b")).map(|p| p.pod.to_string()).collect();
        assert_eq!(listed, [expected.trim_start_matches("pod ")], "the other pod has no address left");
    }
}

#[test]
fn a_pod_going_away_yields_to_one_of_the_same_start() {
    let going = pod("a-pod", "10.1.0.5", "a", 1)
        .replace("namespace: shop", "namespace: shop, deletionTimestamp: '2026-01-05T09:00:00Z'");
    let snapshot = snapshot(&(going + &pod("b-pod", "10.1.0.5", "a", 1)));
    assert_eq!(said(&endpoint(&snapshot, "10.1.0.5", 80)), "pod shop/b-pod");
}

#[test]
fn a_pod_that_is_over_has_no_address() {
    for phase in ["Succeeded", "Failed"] {
        let yaml = pod("done", "10.1.0.5", "a", 9).replace("Running", phase);
        assert_eq!(said(&endpoint(&snapshot(&yaml), "10.1.0.5", 80)), "external -/-");
        let yaml = yaml + &pod("next", "10.1.0.5", "a", 1);
        assert_eq!(said(&endpoint(&snapshot(&yaml), "10.1.0.5", 80)), "pod shop/next");
    }
}

#[test]
fn pods_of_the_host_network_are_their_node() {
    let agent = pod("agent", "172.31.0.1", "a", 1);
    let declared = agent.replace("nodeName: a", "nodeName: a, hostNetwork: true");
    let told = agent.replace("podIP:", "hostIP: 172.31.0.1, podIP:");
    for yaml in [declared.clone() + &node("a", "172.31.0.1", "10.1.0.0/24"), declared, told] {
        let snapshot = snapshot(&yaml);
        assert_eq!(said(&endpoint(&snapshot, "172.31.0.1", 9100)), "node -/a");
        assert_eq!(snapshot.pods_on("a").count(), 0);
        assert_eq!(snapshot.node_of("172.31.0.1".parse().expect("valid")).as_deref(), Some("a"));
    }
}

#[test]
fn the_first_addresses_of_a_node_range_are_its_bridge_unless_a_pod_has_them() {
    let yaml = node("a", "172.31.0.1", "10.1.0.0/24") + &node("b", "172.31.0.2", "10.2.0.0/24");
    let snapshot = snapshot(&(yaml + &pod("web", "10.2.0.1", "b", 1)));
    for (ip, expected) in [
        ("10.1.0.0", "node -/a"),
        ("10.1.0.1", "node -/a"),
        ("10.1.0.2", "unknown -/-"),
        ("10.2.0.1", "pod shop/web"),
        ("10.2.0.0", "node -/b"),
        ("10.3.0.1", "external -/-"),
    ] {
        assert_eq!(said(&endpoint(&snapshot, ip, 80)), expected, "{ip}");
    }
    assert_eq!(snapshot.node_of("10.1.0.1".parse().expect("valid")).as_deref(), Some("a"));
    assert_eq!(snapshot.node_of("10.2.0.1".parse().expect("valid")), None);
}

#[test]
fn what_never_leaves_the_link_is_not_external() {
    let snapshot = snapshot(&pod("web", "10.1.0.5", "a", 1));
    let inside =
        ["0.0.0.0", "::", "127.0.0.1", "::1", "169.254.20.10", "fe80::1", "224.0.0.251", "ff02::fb", "255.255.255.255"];
    for ip in inside {
        assert_eq!(endpoint(&snapshot, ip, 53).kind, EndpointKind::Unknown, "{ip}");
    }
    for ip in ["8.8.8.8", "2001:db8::1", "fd00::99", "192.168.0.1"] {
        assert_eq!(endpoint(&snapshot, ip, 53).kind, EndpointKind::External, "{ip}");
    }
}

#[test]
fn a_partial_snapshot_calls_nothing_external() {
    let snapshot = given::partial(&pod("web", "10.1.0.5", "a", 1));
    assert_eq!(said(&endpoint(&snapshot, "8.8.8.8", 53)), "unknown -/-");
    assert_eq!(said(&endpoint(&snapshot, "10.1.0.5", 53)), "pod shop/web");
}

#[test]
fn a_node_without_addresses_still_gives_its_zone_and_a_pod_without_status_nothing() {
    let bare = "apiVersion: v1\nkind: Node\nmetadata: {name: a, labels: {topology.kubernetes.io/zone: z1}}\n\
                ---\napiVersion: v1\nkind: Pod\nmetadata: {name: new, namespace: shop}\nspec: {nodeName: a}\n"
        .to_owned();
    let snapshot = snapshot(&(bare + &pod("web", "10.1.0.5", "a", 1)));
    assert_eq!(endpoint(&snapshot, "10.1.0.5", 80).zone.as_deref(), Some("z1"));
    assert_eq!(snapshot.pods_on("a").map(|p| p.pod.name.to_string()).collect::<Vec<_>>(), ["web"]);
    assert!(snapshot.pod_named(&PodRef { namespace: "shop".into(), name: "new".into() }).is_none());
    assert!(snapshot.pod_named(&PodRef { namespace: "shop".into(), name: "web".into() }).is_some());
}

#[test]
fn a_cluster_address_is_its_service_at_any_port_and_nameless_where_two_claim_it() {
    let web = service("web", "clusterIP: 10.96.0.1, ports: [{port: 80}]");
    let shop = snapshot(&web);
    for (ip, port, expected) in [
        ("10.96.0.1", 80, "service shop/web"),
        ("10.96.0.1", 81, "service shop/web"),
        ("10.96.0.2", 80, "external -/-"),
    ] {
        assert_eq!(said(&endpoint(&shop, ip, port)), expected, "{ip}:{port}");
    }
    let icmp = shop.endpoint("10.96.0.1".parse().expect("valid"), 0, Protocol::ICMP);
    assert_eq!(said(&icmp), "service shop/web");
    let twice = snapshot(&(web + &service("copy", "clusterIP: 10.96.0.1, ports: [{port: 81}]")));
    assert_eq!(said(&endpoint(&twice, "10.96.0.1", 80)), "service shop/web", "only web has port 80");
    assert_eq!(said(&endpoint(&twice, "10.96.0.1", 82)), "service -/-");
}

#[test]
fn networks_outside_have_the_name_of_the_longest_that_fits() {
    let networks = ["10.0.0.0/8=corp", "10.9.8.7/16=branch", "2001:db8::/32=lab", "192.0.2.1=gateway"];
    let networks = networks.map(|text| text.parse().unwrap_or_else(|error| panic!("{error}"))).into();
    let options = SnapshotOptions { networks, ..SnapshotOptions::default() };
    let yaml = node("a", "172.31.0.1", "10.1.0.0/24") + &pod("web", "10.1.0.5", "a", 1);
    let named = Snapshot::build(&objects(&yaml), &options);
    for (ip, who) in [
        ("10.2.3.4", "external -/corp"),
        ("10.9.0.1", "external -/branch"),
        ("::ffff:10.9.0.1", "external -/branch"),
        ("2001:db8::1", "external -/lab"),
        ("192.0.2.1", "external -/gateway"),
        ("192.0.2.2", "external -/-"),
        ("10.1.0.5", "pod shop/web"),
        ("10.1.0.9", "unknown -/-"),
    ] {
        assert_eq!(said(&endpoint(&named, ip, 80)), who, "{ip}");
    }
    let partial = Snapshot::build(&objects(&yaml), &SnapshotOptions { partial: true, ..options });
    assert_eq!(said(&endpoint(&partial, "10.2.3.4", 80)), "unknown -/-", "it may be a pod that was not told yet");
    for text in ["", "10.0.0.0/8", "10.0.0.0/8=", "=corp", "10.0.0.0/33=corp", "host=corp"] {
        assert!(text.parse::<NamedNetwork>().is_err(), "{text}");
    }
}
