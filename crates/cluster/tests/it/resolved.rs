//! Names that pods resolved: whose they are, how long they count, what Service they lead to, and what they may cost.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use weir_cluster::{Resolved, ResolvedLimits, Snapshot, SnapshotOptions, attribute};
use weir_model::{AttributedFlow, Dns, DnsKind, Exchange, Flow, Protocol, Request, Tap, TapRole, Timestamp};

use crate::given::{flow, node, objects, pod, port_of, service, slice, snapshot, tap};

const SECOND_NS: i64 = 1_000_000_000;
const CLIENT: &str = "10.1.0.4";
const OTHER: &str = "10.1.0.5";
const DB_0: &str = "10.1.0.6";
const OUTSIDE: &str = "203.0.113.7";

/// A headless `db`, its first pod behind another headless one too, a Service with an address, and an alias.
fn yaml() -> String {
    node("a", "172.31.0.1", "10.1.0.0/24")
        + &pod("client", CLIENT, "a", 1)
        + &pod("other", OTHER, "a", 1)
        + &pod("db-0", DB_0, "a", 1)
        + &service("dns", "clusterIP: 10.96.0.10, ports: [{port: 53, protocol: UDP}]")
        + &service("db", "clusterIP: None, ports: [{name: pg, port: 5432}]")
        + &slice("db-1", "db", "[{name: pg, port: 5432}]", &format!("[{{addresses: [{DB_0}]}}]"))
        + &service("all", "clusterIP: None, ports: [{port: 5432}]")
        + &slice("all-1", "all", "[{port: 5432}]", &format!("[{{addresses: [{DB_0}]}}]"))
        + &service("legacy", "type: ExternalName, externalName: Legacy.Example.test.")
}

fn seconds(seconds: i64) -> Timestamp {
    Timestamp(seconds * SECOND_NS)
}

/// A cluster, and what was resolved in it.
struct Told {
    snapshot: Snapshot,
    resolved: Resolved,
}

impl Told {
    fn new(limits: ResolvedLimits) -> Self {
        Self { snapshot: snapshot(&yaml()), resolved: Resolved::new(limits) }
    }

    /// A pod asks, and is answered in that second: `name [> alias]... = address[,address]...`.
    fn asks(&mut self, pod: &str, second: i64, ttl_s: u32, answer: &str) {
        let request = answered(second, ttl_s, answer);
        let flow = at(flow((ip_of(pod), 40_000), ("10.96.0.10", 53), Protocol::UDP), second);
        let seen = attribute(&self.snapshot, &veth(pod), flow);
        self.resolved.learn(&seen, &request);
    }

    /// A flow that a pod opens in that second.
    fn opens(&mut self, pod: &str, second: i64, dst: (&str, u16)) -> AttributedFlow {
        let flow = at(flow((ip_of(pod), 41_000), dst, Protocol::TCP), second);
        self.resolved.name(&self.snapshot, attribute(&self.snapshot, &veth(pod), flow))
    }

    fn name(&mut self, pod: &str, second: i64, dst: &str) -> Option<String> {
        self.opens(pod, second, (dst, 443)).dst.dns_name.as_deref().map(str::to_owned)
    }

    /// The Service of such a flow: `namespace/name:port method`, or its candidates.
    fn service(&mut self, second: i64, dst: (&str, u16)) -> String {
        let seen = self.opens("client", second, dst);
        let Some(service) = seen.service else { return "none".to_owned() };
        match (&service.used, service.method) {
            (Some(used), Some(method)) => format!("{} {}", port_of(used), method.name()),
            _ => service.candidates.join("|"),
        }
    }
}

fn ip_of(pod: &str) -> &'static str {
    match pod {
        "client" => CLIENT,
        "other" => OTHER,
        _ => DB_0,
    }
}

fn veth(pod: &str) -> Arc<Tap> {
    tap(TapRole::Pod, Some(&format!("shop/{pod}")))
}

fn at(flow: Flow, second: i64) -> Flow {
    let start_ts = seconds(second);
    Flow { start_ts, first_ts: start_ts, last_ts: start_ts, ..flow }
}

fn answered(second: i64, ttl_s: u32, answer: &str) -> Request {
    let (names, addresses) = answer.split_once(" = ").expect("names = addresses");
    let mut names = names.split(" > ").map(Into::into);
    let qname = names.next();
    let answers: Vec<Box<str>> = names.chain(addresses.split(',').map(Into::into)).collect();
    let chain = (1 << answers.len()) - 1;
    let dns = Dns { qname, rcode: Some(0), answers, ttl_s: Some(ttl_s), chain, ..Dns::default() };
    // Asked a second before, so that it is the answer's time that counts.
    let latency_us = Some(1_000_000);
    Request { ts: seconds(second - 1), first_byte_us: latency_us, latency_us, exchange: Exchange::Dns(dns) }
}

fn no_grace() -> ResolvedLimits {
    ResolvedLimits { grace_ns: 0, ..ResolvedLimits::default() }
}

#[test]
fn two_pods_that_resolved_different_names_for_one_address_each_get_their_own() {
    let mut told = Told::new(ResolvedLimits::default());
    told.asks("client", 10, 60, "api.example.com = 203.0.113.7");
    told.asks("other", 11, 60, "www.example.com > cdn.example.net = 203.0.113.7,203.0.113.8");
    assert_eq!(told.name("client", 12, OUTSIDE).as_deref(), Some("api.example.com"));
    assert_eq!(told.name("other", 12, OUTSIDE).as_deref(), Some("www.example.com"), "as asked, not the alias");
    assert_eq!(told.name("other", 12, "203.0.113.8").as_deref(), Some("www.example.com"));
    assert_eq!(told.name("client", 12, "203.0.113.8"), None, "that one was told to another pod");
}

#[test]
fn names_count_from_the_answer_until_it_is_too_old() {
    let mut told = Told::new(no_grace());
    told.asks("client", 10, 30, "api.example.com = 203.0.113.7");
    told.asks("client", 100, 30, "www.example.com = 203.0.113.7");
    let name = |told: &mut Told, second| told.name("client", second, OUTSIDE).unwrap_or("-".to_owned());
    let names: Vec<_> = [9, 10, 40, 41, 99, 100, 131].map(|second| name(&mut told, second)).into();
    assert_eq!(names, ["-", "api.example.com", "api.example.com", "-", "-", "www.example.com", "-"]);
    let mut told = Told::new(ResolvedLimits { grace_ns: 5 * SECOND_NS, ..no_grace() });
    told.asks("client", 10, 30, "api.example.com = 203.0.113.7");
    assert_eq!([45, 46].map(|second| name(&mut told, second)), ["api.example.com", "-"]);
}

#[test]
fn of_several_names_the_last_one_before_the_flow_counts() {
    let mut told = Told::new(ResolvedLimits::default());
    for (second, name) in [(10, "a.example"), (20, "b.example"), (30, "a.example"), (40, "a.example")] {
        told.asks("client", second, 60, &format!("{name} = {OUTSIDE}"));
    }
    let names = [15, 25, 35, 45].map(|second| told.name("client", second, OUTSIDE).expect("resolved"));
    assert_eq!(names, ["a.example", "b.example", "a.example", "a.example"]);
}

#[test]
fn only_what_a_pod_asked_and_was_told_names_an_address() {
    let mut told = Told::new(ResolvedLimits::default());
    let good = || answered(10, 60, "api.example.com = 203.0.113.7");
    let changed = |change: fn(&mut Dns)| {
        let mut request = good();
        if let Exchange::Dns(dns) = &mut request.exchange {
            change(dns);
        }
        request
    };
    let not_asked = Request { first_byte_us: None, latency_us: None, ..good() };
    let bad = [
        not_asked,
        changed(|dns| dns.rcode = Some(3)),
        changed(|dns| dns.kind = DnsKind::Mdns),
        changed(|dns| dns.chain = 0),
        changed(|dns| dns.qname = None),
    ];
    let query = |src, pod| {
        let flow = at(flow((src, 40_000), ("10.96.0.10", 53), Protocol::UDP), 9);
        attribute(&told.snapshot, &veth(pod), flow)
    };
    let (own, others) = (query(CLIENT, "client"), query(OTHER, "client"));
    for request in bad {
        told.resolved.learn(&own, &request);
    }
    told.resolved.learn(&others, &good());
    assert_eq!((told.resolved.addresses(), told.name("client", 11, OUTSIDE)), (0, None));
    told.resolved.learn(&own, &good());
    assert_eq!(told.name("client", 11, OUTSIDE).as_deref(), Some("api.example.com"));
}

#[test]
fn whoever_resolved_an_address_knows_it_when_it_calls() {
    let mut told = Told::new(ResolvedLimits::default());
    told.asks("client", 10, 60, "hooks.example.com = 203.0.113.7");
    let call = at(flow((OUTSIDE, 50_000), (CLIENT, 8080), Protocol::TCP), 20);
    let seen = told.resolved.name(&told.snapshot, attribute(&told.snapshot, &veth("client"), call));
    assert_eq!(seen.src.dns_name.as_deref(), Some("hooks.example.com"));
    assert_eq!(seen.dst.dns_name, None, "the pod has a name of its own");
}

#[test]
fn a_pod_of_two_families_asks_from_either() {
    let both = yaml().replace(
        &format!("podIP: '{CLIENT}'"),
        &format!("podIP: '{CLIENT}', podIPs: [{{ip: '{CLIENT}'}}, {{ip: 'fd00::4'}}]"),
    );
    let mut told = Told { snapshot: snapshot(&both), resolved: Resolved::new(ResolvedLimits::default()) };
    told.asks("client", 10, 60, "api.example.com = 2001:db8::7");
    let opened = at(flow(("fd00::4", 41_000), ("2001:db8::7", 443), Protocol::TCP), 11);
    let seen = told.resolved.name(&told.snapshot, attribute(&told.snapshot, &veth("client"), opened));
    assert_eq!(seen.dst.dns_name.as_deref(), Some("api.example.com"));
}

#[test]
fn a_headless_service_is_used_where_its_name_led_to_the_pod() {
    let mut told = Told::new(no_grace());
    assert_eq!(told.service(9, (DB_0, 5432)), "shop/all|shop/db", "a pod dialled by its address");
    told.asks("client", 10, 5, "db.shop.svc.cluster.local = 10.1.0.6");
    assert_eq!(told.service(11, (DB_0, 5432)), "shop/db:pg dns");
    assert_eq!(told.service(11, (DB_0, 9_999)), "shop/db:- dns", "whatever the port");
    assert_eq!(told.service(16, (DB_0, 5432)), "shop/all|shop/db", "too long ago");
    let other = told.opens("other", 11, (DB_0, 5432));
    assert!(other.service.is_some_and(|service| service.used.is_none()), "it had not asked");
}

#[test]
fn names_of_a_headless_service_come_in_every_form_that_search_lists_make() {
    for (name, service) in [
        ("db.shop.svc.cluster.local", "shop/db:pg dns"),
        ("db-0.db.shop.svc.cluster.local", "shop/db:pg dns"),
        ("db.shop.svc", "shop/db:pg dns"),
        ("db.shop", "shop/db:pg dns"),
        ("db", "shop/db:pg dns"),
        ("db.shop.shop.svc.cluster.local > db.shop.svc.cluster.local", "shop/db:pg dns"),
        ("db.example.com > db.shop.svc.cluster.local", "shop/db:pg dns"),
        ("db.guest.svc.cluster.local", "shop/all|shop/db"),
        ("db.shop.svc.other.domain", "shop/all|shop/db"),
        ("10-1-0-6.shop.pod.cluster.local", "shop/all|shop/db"),
    ] {
        let mut told = Told::new(no_grace());
        told.asks("client", 10, 60, &format!("{name} = {DB_0}"));
        assert_eq!(told.service(11, (DB_0, 5432)), service, "{name}");
    }
}

#[test]
fn a_short_name_is_not_believed_against_the_endpoints() {
    let mut told = Told::new(no_grace());
    told.asks("client", 10, 60, &format!("db.shop = {OUTSIDE}"));
    assert_eq!(told.service(11, (OUTSIDE, 5432)), "none", "a name in the world's domain shop");
    assert_eq!(told.name("client", 11, OUTSIDE).as_deref(), Some("db.shop"));
}

#[test]
fn the_domain_of_the_cluster_may_be_another() {
    let options = SnapshotOptions { domain: "k8s.example".to_owned(), ..SnapshotOptions::default() };
    let snapshot = Snapshot::build(&objects(&yaml()), &options);
    let mut told = Told { snapshot, resolved: Resolved::new(no_grace()) };
    told.asks("client", 10, 60, "db.shop.svc.k8s.example = 10.1.0.6");
    assert_eq!(told.service(11, (DB_0, 5432)), "shop/db:pg dns");
}

#[test]
fn an_alias_for_a_name_outside_is_used_where_the_answer_goes_through_it() {
    let mut told = Told::new(no_grace());
    told.asks("client", 10, 5, "legacy.shop.svc.cluster.local > legacy.example.test = 203.0.113.7");
    assert_eq!(told.service(11, (OUTSIDE, 8088)), "shop/legacy:- dns");
    assert_eq!(told.name("client", 11, OUTSIDE).as_deref(), Some("legacy.shop.svc.cluster.local"));
    assert_eq!(told.service(20, (OUTSIDE, 8088)), "none");
    told.asks("client", 30, 5, "legacy.shop.svc.cluster.local > elsewhere.example.test = 203.0.113.7");
    assert_eq!(told.service(31, (OUTSIDE, 8088)), "none", "the Service stands for another name");
}

#[test]
fn where_names_do_not_agree_none_is_said_to_be_used() {
    let mut told = Told::new(ResolvedLimits::default());
    told.asks("client", 10, 60, "legacy.example.test = 203.0.113.7");
    told.asks("client", 11, 60, "legacy.shop.svc.cluster.local > legacy.example.test = 203.0.113.7");
    assert_eq!(told.service(12, (OUTSIDE, 8088)), "shop/legacy");
    told.asks("client", 20, 60, "db.shop.svc.cluster.local = 10.1.0.6");
    told.asks("client", 21, 60, "all.shop.svc.cluster.local = 10.1.0.6");
    assert_eq!(told.service(22, (DB_0, 5432)), "shop/all|shop/db");
}

#[test]
fn what_a_dns_server_found_in_the_search_list_is_told_without_it() {
    let mut told = Told::new(no_grace());
    told.asks("client", 10, 60, "www.example.com.shop.svc.cluster.local > www.example.com = 203.0.113.7");
    assert_eq!(told.name("client", 11, OUTSIDE).as_deref(), Some("www.example.com"));
    told.asks("client", 20, 60, "www.example.com.edge.example.net > www.example.com = 203.0.113.8");
    let name = told.name("client", 21, "203.0.113.8");
    assert_eq!(name.as_deref(), Some("www.example.com.edge.example.net"), "no search list of the cluster");
}

#[test]
fn flows_that_go_on_keep_their_name() {
    let hour = 3_600;
    let mut told = Told::new(no_grace());
    told.asks("client", 10, 60, "api.example.com = 203.0.113.7");
    told.asks("client", 10, 60, "gone.example.com = 203.0.113.8");
    for minute in 1..300 {
        told.asks("other", minute * 60, 60, "tick.example = 203.0.113.9");
        let row = at(flow((CLIENT, 41_000), (OUTSIDE, 443), Protocol::TCP), 20);
        let row = Flow { last_ts: seconds(minute * 60), ..row };
        let seen = told.resolved.name(&told.snapshot, attribute(&told.snapshot, &veth("client"), row));
        assert_eq!(seen.dst.dns_name.as_deref(), Some("api.example.com"), "minute {minute}");
    }
    assert_eq!(told.resolved.addresses(), 2, "what nobody asked for since is forgotten");
    assert_eq!(told.name("client", 2 * hour, OUTSIDE), None, "a new flow is not named by an old answer");
}

#[test]
fn over_the_cap_of_all_the_one_with_most_gives_up() {
    let limits = ResolvedLimits { max_addresses: 100, ..ResolvedLimits::default() };
    let mut told = Told::new(limits);
    told.asks("client", 1, 600, "api.example.com = 203.0.113.7");
    for number in 0..1_000 {
        told.asks("other", 2, 600, &format!("n{number}.example = 198.51.{}.{}", number / 250, number % 250));
    }
    assert!((80..=100).contains(&told.resolved.addresses()), "{}", told.resolved.addresses());
    assert_eq!(told.name("client", 3, OUTSIDE).as_deref(), Some("api.example.com"));
    assert_eq!(told.name("other", 3, "198.51.3.249").as_deref(), Some("n999.example"), "the newest stay");
    assert_eq!(told.name("other", 3, "198.51.0.0"), None);
}

/// What a pod does.
#[derive(Clone, Debug)]
enum Step {
    Asks { pod: bool, name: u8, alias: bool, addresses: Vec<u8>, ttl_s: u32 },
    Opens { pod: bool, address: u8 },
}

/// A name, from when and until when it counts.
type Answer = (String, i64, i64);

fn step() -> impl Strategy<Value = Step> {
    let asks = (any::<bool>(), 0..6_u8, any::<bool>(), prop::collection::vec(0..40_u8, 1..5), 0..20_u32);
    prop_oneof![
        asks.prop_map(|(pod, name, alias, addresses, ttl_s)| Step::Asks { pod, name, alias, addresses, ttl_s }),
        (any::<bool>(), 0..40_u8).prop_map(|(pod, address)| Step::Opens { pod, address }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn caps_are_kept_and_no_address_has_a_name_that_its_pod_did_not_resolve(
        steps in prop::collection::vec((step(), 0..8_i64), 1..120),
        max_addresses in 1..30_usize, max_addresses_each in 1..20_usize,
        max_bytes in 1_000..12_000_usize, max_bytes_each in 600..6_000_usize,
    ) {
        let limits = ResolvedLimits {
            max_addresses, max_addresses_each, max_bytes, max_bytes_each, max_spans: 3,
            grace_ns: SECOND_NS, keep_ns: 30 * SECOND_NS,
        };
        let mut told = Told::new(limits);
        let mut truth: HashMap<(bool, u8), HashSet<Answer>> = HashMap::new();
        let pod = |is_client: bool| if is_client { "client" } else { "other" };
        let mut now = 100;
        for (step, wait) in steps {
            now += wait;
            match step {
                Step::Asks { pod: is_client, name, alias, addresses, ttl_s } => {
                    let name = format!("n{name}.example");
                    let alias = if alias { " > alias.example.net" } else { "" };
                    let listed: Vec<_> = addresses.iter().map(|last| format!("198.51.100.{last}")).collect();
                    told.asks(pod(is_client), now, ttl_s, &format!("{name}{alias} = {}", listed.join(",")));
                    for address in addresses {
                        let until = now + i64::from(ttl_s) + 1;
                        truth.entry((is_client, address)).or_default().insert((name.clone(), now, until));
                    }
                }
                Step::Opens { pod: is_client, address } => {
                    let name = told.name(pod(is_client), now, &format!("198.51.100.{address}"));
                    let known = truth.get(&(is_client, address));
                    let fits = |name: &String| known.into_iter().flatten().any(|(told, from, until)| {
                        told == name && (*from..=*until).contains(&now)
                    });
                    prop_assert!(name.as_ref().is_none_or(fits), "{name:?} at {now} of {known:?}");
                }
            }
            prop_assert!(told.resolved.addresses() <= max_addresses);
            prop_assert!(told.resolved.memory_bytes() <= max_bytes);
        }
    }
}

#[test]
fn within_its_caps_everything_that_was_resolved_is_known() {
    let mut told = Told::new(ResolvedLimits::default());
    for number in 0..4_000 {
        let ip = IpAddr::from([198, 18, (number / 250) as u8, (number % 250) as u8]);
        told.asks("client", 10, 60, &format!("n{number}.example = {ip}"));
    }
    for number in 0..4_000 {
        let ip = IpAddr::from([198, 18, (number / 250) as u8, (number % 250) as u8]);
        assert_eq!(told.name("client", 11, &ip.to_string()), Some(format!("n{number}.example")));
    }
}
