//! Batches and rows of any content, extreme values among them. Flows of one batch share a few names, as real ones do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use weir_model::tables::{ObjectEvent, ObjectRow, RequestRow};
use weir_model::{
    AttributedFlow, AttributedRequest, Audit, Batch, Cause, ConnectionId, Counters, Coverage, Dns, DnsKind, EndReason,
    Endpoint, EndpointKind, Evidence, Exchange, Flow, FlowId, FlowRow, Http, HttpMarks, HttpVersion, Icmp, InitiatorBy,
    Input, Judgement, Leg, Loss, LossStage, Nat, Outcome, PerDirection, PodRef, PolicyLog, Protocol, Reason, Report,
    Request, RouteLeg, RouteMethod, RouteService, Routed, RulePlace, RunId, Service, ServiceMethod, ServiceRef,
    ServiceType, SideJudgement, Tap, TapRole, Tcp, TcpFlags, TcpState, Tier, Timestamp, Tls, TlsKind, TlsVersion,
    Translation, Tunnel, TunnelKind, Tuple, Verdict,
};

/// The most flows of a batch, so that it has no more than 16 names: each flow has up to 4.
const FLOWS: usize = 4;

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    let requests = vec((any::<Index>(), request()), 0..4);
    (
        name(),
        any::<u128>(),
        any::<u64>(),
        flows(),
        requests,
        vec(coverage(), 0..3),
        (vec(loss(), 0..3), vec(policy_log(), 0..3), vec(translation(), 0..3), vec(input(), 0..3)),
    )
        .prop_map(
            |(node, run, sequence, flows, requests, coverage, (losses, policy_logs, translations, inputs))| Batch {
                node,
                run: RunId(run),
                sequence,
                requests: carried(&flows, requests),
                flows,
                coverage,
                losses,
                policy_logs,
                translations,
                inputs,
            },
        )
}

fn policy_log() -> impl Strategy<Value = PolicyLog> {
    let ends = (any::<bool>(), any::<[u8; 16]>(), any::<[u8; 16]>());
    let numbers = (any::<u8>(), any::<u16>(), any::<u16>(), any::<u16>(), option::of(any::<u32>()));
    (any::<i64>(), ends, numbers, ".{0,64}").prop_map(|(ts, (v6, src, dst), numbers, prefix)| {
        let ip = |bytes: [u8; 16]| -> IpAddr {
            if v6 { bytes.into() } else { [bytes[0], bytes[1], bytes[2], bytes[3]].into() }
        };
        let (protocol, src_port, dst_port, group, isn) = numbers;
        let tuple = Tuple { protocol: Protocol(protocol), src_ip: ip(src), src_port, dst_ip: ip(dst), dst_port };
        PolicyLog { ts: Timestamp(ts), tuple, isn, group, prefix: prefix.into() }
    })
}

fn input() -> impl Strategy<Value = Input> {
    let parts = (name(), any::<i64>(), option::of(name()));
    parts.prop_map(|(name, since, problem)| Input { name, since: Timestamp(since), problem })
}

/// Requests that some of `flows` carried; none without flows.
fn carried(flows: &[AttributedFlow], requests: Vec<(Index, Request)>) -> Vec<AttributedRequest> {
    let carriers: Vec<_> = flows.iter().cloned().map(Arc::new).collect();
    let requests = requests.into_iter().filter(|_| !carriers.is_empty());
    requests.map(|(carrier, request)| AttributedRequest { flow: Arc::clone(carrier.get(&carriers)), request }).collect()
}

/// Parts are boxed: by value, their strategies and trees are more than the stack of a test holds.
pub(crate) fn request_row() -> impl Strategy<Value = RequestRow> {
    (row().boxed(), request().boxed()).prop_map(|(flow, request)| RequestRow::alone(flow, request)).boxed()
}

fn request() -> impl Strategy<Value = Request> {
    let exchange = prop_oneof![
        dns().prop_map(Exchange::Dns).boxed(),
        http().prop_map(Exchange::Http).boxed(),
        tls().prop_map(Exchange::Tls).boxed(),
    ];
    (time(), option::of(any::<u32>()), option::of(any::<u32>()), exchange)
        .prop_map(|(ts, first_byte_us, latency_us, exchange)| Request { ts, first_byte_us, latency_us, exchange })
}

fn said() -> impl Strategy<Value = Option<Box<str>>> + Clone {
    option::of(".{0,8}".prop_map(Into::into)).boxed()
}

fn listed() -> impl Strategy<Value = Vec<Box<str>>> {
    vec("[a-z.]{1,8}".prop_map(Into::into), 0..3)
}

fn dns() -> impl Strategy<Value = Dns> {
    let codes = (option::of(any::<u16>()), option::of(any::<u16>()), option::of(any::<u32>()), any::<u64>());
    (select(DnsKind::ALL), said(), codes, listed(), listed()).prop_map(
        |(kind, qname, (qtype, rcode, ttl_s, chain), answers, additional)| Dns {
            kind,
            qname,
            qtype,
            rcode,
            answers,
            additional,
            ttl_s,
            chain,
        },
    )
}

fn http() -> impl Strategy<Value = Http> {
    let words = (said(), said(), said(), said(), said());
    let codes = (option::of(any::<u16>()), option::of(any::<u32>()));
    (select(HttpVersion::ALL), any::<bool>(), words, codes, marks()).prop_map(
        |(version, is_grpc, words, codes, marks)| Http {
            version,
            is_grpc,
            method: words.0,
            host: words.1,
            path: words.2,
            status: codes.0,
            grpc_status: codes.1,
            upgrade: words.3,
            request_id: words.4,
            marks,
        },
    )
}

fn marks() -> impl Strategy<Value = Option<Box<HttpMarks>>> {
    let forwarded_for = option::of((ip(), option::of(any::<u16>())));
    (option::of(any::<u128>()), forwarded_for).prop_map(|(trace, forwarded_for)| {
        let marks = HttpMarks { trace, forwarded_for };
        Some(marks).filter(|marks| *marks != HttpMarks::default()).map(Box::new)
    })
}

fn tls() -> impl Strategy<Value = Tls> {
    let version = || option::of(any::<u16>().prop_map(TlsVersion));
    let words = (said(), said(), said());
    (select(TlsKind::ALL), words, listed(), version(), version(), option::of(any::<u16>())).prop_map(
        |(kind, words, alpn, version_offered, version, cipher)| Tls {
            kind,
            sni: words.0,
            alpn,
            alpn_selected: words.1,
            version_offered,
            version,
            cipher,
            ja4: words.2,
        },
    )
}

fn side() -> impl Strategy<Value = SideJudgement> {
    let why = (select(Verdict::ALL), select(Reason::ALL), option::of(select(Tier::ALL)));
    (why, vec(name(), 0..3), option::of(0..100_u32))
        .prop_map(|((verdict, reason, tier), policies, rule)| SideJudgement { verdict, reason, tier, policies, rule })
}

fn judgement() -> impl Strategy<Value = Arc<Judgement>> {
    let since = option::of((0..2_000_000_000_000_000_i64).prop_map(Timestamp::from_micros));
    (side(), side(), select(Evidence::ALL), vec(name(), 0..3), since).prop_map(
        |(egress, ingress, evidence, versions, since)| {
            Arc::new(Judgement { egress, ingress, evidence, versions, since })
        },
    )
}

pub(crate) fn row() -> impl Strategy<Value = FlowRow> {
    (unrouted(), option::of(routed())).prop_map(|(row, route)| FlowRow { route: route.map(Arc::new), ..row })
}

fn routed() -> impl Strategy<Value = Routed> {
    let kind = select(vec!["Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute"]);
    let number = || option::of(0..=u32::MAX >> 1);
    let place = (kind, name(), name(), number(), number())
        .prop_map(|(kind, namespace, name, rule, matched)| RulePlace { kind, namespace, name, rule, matched });
    let service =
        (name(), name(), option::of(name())).prop_map(|(namespace, name, port)| RouteService { namespace, name, port });
    let how = (select(RouteLeg::ALL), option::of(select(RouteMethod::ALL)), option::of(Just("no-host")));
    let path = (option::of(name()), option::of(name()), option::of(Just("Prefix")));
    let lists = (vec(name(), 0..3), vec(Just("no-class"), 0..3));
    (how, option::of(place), path, lists, option::of(service)).boxed().prop_map(
        |((leg, method, reason), place, (host, path, path_type), (candidates, flags), service)| Routed {
            leg,
            place,
            host,
            path,
            path_type,
            method,
            reason,
            candidates,
            flags,
            service,
        },
    )
}

fn unrouted() -> impl Strategy<Value = FlowRow> {
    let unseen = (any::<bool>(), any::<bool>()).prop_map(|(fwd, rev)| PerDirection { fwd, rev });
    let joined = (option::of(any::<u64>()), option::of(any::<bool>()), option::of(select(Nat::ALL)), unseen);
    let behind = (option::of((ip(), any::<u16>())), option::of((ip(), any::<u16>())));
    let said = (option::of(judgement()), option::of(select(Audit::ALL)), option::of(select(Cause::ALL)));
    (attributed().boxed(), option::of(name()), option::of(name()), joined, behind, said.boxed()).prop_map(
        |(seen, cluster, node, (connection, is_primary, nat, unseen), (client, backend), (judgement, audit, cause))| {
            FlowRow {
                cluster,
                node,
                run: None,
                seen,
                connection: connection.map(ConnectionId::new),
                is_primary,
                unseen,
                nat,
                client,
                backend,
                judgement,
                audit,
                cause,
                route: None,
            }
        },
    )
}

/// Flows whose names are chosen from a few.
fn flows() -> impl Strategy<Value = Vec<AttributedFlow>> {
    let names = (vec(tap(), 1..4), vec(endpoint(), 1..6), vec(service(), 1..4));
    let choice = (any::<Index>(), any::<Index>(), any::<Index>(), option::of(any::<Index>()), leg());
    (names, vec((flow(), choice), 0..=FLOWS)).prop_map(|((taps, endpoints, services), flows)| {
        let attributed =
            |(flow, (tap, src, dst, service, leg)): (Flow, (Index, Index, Index, Option<Index>, _))| AttributedFlow {
                flow,
                tap: Arc::clone(tap.get(&taps)),
                leg,
                src: Arc::clone(src.get(&endpoints)),
                dst: Arc::clone(dst.get(&endpoints)),
                service: service.map(|service| Arc::clone(service.get(&services))),
            };
        flows.into_iter().map(attributed).collect()
    })
}

fn attributed() -> impl Strategy<Value = AttributedFlow> {
    (flow(), tap(), leg(), endpoint(), endpoint(), option::of(service()))
        .prop_map(|(flow, tap, leg, src, dst, service)| AttributedFlow { flow, tap, leg, src, dst, service })
}

fn flow() -> impl Strategy<Value = Flow> {
    let identity = (number(), select(vec![Report::Start, Report::Window, Report::End]), any::<bool>());
    let times = (time(), time(), time(), time());
    let ends = (select(InitiatorBy::ALL), select(Outcome::ALL), option::of(select(EndReason::ALL)));
    let headers = (
        vec(any::<u16>(), 0..3),
        vec(tunnel(), 0..3),
        vec(icmp(), 0..3),
        option::of(any::<u16>()),
        any::<Option<bool>>(),
    );
    let counters = (counters(), counters());
    (identity, tuple(), times, ends, counters, option::of(tcp()), headers).prop_map(
        |((id, report, is_first), tuple, times, (initiator_by, outcome, end_reason), counters, tcp, headers)| Flow {
            id: FlowId(id),
            report,
            is_first,
            tuple,
            initiator_by,
            start_ts: times.0,
            first_ts: times.1,
            last_ts: times.2,
            window_start: times.3,
            counters: PerDirection { fwd: counters.0, rev: counters.1 },
            tcp,
            outcome,
            end_reason,
            vlan: headers.0,
            tunnel: headers.1,
            icmp: headers.2,
            icmp_id: headers.3,
            tracked: headers.4,
        },
    )
}

fn tcp() -> impl Strategy<Value = Tcp> {
    let flags = both(any::<u8>().prop_map(TcpFlags));
    let round_trips = (option::of(any::<u32>()), option::of(any::<u32>()));
    let counts = (both(any::<u32>()), both(any::<u32>()), both(any::<u32>()));
    let more = (both(any::<u32>()), both(any::<u16>()), both(any::<u32>()));
    (flags, select(TcpState::ALL), round_trips, counts, more, both(option::of(any::<u32>()))).prop_map(
        |(flags, state, round_trips, counts, more, isn)| Tcp {
            flags,
            state,
            handshake_rtt_us: round_trips.0,
            handshake_ack_us: round_trips.1,
            retransmits: counts.0,
            out_of_order: counts.1,
            zero_window: counts.2,
            fast_retransmits: more.0,
            keep_alives: more.1,
            lost_bytes: more.2,
            isn,
        },
    )
}

fn both<T: std::fmt::Debug>(one: impl Strategy<Value = T> + Clone) -> impl Strategy<Value = PerDirection<T>> {
    (one.clone(), one).prop_map(|(fwd, rev)| PerDirection { fwd, rev })
}

fn counters() -> impl Strategy<Value = Counters> {
    (number(), number(), number()).prop_map(|(packets, bytes, payload)| Counters { packets, bytes, payload })
}

fn tuple() -> impl Strategy<Value = Tuple> {
    (any::<u8>(), ip(), any::<u16>(), ip(), any::<u16>()).prop_map(|(protocol, src_ip, src_port, dst_ip, dst_port)| {
        Tuple { protocol: Protocol(protocol), src_ip, src_port, dst_ip, dst_port }
    })
}

fn translation() -> impl Strategy<Value = Translation> {
    (tuple(), tuple(), option::of(time()), option::of(time()), option::of(any::<u16>())).prop_map(
        |(original, reply, from_ts, to_ts, zone)| {
            let reply = Tuple { protocol: original.protocol, ..reply };
            Translation { original, reply, from_ts, to_ts, zone }
        },
    )
}

fn tap() -> impl Strategy<Value = Arc<Tap>> {
    (name(), role(), option::of(pod()), prop_oneof![Just(1), 1..=u32::MAX])
        .prop_map(|(interface, role, pod, sampling)| Arc::new(Tap { interface, role, pod, sampling }))
}

fn endpoint() -> impl Strategy<Value = Arc<Endpoint>> {
    let place = (option::of(name()), option::of(name()), option::of(name()));
    let owner = (option::of(name()), option::of(name()));
    let host = (option::of(name()), option::of(name()));
    (select(EndpointKind::ALL), place, owner, host, vec(name(), 0..3)).prop_map(|(kind, place, owner, host, labels)| {
        Arc::new(Endpoint {
            kind,
            namespace: place.0,
            name: place.1,
            workload_kind: owner.0,
            workload: owner.1,
            node: host.0,
            zone: host.1,
            labels,
            dns_name: place.2,
        })
    })
}

fn service() -> impl Strategy<Value = Arc<Service>> {
    let used = (name(), name(), select(ServiceType::ALL), option::of(name()))
        .prop_map(|(namespace, name, service_type, port_name)| ServiceRef { namespace, name, service_type, port_name });
    (option::of(used), option::of(select(ServiceMethod::ALL)), vec(name(), 0..3))
        .prop_map(|(used, method, candidates)| Arc::new(Service { used, method, candidates }))
}

fn coverage() -> impl Strategy<Value = Coverage> {
    (option::of(name()), role(), option::of(pod()), time(), option::of(time()), option::of(name())).prop_map(
        |(interface, role, pod, from_ts, to_ts, reason)| Coverage { interface, role, pod, from_ts, to_ts, reason },
    )
}

fn loss() -> impl Strategy<Value = Loss> {
    let counts = (option::of(number()), option::of(number()), option::of(number()));
    (select(LossStage::ALL), option::of(name()), time(), time(), counts).prop_map(
        |(stage, interface, from_ts, to_ts, (packets, bytes, rows))| Loss {
            stage,
            interface,
            from_ts,
            to_ts,
            packets,
            bytes,
            rows,
        },
    )
}

pub(crate) fn object_row() -> impl Strategy<Value = ObjectRow> {
    let key = (option::of(name()), name(), name(), option::of(name()), name());
    let version = (option::of(name()), option::of(name()), select(ObjectEvent::ALL), option::of(name()));
    let times = (time(), option::of(time()), option::of(time()), option::of(time()));
    (key, version, times).prop_map(
        |((cluster, api_version, kind, namespace, name), (uid, resource_version, event, object), times)| ObjectRow {
            cluster,
            api_version,
            kind,
            namespace,
            name,
            uid,
            resource_version,
            event,
            seen_ts: times.0,
            since_ts: times.1,
            created_ts: times.2,
            deleted_ts: times.3,
            object,
        },
    )
}

fn leg() -> impl Strategy<Value = Option<Leg>> {
    option::of(select(Leg::ALL))
}

fn role() -> impl Strategy<Value = TapRole> {
    select(TapRole::ALL)
}

fn pod() -> impl Strategy<Value = PodRef> {
    (name(), name()).prop_map(|(namespace, name)| PodRef { namespace, name })
}

fn tunnel() -> impl Strategy<Value = Tunnel> {
    let kind = select(vec![TunnelKind::Vxlan, TunnelKind::Geneve, TunnelKind::Gre, TunnelKind::Ipip]);
    (kind, option::of(any::<u32>())).prop_map(|(kind, id)| Tunnel { kind, id })
}

fn icmp() -> impl Strategy<Value = Icmp> {
    (any::<u8>(), any::<u8>()).prop_map(|(kind, code)| Icmp { kind, code })
}

fn ip() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from(bits))),
        any::<[u8; 4]>().prop_map(|octets| IpAddr::V6(Ipv4Addr::from(octets).to_ipv6_mapped())),
    ]
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        6 => (0..3_600_000_000_000_i64).prop_map(|offset| 1_795_381_200_000_000_000 + offset),
        1 => any::<i64>(),
        1 => select(vec![i64::MIN, i64::MIN + 1, -1, 0, i64::MAX]),
    ]
    .prop_map(Timestamp)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..100_000_u64, 1 => any::<u64>(), 1 => Just(u64::MAX)]
}

/// Often the same, seldom anything.
fn name() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![3 => "[a-c]", 1 => "[a-z0-9=/-]{0,12}", 1 => any::<String>()].prop_map(Arc::from)
}
