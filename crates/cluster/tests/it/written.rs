//! Objects written back are the same objects: what the lake keeps of them says all that is known.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use weir_cluster::manifests;
use weir_cluster::objects::{Object, ObjectKind, Objects};

use crate::{policy_tables, routes};

/// Panics where the object is another one when it is read again.
fn check(object: &Object) {
    let text = object.to_json();
    let read = object.kind().read_json(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read, *object, "{text}");
    assert_eq!(read.to_json(), text, "the same object has the same text");
    let loaded = manifests::parse(&text, "kept.json").unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(loaded.objects.len(), 1, "it is a manifest: {text}");
}

fn check_all(objects: &Objects, least: usize) {
    objects.iter().for_each(|(_, object)| check(object));
    assert!(objects.len() >= least, "only {}", objects.len());
}

fn given(documents: &[Value]) -> Objects {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": documents});
    manifests::parse(&list.to_string(), "given.json").unwrap_or_else(|error| panic!("{error}")).objects
}

#[test]
fn every_object_of_the_recorded_clusters_is_written_as_it_is() {
    for mode in ["routed", "bridge", "vxlan"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab-capture").join(mode).join("manifests");
        check_all(&manifests::load(&folder).expect("the recorded objects").objects, 40);
    }
}

#[test]
fn every_policy_of_other_suites_is_written_as_it_is() {
    let Some(folder) = policy_tables::tables() else { return };
    let mut policies = 0;
    for case in routes::cases(&folder) {
        let text = policy_tables::manifests_of(&case["cluster"]);
        let objects = manifests::parse(&text, "case.json").expect("readable").objects;
        policies += objects.policies().count();
        check_all(&objects, 1);
    }
    assert!(policies >= 150, "only {policies} policies");
}

#[test]
fn every_route_of_other_suites_is_written_as_it_is() {
    let Some(folder) = routes::examples() else { return };
    let cases = ["ingress", "gateway"].map(|kind| routes::cases(&folder.join(kind))).concat();
    for case in &cases {
        check_all(&given(policy_tables::list(case, "manifests")), 1);
    }
    assert!(cases.len() >= 17, "only {} cases", cases.len());
}

/// Objects with something in every field that is kept, faults among them.
fn full() -> Vec<Value> {
    let selector = json!({"matchLabels": {"b": "2", "a": "1"}, "matchExpressions": [
        {"key": "c", "operator": "NotIn", "values": ["y", "x"]}, {"key": "a", "operator": "Exists"},
        {"key": "d", "operator": "DoesNotExist"}]});
    let meta = |name: &str| {
        json!({"name": name, "namespace": "shop", "uid": "u-1", "resourceVersion": "17", "labels": {"app": "web"},
            "annotations": {"kubernetes.io/ingress.class": "nginx", "other": "dropped"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-1", "controller": true}],
            "creationTimestamp": "2026-01-05T08:00:00Z", "deletionTimestamp": "2026-01-05T08:00:00.123456Z"})
    };
    let ran = json!({"startedAt": "2026-01-05T08:00:01Z", "finishedAt": "2026-01-05T08:00:09Z"});
    let pods = json!({"namespaces": {"notSameLabels": ["team"]}, "podSelector": selector});
    vec![
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta("p"),
            "spec": {"nodeName": "n", "hostNetwork": true, "containers": [{"ports": [
                {"name": "http", "containerPort": 80, "protocol": "SCTP"}, {"containerPort": 53}]}],
                "initContainers": [{"restartPolicy": "Always"}]},
            "status": {"phase": "Odd", "podIP": "10.0.0.1", "podIPs": [{"ip": "::ffff:10.0.0.1"}, {"ip": "fd00::1"}],
                "hostIP": "10.9.0.1", "hostIPs": [{"ip": "10.9.0.1"}, {}], "startTime": "2026-01-05T08:00:00.000001Z",
                "containerStatuses": [{"state": {"terminated": ran}}, {"state": {"running": {}}}, {}],
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-05T08:00:01Z"}]}}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}, "spec": {"podCIDR": "10.1.0.7/24",
            "podCIDRs": ["10.1.0.0/24", "fd00::/64"]}, "status": {"addresses": [{"address": "10.9.0.1"}, {"address": "n.local"}]}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta("s"), "spec": {"type": "LoadBalancer", "clusterIP": "None",
            "clusterIPs": ["10.96.0.1", "None", ""], "externalIPs": ["192.0.2.1"], "externalTrafficPolicy": "Local",
            "internalTrafficPolicy": "Local", "selector": {"app": "web"}, "externalName": "a.b", "ports": [
                {"name": "a", "protocol": "UDP", "port": 1, "targetPort": "x", "nodePort": 30000}, {"port": 2, "targetPort": 3}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.2", "hostname": "lb", "ipMode": "Proxy"}]}}}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": meta("e"), "addressType": "FQDN",
            "ports": [{"name": "a", "port": 80, "protocol": "UDP"}, {}], "endpoints": [{"addresses": ["10.0.0.1", "a.b"],
                "conditions": {"ready": false, "serving": true, "terminating": true}, "nodeName": "n",
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": "p"}}, {"targetRef": {}}]}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta("np"), "spec": {
            "podSelector": selector, "policyTypes": ["Egress", "Ingress"], "extra": 1, "ingress": [
                {"from": [{}]}, {"ports": [{"port": 80, "endPort": 90}, {"port": "http", "protocol": "UDP"}, {"protocol": "SCTP"}],
                    "from": [{"podSelector": selector}, {"namespaceSelector": {}}, {"ipBlock": {"cidr": "10.0.0.9/8",
                        "except": ["10.1.0.0/16", "::ffff:10.2.0.0/112"]}}]}, {"ports": [{"port": 0}]}, {}]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta("refused"), "spec": {
            "podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}, "status": {}, "odd": {}}),
        json!({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "AdminNetworkPolicy", "metadata": {"name": "a"},
            "spec": {"priority": 5, "subject": {"pods": {"namespaceSelector": selector, "podSelector": {}}}, "ingress": [
                {"action": "Nothing", "from": [{"namespaces": {}}]}, {"action": "Allow", "name": "x", "from": [{"pods": pods}]}],
                "egress": [{"action": "Pass", "to": [{"nodes": selector}, {"networks": ["10.0.0.0/8"]},
                    {"namespaces": {"sameLabels": ["team"]}}], "ports": [{"portNumber": {"port": 80}},
                    {"portRange": {"protocol": "UDP", "start": 1, "end": 9}}, {"namedPort": "http"}]}]}}),
        json!({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "BaselineAdminNetworkPolicy", "metadata": {"name": "default"},
            "spec": {"subject": {"namespaces": {}}, "egress": [{"action": "Deny", "to": [{"namespaces": {}}]}]}}),
        json!({"apiVersion": "policy.networking.k8s.io/v1alpha1", "kind": "BaselineAdminNetworkPolicy", "metadata": {"name": "other"},
            "spec": {"subject": {"namespaces": {}}}}),
        json!({"apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": {"name": "c"},
            "spec": {"tier": "Baseline", "priority": 0, "subject": {"namespaces": {}}, "egress": [{"action": "Accept",
                "to": [{"domainNames": ["*.Example.com."]}], "protocols": [{"tcp": {}}, {"sctp": {"destinationPort": {"number": 9}}},
                {"destinationNamedPort": "http"}]}]}}),
        json!({"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": meta("f"), "spec": {"ingress": [{}],
            "endpointSelector": {"matchLabels": {"k8s:app": "web"}}}, "specs": [{"egress": [], "endpointSelector": {"matchLabels":
                {"reserved:host": ""}}}]}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta("h"), "spec": {"rules": []}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta("parts"), "spec": {
            "hostnames": ["a.example", 7], "parentRefs": [{"name": "g"}, {"name": "g", "port": "x"}], "rules": [{"matches": [
                {"path": {"type": "Exact", "value": "/a"}}, {"pathe": {}}], "backendRefs": [{"name": "s", "port": 80}, {"port": []}]},
                "no rule"]}}),
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": meta("i"), "spec": {"defaultBackend": 1,
            "tls": [{"hosts": ["a.example"]}, 5], "rules": [{"host": "a.example", "http": {"paths": [{"path": "/", "pathType": "Prefix",
                "backend": {"service": {"name": "s", "port": {"number": 80}}}}, {"path": 1}]}}, {"hots": "b.example"}]}}),
        json!({"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": meta("k"), "spec": {
            "selector": "app == 'web' && !has(old) || name contains 'x'", "types": ["Ingress"]}}),
        json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": meta("g"), "spec": {"listeners": [
            {"name": "l", "port": 443, "protocol": "HTTPS", "tls": {}, "allowedRoutes": {"namespaces": {"selector": {}},
                "kinds": [{"group": "", "kind": "HTTPRoute"}]}}]}}),
    ]
}

static FULL: LazyLock<Vec<Value>> = LazyLock::new(full);

#[test]
fn every_field_and_every_fault_is_written() {
    let objects = given(&FULL);
    check_all(&objects, FULL.len());
    let faults: usize = objects.policies().map(|(_, policy)| policy.faults().len()).sum();
    assert!(faults >= 6, "only {faults} faults");
}

/// Every place in a document.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    for (key, value) in value.as_object().into_iter().flatten() {
        places(value, &format!("{at}/{}", key.replace('/', "~1")), found);
    }
    for (index, value) in value.as_array().into_iter().flatten().enumerate() {
        places(value, &format!("{at}/{index}"), found);
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_written_as_it_is(
        which in any::<Index>(), changes in proptest::collection::vec((any::<Index>(), 0..9_usize), 1..6),
    ) {
        let mut document = which.get(&FULL).clone();
        let kind = |document: &Value| ObjectKind::find(document["apiVersion"].as_str()?, document["kind"].as_str()?);
        let kind = kind(&document).expect("a kind");
        for (place, value) in changes {
            let mut found = Vec::new();
            places(&document, "", &mut found);
            let values = [json!(null), json!([]), json!({}), json!(""), json!(0), json!("x"), json!([null]), json!("UDP"), json!(true)];
            if let Some(changed) = document.pointer_mut(place.get(&found).as_str()) {
                *changed = values[value].clone();
            }
        }
        if let Ok(object) = kind.read_json(&document.to_string()) {
            let text = object.to_json();
            let read = kind.read_json(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
            prop_assert_eq!(read, object, "{}", text);
        }
    }
}
