//! Who is a gateway, statement by statement.

use weir_cluster::gateways::{GatewayOptions, GatewayPod, Gateways, KnownBy};
use weir_model::PodRef;

use crate::given::{objects, pod, service, slice};

fn gateways(yaml: &str) -> Gateways {
    Gateways::build(&objects(yaml), &GatewayOptions::default())
}

fn found<'a>(gateways: &'a Gateways, name: &str) -> Option<&'a GatewayPod> {
    gateways.get(&PodRef { namespace: "shop".into(), name: name.into() })
}

fn ways(gateways: &Gateways, name: &str) -> Vec<&'static str> {
    found(gateways, name).map_or(Vec::new(), |gateway| gateway.known_by.iter().copied().map(KnownBy::name).collect())
}

/// A Service of type LoadBalancer at 203.0.113.7 before pod `edge`, whose port 8080 is its port 80.
fn front(name: &str, port: u16) -> String {
    service(name, &format!("type: LoadBalancer, externalIPs: [203.0.113.7], ports: [{{name: http, port: {port}}}]"))
        + &slice(
            name,
            name,
            "[{name: http, port: 8080}]",
            "[{addresses: [10.0.0.1], targetRef: {kind: Pod, name: edge}}]",
        )
}

fn ingress(class: &str, status: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i-{class}, namespace: shop}}\n\
         spec: {{ingressClassName: {class}}}\nstatus: {{loadBalancer: {{ingress: [{status}]}}}}\n"
    )
}

fn edge_pod() -> String {
    pod("edge", "10.0.0.1", "a", 1)
}

#[test]
fn the_pods_behind_the_address_of_an_ingress_serve_its_class() {
    let made = gateways(&(edge_pod() + &front("front", 80) + &ingress("nginx", "{ip: 203.0.113.7}")));
    let edge = found(&made, "edge").expect("a gateway");
    assert_eq!(ways(&made, "edge"), ["ingress-status"]);
    assert!(edge.serves.ingresses && edge.serves.classes.iter().map(|class| &**class).eq(["nginx"]));
    assert!(edge.listens(8080) && !edge.listens(10_254), "other ports are its own business");
    assert_eq!((edge.dialled(8080), edge.dialled(10_254)), (Some(80), None));
    assert!(made.behind(&"shop".into(), &"front".into()).is_some());
    let elsewhere = gateways(&(edge_pod() + &front("front", 80) + &ingress("nginx", "{ip: 203.0.113.8}")));
    assert_eq!(elsewhere.iter().count(), 0);
}

#[test]
fn of_services_that_share_an_address_the_one_with_the_port_counts() {
    let other = front("other", 5432).replace("name: edge", "name: db");
    let made = gateways(&(edge_pod() + &front("front", 80) + &other + &ingress("nginx", "{ip: 203.0.113.7}")));
    assert_eq!(made.iter().map(|(pod, _)| &*pod.name).collect::<Vec<_>>(), ["edge"]);
}

#[test]
fn the_status_of_a_gateway_may_name_a_service() {
    let gateway = |address: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: g, namespace: infra}}\n\
             spec: {{gatewayClassName: any, listeners: [{{name: http, port: 80, protocol: HTTP}}]}}\n\
             status: {{addresses: [{{type: Hostname, value: {address}}}]}}\n"
        )
    };
    for address in ["front.shop.svc.cluster.local", "Front.shop.svc", "203.0.113.7"] {
        let made = gateways(&(edge_pod() + &front("front", 80) + &gateway(address)));
        assert_eq!(ways(&made, "edge"), ["gateway-status"], "{address}");
        let edge = found(&made, "edge").expect("a gateway");
        assert!(!edge.serves.ingresses);
        assert!(edge.serves.gateways.contains(&("infra".into(), "g".into())));
    }
}

#[test]
fn labels_tell_controllers_and_the_pods_of_a_gateway() {
    let labelled = |label: &str| edge_pod().replace("labels: {app: edge}", &format!("labels: {{{label}}}"));
    let class = "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: inner}\n\
         spec: {controller: k8s.io/ingress-nginx}\n";
    let made = gateways(&(labelled("app.kubernetes.io/name: ingress-nginx") + class));
    assert_eq!(ways(&made, "edge"), ["label"]);
    assert!(found(&made, "edge").expect("a gateway").serves.classes.contains("inner"));
    let webhook = "app.kubernetes.io/name: ingress-nginx, app.kubernetes.io/component: admission-webhook";
    assert_eq!(ways(&gateways(&labelled(webhook)), "edge"), Vec::<&str>::new());
    let gateway = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g, namespace: shop}\n\
         spec: {gatewayClassName: any, listeners: []}\n";
    let named = labelled("gateway.networking.k8s.io/gateway-name: g");
    assert_eq!(ways(&gateways(&(named.clone() + gateway)), "edge"), ["gateway-name"]);
    assert_eq!(ways(&gateways(&named), "edge"), Vec::<&str>::new(), "there is no such Gateway");
}

#[test]
fn somebody_may_say_so() {
    let options = GatewayOptions { services: vec![("shop".into(), "front".into())] };
    let made = Gateways::build(&objects(&(edge_pod() + &front("front", 80))), &options);
    assert_eq!(ways(&made, "edge"), ["config"]);
}
