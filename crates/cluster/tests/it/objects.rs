//! The store of objects, and fields with more than one spelling.

use weir_cluster::objects::{ClusterIp, Object, ObjectKind, Pod, Service, SpecType, TargetPort, TrafficPolicy};
use weir_model::{Protocol, ServiceType};

use crate::given::{objects, pod, service};

fn pods(yaml: &str) -> Vec<Object> {
    objects(yaml).iter().map(|(_, object)| object.clone()).collect()
}

#[test]
fn objects_come_and_go_by_key() {
    let mut store = objects(&(pod("a", "10.1.0.1", "node", 1) + &service("a", "clusterIP: 10.96.0.1")));
    assert_eq!(store.len(), 2, "kinds do not mix");
    let newer = pods(&pod("a", "10.1.0.9", "node", 2)).remove(0);
    let key = newer.key();
    let old = store.insert(newer.clone()).expect("there was one");
    assert_ne!(old, newer);
    assert_eq!(store.get(&key), Some(&newer));
    assert_eq!(store.remove(&key), Some(newer));
    assert_eq!(store.remove(&key), None);
    assert_eq!((store.pods().count(), store.services().count()), (0, 1));
}

#[test]
fn a_new_list_of_a_kind_takes_the_place_of_the_old_one() {
    let mut store = objects(
        &(pod("a", "10.1.0.1", "node", 1) + &pod("b", "10.1.0.2", "node", 1) + &service("s", "type: ClusterIP")),
    );
    store.replace(ObjectKind::Pod, pods(&pod("c", "10.1.0.3", "node", 1)));
    let names: Vec<_> = store.pods().map(|pod| pod.metadata.name.to_string()).collect();
    assert_eq!((names, store.services().count()), (vec!["c".to_owned()], 1));
}

#[test]
fn sidecars_declare_ports_and_other_init_containers_do_not() {
    let yaml = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, ports: [{containerPort: 80, name: http}]}, {name: d, ports: null}]\n  \
                initContainers: [{name: i, ports: [{containerPort: 1}]}, {name: s, restartPolicy: Always, ports: [{containerPort: 9, protocol: UDP}]}]\n";
    let store = objects(yaml);
    let ports: Vec<_> = store.pods().flat_map(Pod::ports).map(|port| (port.container_port, port.protocol)).collect();
    assert_eq!(ports, [(80, Protocol::TCP), (9, Protocol::UDP)]);
}

#[test]
fn a_service_reads_every_field_that_naming_needs() {
    let yaml = service(
        "s",
        "type: NodePort, clusterIP: None, externalTrafficPolicy: Local, internalTrafficPolicy: null, selector: {app: s}, \
         ports: [{name: '', port: 80, targetPort: http, nodePort: 0}, {port: 81, protocol: SCTP, targetPort: 8081}]",
    );
    let store = objects(&yaml);
    let spec = &store.services().next().expect("one").spec;
    assert_eq!((spec.spec_type, spec.cluster_ip), (SpecType::NodePort, ClusterIp::Headless));
    assert_eq!(
        (spec.external_traffic_policy, spec.internal_traffic_policy),
        (TrafficPolicy::Local, TrafficPolicy::Cluster)
    );
    assert_eq!(spec.selector.len(), 1);
    let [first, second] = &spec.ports[..] else { panic!("two ports") };
    assert_eq!(
        (&first.name, first.node_port, &first.target_port),
        (&None, None, &Some(TargetPort::Name("http".into())))
    );
    assert_eq!((second.protocol, &second.target_port), (Protocol::SCTP, &Some(TargetPort::Number(8081))));
    assert_eq!(store.services().next().map(Service::service_type), Some(ServiceType::NodePort));
}

#[test]
fn every_kind_is_found_by_version_and_name_and_read_back() {
    for kind in ObjectKind::ALL {
        assert_eq!(ObjectKind::find(kind.api_version(), kind.name()), Some(*kind));
        let yaml = format!(
            "apiVersion: {}\nkind: {}\naddressType: IPv4\nmetadata: {{name: x}}\n",
            kind.api_version(),
            kind.name()
        );
        let keys: Vec<_> =
            objects(&yaml).iter().map(|(key, object)| (key.kind, object.kind(), key.namespace.to_string())).collect();
        let namespace = if kind.is_namespaced() { "default" } else { "" };
        assert_eq!(keys, [(*kind, *kind, namespace.to_owned())]);
    }
}
