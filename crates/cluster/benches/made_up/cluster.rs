//! A made-up cluster of any size: half a hundred pods on each node, a fifth as many Services as pods, ten endpoints each.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Deserializer;
use weir_cluster::objects::{Object, ObjectKind};

pub(crate) const ENDPOINTS_PER_SERVICE: u32 = 10;
const PODS_PER_NODE: u32 = 50;

/// So many pods and what belongs to them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MadeUp {
    pub(crate) pods: u32,
}

impl MadeUp {
    pub(crate) fn nodes(self) -> u32 {
        self.pods / PODS_PER_NODE
    }

    pub(crate) fn services(self) -> u32 {
        self.pods / 5
    }

    pub(crate) fn pod_ip(self, pod: u32) -> IpAddr {
        let (node, slot) = (pod % self.nodes(), pod / self.nodes());
        Ipv4Addr::new(10, 1 + (node >> 8) as u8, node as u8, 2 + slot as u8).into()
    }

    fn backend(self, service: u32, index: u32) -> u32 {
        (service * ENDPOINTS_PER_SERVICE + index) % self.pods
    }

    /// The JSON text of every object.
    pub(crate) fn texts(self) -> Vec<(ObjectKind, String)> {
        let nodes = (0..self.nodes()).map(|node| (ObjectKind::Node, node_text(node)));
        let pods = (0..self.pods).map(|pod| (ObjectKind::Pod, self.pod_text(pod, 0)));
        let services = (0..self.services()).map(|service| (ObjectKind::Service, self.service_text(service)));
        let slices = (0..self.services()).map(|service| (ObjectKind::EndpointSlice, self.slice_text(service)));
        nodes.chain(pods).chain(services).chain(slices).collect()
    }

    /// A pod; each generation has another name and a later start at the same address.
    pub(crate) fn pod_text(self, pod: u32, generation: u32) -> String {
        let app = pod / ENDPOINTS_PER_SERVICE;
        format!(
            r#"{{"metadata":{{"name":"app-{app}-7d4b9c6f5d-{pod:05}g{generation}","namespace":"team-{}","labels":{{"app":"app-{app}","pod-template-hash":"7d4b9c6f5d"}},"ownerReferences":[{{"kind":"ReplicaSet","name":"app-{app}-7d4b9c6f5d","controller":true}}]}},"spec":{{"nodeName":"node-{}"}},"status":{{"phase":"Running","podIP":"{}","podIPs":[{{"ip":"{}"}}],"hostIP":"{}","startTime":"2026-01-05T08:00:{:02}Z"}}}}"#,
            app % 50,
            pod % self.nodes(),
            self.pod_ip(pod),
            self.pod_ip(pod),
            node_ip(pod % self.nodes()),
            generation % 60
        )
    }

    fn service_text(self, service: u32) -> String {
        let (kind, node_port) = match service % 10 {
            0 => ("NodePort", format!(r#","nodePort":{}"#, 30_000 + service)),
            _ => ("ClusterIP", String::new()),
        };
        format!(
            r#"{{"metadata":{{"name":"svc-{service}","namespace":"team-{}"}},"spec":{{"type":"{kind}","clusterIP":"{}","ports":[{{"name":"http","port":80{node_port}}}]}}}}"#,
            self.namespace(service),
            cluster_ip(service)
        )
    }

    fn slice_text(self, service: u32) -> String {
        let endpoints: Vec<String> = (0..ENDPOINTS_PER_SERVICE)
            .map(|index| format!(r#"{{"addresses":["{}"]}}"#, self.pod_ip(self.backend(service, index))))
            .collect();
        format!(
            r#"{{"addressType":"IPv4","metadata":{{"name":"svc-{service}-1","namespace":"team-{}","labels":{{"kubernetes.io/service-name":"svc-{service}"}}}},"ports":[{{"name":"http","port":8080}}],"endpoints":[{}]}}"#,
            self.namespace(service),
            endpoints.join(",")
        )
    }

    fn namespace(self, service: u32) -> u32 {
        (service % (self.pods / ENDPOINTS_PER_SERVICE)) % 50
    }
}

fn node_text(node: u32) -> String {
    format!(
        r#"{{"metadata":{{"name":"node-{node}","labels":{{"topology.kubernetes.io/zone":"zone-{}"}}}},"spec":{{"podCIDR":"10.{}.{}.0/24"}},"status":{{"addresses":[{{"type":"InternalIP","address":"{}"}}]}}}}"#,
        node % 3,
        1 + (node >> 8),
        node & 0xff,
        node_ip(node)
    )
}

pub(crate) fn node_ip(node: u32) -> IpAddr {
    Ipv4Addr::from(0xac10_0001 + node).into()
}

pub(crate) fn cluster_ip(service: u32) -> IpAddr {
    Ipv4Addr::from(0x0a60_0000 + service).into()
}

pub(crate) fn read(kind: ObjectKind, text: &str) -> Object {
    kind.read(&mut Deserializer::from_str(text)).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Numbers that look random and are the same on every run.
pub(crate) fn mix(seed: u32) -> u32 {
    let x = (seed ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b);
    (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35) ^ (x >> 7)
}
