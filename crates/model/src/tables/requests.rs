//! The `requests` table.

use std::borrow::Cow;

use super::party::OfFlow;
use crate::{FlowRow, Front, Http, Request, Split, Tls, Value};

/// One row of `requests`.
#[derive(Clone, Debug)]
pub struct RequestRow {
    /// The row of the flow that carried it, as the flow stood then; joined with its connection like the flow itself.
    pub flow: FlowRow,
    /// The exchange.
    pub request: Request,
    /// The user's request that this one was made for, at a gateway.
    pub front: Option<Front>,
    /// Where the time of a user's request at a gateway went.
    pub split: Option<Split>,
}

impl RequestRow {
    /// A request alone, before its other leg at a gateway is known.
    pub const fn alone(flow: FlowRow, request: Request) -> Self {
        Self { flow, request, front: None, split: None }
    }
}

impl OfFlow for RequestRow {
    fn flow_row(&self) -> &FlowRow {
        &self.flow
    }
}

/// Calls `$with! { name: type, group, documentation, value; ... }` with the columns of `requests` in order.
#[macro_export]
macro_rules! request_columns {
    ($with:ident $($prefix:tt)*) => { $crate::party_columns! { $with [$($prefix)*
        flow_id: Int64, Identity, "Number of the flow that carried it: unique together with node.",
            |r| r.flow.seen.flow.id.0.into();
        connection_id: Int64, Identity, "Number of the connection: the same on all its legs, on every node. Null = not joined.",
            |r| r.flow.connection.map(|c| c.0).into();
        leg: Text, Identity, "The tap's part in the connection: client (veth of the opener's pod), server (veth of the other pod), transit. Null = nothing says.",
            |r| r.flow.seen.leg.map(|leg| leg.name()).into();
        is_primary: Bool, Identity, "This leg stands for its connection: each exchange counts once among the rows where it is true (one through a proxy twice: its front and its back). Null = undecided yet.",
            |r| r.flow.is_primary.into();

        cluster: Text, Tap, "Name of the cluster, as configured at the collector. Null = none configured.",
            |r| r.flow.cluster.as_ref().into();
        node: Text, Tap, "Node whose agent saw it. Null = read from a file.",
            |r| r.flow.node.as_ref().into();
        interface: Text, Tap, "Interface of the tap, or the name of the capture file.",
            |r| (&r.flow.seen.tap.interface).into();

        ts: Time, Time, "First byte of the request; of the answer, where the request was not seen.",
            |r| r.request.ts.into();
        first_byte_us: Int64, Time, "Microseconds from the last byte of the request to the first byte of its answer; 0 where the answer came first. Null = one of them was not seen.",
            |r| r.request.first_byte_us.into();
        latency_us: Int64, Time, "Microseconds from the first byte of the request to the last byte of its answer. Null = one of them was not seen.",
            |r| r.request.latency_us.into();

        protocol: Text, Network, "IP protocol below it: tcp, udp.",
            |r| $crate::tables::protocol(r.flow.seen.flow.tuple.protocol);
        src_ip: Ip, Network, "The opener's address as this tap saw it. Of a connection that was joined half-way this may be the server's.",
            |r| r.flow.seen.flow.tuple.src_ip.into();
        src_port: Int32, Network, "The opener's port.",
            |r| $crate::tables::port(r.flow.seen.flow.tuple.protocol, r.flow.seen.flow.tuple.src_port);
        dst_ip: Ip, Network, "The other side's address as this tap saw it.",
            |r| r.flow.seen.flow.tuple.dst_ip.into();
        dst_port: Int32, Network, "The other side's port.",
            |r| $crate::tables::port(r.flow.seen.flow.tuple.protocol, r.flow.seen.flow.tuple.dst_port);

        l7: Text, Request, "Protocol: dns, mdns, llmnr, http, grpc, tls, dtls, quic.",
            |r| r.request.exchange.l7().name().into();
        http_version: Text, Request, "Version of HTTP: 1.0, 1.1, 2. Null = not HTTP.",
            |r| r.request.exchange.http().map(|http| http.version.name()).into();
        method: Text, Request, "HTTP method. Null = not HTTP, or the request was not seen.",
            |r| $crate::tables::http(r, |http| http.method.as_deref());
        host: Text, Request, "Host that the request asks for, as sent. Null = not HTTP, none sent, or not seen.",
            |r| $crate::tables::http(r, |http| http.host.as_deref());
        path: Text, Request, "HTTP request target as sent, without query string and user info. Null = not HTTP, not seen, or not kept (--l7 names).",
            |r| $crate::tables::http(r, |http| http.path.as_deref());
        status: Int32, Request, "HTTP status of the final response. Null = not HTTP, or no response was seen.",
            |r| r.request.exchange.http().and_then(|http| http.status).into();
        grpc_status: Int32, Request, "Status of the gRPC call, 0 = ok. Null = not gRPC, or not seen.",
            |r| r.request.exchange.http().and_then(|http| http.grpc_status).into();
        upgrade: Text, Request, "What the exchange turned the connection into: websocket, h2c, ... Null = nothing.",
            |r| $crate::tables::http(r, |http| http.upgrade.as_deref());
        request_id: Text, Request, "Value of X-Request-Id, else of traceparent. Null = not HTTP, or none sent.",
            |r| $crate::tables::http(r, |http| http.request_id.as_deref());
        front_request_id: Text, Request, "On the back leg of a gateway: id of the user's request that this one was made for, as either leg carries it. A row where it or front_connection_id is set is no further request of a user. Null = not joined, or neither leg carries an id.",
            |r| r.front.as_ref().and_then(|front| front.request_id.as_deref()).into();
        front_connection_id: Int64, Request, "Number of that request's connection to the gateway. Null = not joined.",
            |r| r.front.as_ref().and_then(|front| front.connection).map(|c| c.0).into();
        front_ts: Time, Request, "First byte of that request; of its connection's client hello where it came in TLS. Null = not joined.",
            |r| r.front.as_ref().map(|front| front.ts).into();
        front_method: Text, Request, "How it was found: request-id (both legs carry it), traceparent (both carry its trace), forwarded-for (X-Forwarded-For names the client of the only request or TLS connection that can be meant), only-one (only one TLS connection can be meant). Null = not joined.",
            |r| r.front.as_ref().map(|front| front.method.name()).into();
        gateway_us: Int64, Request, "On the front leg of a gateway: microseconds of latency_us that were not spent in backends. Null = not joined with the back leg, or no whole answer was seen.",
            |r| r.split.map(|split| split.gateway_us).into();
        backend_us: Int64, Request, "On the front leg of a gateway: microseconds from its requests to backends to the ends of their answers, all tries together. Null as gateway_us.",
            |r| r.split.map(|split| split.backend_us).into();
        qname: Text, Request, "Name of the first DNS question, lower case, without the last point (. = the root). Null = not DNS, or the message asks nothing.",
            |r| r.request.exchange.dns().and_then(|dns| dns.qname.as_deref()).into();
        qtype: Text, Request, "Type of the first DNS question: A, AAAA, SRV, ..., else TYPE and its number. Null as qname.",
            |r| r.request.exchange.dns().and_then(|dns| dns.qtype).map($crate::qtype_name).into();
        rcode: Int32, Request, "Code of the DNS answer: 0 = no error, 2 = server failure, 3 = no such name, ... Null = not DNS, or no answer was seen.",
            |r| r.request.exchange.dns().and_then(|dns| dns.rcode).into();
        answers: TextList, Request, "Records of the DNS answer: addresses, and names of CNAME, PTR, NS, MX and SRV records; the first 64. Null = none.",
            |r| $crate::tables::texts(r.request.exchange.dns().map_or(&[], |dns| &dns.answers));
        additional: TextList, Request, "Addresses in the other records of the DNS answer, which belong to other names (glue); the first 64. Null = none.",
            |r| $crate::tables::texts(r.request.exchange.dns().map_or(&[], |dns| &dns.additional));
        ttl_s: Int64, Request, "Least time to live of these records, in seconds. Null = none.",
            |r| r.request.exchange.dns().and_then(|dns| dns.ttl_s).into();
        sni: Text, Request, "Server name in the TLS client hello, as sent. Null = not TLS, none sent, or not seen.",
            |r| $crate::tables::tls(r, |tls| tls.sni.as_deref());
        alpn: TextList, Request, "Application protocols that the TLS client offers, in its order. Null = none.",
            |r| $crate::tables::texts(r.request.exchange.tls().map_or(&[], |tls| &tls.alpn));
        alpn_selected: Text, Request, "Application protocol that the TLS server chose. Null = none, or not visible (TLS 1.3 encrypts it).",
            |r| $crate::tables::tls(r, |tls| tls.alpn_selected.as_deref());
        tls_version_offered: Text, Request, "Highest version that the TLS client offers: TLS1.3, DTLS1.2, ... Null = its hello was not seen.",
            |r| r.request.exchange.tls().and_then(|tls| tls.version_offered).map(|version| version.name()).into();
        tls_version: Text, Request, "Version that the TLS server chose. Null = its hello was not seen.",
            |r| r.request.exchange.tls().and_then(|tls| tls.version).map(|version| version.name()).into();
        tls_cipher: Int32, Request, "Cipher suite that the TLS server chose, its number in the IANA registry. Null = its hello was not seen.",
            |r| r.request.exchange.tls().and_then(|tls| tls.cipher).into();
        ja4: Text, Request, "JA4 fingerprint of the TLS client hello. Null = it was not seen whole.",
            |r| $crate::tables::tls(r, |tls| tls.ja4.as_deref());
        ] [] } };
}

use super::define_table;
request_columns!(define_table REQUESTS: RequestRow, "requests",
    "One exchange above the transport layer at one tap: a DNS query, an HTTP request, a gRPC call, a TLS handshake.";);

// What follows is called by the value expressions above, which may be expanded in other crates.

#[doc(hidden)]
pub fn http<'a>(row: &'a RequestRow, get: impl FnOnce(&'a Http) -> Option<&'a str>) -> Value<'a> {
    row.request.exchange.http().and_then(get).into()
}

#[doc(hidden)]
pub fn tls<'a>(row: &'a RequestRow, get: impl FnOnce(&'a Tls) -> Option<&'a str>) -> Value<'a> {
    row.request.exchange.tls().and_then(get).into()
}

#[doc(hidden)]
pub fn texts(texts: &[Box<str>]) -> Value<'_> {
    if texts.is_empty() {
        return Value::Null;
    }
    Value::TextList(texts.iter().map(|text| Cow::Borrowed(&**text)).collect())
}
