//! The Services of the recorded lab: what was called, against what the recordings say was used.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use weir_cluster::{Snapshot, SnapshotOptions, attribute, manifests};
use weir_model::{EndpointKind, Leg, Protocol, Service, ServiceMethod, ServiceType, TapRole};

use crate::given::{flow, said, tap};

/// The recordings: in the project, else beside it.
fn recordings() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let own = root.join("tests/lab-capture");
    if own.is_dir() {
        return own.join("routed");
    }
    #[expect(clippy::disallowed_methods, reason = "a test's own setting")]
    let examples =
        std::env::var_os("WEIR_EXAMPLES").map_or_else(|| root.join("../shared/examples"), |dir| root.join(dir));
    examples.join("lab-capture/routed")
}

fn lab() -> Snapshot {
    let loaded = manifests::load(&recordings().join("manifests")).unwrap_or_else(|error| panic!("{error}"));
    let notes: Vec<_> = loaded.notes.iter().map(ToString::to_string).collect();
    assert!(notes.iter().all(|note| note.contains("networking.k8s.io")), "{notes:?}");
    Snapshot::build(&loaded.objects, &SnapshotOptions::default())
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str()
}

fn port(value: &Value, path: &str) -> u16 {
    value.pointer(path).and_then(Value::as_u64).map_or(0, |port| port as u16)
}

/// Every event of every recording.
fn events() -> Vec<Value> {
    let folders = std::fs::read_dir(recordings()).expect("recordings").map(|entry| entry.expect("an entry").path());
    let truths = folders.map(|folder| folder.join("truth.json")).filter(|truth| truth.is_file());
    truths
        .flat_map(|truth| {
            let text = std::fs::read_to_string(&truth).expect("readable");
            let truth: Value = serde_json::from_str(&text).expect("JSON");
            truth["events"].as_array().cloned().expect("events")
        })
        .collect()
}

fn protocol(event: &Value) -> Protocol {
    Protocol::parse(text(event, "/proto").expect("a protocol")).expect("known")
}

fn used(service: &Service) -> Option<String> {
    service.used.as_ref().map(|used| format!("{}/{}", used.namespace, used.name))
}

/// Service names of the candidates, without namespaces.
fn candidates(service: Option<&Arc<Service>>) -> Vec<&str> {
    service.map_or(Vec::new(), |service| service.candidates.iter().map(|name| &**name).collect())
}

#[test]
fn every_service_that_was_called_is_named_where_it_was_dialled() {
    let lab = lab();
    let mut checked = 0;
    for event in events() {
        let (client, dst) = (text(&event, "/client/ip").expect("ip"), text(&event, "/dst/ip").expect("ip"));
        let (service, via) = (text(&event, "/service"), text(&event, "/via"));
        let method = match via {
            Some("ClusterIP") => ServiceMethod::ClusterIp,
            Some("NodePort") => ServiceMethod::NodePort,
            Some("LoadBalancer") => ServiceMethod::LoadBalancer,
            _ => continue,
        };
        let pod = text(&event, "/client/pod");
        let role = if pod.is_some() { TapRole::Pod } else { TapRole::Uplink };
        let seen = flow((client, port(&event, "/client/port")), (dst, port(&event, "/dst/port")), protocol(&event));
        let told = attribute(&lab, &tap(role, pod), seen);
        let known = told.service.as_ref().unwrap_or_else(|| panic!("no Service: {event}"));
        assert_eq!((used(known).as_deref(), known.method), (service, Some(method)), "{event}");
        assert_eq!(said(&told.dst), format!("service {}", service.expect("named")), "{event}");
        match pod {
            Some(pod) => assert_eq!((told.leg, said(&told.src)), (Some(Leg::Client), format!("pod {pod}")), "{event}"),
            None => assert_eq!((told.leg, told.src.kind), (Some(Leg::Transit), EndpointKind::External), "{event}"),
        }
        checked += 1;
    }
    assert!(checked >= 40, "only {checked} events");
}

#[test]
fn every_backend_is_named_on_its_own_leg_with_the_service_among_the_explanations() {
    let lab = lab();
    let mut checked = 0;
    for event in events() {
        let (Some(pod), Some(service)) = (text(&event, "/backend/pod"), text(&event, "/service")) else { continue };
        // The ingress controller's backends are another connection's, and the outside has no pods.
        if pod.starts_with("outside/") || service.starts_with("ingress-nginx/") {
            continue;
        }
        let from = text(&event, "/server_saw_client/ip").or_else(|| text(&event, "/client/ip")).expect("ip");
        let backend = (text(&event, "/backend/ip").expect("ip"), port(&event, "/backend/port"));
        let told = attribute(&lab, &tap(TapRole::Pod, Some(pod)), flow((from, 40_000), backend, protocol(&event)));
        let expected = if text(&event, "/server_saw_client/ip") == text(&event, "/backend/ip") {
            Leg::Client
        } else {
            Leg::Server
        };
        assert_eq!((told.leg, said(&told.dst)), (Some(expected), format!("pod {pod}")), "{event}");
        let known = told.service.as_ref().unwrap_or_else(|| panic!("no Service: {event}"));
        let explained = used(known).as_deref() == Some(service) || candidates(Some(known)).contains(&service);
        assert!(explained, "{known:?}: {event}");
        let named = lab.services_of(backend.0.parse().expect("valid"), backend.1, protocol(&event));
        let services: Vec<_> =
            named.iter().filter(|named| format!("{}/{}", named.namespace, named.name) == service).collect();
        let [found] = services[..] else { panic!("{service} once among {named:?}") };
        assert!(lab.backends(found).iter().any(|b| b.ip.to_string() == backend.0 && b.port == backend.1), "{event}");
        checked += 1;
    }
    assert!(checked >= 30, "only {checked} events");
}

#[test]
fn web_pods_are_endpoints_of_four_services() {
    let lab = lab();
    let four = ["shop/web", "shop/web-lb", "shop/web-np", "shop/web-np-local"];
    let server = tap(TapRole::Pod, Some("shop/web-7d4b9c6f5d-x2k8p"));
    let told = attribute(&lab, &server, flow(("10.244.1.11", 4000), ("10.244.1.10", 8080), Protocol::TCP));
    assert_eq!(candidates(told.service.as_ref()), four);
    assert_eq!(told.service.as_ref().and_then(|service| used(service)), None);
    let v6 = attribute(&lab, &server, flow(("fd00:10:244:1::11", 4000), ("fd00:10:244:1::10", 8080), Protocol::TCP));
    assert_eq!(v6.service.as_ref().and_then(|service| used(service)).as_deref(), Some("shop/web"), "only web has IPv6");
}

#[test]
fn the_headless_database_is_inferred_behind_it_and_a_candidate_before_it() {
    let lab = lab();
    let seen = || flow(("10.244.1.11", 4000), ("10.244.2.12", 5432), Protocol::TCP);
    let dialled = attribute(&lab, &tap(TapRole::Pod, Some("shop/client-5f6d8b9c7-qz4hn")), seen());
    assert_eq!((dialled.leg, candidates(dialled.service.as_ref())), (Some(Leg::Client), vec!["shop/db"]));
    assert_eq!(dialled.service.as_ref().and_then(|service| used(service)), None);
    let served = attribute(&lab, &tap(TapRole::Pod, Some("shop/db-0")), seen());
    let service = served.service.expect("inferred");
    assert_eq!(service.method, Some(ServiceMethod::EndpointSlice));
    assert_eq!(service.used.as_ref().map(|used| used.service_type), Some(ServiceType::Headless));
    assert_eq!(
        (served.dst.workload_kind.as_deref(), served.dst.workload.as_deref()),
        (Some("StatefulSet"), Some("db"))
    );
}

#[test]
fn nodes_are_nodes_and_their_pods_are_on_them() {
    let lab = lab();
    let exporter = attribute(
        &lab,
        &tap(TapRole::Pod, Some("shop/client-5f6d8b9c7-qz4hn")),
        flow(("10.244.1.11", 4000), ("172.31.250.11", 9100), Protocol::TCP),
    );
    assert_eq!(said(&exporter.dst), "node -/node-a");
    assert_eq!(exporter.dst.zone.as_deref(), Some("zone-1"));
    let names: Vec<_> = lab.pods_on("node-a").map(|pod| pod.pod.to_string()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!(exporter.src.workload.as_deref(), Some("client"));
    assert_eq!(exporter.src.workload_kind.as_deref(), Some("Deployment"));
    assert_eq!(exporter.src.labels, [Arc::from("app=client")]);
}
