//! Every kind of column, there and back.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use tempfile::TempDir;
use weir_model::tables::{COVERAGE, CoverageRow, FLOWS};
use weir_model::{
    Audit, Cause, Coverage, EndReason, Evidence, FlowRow, Icmp, Judgement, Nat, PerDirection, PodRef, Protocol, Reason,
    Record, RouteLeg, RouteMethod, RouteService, Routed, RulePlace, RunId, Service, ServiceMethod, ServiceRef,
    ServiceType, SideJudgement, TapRole, Tcp, TcpFlags, TcpState, Tier, Timestamp, Tunnel, TunnelKind, Value, Verdict,
};
use weir_store::{Order, Rows};

use crate::{START, ask, flow, lake, limits};

/// A flow with a value in every column.
fn full() -> FlowRow {
    let mut row = flow(1);
    row.cluster = Some("prod".into());
    row.nat = Some(Nat::Both);
    row.client = Some(("2001:db8::1".parse().expect("an address"), 1));
    row.backend = Some(([10, 9, 8, 7].into(), 65_535));
    let flow = &mut row.seen.flow;
    flow.tuple.protocol = Protocol::TCP;
    flow.end_reason = Some(EndReason::Fin);
    flow.vlan = vec![7, 4094];
    flow.tunnel =
        vec![Tunnel { kind: TunnelKind::Vxlan, id: Some(u32::MAX) }, Tunnel { kind: TunnelKind::Ipip, id: None }];
    flow.icmp = vec![Icmp { kind: 3, code: 255 }];
    flow.icmp_id = Some(u16::MAX);
    flow.tracked = Some(false);
    flow.tcp = Some(Tcp {
        flags: PerDirection { fwd: TcpFlags(0xff), rev: TcpFlags(0) },
        state: TcpState::Closed,
        handshake_rtt_us: Some(u32::MAX),
        handshake_ack_us: Some(0),
        retransmits: PerDirection { fwd: 1, rev: 2 },
        out_of_order: PerDirection { fwd: 3, rev: 4 },
        zero_window: PerDirection { fwd: 5, rev: 6 },
        fast_retransmits: PerDirection { fwd: 7, rev: 8 },
        keep_alives: PerDirection { fwd: 9, rev: 10 },
        lost_bytes: PerDirection { fwd: 11, rev: 12 },
        isn: PerDirection::default(),
    });
    for end in [&mut row.seen.src, &mut row.seen.dst] {
        let end = Arc::make_mut(end);
        end.workload_kind = Some("Deployment".into());
        end.workload = Some("naïve ☃".into());
        end.node = Some("node-b".into());
        end.zone = Some(String::new().into());
        end.labels = vec!["app=a".into(), "app=b".into()];
        end.dns_name = Some("example.test".into());
    }
    row.seen.leg = Some(weir_model::Leg::Client);
    row.seen.service = Some(Arc::new(Service {
        used: Some(ServiceRef {
            namespace: "shop".into(),
            name: "web".into(),
            service_type: ServiceType::NodePort,
            port_name: Some("http".into()),
        }),
        method: Some(ServiceMethod::Join),
        candidates: vec!["shop/web".into()],
    }));
    row.route = Some(Arc::new(Routed {
        leg: RouteLeg::Back,
        place: Some(RulePlace {
            kind: "Ingress",
            namespace: "shop".into(),
            name: "shop".into(),
            rule: Some(0),
            matched: Some(u32::MAX >> 1),
        }),
        host: Some("shop.example.test".into()),
        path: Some("/cart".into()),
        path_type: Some("Prefix"),
        method: Some(RouteMethod::Request),
        reason: Some("missing-backend"),
        candidates: vec!["Ingress/shop/shop/0/0".into()],
        flags: vec!["https-redirect", "no-class"],
        service: Some(RouteService { namespace: "shop".into(), name: "cart".into(), port: Some("http".into()) }),
    }));
    judge(&mut row);
    row
}

/// Says what policies say of a flow, in every column.
fn judge(row: &mut FlowRow) {
    let side = SideJudgement {
        verdict: Verdict::Denied,
        reason: Reason::IsolatedNoMatch,
        tier: Some(Tier::NetworkPolicy),
        policies: vec!["shop/web".into()],
        rule: Some(0),
    };
    row.judgement = Some(Arc::new(Judgement {
        egress: side.clone(),
        ingress: side,
        evidence: Evidence::Inferred,
        versions: vec!["shop/web@7".into()],
        since: Some(START),
    }));
    row.audit = Some(Audit::DeniedButPassed);
    row.cause = Some(Cause::Policy);
}

/// The lake keeps microseconds.
fn stored(row: &FlowRow) -> Record {
    let mut record = FLOWS.record(row);
    for value in &mut record.values {
        if let Value::Time(time) = value {
            *value = Value::Time(Timestamp::from_micros(time.as_micros()));
        }
    }
    record
}

#[tokio::test]
async fn every_column_comes_back_from_the_tail_and_from_the_lake() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    let rows = Rows { flows: vec![full(), flow(2)], ..Rows::default() };
    assert!(rows.flows.iter().all(|row| FLOWS.record(row).values.len() == FLOWS.columns.len()));
    assert!(FLOWS.record(&rows.flows[0]).values.iter().all(|value| !value.is_null()), "a value in every column");
    let expected: Vec<_> = rows.flows.iter().map(stored).collect();
    lake.put(1, &rows);
    assert_eq!(lake.flows(None, Order::First(10), limits()).await.expect("answers"), expected);
    let report = lake.commit(1).await.expect("commits");
    assert_eq!((report.rows, report.files), (2, 1));
    assert_eq!(lake.tail_rows(), 0);
    assert_eq!(lake.flows(None, Order::First(10), limits()).await.expect("answers"), expected);
}

#[tokio::test]
async fn answers_have_the_documented_columns_as_plain_types() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    lake.put(1, &crate::flows(1..3));
    lake.commit(1).await.expect("commits");
    lake.put(2, &crate::flows(3..4));
    let (schema, _) = lake.query("select * from flows", limits()).await.expect("answers");
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let documented: Vec<_> = std::iter::once("hour").chain(FLOWS.columns.iter().map(|column| column.name)).collect();
    assert_eq!(names, documented);
    let kind = |name: &str| schema.field_with_name(name).expect("a column").data_type().clone();
    assert_eq!(kind("hour"), DataType::Utf8);
    assert_eq!(kind("src_ip"), DataType::Utf8);
    assert_eq!(kind("bytes_fwd"), DataType::Int64);
    assert_eq!(kind("dst_port"), DataType::Int32);
    assert_eq!(kind("first_ts"), DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())));
    let text = ask(&lake, "select upper(dst_name), substr(hour, 1, 4), 'x' || node from flows", limits()).await;
    for field in text.expect("answers")[0].schema().fields() {
        assert_eq!(field.data_type(), &DataType::Utf8, "{}", field.name());
    }
}

#[tokio::test]
async fn coverage_and_losses_come_back() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    let coverage = CoverageRow {
        node: "node-a".into(),
        run: RunId(7),
        coverage: Coverage {
            interface: None,
            role: TapRole::Pod,
            pod: Some(PodRef { namespace: "shop".into(), name: "web".into() }),
            from_ts: START,
            to_ts: Some(START.plus_ns(1_000)),
            reason: Some("host-network".into()),
        },
    };
    assert_eq!(COVERAGE.columns.len(), 9);
    lake.put(1, &Rows { losses: vec![crate::loss(5)], coverage: vec![coverage], ..Rows::default() });
    lake.commit(1).await.expect("commits");
    let sql = "select (select sum(rows) from losses where stage = 'queue' and hour = '2026-11-22T20'),
        (select count(*) from coverage where reason = 'host-network' and to_ts > from_ts and name = 'web')";
    assert_eq!(crate::numbers(&lake, sql).await, [5, 1]);
}
