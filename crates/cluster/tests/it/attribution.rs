//! Leg, endpoints and Service of one flow at one tap.

use std::sync::Arc;

use weir_cluster::{Snapshot, attribute};
use weir_model::{AttributedFlow, InitiatorBy, Leg, Protocol, TapRole};

use crate::given::{flow, node, pod, port_of, said, service, slice, snapshot, tap};

/// Two pods behind `web`; those of `many` and `more` share one; `client` calls.
fn shop() -> Snapshot {
    let yaml = node("a", "172.31.0.1", "10.1.0.0/24")
        + &pod("client", "10.1.0.4", "a", 1)
        + &pod("web", "10.1.0.5", "a", 1)
        + &pod("lots", "10.1.0.6", "a", 1)
        + &service("web", "type: NodePort, clusterIP: 10.96.0.1, ports: [{name: http, port: 80, nodePort: 30080}]")
        + &slice("web-1", "web", "[{name: http, port: 8080}]", "[{addresses: [10.1.0.5]}]")
        + &service("more", "clusterIP: 10.96.0.2, ports: [{port: 80}]")
        + &slice("more-1", "more", "[{port: 8080}]", "[{addresses: [10.1.0.6]}]")
        + &service("many", "clusterIP: 10.96.0.3, ports: [{port: 80}]")
        + &slice("many-1", "many", "[{port: 8080}]", "[{addresses: [10.1.0.6]}]");
    snapshot(&yaml)
}

fn tcp(snapshot: &Snapshot, tapped: Option<&str>, src: (&str, u16), dst: (&str, u16)) -> AttributedFlow {
    let role = if tapped.is_some() { TapRole::Pod } else { TapRole::Uplink };
    attribute(snapshot, &tap(role, tapped), flow(src, dst, Protocol::TCP))
}

/// `used method [candidates]`, or `none`.
fn service_said(flow: &AttributedFlow) -> String {
    let Some(service) = &flow.service else { return "none".to_owned() };
    let used = service.used.as_ref().map_or("-".to_owned(), port_of);
    format!("{used} {} {:?}", service.method.map_or("-", |method| method.name()), service.candidates)
}

#[test]
fn the_leg_is_the_taps_pods_part() {
    let shop = shop();
    let leg = |tapped, src, dst| tcp(&shop, tapped, (src, 4000), (dst, 8080)).leg;
    assert_eq!(leg(Some("shop/client"), "10.1.0.4", "10.1.0.5"), Some(Leg::Client));
    assert_eq!(leg(Some("shop/web"), "10.1.0.4", "10.1.0.5"), Some(Leg::Server));
    assert_eq!(leg(Some("shop/web"), "10.1.0.5", "10.1.0.5"), Some(Leg::Client), "the source wins");
    assert_eq!(leg(Some("shop/lots"), "10.1.0.4", "10.1.0.5"), Some(Leg::Transit));
    assert_eq!(leg(None, "10.1.0.4", "10.1.0.5"), Some(Leg::Transit));
    assert_eq!(leg(Some("shop/nobody"), "10.1.0.4", "10.1.0.5"), None, "a pod that is not known");
    for role in [TapRole::Other, TapRole::Pod] {
        let lone = attribute(&shop, &tap(role, None), flow(("10.1.0.4", 1), ("10.1.0.5", 2), Protocol::TCP));
        assert_eq!(lone.leg, None, "{role:?} without a pod");
    }
    let other = tap(TapRole::Other, Some("shop/client"));
    assert_eq!(attribute(&shop, &other, flow(("10.1.0.4", 1), ("10.1.0.5", 2), Protocol::TCP)).leg, None);
}

#[test]
fn a_service_dialled_by_its_own_address_is_used_whatever_the_leg() {
    let shop = shop();
    let client = tcp(&shop, Some("shop/client"), ("10.1.0.4", 4000), ("10.96.0.1", 80));
    assert_eq!(service_said(&client), "shop/web:http cluster-ip []");
    assert_eq!((said(&client.src), said(&client.dst)), ("pod shop/client".to_owned(), "service shop/web".to_owned()));
    let front = tcp(&shop, None, ("8.8.8.8", 4000), ("172.31.0.1", 30080));
    assert_eq!(service_said(&front), "shop/web:http node-port []");
    assert_eq!((said(&front.src), said(&front.dst)), ("external -/-".to_owned(), "service shop/web".to_owned()));
}

#[test]
fn a_pod_dialled_directly_used_no_service_but_may_be_explained_by_some() {
    let flow = tcp(&shop(), Some("shop/client"), ("10.1.0.4", 4000), ("10.1.0.5", 8080));
    assert_eq!(service_said(&flow), r#"- - ["shop/web"]"#);
}

#[test]
fn away_from_the_client_leg_one_candidate_is_the_service_and_several_are_named() {
    let shop = shop();
    for tapped in [Some("shop/web"), None] {
        let one = tcp(&shop, tapped, ("10.1.0.4", 4000), ("10.1.0.5", 8080));
        assert_eq!(service_said(&one), "shop/web:http endpoint-slice []", "{tapped:?}");
    }
    let several = tcp(&shop, Some("shop/lots"), ("10.1.0.4", 4000), ("10.1.0.6", 8080));
    assert_eq!(service_said(&several), r#"- - ["shop/many", "shop/more"]"#);
    let none = tcp(&shop, Some("shop/web"), ("10.1.0.4", 4000), ("10.1.0.5", 9999));
    assert_eq!(service_said(&none), "none");
}

#[test]
fn the_protocol_of_an_endpoint_counts() {
    let udp = flow(("10.1.0.4", 4000), ("10.1.0.5", 8080), Protocol::UDP);
    assert_eq!(attribute(&shop(), &tap(TapRole::Uplink, None), udp).service, None);
}

#[test]
fn two_ports_of_one_service_at_one_endpoint_are_that_service_without_a_port_name() {
    let yaml = service("web", "clusterIP: 10.96.0.1, ports: [{name: a, port: 80}, {name: b, port: 81}]")
        + &slice("web-1", "web", "[{name: a, port: 8080}, {name: b, port: 8080}]", "[{addresses: [10.1.0.5]}]");
    let snapshot = snapshot(&yaml);
    let flow = tcp(&snapshot, None, ("10.1.0.4", 4000), ("10.1.0.5", 8080));
    assert_eq!(service_said(&flow), "shop/web:- endpoint-slice []");
    let ip = "10.1.0.5".parse().expect("valid");
    assert_eq!(
        snapshot.services_of(ip, 8080, Protocol::TCP).iter().map(port_of).collect::<Vec<_>>(),
        ["shop/web:a", "shop/web:b"]
    );
}

#[test]
fn endpoints_outside_the_cluster_are_named_by_hand_made_slices() {
    let yaml = service("db", "clusterIP: 10.96.0.9, ports: [{port: 5432}]")
        + &slice("db-1", "db", "[{port: 5432}]", "[{addresses: [192.0.2.9]}]");
    let flow = tcp(&snapshot(&yaml), None, ("10.1.0.4", 4000), ("192.0.2.9", 5432));
    assert_eq!(said(&flow.dst), "external -/-");
    assert_eq!(service_said(&flow), "shop/db:- endpoint-slice []");
}

#[test]
fn the_dns_cache_of_a_node_is_told_as_that_on_the_node_of_the_tap() {
    let asked = flow(("10.1.0.4", 4000), ("169.254.20.10", 53), Protocol::UDP);
    let seen = attribute(&shop(), &tap(TapRole::Pod, Some("shop/client")), asked);
    assert_eq!((said(&seen.dst), seen.leg), ("node -/node-local-dns".to_owned(), Some(Leg::Client)));
    assert_eq!((seen.dst.node.as_deref(), seen.dst.zone.as_deref()), (Some("a"), Some("z-a")));
    let other = flow(("10.1.0.4", 4000), ("169.254.169.254", 80), Protocol::TCP);
    let seen = attribute(&shop(), &tap(TapRole::Pod, Some("shop/client")), other);
    assert_eq!(said(&seen.dst), "unknown -/-", "who knows what else is on a link");
}

#[test]
fn a_reply_joined_half_way_is_told_as_it_was_seen() {
    let shop = shop();
    let mut reply = flow(("10.96.0.1", 80), ("10.1.0.4", 4000), Protocol::TCP);
    reply.initiator_by = InitiatorBy::FirstPacket;
    let told = attribute(&shop, &tap(TapRole::Pod, Some("shop/client")), reply.clone());
    assert_eq!(told.flow, reply, "the flow is not turned round");
    assert_eq!((said(&told.src), said(&told.dst)), ("service shop/web".to_owned(), "pod shop/client".to_owned()));
    assert_eq!((told.leg, told.service), (Some(Leg::Server), None));
}

#[test]
fn mapped_addresses_are_attributed_as_ipv4_and_stay_as_seen() {
    let mapped = tcp(&shop(), Some("shop/client"), ("::ffff:10.1.0.4", 4000), ("::ffff:10.96.0.1", 80));
    assert_eq!(mapped.leg, Some(Leg::Client));
    assert_eq!(service_said(&mapped), "shop/web:http cluster-ip []");
    assert!(mapped.flow.tuple.src_ip.is_ipv6());
}

#[test]
fn a_hit_shares_its_answers() {
    let shop = shop();
    let one = tcp(&shop, None, ("10.1.0.4", 4000), ("10.1.0.5", 8080));
    let two = tcp(&shop, None, ("10.1.0.4", 4001), ("10.1.0.5", 8080));
    let (a, b) = (one.service.expect("named"), two.service.expect("named"));
    assert!(Arc::ptr_eq(&a, &b) && Arc::ptr_eq(&one.src, &two.src) && Arc::ptr_eq(&one.dst, &two.dst));
}
