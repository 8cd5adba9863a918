//! A made-up cluster of 1,000 hosts with ten paths each, as Ingresses and as HTTPRoutes of one Gateway: what compiling
//! the rules costs, and what finding the rule of one request costs.
//!
//! `cargo bench -p weir-cluster --bench route`; divan prints times for each request and what each allocates.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::LazyLock;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use weir_cluster::manifests;
use weir_cluster::objects::Objects;
use weir_cluster::route::{RouteOptions, RouteRequest, Routes};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const HOSTS: usize = 1_000;
const PATHS: usize = 10;
/// Different requests.
const REQUESTS: usize = 8_192;

static OBJECTS: LazyLock<Objects> = LazyLock::new(objects);
static ROUTES: LazyLock<Routes> = LazyLock::new(|| Routes::build(&OBJECTS, &RouteOptions::default()));
static REQUESTED: LazyLock<Vec<(String, String)>> = LazyLock::new(|| (0..REQUESTS).map(requested).collect());

fn main() {
    println!("{} objects, {HOSTS} hosts, {} paths, each as Ingress and as HTTPRoute", OBJECTS.len(), HOSTS * PATHS);
    divan::main();
}

fn host(host: usize) -> String {
    format!("{}host-{host}.shop.example.com", if host % 10 == 9 { "*." } else { "" })
}

fn path(path: usize) -> String {
    format!("/api/v{}/resource-{path}", path % 3)
}

/// Host and path of a request; most reach a rule, some no path, some no host.
fn requested(index: usize) -> (String, String) {
    let mixed = index.wrapping_mul(0x9e37_79b9) >> 7;
    let known = mixed % (HOSTS + HOSTS / 50);
    let name = host(known).replace('*', "one");
    (name, format!("{}/items/{index}?page=2", path(mixed / HOSTS % (PATHS + 1))))
}

fn objects() -> Objects {
    let mut yaml = String::from(
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {ports: [{name: http, port: 80}]}\n---\n\
         apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: shop}\n\
         spec: {gatewayClassName: any, listeners: [{name: http, port: 80, protocol: HTTP}]}\n",
    );
    for index in 0..HOSTS {
        let host = host(index);
        let _ = write!(
            yaml,
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i{index}, namespace: shop}}\n\
             spec: {{rules: [{{host: '{host}', http: {{paths: ["
        );
        for index in 0..PATHS {
            let path_type = if index % 4 == 0 { "Exact" } else { "Prefix" };
            let path = path(index);
            let _ = write!(
                yaml,
                "{{path: {path}, pathType: {path_type}, backend: {{service: {{name: web, port: {{number: 80}}}}}}}}, "
            );
        }
        let _ = write!(
            yaml,
            "]}}}}]}}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\n\
             metadata: {{name: r{index}, namespace: shop}}\n\
             spec: {{parentRefs: [{{name: edge}}], hostnames: ['{host}'], rules: ["
        );
        for index in 0..PATHS {
            let path_type = if index % 4 == 0 { "Exact" } else { "PathPrefix" };
            let path = path(index);
            let _ = write!(
                yaml,
                "{{matches: [{{path: {{type: {path_type}, value: {path}}}, headers: [{{name: x-canary, value: 'yes'}}]}}, \
                 {{path: {{type: {path_type}, value: {path}}}}}], backendRefs: [{{name: web, port: 80}}]}}, "
            );
        }
        yaml.push_str("]}\n");
    }
    manifests::parse(&yaml, "made-up.yaml").expect("the objects are well-formed").objects
}

#[divan::bench(sample_count = 10)]
fn compile() -> Routes {
    Routes::build(&OBJECTS, &RouteOptions::default())
}

const HEADERS: [(&str, &str); 3] = [("accept", "*/*"), ("user-agent", "curl/8.5.0"), ("x-canary", "no")];

#[divan::bench(sample_count = 50)]
fn ingress_8192_requests(bencher: Bencher<'_, '_>) {
    let (routes, requested) = (&*ROUTES, &*REQUESTED);
    bencher.counter(ItemsCount::new(REQUESTS)).bench(|| {
        for (host, target) in requested {
            let request = RouteRequest { host: Some(host), target, headers: &HEADERS, ..RouteRequest::default() };
            black_box(routes.ingress(black_box(&request)));
        }
    });
}

#[divan::bench(sample_count = 50)]
fn gateway_8192_requests(bencher: Bencher<'_, '_>) {
    let (routes, requested) = (&*ROUTES, &*REQUESTED);
    bencher.counter(ItemsCount::new(REQUESTS)).bench(|| {
        for (host, target) in requested {
            let request = RouteRequest { host: Some(host), target, headers: &HEADERS, ..RouteRequest::default() };
            black_box(routes.gateway("shop", "edge", black_box(&request)));
        }
    });
}
