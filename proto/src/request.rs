//! One request as a record of a batch and back.

use weir_model::{Dns, DnsKind, Exchange, Http, HttpMarks, HttpVersion, Request, Timestamp, Tls, TlsKind, TlsVersion};

use crate::names::Malformed;
use crate::record::{index_of, ip_from_wire, ip_to_wire, moved, narrow, span, value_at};
use crate::v1;
use crate::v1::request_record::Exchange as Wire;

pub(crate) fn encode_request(request: &Request, flow: u32, base: Timestamp) -> v1::RequestRecord {
    v1::RequestRecord {
        flow,
        time_ns: span(base, request.ts),
        first_byte_us: request.first_byte_us,
        latency_us: request.latency_us,
        exchange: Some(match &request.exchange {
            Exchange::Dns(dns) => Wire::Dns(dns_to_wire(dns)),
            Exchange::Http(http) => Wire::Http(http_to_wire(http)),
            Exchange::Tls(tls) => Wire::Tls(tls_to_wire(tls)),
        }),
    }
}

pub(crate) fn decode_request(record: v1::RequestRecord, base: Timestamp) -> Result<Request, Malformed> {
    Ok(Request {
        ts: moved(base, record.time_ns),
        first_byte_us: record.first_byte_us,
        latency_us: record.latency_us,
        exchange: match record.exchange {
            Some(Wire::Dns(dns)) => Exchange::Dns(dns_from_wire(dns)?),
            Some(Wire::Http(http)) => Exchange::Http(http_from_wire(http)?),
            Some(Wire::Tls(tls)) => Exchange::Tls(tls_from_wire(tls)?),
            None => return Err(Malformed::new("request.exchange", &"absent")),
        },
    })
}

fn dns_to_wire(dns: &Dns) -> v1::DnsExchange {
    v1::DnsExchange {
        kind: index_of(DnsKind::ALL, &dns.kind),
        qname: text(dns.qname.as_deref()),
        qtype: dns.qtype.map(u32::from),
        rcode: dns.rcode.map(u32::from),
        answers: texts(&dns.answers),
        additional: texts(&dns.additional),
        ttl_s: dns.ttl_s,
        chain: dns.chain,
    }
}

fn dns_from_wire(dns: v1::DnsExchange) -> Result<Dns, Malformed> {
    Ok(Dns {
        kind: value_at(DnsKind::ALL, dns.kind, "dns.kind")?,
        qname: dns.qname.map(Into::into),
        qtype: dns.qtype.map(|qtype| narrow(qtype, "dns.qtype")).transpose()?,
        rcode: dns.rcode.map(|rcode| narrow(rcode, "dns.rcode")).transpose()?,
        answers: dns.answers.into_iter().map(Into::into).collect(),
        additional: dns.additional.into_iter().map(Into::into).collect(),
        ttl_s: dns.ttl_s,
        chain: dns.chain,
    })
}

fn http_to_wire(http: &Http) -> v1::HttpExchange {
    let forwarded = http.marks.as_ref().and_then(|marks| marks.forwarded_for);
    v1::HttpExchange {
        version: index_of(HttpVersion::ALL, &http.version),
        is_grpc: http.is_grpc,
        method: text(http.method.as_deref()),
        host: text(http.host.as_deref()),
        path: text(http.path.as_deref()),
        status: http.status.map(u32::from),
        grpc_status: http.grpc_status,
        upgrade: text(http.upgrade.as_deref()),
        request_id: text(http.request_id.as_deref()),
        trace: http.marks.as_ref().and_then(|marks| marks.trace).map(|trace| trace.to_be_bytes().to_vec()),
        forwarded_for: forwarded.map(|(ip, _)| ip_to_wire(ip)),
        forwarded_port: forwarded.and_then(|(_, port)| port).map(u32::from),
    }
}

fn http_from_wire(http: v1::HttpExchange) -> Result<Http, Malformed> {
    let marks = marks_from_wire(&http)?;
    Ok(Http {
        version: value_at(HttpVersion::ALL, http.version, "http.version")?,
        is_grpc: http.is_grpc,
        method: http.method.map(Into::into),
        host: http.host.map(Into::into),
        path: http.path.map(Into::into),
        status: http.status.map(|status| narrow(status, "http.status")).transpose()?,
        grpc_status: http.grpc_status,
        upgrade: http.upgrade.map(Into::into),
        request_id: http.request_id.map(Into::into),
        marks,
    })
}

fn marks_from_wire(http: &v1::HttpExchange) -> Result<Option<Box<HttpMarks>>, Malformed> {
    let digits = |bytes: &Vec<u8>| {
        let digits = <[u8; 16]>::try_from(bytes.as_slice());
        digits.map_err(|_| Malformed::new("http.trace", &format_args!("{} bytes", bytes.len())))
    };
    let trace = http.trace.as_ref().map(digits).transpose()?.map(u128::from_be_bytes);
    let ip = http.forwarded_for.as_ref().map(|bytes| ip_from_wire(bytes, "http.forwarded_for")).transpose()?;
    let port = http.forwarded_port.map(|port| narrow(port, "http.forwarded_port")).transpose()?;
    let marks = HttpMarks { trace, forwarded_for: ip.map(|ip| (ip, port)) };
    Ok(Some(marks).filter(|marks| *marks != HttpMarks::default()).map(Box::new))
}

fn tls_to_wire(tls: &Tls) -> v1::TlsExchange {
    v1::TlsExchange {
        kind: index_of(TlsKind::ALL, &tls.kind),
        sni: text(tls.sni.as_deref()),
        alpn: texts(&tls.alpn),
        alpn_selected: text(tls.alpn_selected.as_deref()),
        version_offered: tls.version_offered.map(|version| u32::from(version.0)),
        version: tls.version.map(|version| u32::from(version.0)),
        cipher: tls.cipher.map(u32::from),
        ja4: text(tls.ja4.as_deref()),
    }
}

fn tls_from_wire(tls: v1::TlsExchange) -> Result<Tls, Malformed> {
    let version = |version: Option<u32>, field| version.map(|v| narrow(v, field).map(TlsVersion)).transpose();
    Ok(Tls {
        kind: value_at(TlsKind::ALL, tls.kind, "tls.kind")?,
        sni: tls.sni.map(Into::into),
        alpn: tls.alpn.into_iter().map(Into::into).collect(),
        alpn_selected: tls.alpn_selected.map(Into::into),
        version_offered: version(tls.version_offered, "tls.version_offered")?,
        version: version(tls.version, "tls.version")?,
        cipher: tls.cipher.map(|cipher| narrow(cipher, "tls.cipher")).transpose()?,
        ja4: tls.ja4.map(Into::into),
    })
}

fn text(text: Option<&str>) -> Option<String> {
    text.map(ToOwned::to_owned)
}

fn texts(texts: &[Box<str>]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
