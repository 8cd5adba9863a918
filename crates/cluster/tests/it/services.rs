//! Which Service is at an address and port, and what is behind it.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Protocol, ServiceMethod, ServiceType};

use crate::given::{self, endpoint, node, pod, port_of, said, service, slice, snapshot};

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// `namespace/name:port method` of the Service at an address and TCP port.
fn at(snapshot: &weir_cluster::Snapshot, address: &str, port: u16) -> Option<String> {
    let hit = snapshot.service_at(ip(address), port, Protocol::TCP)?;
    Some(format!("{} {}", port_of(hit.service), hit.method.name()))
}

#[test]
fn every_kind_of_address_says_how_it_was_found() {
    let yaml = node("a", "172.31.0.1", "10.1.0.0/24")
        + &service(
            "web",
            "type: LoadBalancer, clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 'fd00:96::1'], \
             externalIPs: [198.51.100.7], ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}]",
        )
        + "status: {loadBalancer: {ingress: [{ip: 203.0.113.10, ipMode: VIP}, {hostname: lb.example.test}]}}\n";
    let snapshot = snapshot(&yaml);
    for (address, port, expected) in [
        ("10.96.0.1", 80, Some("shop/web:http cluster-ip")),
        ("fd00:96::1", 80, Some("shop/web:http cluster-ip")),
        ("::ffff:10.96.0.1", 80, Some("shop/web:http cluster-ip")),
        ("203.0.113.10", 80, Some("shop/web:http load-balancer")),
        ("198.51.100.7", 80, Some("shop/web:http external-ip")),
        ("172.31.0.1", 30080, Some("shop/web:http node-port")),
        ("10.96.0.1", 81, None),
        ("10.96.0.1", 30080, None),
        ("172.31.0.1", 80, None),
        ("8.8.8.8", 30080, None),
    ] {
        assert_eq!(at(&snapshot, address, port).as_deref(), expected, "{address}:{port}");
    }
    assert!(snapshot.service_at(ip("10.96.0.1"), 80, Protocol::UDP).is_none(), "the protocol counts");
    assert_eq!(said(&endpoint(&snapshot, "172.31.0.1", 30080)), "service shop/web");
    assert_eq!(said(&endpoint(&snapshot, "172.31.0.1", 22)), "node -/a");
    assert_eq!(said(&endpoint(&snapshot, "198.51.100.7", 22)), "external -/-", "only its ports are the Service's");
    let opener = snapshot.opener(ip("172.31.0.1"), 30080, Protocol::TCP);
    assert_eq!(said(&opener), "node -/a", "an opener's port says nothing");
}

#[test]
fn a_load_balancer_at_the_nodes_own_address_is_the_service_only_at_its_port() {
    let yaml = node("a", "172.31.0.1", "10.1.0.0/24")
        + &service("web", "type: LoadBalancer, clusterIP: 10.96.0.1, ports: [{port: 80}]")
        + "status: {loadBalancer: {ingress: [{ip: 172.31.0.1}]}}\n";
    let snapshot = snapshot(&yaml);
    assert_eq!(at(&snapshot, "172.31.0.1", 80).as_deref(), Some("shop/web:- load-balancer"));
    assert_eq!(said(&endpoint(&snapshot, "172.31.0.1", 22)), "node -/a");
}

#[test]
fn a_node_port_left_behind_by_another_type_is_nobodys() {
    let yaml = node("a", "172.31.0.1", "10.1.0.0/24")
        + &service("web", "type: ClusterIP, clusterIP: 10.96.0.1, ports: [{port: 80, nodePort: 30080}]")
        + "status: {loadBalancer: {ingress: [{ip: 203.0.113.10}]}}\n";
    let snapshot = snapshot(&yaml);
    assert_eq!(at(&snapshot, "172.31.0.1", 30080), None);
    assert_eq!(at(&snapshot, "203.0.113.10", 80), None, "so is a load balancer's address");
    assert_eq!(at(&snapshot, "10.96.0.1", 80).as_deref(), Some("shop/web:- cluster-ip"));
}

#[test]
fn types_follow_the_specification() {
    for (spec, expected) in [
        ("clusterIP: 10.96.0.1", ServiceType::ClusterIp),
        ("clusterIP: None", ServiceType::Headless),
        ("type: NodePort, clusterIP: 10.96.0.1", ServiceType::NodePort),
        ("type: LoadBalancer, clusterIP: 10.96.0.1", ServiceType::LoadBalancer),
        ("type: ExternalName, externalName: db.example.test", ServiceType::ExternalName),
    ] {
        let yaml = service("web", &format!("{spec}, ports: [{{port: 80}}]"))
            + &slice("web-1", "web", "[{port: 8080}]", "[{addresses: [10.1.0.5]}]");
        let snapshot = snapshot(&yaml);
        let services = snapshot.services_of(ip("10.1.0.5"), 8080, Protocol::TCP);
        assert_eq!(services.iter().map(|s| s.service_type).collect::<Vec<_>>(), [expected], "{spec}");
    }
}

#[test]
fn an_address_that_two_services_claim_names_neither() {
    let yaml = service("a", "clusterIP: 10.96.0.1, externalIPs: [198.51.100.7], ports: [{port: 80}]")
        + &service("b", "clusterIP: 10.96.0.2, externalIPs: [198.51.100.7], ports: [{port: 80}]");
    let snapshot = snapshot(&yaml);
    assert_eq!(at(&snapshot, "198.51.100.7", 80), None);
    assert_eq!(said(&endpoint(&snapshot, "198.51.100.7", 80)), "service -/-");
    let flow = given::flow(("8.8.8.8", 4000), ("198.51.100.7", 80), Protocol::TCP);
    let tap = given::tap(weir_model::TapRole::Uplink, None);
    let known = weir_cluster::attribute(&snapshot, &tap, flow).service.expect("candidates");
    assert_eq!((known.used.as_ref(), known.method), (None, None));
    assert_eq!(known.candidates, [Arc::from("shop/a"), Arc::from("shop/b")]);
}

#[test]
fn endpoints_are_joined_by_port_name_with_the_numbers_of_their_slices() {
    let yaml = service("web", "clusterIP: 10.96.0.1, ports: [{name: http, port: 80, targetPort: http}]")
        + &slice("web-1", "web", "[{name: http, port: 8080}]", "[{addresses: [10.1.0.5]}]")
        + &slice("web-2", "web", "[{name: http, port: 9090}]", "[{addresses: [10.1.0.6]}]");
    let snapshot = snapshot(&yaml);
    let hit = snapshot.service_at(ip("10.96.0.1"), 80, Protocol::TCP).expect("known");
    let backends: Vec<_> = hit.backends.iter().map(|b| format!("{}:{}", b.ip, b.port)).collect();
    assert_eq!(backends, ["10.1.0.5:8080", "10.1.0.6:9090"]);
    let named = |address: &str, port| snapshot.services_of(ip(address), port, Protocol::TCP).len();
    assert_eq!(
        [named("10.1.0.5", 8080), named("10.1.0.6", 9090), named("10.1.0.5", 9090), named("10.1.0.5", 80)],
        [1, 1, 0, 0]
    );
}

#[test]
fn repeated_endpoints_count_once_and_the_readier_entry_wins() {
    let yaml = service("web", "clusterIP: 10.96.0.1, ports: [{port: 80}]")
        + &slice(
            "web-1",
            "web",
            "[{port: 8080}]",
            "[{addresses: [10.1.0.5], conditions: {ready: false, terminating: true}}]",
        )
        + &slice(
            "web-2",
            "web",
            "[{port: 8080}]",
            "[{addresses: [10.1.0.5], nodeName: a, targetRef: {kind: Pod, name: web-x}}, \
              {addresses: [10.1.0.6], conditions: {ready: false, serving: true, terminating: true}}]",
        );
    let snapshot = snapshot(&yaml);
    let service = &snapshot.services_of(ip("10.1.0.6"), 8080, Protocol::TCP)[0];
    let [first, second] = snapshot.backends(service) else { panic!("two backends") };
    assert!(first.ready && !first.terminating, "absent conditions mean ready: {first:?}");
    assert_eq!(first.pod.as_ref().map(ToString::to_string).as_deref(), Some("shop/web-x"));
    assert_eq!(first.node.as_deref(), Some("a"));
    assert!(!second.ready && second.serving && second.terminating, "{second:?}");
}

#[test]
fn a_slice_of_an_unknown_service_still_gives_a_candidate() {
    let yaml = pod("web", "10.1.0.5", "a", 1) + &slice("g-1", "gone", "[{port: 8080}]", "[{addresses: [10.1.0.5]}]");
    let snapshot = snapshot(&yaml);
    assert!(snapshot.services_of(ip("10.1.0.5"), 8080, Protocol::TCP).is_empty());
    let flow = given::flow(("8.8.8.8", 4000), ("10.1.0.5", 8080), Protocol::TCP);
    let tap = given::tap(weir_model::TapRole::Pod, Some("shop/web"));
    let known = weir_cluster::attribute(&snapshot, &tap, flow).service.expect("a candidate");
    assert_eq!((known.used.as_ref(), known.candidates.as_slice()), (None, [Arc::from("shop/gone")].as_slice()));
}

#[test]
fn odd_slices_and_services_name_nothing_and_break_nothing() {
    let yaml = service("bare", "clusterIP: None")
        + &slice("bare-1", "bare", "null", "[{addresses: [10.1.0.5]}]")
        + &slice("any-1", "bare", "[{name: any}]", "[{addresses: [10.1.0.5]}]")
        + &slice("empty-1", "bare", "[]", "null")
        + &slice("dns-1", "bare", "[{port: 80}]", "[{addresses: [db.example.test]}]").replace("IPv4", "FQDN")
        + "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\nmetadata: {name: loose}\n\
           ports: [{port: 80}]\nendpoints: [{addresses: [10.1.0.5]}]\n"
        + &service("pending", "type: LoadBalancer, clusterIP: '', ports: [{port: 80, nodePort: 0}]");
    let snapshot = snapshot(&yaml);
    assert!(snapshot.services_of(ip("10.1.0.5"), 80, Protocol::TCP).is_empty());
    assert!(snapshot.service_at(ip("10.1.0.5"), 80, Protocol::TCP).is_none());
    assert_eq!(said(&endpoint(&snapshot, "10.1.0.5", 80)), "external -/-");
}

#[test]
fn backend_pods_are_told_only_where_every_backend_is_a_known_pod() {
    let yaml = pod("web", "10.1.0.5", "a", 1)
        + &service("web", "clusterIP: 10.96.0.1, ports: [{port: 80}]")
        + &slice("web-1", "web", "[{port: 8080}]", "[{addresses: [10.1.0.5]}]")
        + &service("mixed", "clusterIP: 10.96.0.2, ports: [{port: 80}]")
        + &slice("mixed-1", "mixed", "[{port: 8080}]", "[{addresses: [10.1.0.5]}, {addresses: [192.0.2.1]}]")
        + &service("ghost", "clusterIP: 10.96.0.3, ports: [{port: 80}]");
    let pods = |snapshot: &weir_cluster::Snapshot, address: &str| {
        let service = snapshot.service_at(ip(address), 80, Protocol::TCP).expect("known").service;
        snapshot.backend_pods(service).map(|pods| pods.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let whole = snapshot(&yaml);
    assert_eq!(pods(&whole, "10.96.0.1"), Some(vec!["shop/web".to_owned()]));
    assert_eq!(pods(&whole, "10.96.0.2"), None, "one backend is outside");
    assert_eq!(pods(&whole, "10.96.0.3"), Some(Vec::new()), "known to have none");
    assert_eq!(pods(&given::partial(&yaml), "10.96.0.3"), None, "its slices may not be known");
    let other = whole.service_at(ip("10.96.0.1"), 80, Protocol::TCP).expect("known").service.clone();
    assert_eq!(whole.backend_pods(&weir_model::ServiceRef { name: "nobody".into(), ..other }), None);
}

#[test]
fn equal_answers_are_one_value() {
    let yaml = service("web", "clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, 'fd00:96::1'], ports: [{port: 80}]");
    let snapshot = snapshot(&yaml);
    let known = |address| snapshot.service_at(ip(address), 80, Protocol::TCP).expect("known").known;
    assert!(Arc::ptr_eq(known("10.96.0.1"), known("fd00:96::1")));
    assert_eq!(known("10.96.0.1").method, Some(ServiceMethod::ClusterIp));
}
