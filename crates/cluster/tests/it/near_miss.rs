//! What would have to be otherwise for a denied connection to be allowed.

use weir_cluster::manifests;
use weir_cluster::policy::{Connection, NearMiss, PolicyOptions, PolicySet, Refused};
use weir_model::{PodRef, Protocol};

const OBJECTS: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, status: {podIP: 10.0.1.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {containers: [{ports: [{name: sql, containerPort: 5432}]}]}, status: {podIP: 10.0.1.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: intruder, namespace: guest, labels: {app: web}}, status: {podIP: 10.0.1.3}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web, role: frontend}}}]
    ports: [{port: sql}]
  - from: [{ipBlock: {cidr: 192.168.0.0/16}}, {namespaceSelector: {matchLabels: {team: data}}}]
";

fn nearest(src: (&str, &str), port: u16) -> String {
    let objects = manifests::parse(OBJECTS, "objects.yaml").expect("objects").objects;
    let set = PolicySet::build(&objects, PolicyOptions::default());
    let pod = |(namespace, name): (&str, &str)| set.pod(namespace, name).expect("known");
    let named = |(namespace, name): (&str, &str)| PodRef { namespace: namespace.into(), name: name.into() };
    let connection =
        Connection { src: pod(src), dst: pod(("shop", "db")), protocol: Protocol::TCP, port, dst_dns_name: None };
    let said = set.judge(&connection).ingress;
    let (dst, peer) = (named(("shop", "db")), named(src));
    let refused = Refused {
        dst: Some(&dst),
        peer: Some(&peer),
        peer_ip: Some([10, 0, 1, 1].into()),
        protocol: Protocol::TCP,
        port,
        is_egress: false,
    };
    NearMiss::nearest(&objects, said.policies, &refused).map(|miss| miss.to_string()).unwrap_or_default()
}

#[test]
fn the_rule_that_asks_for_the_least_is_named_with_what_it_asks_for() {
    assert_eq!(nearest(("shop", "web"), 5432), "rule 0 of shop/db would match if the other pod had role=frontend");
    assert_eq!(
        nearest(("guest", "intruder"), 80),
        "rule 1 of shop/db would match if the other address were in 192.168.0.0/16"
    );
}
