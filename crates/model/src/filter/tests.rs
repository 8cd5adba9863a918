use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::tables::FLOWS;
use crate::{
    AttributedFlow, Counters, Endpoint, EndpointKind, Flow, FlowId, Icmp, InitiatorBy, Leg, Outcome, PerDirection,
    Protocol, Report, Service, ServiceMethod, ServiceRef, ServiceType, Tap, TapRole, Timestamp, Tunnel, TunnelKind,
    Tuple,
};

fn pod(namespace: &str, workload: &str, name: &str, labels: &[&str]) -> Arc<Endpoint> {
    Arc::new(Endpoint {
        kind: EndpointKind::Pod,
        namespace: Some(namespace.into()),
        name: Some(name.into()),
        workload_kind: Some("Deployment".into()),
        workload: Some(workload.into()),
        node: Some("node-a".into()),
        zone: None,
        labels: labels.iter().map(|label| Arc::from(*label)).collect(),
        dns_name: None,
    })
}

/// `guest/intruder` talks to Service `shop/web` at 10.96.1.10:80, whose pod `shop/web-1` is 10.244.1.10:8080.
fn row() -> FlowRow {
    let time = Timestamp::parse("2026-11-22T21:00:00.000001500Z").expect("valid");
    let flow = Flow {
        id: FlowId(7),
        report: Report::End,
        is_first: true,
        tuple: Tuple {
            protocol: Protocol::UDP,
            src_ip: "10.244.2.14".parse().expect("valid"),
            src_port: 40_000,
            dst_ip: "10.96.1.10".parse().expect("valid"),
            dst_port: 80,
        },
        initiator_by: InitiatorBy::FirstPacket,
        start_ts: time,
        first_ts: time,
        last_ts: time,
        window_start: time,
        counters: PerDirection { fwd: Counters { packets: 2, bytes: 1000, payload: 900 }, rev: Counters::default() },
        tcp: None,
        outcome: Outcome::OneWay,
        end_reason: None,
        vlan: vec![100],
        tunnel: vec![Tunnel { kind: TunnelKind::Vxlan, id: Some(42) }],
        icmp: vec![Icmp { kind: 3, code: 1 }],
        icmp_id: None,
        tracked: None,
    };
    let used = ServiceRef {
        namespace: "shop".into(),
        name: "web".into(),
        service_type: ServiceType::ClusterIp,
        port_name: None,
    };
    let tap = Tap { interface: "veth1".into(), role: TapRole::Pod, pod: None, sampling: 1 };
    let mut row = FlowRow::alone(AttributedFlow {
        flow,
        tap: Arc::new(tap),
        leg: Some(Leg::Client),
        src: pod("guest", "intruder", "intruder-1", &["app=intruder"]),
        dst: pod("shop", "web", "web-1", &["app=web", "tier=front"]),
        service: Some(Arc::new(Service {
            used: Some(used),
            method: Some(ServiceMethod::ClusterIp),
            candidates: Vec::new(),
        })),
    });
    row.node = Some("node-b".into());
    row.backend = Some(("10.244.1.10".parse().expect("valid"), 8080));
    row
}

fn parsed(text: &str) -> Filter {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn matches(text: &str) -> bool {
    let (filter, row) = (parsed(text), row());
    let answer = filter.matches_row(&row);
    assert_eq!(answer, filter.matches(&FLOWS.record(&row)), "{text}");
    assert_eq!(!answer, parsed(&format!("not {text}")).matches_row(&row), "not {text}");
    answer
}

#[test]
fn dns_means_the_names_that_addresses_were_resolved_from() {
    let mut row = row();
    row.seen.dst = Arc::new(Endpoint { dns_name: Some("api.example.com".into()), ..Endpoint::default() });
    let matches = |text: &str| text.parse::<Filter>().expect("valid").matches_row(&row);
    for text in ["dns=api.example.com", "to.dns=*.example.com", "to.dns=*", "not from.dns=*"] {
        assert!(matches(text), "{text}");
    }
    for text in ["dns=example.com", "from.dns=*.example.com", "dns=API.example.com"] {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn words_mean_either_side_and_from_and_to_one() {
    for text in [
        "namespace=shop",
        "namespace=guest",
        "from.namespace=guest",
        "to.namespace=shop",
        "pod=web-1",
        "pod=shop/web-1",
        "to.pod=shop/web-*",
        "pod=*/web-1",
        "workload=web",
        "workload=shop/web",
        "workload=Deployment/shop/web",
        "ip=10.96.1.10",
        "ip=10.244.1.10",
        "to.ip=10.244.1.0/24",
        "from.ip=10.244.0.0/16",
        "port=80",
        "to.port=8080",
        "port=30000-50000",
        "from.port>=40000",
        "label=app=web",
        "label=tier",
        "to.label=app=w*",
        "from.label=app",
        "service=web",
        "to.service=shop/web",
        "service=shop/*",
        "from.node=node-a",
        "node=node-b",
    ] {
        assert!(matches(text), "{text}");
    }
    for text in [
        "namespace=sho",
        "from.namespace=shop",
        "to.namespace=guest",
        "pod=web",
        "pod=guest/web-1",
        "from.pod=web-1",
        "workload=guest/web",
        "workload=StatefulSet/shop/web",
        "ip=10.244.1.11",
        "from.ip=10.244.1.10",
        "port=8081",
        "from.port=80",
        "port=81-90",
        "label=app=we",
        "label=ap",
        "from.label=tier",
        "service=db",
        "from.service=web",
        "service=guest/web",
        "from.node=node-b",
        "node=node-a",
    ] {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn every_type_of_column_compares() {
    for text in [
        "outcome=established,one-way",
        "protocol=UDP",
        "protocol=17",
        "bytes_fwd>=1000",
        "bytes_fwd<=1000",
        "bytes_fwd>999",
        "bytes_fwd<1001",
        "bytes_fwd=999-1001",
        "is_first=true",
        "dst_labels=tier=front",
        "dst_labels=tier=*",
        "vlan=100",
        "vlan=99-101",
        "tunnel=vxlan",
        "tunnel=vxlan/42",
        "icmp=3",
        "icmp=3/1",
        "first_ts=2026-11-22T21:00:00.000001Z",
        "first_ts>=2026-11-22T22:00:00.000001+01:00",
        "first_ts<2026-11-22T21:00:00.000002Z",
        "service_name=*",
        "interface=veth*",
        "dst_ip=10.96.0.0/12",
    ] {
        assert!(matches(text), "{text}");
    }
    for text in [
        "outcome=established",
        "protocol=tcp",
        "bytes_fwd>1000",
        "bytes_fwd<1000",
        "is_first=false",
        "dst_labels=tier",
        "vlan=99",
        "tunnel=gre",
        "tunnel=vxlan/43",
        "icmp=4",
        "icmp=3/3",
        "first_ts>2026-11-22T21:00:00.000001Z",
        "src_port<0",
        "src_port>9223372036854775807",
        "dst_ip=10.244.0.0/16",
        "interface=veth",
    ] {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn null_fits_no_value_and_not_keeps_it() {
    assert!(!matches("end_reason=fin") && !matches("cluster=*") && !matches("handshake_rtt_us>=0"));
    assert_eq!(parsed("not end_reason=fin").to_sql(), "(end_reason = 'fin') IS NOT TRUE");
    assert!(parsed("not end_reason=fin and not cluster=x,y").matches_row(&row()));
}

#[test]
fn clauses_are_joined_by_and_values_by_or() {
    assert!(matches("namespace=x,shop"));
    assert!(parsed("namespace=shop and port=80 and not port=81").matches_row(&row()));
    assert!(!parsed("namespace=shop and port=81").matches_row(&row()));
    assert!(parsed("").matches_row(&row()) && parsed(" ").is_empty());
}

#[test]
fn prints_values_as_they_were_understood() {
    for (text, printed) in [
        ("protocol = 6 , UDP", "protocol=tcp,udp"),
        ("ip=FD00::0:5,10.1.2.3/8", "ip=fd00::5,10.0.0.0/8"),
        ("port!=080  AND  Not port=5-06", "not port=80 and not port=5-6"),
        ("not not port>80", "port>80"),
        ("first_ts>=0.0000015", "first_ts>=1970-01-01T00:00:00.000001Z"),
        (r#"interface="a \"b\\",c"#, r#"interface="a \"b\\",c"#),
        (r#"label="app=web""#, "label=app=web"),
    ] {
        assert_eq!(parsed(text).to_string(), printed);
    }
}

#[test]
fn problems_name_the_place_and_what_was_expected() {
    for (text, message) in [
        ("podd=x", "at character 1: unknown field: podd (did you mean pod?)"),
        ("pod=x and to.prt=1", "at character 11: unknown field: to.prt (did you mean to.port, to.pod?)"),
        ("é=1", "at character 1: expected a field, found: é=1"),
        ("pod", "at character 4: expected one of = != >= <= > <, found the end"),
        ("pod=", "at character 5: expected a value, found the end"),
        ("pod=a b=c", "at character 7: expected \"and\" between clauses, or a comma between values, found: b=c"),
        ("pod=\"é\" and pod=\"x", "at character 17: this double quote is never closed"),
        ("pod>x", "at character 4: pod takes = only, not: >"),
        ("port>1,2", "at character 5: port takes several values with = only, not: >"),
        ("port=1,http", "at character 8: not a value for port: http (expected a number, or a range such as 400-499)"),
        ("pod=a/b/c", "at character 5: not a value for pod: a/b/c (expected a pod: name or namespace/name)"),
        ("nat=yes", "at character 5: not a value for nat: yes (expected one of none, dst, src, both)"),
        (
            "ip=10.0.0",
            "at character 4: not a value for ip: 10.0.0 (expected an address, or a network such as 10.0.0.0/8)",
        ),
    ] {
        let error = text.parse::<Filter>().map(|filter| filter.to_string()).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
    }
    for text in
        ["port=-1", "port=9-1", "port>1-2", "port=99999999999999999999", "is_first=1", "protocol=256", "pod=", "and"]
    {
        assert!(text.parse::<Filter>().is_err(), "{text}");
    }
    let two = "pod=a and pod=b".parse::<Clause>().expect_err("two clauses");
    assert_eq!(two.to_string(), "at character 7: expected no more than one clause, found: and");
    let clause = Clause::new("nodes", Operator::Equals, &["x"]).expect_err("no such field");
    assert_eq!(clause.to_string(), "unknown field: nodes (did you mean node?)");
}

#[test]
fn sql_says_the_same_or_more_and_never_less() {
    let sql = |text: &str| (parsed(text).to_sql(), parsed(text).is_exact_in_sql());
    assert_eq!(
        sql("outcome=one-way,refused and bytes_fwd>=5").0,
        "((outcome = 'one-way' OR outcome = 'refused')) AND (bytes_fwd >= 5)"
    );
    assert_eq!(
        sql("to.pod=shop/w_b*").0,
        r"((dst_kind = 'pod' AND (dst_namespace = 'shop' AND dst_name LIKE 'w\_b%' ESCAPE '\')))"
    );
    assert_eq!(sql("dst_labels=a=b"), ("(array_has(dst_labels, 'a=b'))".to_owned(), true));
    assert_eq!(sql("tunnel=vxlan"), ("(tunnel IS NOT NULL)".to_owned(), false));
    assert_eq!(sql("not tunnel=vxlan"), ("true".to_owned(), false), "the opposite of more is less");
    assert_eq!(sql(""), ("true".to_owned(), true));
}

/// SQL without its text literals, each replaced by `?`; `None` where a literal does not end.
fn skeleton(sql: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = sql;
    while let Some((before, literal)) = rest.split_once('\'') {
        out.push_str(before);
        out.push('?');
        rest = literal;
        loop {
            let (_, behind) = rest.split_once('\'')?;
            rest = behind;
            match rest.strip_prefix('\'') {
                Some(behind) => rest = behind,
                None => break,
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

fn clauses() -> impl Strategy<Value = Clause> {
    let names: Vec<&'static str> = super::field::names().collect();
    let operator = prop::sample::select(Operator::ALL.to_vec());
    let word = prop_oneof![
        "[a-z/=*]{1,6}",
        "[ -~]{1,8}",
        any::<String>(),
        "[0-9]{1,5}",
        "[0-9]{1,4}-[0-9]{5}",
        "true",
        "10\\.[0-9]{1,2}\\.0\\.0/[0-9]{1,2}",
        "vxlan/[0-9]{1,3}",
        "tcp",
        "2026-11-22T2[0-3]:00:00Z",
        "pod",
        "fin",
    ];
    (prop::sample::select(names), operator, prop::collection::vec(word, 1..4), any::<bool>()).prop_filter_map(
        "not a clause",
        |(name, operator, values, negated)| {
            let clause = Clause::new(name, operator, &values).ok()?;
            Some(if negated { clause.negated() } else { clause })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { max_local_rejects: 1_000_000, max_global_rejects: 1_000_000, ..ProptestConfig::default() })]

    #[test]
    fn a_filter_prints_and_parses_back(clauses in prop::collection::vec(clauses(), 0..5)) {
        let filter = Filter::new(clauses);
        let text = filter.to_string();
        prop_assert_eq!(text.parse::<Filter>(), Ok(filter), "{}", text);
    }

    #[test]
    fn any_text_is_a_filter_or_a_problem_within_it(text in "[a-z.=<>!,\" \\\\é()0-9]{0,40}") {
        if let Err(error) = text.parse::<Filter>() {
            prop_assert!(error.at.is_some_and(|at| (1..=text.chars().count() + 1).contains(&at)));
        }
    }

    #[test]
    fn a_record_passes_where_its_row_does(clauses in prop::collection::vec(clauses(), 0..3)) {
        let (filter, row) = (Filter::new(clauses), row());
        prop_assert_eq!(filter.matches_row(&row), filter.matches(&FLOWS.record(&row)));
    }

    #[test]
    fn no_value_leaves_its_literal_in_sql(value in r"[a-z'\\;\-% _/*]{1,20}") {
        let plain = if value.contains('*') { "*" } else { "x" };
        for (field, before) in [("interface", ""), ("namespace", ""), ("label", "key="), ("dst_labels", "")] {
            let sql = |value: &str| {
                Clause::new(field, Operator::Equals, &[format!("{before}{value}")]).expect("takes any text").to_sql()
            };
            prop_assert_eq!(skeleton(&sql(&value)), skeleton(&sql(plain)), "{}", field);
        }
    }
}
