//! A made-up cluster of 10,000 pods and 1,000 policies, and smaller ones beside it: what compiling the policies costs,
//! what a changed one costs, and what one verdict costs.
//!
//! `cargo bench -p weir-cluster --bench policy`; divan prints times for each call and what it allocates (none a verdict).

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use divan::{AllocProfiler, Bencher};
use weir_cluster::manifests;
use weir_cluster::objects::{ObjectKey, ObjectKind, Objects};
use weir_cluster::policy::{Connection, PolicyOptions, PolicySet};
use weir_model::Protocol;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const NAMESPACES: u32 = 50;
/// Pods and policies: the size that is aimed at, and a tenth of either.
const SIZES: [(u32, u32); 3] = [(1_000, 1_000), (10_000, 100), (10_000, 1_000)];
/// Different connections.
const CONNECTIONS: u32 = 4_096;

fn main() {
    divan::main();
}

/// Numbers that look random and are the same on every run.
fn mix(seed: u32) -> u32 {
    let x = (seed ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b);
    (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35) ^ (x >> 7)
}

fn pod_ip(pod: u32) -> IpAddr {
    Ipv4Addr::from(0x0a01_0000 + pod).into()
}

fn objects((pods, policies): (u32, u32)) -> Objects {
    let mut text = String::new();
    for namespace in 0..NAMESPACES {
        writeln!(
            text,
            r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"team-{namespace}","labels":{{"tier":"t{}"}}}}}}"#,
            namespace % 5
        )
        .expect("into text");
    }
    for pod in 0..pods {
        writeln!(
            text,
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"pod-{pod}","namespace":"team-{}","labels":{{"app":"app-{}","role":"r{}"}}}},"spec":{{"nodeName":"node-{}","containers":[{{"ports":[{{"name":"http","containerPort":8080}}]}}]}},"status":{{"podIP":"{}"}}}}"#,
            pod % NAMESPACES,
            pod / NAMESPACES % 20,
            pod % 7,
            pod % 200,
            pod_ip(pod)
        )
        .expect("into text");
    }
    for policy in 0..policies {
        let (namespace, app) = (policy % NAMESPACES, policy / NAMESPACES % 20);
        let port = ["8080", "\"http\"", "9090"].get(policy as usize % 3).copied().unwrap_or("80");
        writeln!(
            text,
            r#"{{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{{"name":"p-{policy}","namespace":"team-{namespace}"}},"spec":{{"podSelector":{{"matchLabels":{{"app":"app-{app}"}}}},"policyTypes":["Ingress","Egress"],"ingress":[{{"from":[{{"podSelector":{{"matchLabels":{{"role":"r{}"}}}}}},{{"namespaceSelector":{{"matchLabels":{{"tier":"t{}"}}}}}}],"ports":[{{"port":{port}}}]}},{{"from":[{{"ipBlock":{{"cidr":"10.{}.0.0/16","except":["10.{}.4.0/24"]}}}}]}}],"egress":[{{"to":[{{"namespaceSelector":{{}},"podSelector":{{"matchLabels":{{"app":"app-{}"}}}}}}]}}]}}}}"#,
            policy % 7,
            policy % 5,
            policy % 3,
            policy % 3,
            (app + 1) % 20
        )
        .expect("into text");
    }
    for policy in 0..5 {
        writeln!(
            text,
            r#"{{"apiVersion":"policy.networking.k8s.io/v1alpha1","kind":"AdminNetworkPolicy","metadata":{{"name":"admin-{policy}"}},"spec":{{"priority":{policy},"subject":{{"namespaces":{{"matchLabels":{{"tier":"t{policy}"}}}}}},"ingress":[{{"action":"Deny","from":[{{"namespaces":{{"matchLabels":{{"tier":"none"}}}}}}]}}]}}}}"#
        )
        .expect("into text");
    }
    manifests::parse(&text, "made-up.json").unwrap_or_else(|error| panic!("{error}")).objects
}

/// One verdict, of both directions, with its addresses looked up. Connections are spread over the whole cluster.
#[divan::bench(sample_size = 16_384, args = SIZES)]
fn one_verdict(bencher: Bencher<'_, '_>, size: (u32, u32)) {
    let set = PolicySet::build(&objects(size), PolicyOptions::default());
    let tries: Vec<(IpAddr, IpAddr)> = (0..CONNECTIONS)
        .map(|seed| {
            let src = mix(seed) % size.0;
            let dst = if seed % 8 == 0 { Ipv4Addr::from(0x0808_0000 + seed).into() } else { pod_ip(mix(src) % size.0) };
            (pod_ip(src), dst)
        })
        .collect();
    let mut next = tries.iter().cycle();
    bencher.bench_local(|| {
        if let Some((src, dst)) = next.next() {
            let (src, dst) = (set.party(*src), set.party(*dst));
            let connection = Connection { src, dst, protocol: Protocol::TCP, port: 8080, dst_dns_name: None };
            black_box(set.judge(black_box(&connection)).verdict);
        }
    });
}

/// All policies, compiled anew with the index of the cluster.
#[divan::bench(sample_count = 10, args = SIZES)]
fn compile(bencher: Bencher<'_, '_>, size: (u32, u32)) {
    let objects = objects(size);
    bencher.bench_local(|| PolicySet::build(&objects, PolicyOptions::default()));
}

/// One policy changed, all others kept.
#[divan::bench(sample_count = 10, args = SIZES)]
fn one_policy_changed(bencher: Bencher<'_, '_>, size: (u32, u32)) {
    let objects = objects(size);
    let set = PolicySet::build(&objects, PolicyOptions::default());
    let key = ObjectKey { kind: ObjectKind::NetworkPolicy, namespace: "team-1".into(), name: "p-1".into() };
    bencher.bench_local(|| set.with_changed(&objects, std::slice::from_ref(&key)));
}
