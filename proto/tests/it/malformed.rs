//! Messages with one field that has no valid value: refused, with the field named.

use std::sync::Arc;

use prost::Message as _;
use weir_model::{
    AttributedFlow, AttributedRequest, Batch, Counters, Coverage, EndReason, Endpoint, EndpointKind, Exchange, Flow,
    FlowId, Http, Icmp, InitiatorBy, Leg, Loss, LossStage, Outcome, PerDirection, PodRef, PolicyLog, Protocol, Report,
    Request, RunId, Service, ServiceMethod, ServiceRef, ServiceType, Tap, TapRole, Tcp, TcpFlags, TcpState, Timestamp,
    Translation, Tunnel, TunnelKind, Tuple,
};
use weir_proto::v1::request_record::Exchange as Said;
use weir_proto::{
    DecodeError, DictionaryDecoder, DictionaryEncoder, decode_batch, decode_stored, encode_batch, record_from_flow, v1,
};

/// A batch with one flow, one request, one span and one loss, in which nothing is absent.
pub(crate) fn full_batch() -> Batch {
    let time = Timestamp(1_795_381_200_000_000_000);
    let pod = PodRef { namespace: "shop".into(), name: "web-1".into() };
    Batch {
        node: "node-a".into(),
        run: RunId(7),
        sequence: 1,
        flows: vec![AttributedFlow {
            flow: full_flow(time),
            tap: Arc::new(Tap { interface: "veth1".into(), role: TapRole::Pod, pod: Some(pod.clone()), sampling: 1 }),
            leg: Some(Leg::Client),
            src: Arc::new(endpoint("client-1")),
            dst: Arc::new(endpoint("web-1")),
            service: Some(Arc::new(full_service())),
        }],
        requests: vec![AttributedRequest {
            flow: Arc::new(AttributedFlow {
                flow: full_flow(time),
                tap: Arc::new(Tap { interface: "veth1".into(), role: TapRole::Pod, pod: None, sampling: 1 }),
                leg: None,
                src: Arc::new(endpoint("client-1")),
                dst: Arc::new(endpoint("web-1")),
                service: None,
            }),
            request: Request {
                ts: time,
                first_byte_us: Some(1),
                latency_us: Some(2),
                exchange: Exchange::Http(Http { status: Some(200), ..Http::default() }),
            },
        }],
        coverage: vec![Coverage {
            interface: Some("veth1".into()),
            role: TapRole::Pod,
            pod: Some(pod),
            from_ts: time,
            to_ts: Some(time),
            reason: Some("host network".into()),
        }],
        losses: vec![Loss {
            stage: LossStage::Kernel,
            interface: Some("veth1".into()),
            from_ts: time,
            to_ts: time,
            packets: Some(1),
            bytes: Some(2),
            rows: Some(3),
        }],
        policy_logs: vec![PolicyLog {
            ts: time,
            tuple: full_flow(time).tuple,
            isn: Some(7),
            group: 2,
            prefix: "DPI|default".into(),
        }],
        translations: vec![Translation {
            original: full_flow(time).tuple,
            reply: full_flow(time).tuple.reversed(),
            from_ts: Some(time),
            to_ts: Some(time),
            zone: Some(1),
        }],
        inputs: vec![],
    }
}

fn full_flow(time: Timestamp) -> Flow {
    let counters = Counters { packets: 3, bytes: 300, payload: 200 };
    Flow {
        id: FlowId(5),
        report: Report::End,
        is_first: true,
        tuple: Tuple {
            protocol: Protocol::TCP,
            src_ip: "10.244.1.4".parse().expect("valid"),
            src_port: 40_000,
            dst_ip: "fd00::5".parse().expect("valid"),
            dst_port: 80,
        },
        initiator_by: InitiatorBy::Syn,
        start_ts: time,
        first_ts: time.plus_ns(10),
        last_ts: time.plus_ns(20),
        window_start: time.plus_ns(-30),
        counters: PerDirection { fwd: counters, rev: counters },
        tcp: Some(Tcp {
            flags: PerDirection { fwd: TcpFlags::SYN, rev: TcpFlags::ACK },
            state: TcpState::Closed,
            handshake_rtt_us: Some(100),
            handshake_ack_us: Some(50),
            retransmits: PerDirection { fwd: 1, rev: 0 },
            out_of_order: PerDirection { fwd: 0, rev: 1 },
            zero_window: PerDirection { fwd: 2, rev: 2 },
            fast_retransmits: PerDirection { fwd: 1, rev: 1 },
            keep_alives: PerDirection { fwd: 3, rev: 3 },
            lost_bytes: PerDirection { fwd: 4, rev: 4 },
            isn: PerDirection { fwd: Some(1), rev: Some(2) },
        }),
        outcome: Outcome::Established,
        end_reason: Some(EndReason::Fin),
        vlan: vec![100],
        tunnel: vec![Tunnel { kind: TunnelKind::Vxlan, id: Some(42) }],
        icmp: vec![Icmp { kind: 3, code: 1 }],
        icmp_id: Some(7),
        tracked: Some(false),
    }
}

fn endpoint(name: &str) -> Endpoint {
    Endpoint { kind: EndpointKind::Pod, namespace: Some("shop".into()), name: Some(name.into()), ..Endpoint::default() }
}

fn full_service() -> Service {
    Service {
        used: Some(ServiceRef {
            namespace: "shop".into(),
            name: "web".into(),
            service_type: ServiceType::ClusterIp,
            port_name: Some("http".into()),
        }),
        method: Some(ServiceMethod::ClusterIp),
        candidates: vec!["shop/api".into()],
    }
}

type Spoil<M> = (&'static str, fn(&mut M));

/// Applies each change alone and expects a refusal that names the field.
fn assert_refused<M>(message: impl Fn() -> M, read: impl Fn(M) -> Option<String>, cases: &[Spoil<M>]) {
    assert_eq!(read(message()), None, "the unchanged message is read");
    for (field, spoil) in cases {
        let mut message = message();
        spoil(&mut message);
        let error = read(message).unwrap_or_else(|| panic!("{field}: read"));
        assert!(error.starts_with(&format!("{field} has no valid value: ")), "{field}: {error}");
    }
}

fn encoded() -> v1::Batch {
    encode_batch(&full_batch(), &mut DictionaryEncoder::new(16)).expect("fits")
}

/// Why a batch is not read, both as a message of a stream and from the journal.
fn refusal(message: v1::Batch) -> Option<String> {
    let stored = decode_stored(&message.encode_to_vec()).err().map(|error| error.to_string());
    let refused = decode_batch(message, &mut DictionaryDecoder::new(16)).err();
    assert!(matches!(refused, None | Some(DecodeError::Malformed(_))), "{refused:?}");
    assert_eq!(refused.map(|error| error.to_string()), stored);
    stored
}

fn tap(batch: &mut v1::Batch) -> &mut v1::Tap {
    let taps = batch.entries.iter_mut().filter_map(|entry| match &mut entry.name {
        Some(v1::entry::Name::Tap(tap)) => Some(tap),
        _ => None,
    });
    taps.last().expect("the batch names a tap")
}

fn endpoint_entry(batch: &mut v1::Batch) -> &mut v1::Endpoint {
    let endpoints = batch.entries.iter_mut().filter_map(|entry| match &mut entry.name {
        Some(v1::entry::Name::Endpoint(endpoint)) => Some(endpoint),
        _ => None,
    });
    endpoints.last().expect("the batch names an endpoint")
}

fn service_entry(batch: &mut v1::Batch) -> &mut v1::ServiceUse {
    let services = batch.entries.iter_mut().filter_map(|entry| match &mut entry.name {
        Some(v1::entry::Name::Service(service)) => Some(service),
        _ => None,
    });
    services.last().expect("the batch names a Service")
}

fn tcp(batch: &mut v1::Batch) -> &mut v1::TcpRecord {
    batch.flows[0].tcp.as_mut().expect("the flow is TCP")
}

fn set(batch: &mut v1::Batch, exchange: Said) {
    batch.requests[0].exchange = Some(exchange);
}

fn http(batch: &mut v1::Batch) -> &mut v1::HttpExchange {
    match &mut batch.requests[0].exchange {
        Some(Said::Http(http)) => http,
        other => panic!("not HTTP: {other:?}"),
    }
}

#[test]
fn a_record_without_a_valid_value_is_refused_by_its_field() {
    let cases: &[Spoil<v1::Batch>] = &[
        ("run", |b| b.run = vec![0; 15]),
        ("run", |b| b.run.clear()),
        ("policy_log.protocol", |b| b.policy_logs[0].protocol = 256),
        ("policy_log.src_ip", |b| b.policy_logs[0].src_ip.clear()),
        ("policy_log.dst_ip", |b| b.policy_logs[0].dst_ip = vec![0; 5]),
        ("policy_log.src_port", |b| b.policy_logs[0].src_port = 65_536),
        ("policy_log.dst_port", |b| b.policy_logs[0].dst_port = 65_536),
        ("policy_log.group", |b| b.policy_logs[0].group = 65_536),
        ("run", |b| b.run.push(0)),
        ("src_ip", |b| b.flows[0].src_ip.clear()),
        ("src_ip", |b| b.flows[0].src_ip.push(0)),
        ("dst_ip", |b| b.flows[0].dst_ip.truncate(15)),
        ("src_port", |b| b.flows[0].src_port = 65_536),
        ("dst_port", |b| b.flows[0].dst_port = u32::MAX),
        ("protocol", |b| b.flows[0].protocol = 256),
        ("report", |b| b.flows[0].report = 3),
        ("leg", |b| b.flows[0].leg = Some(3)),
        ("initiator_by", |b| b.flows[0].initiator_by = 3),
        ("outcome", |b| b.flows[0].outcome = 6),
        ("end_reason", |b| b.flows[0].end_reason = Some(u32::MAX)),
        ("vlan", |b| b.flows[0].vlan.push(65_536)),
        ("tunnel.type", |b| b.flows[0].tunnel[0].r#type = "VXLAN".to_owned()),
        ("icmp.type", |b| b.flows[0].icmp[0].r#type = 256),
        ("icmp.code", |b| b.flows[0].icmp[0].code = 256),
        ("icmp_id", |b| b.flows[0].icmp_id = Some(65_536)),
        ("tcp.keep_alives_fwd", |b| b.flows[0].tcp.as_mut().expect("TCP").keep_alives_fwd = 65_536),
        ("tcp.flags_fwd", |b| tcp(b).flags_fwd = 256),
        ("tcp.flags_rev", |b| tcp(b).flags_rev = 256),
        ("tcp.state", |b| tcp(b).state = 6),
        ("request.flow", |b| b.requests[0].flow = 1),
        ("request.exchange", |b| b.requests[0].exchange = None),
        ("src_ip", |b| b.request_flows[0].src_ip.clear()),
        ("http.version", |b| http(b).version = 3),
        ("http.status", |b| http(b).status = Some(65_536)),
        ("dns.kind", |b| set(b, Said::Dns(v1::DnsExchange { kind: 3, ..Default::default() }))),
        ("dns.qtype", |b| set(b, Said::Dns(v1::DnsExchange { qtype: Some(65_536), ..Default::default() }))),
        ("dns.rcode", |b| set(b, Said::Dns(v1::DnsExchange { rcode: Some(65_536), ..Default::default() }))),
        ("tls.kind", |b| set(b, Said::Tls(v1::TlsExchange { kind: 3, ..Default::default() }))),
        ("tls.version", |b| set(b, Said::Tls(v1::TlsExchange { version: Some(65_536), ..Default::default() }))),
        ("tls.cipher", |b| set(b, Said::Tls(v1::TlsExchange { cipher: Some(65_536), ..Default::default() }))),
    ];
    assert_refused(encoded, refusal, cases);
}

#[test]
fn a_name_span_or_loss_without_a_valid_value_is_refused_by_its_field() {
    let cases: &[Spoil<v1::Batch>] = &[
        ("entry.id", |b| b.entries[0].id = 0),
        ("entry.name", |b| b.entries[0].name = None),
        ("tap.sampling", |b| tap(b).sampling = 0),
        ("role", |b| tap(b).role = 0),
        ("role", |b| tap(b).role = 4),
        ("endpoint.kind", |b| endpoint_entry(b).kind = "Pod".to_owned()),
        ("endpoint.kind", |b| endpoint_entry(b).kind.clear()),
        ("service.type", |b| service_entry(b).r#type = Some("ClusterIP".to_owned())),
        ("service.method", |b| service_entry(b).method = Some(String::new())),
        ("service.name", |b| service_entry(b).name = None),
        ("service.name", |b| service_entry(b).namespace = None),
        ("service.name", |b| service_entry(b).r#type = None),
        ("service.name", |b| {
            let service = service_entry(b);
            (service.namespace, service.name, service.r#type) = (None, None, None);
        }),
        ("role", |b| b.coverage[0].role = 0),
        ("loss.stage", |b| b.losses[0].stage = "disk".to_owned()),
        ("translation.protocol", |b| b.translations[0].protocol = 256),
        ("translation.zone", |b| b.translations[0].zone = Some(65_536)),
        ("translation.original", |b| b.translations[0].original = None),
        ("translation.reply", |b| b.translations[0].reply.as_mut().expect("full").src_ip = vec![1, 2, 3]),
        ("translation.reply", |b| b.translations[0].reply.as_mut().expect("full").dst_port = 65_536),
    ];
    assert_refused(encoded, refusal, cases);
}

#[test]
fn a_flat_flow_without_a_valid_value_is_refused_by_its_column() {
    let flow = || v1::Flow {
        src_ip: Some("10.0.0.1".to_owned()),
        vlan: vec![1],
        tunnel: vec![v1::Tunnel { r#type: "gre".to_owned(), id: None }],
        icmp: vec![v1::Icmp { r#type: 3, code: 1 }],
        ..v1::Flow::default()
    };
    let cases: &[Spoil<v1::Flow>] = &[
        ("src_ip", |f| f.src_ip = Some("10.0.0".to_owned())),
        ("dst_ip", |f| f.dst_ip = Some(String::new())),
        ("client_ip", |f| f.client_ip = Some("web".to_owned())),
        ("backend_ip", |f| f.backend_ip = Some("::/0".to_owned())),
        ("vlan", |f| f.vlan[0] = 65_536),
        ("tunnel.type", |f| f.tunnel[0].r#type.clear()),
        ("icmp.type", |f| f.icmp[0].r#type = 256),
        ("icmp.code", |f| f.icmp[0].code = 256),
    ];
    assert_refused(flow, |flow| record_from_flow(flow).err().map(|error| error.to_string()), cases);
}
