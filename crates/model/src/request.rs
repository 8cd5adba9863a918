//! Requests: one exchange above the transport layer, as one flow carried it.

use std::net::{IpAddr, SocketAddr};

use crate::Timestamp;
use crate::flow::names;

/// One exchange: a DNS query and its answer, an HTTP request and its response, a TLS handshake's hellos.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The first byte of the request; of the answer, where the request was not seen.
    pub ts: Timestamp,
    /// Microseconds from the last byte of the request to the first byte of its answer; 0 where the answer came first.
    /// `None` = one of the two was not seen.
    pub first_byte_us: Option<u32>,
    /// Microseconds from the first byte of the request to the last byte of its answer. `None` = one of the two was not
    /// seen.
    pub latency_us: Option<u32>,
    /// What was said.
    pub exchange: Exchange,
}

/// What was said in an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// DNS and its relatives.
    Dns(Dns),
    /// HTTP, and gRPC on top of it.
    Http(Http),
    /// The hellos of TLS and its relatives.
    Tls(Tls),
}

/// The protocol of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum L7 {
    /// DNS over UDP or TCP (RFC 1035).
    Dns,
    /// Multicast DNS (RFC 6762).
    Mdns,
    /// Link-local multicast name resolution (RFC 4795).
    Llmnr,
    /// HTTP of any version.
    Http,
    /// gRPC over HTTP/2.
    Grpc,
    /// TLS over TCP.
    Tls,
    /// TLS over datagrams (RFC 6347, RFC 9147).
    Dtls,
    /// TLS within QUIC (RFC 9001).
    Quic,
}

names!(L7 {
    Dns = "dns", Mdns = "mdns", Llmnr = "llmnr", Http = "http", Grpc = "grpc", Tls = "tls", Dtls = "dtls",
    Quic = "quic",
});

impl Exchange {
    /// The protocol.
    pub const fn l7(&self) -> L7 {
        match self {
            Self::Dns(dns) => match dns.kind {
                DnsKind::Dns => L7::Dns,
                DnsKind::Mdns => L7::Mdns,
                DnsKind::Llmnr => L7::Llmnr,
            },
            Self::Http(http) if http.is_grpc => L7::Grpc,
            Self::Http(_) => L7::Http,
            Self::Tls(tls) => match tls.kind {
                TlsKind::Tls => L7::Tls,
                TlsKind::Dtls => L7::Dtls,
                TlsKind::Quic => L7::Quic,
            },
        }
    }

    /// What of it is DNS.
    pub const fn dns(&self) -> Option<&Dns> {
        match self {
            Self::Dns(dns) => Some(dns),
            _ => None,
        }
    }

    /// What of it is HTTP.
    pub const fn http(&self) -> Option<&Http> {
        match self {
            Self::Http(http) => Some(http),
            _ => None,
        }
    }

    /// What of it is TLS.
    pub const fn tls(&self) -> Option<&Tls> {
        match self {
            Self::Tls(tls) => Some(tls),
            _ => None,
        }
    }
}

/// Which relative of DNS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DnsKind {
    /// DNS itself.
    #[default]
    Dns,
    /// Multicast DNS.
    Mdns,
    /// Link-local multicast name resolution.
    Llmnr,
}

names!(DnsKind { Dns = "dns", Mdns = "mdns", Llmnr = "llmnr" });

/// A DNS query and its answer; either may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dns {
    /// Which relative of DNS.
    pub kind: DnsKind,
    /// The first question's name in lower case, without the last point; the root is `.`. `None` = the message asks
    /// nothing.
    pub qname: Option<Box<str>>,
    /// The first question's type.
    pub qtype: Option<u16>,
    /// The answer's code, the extended bits of EDNS among it (RFC 6891). `None` = no answer was seen.
    pub rcode: Option<u16>,
    /// The answer's records in order, capped: addresses as text, names of CNAME, PTR, NS and SRV records.
    pub answers: Vec<Box<str>>,
    /// Addresses among the answer's other records, which belong to other names (glue), in order, capped.
    pub additional: Vec<Box<str>>,
    /// The smallest time to live of the answer's records, in seconds. `None` = there are none.
    pub ttl_s: Option<u32>,
    /// Which of `answers` lead from the question to its addresses, bit n for answer n: aliases (CNAME), each followed by
    /// what it stands for, and the addresses of the last.
    pub chain: u64,
}

impl Dns {
    /// The addresses that the question's name was resolved to: those of the name itself, or of what it is an alias of.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.chained().filter_map(|answer| answer.parse().ok())
    }

    /// The question's name and what it is an alias of, from one alias to the next.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let aliases = self.chained().filter(|answer| answer.parse::<IpAddr>().is_err());
        self.qname.iter().map(|name| &**name).chain(aliases)
    }

    fn chained(&self) -> impl Iterator<Item = &str> {
        let bits = (0..u64::BITS).map(|bit| self.chain >> bit & 1 == 1);
        self.answers.iter().zip(bits).filter(|(_, leads)| *leads).map(|(answer, _)| &**answer)
    }
}

const QTYPES: [(u16, &str); 38] = [
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (17, "RP"),
    (18, "AFSDB"),
    (24, "SIG"),
    (25, "KEY"),
    (28, "AAAA"),
    (29, "LOC"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (99, "SPF"),
    (249, "TKEY"),
    (250, "TSIG"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (256, "URI"),
    (257, "CAA"),
];

/// The name of a DNS record type (IANA registry); `TYPE` and the number where it has none (RFC 3597).
pub fn qtype_name(number: u16) -> String {
    let known = QTYPES.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| format!("TYPE{number}"), |(_, name)| (*name).to_owned())
}

/// The number of a DNS record type, from what [`qtype_name`] gives.
pub fn parse_qtype(name: &str) -> Option<u16> {
    let known = QTYPES.iter().find(|(_, known)| *known == name);
    known.map(|(number, _)| *number).or_else(|| name.strip_prefix("TYPE")?.parse().ok())
}

/// An HTTP request and its response; either may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Http {
    /// The version as in the message: 1.0, 1.1, 2.
    pub version: HttpVersion,
    /// It is a gRPC call: its content type says so.
    pub is_grpc: bool,
    /// The method. `None` = the request was not seen.
    pub method: Option<Box<str>>,
    /// The host it asks for, as sent: of the request target, `:authority`, or the `Host` header. `None` = none was sent, or
    /// not seen.
    pub host: Option<Box<str>>,
    /// The request target as sent, without its query string and user info. `None` = not seen, or not to be kept.
    pub path: Option<Box<str>>,
    /// The final status. `None` = no response was seen.
    pub status: Option<u16>,
    /// gRPC's own status, of the trailers or the only header block.
    pub grpc_status: Option<u32>,
    /// What the connection was turned into by this exchange: `websocket`, `h2c`, ...; `None` = it was not.
    pub upgrade: Option<Box<str>>,
    /// The value of `X-Request-Id`, else of `traceparent`.
    pub request_id: Option<Box<str>>,
    /// What tells the request that a proxy made for this one, or this one for; `None` = nothing does.
    pub marks: Option<Box<HttpMarks>>,
}

/// What proxies pass on of a request, for joining its two legs. Not stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HttpMarks {
    /// The trace id of `traceparent` (W3C Trace Context, 3.2.2.3).
    pub trace: Option<u128>,
    /// The last address of `X-Forwarded-For`, which is the one that the last proxy added, and its port where it names one.
    pub forwarded_for: Option<(IpAddr, Option<u16>)>,
}

impl HttpMarks {
    /// Adds what a value of `traceparent` says: version, trace id and parent id in hexadecimal digits, joined by `-`.
    pub fn set_trace(marks: &mut Option<Box<Self>>, value: &[u8]) {
        let digits = value.get(3..35).filter(|_| value.get(2) == Some(&b'-') && value.get(35) == Some(&b'-'));
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let trace = digits.and_then(|digits| u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if let Some(trace) = trace.filter(|trace| *trace != 0) {
            marks.get_or_insert_default().trace = Some(trace);
        }
    }

    /// Adds what a value of `X-Forwarded-For` says last.
    pub fn set_forwarded_for(marks: &mut Option<Box<Self>>, value: &[u8]) {
        let last = value.rsplit(|byte| *byte == b',').next().and_then(|last| std::str::from_utf8(last).ok());
        let Some(last) = last.map(str::trim) else { return };
        let bare = last.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(last);
        let alone = bare.parse::<IpAddr>().ok().map(|ip| (ip.to_canonical(), None));
        let both = || last.parse::<SocketAddr>().ok().map(|peer| (peer.ip().to_canonical(), Some(peer.port())));
        if let Some(peer) = alone.or_else(both) {
            marks.get_or_insert_default().forwarded_for = Some(peer);
        }
    }
}

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.0.
    Http10,
    /// HTTP/1.1.
    #[default]
    Http11,
    /// HTTP/2.
    Http2,
}

names!(HttpVersion { Http10 = "1.0", Http11 = "1.1", Http2 = "2" });

/// Which relative of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsKind {
    /// TLS over TCP.
    #[default]
    Tls,
    /// DTLS.
    Dtls,
    /// QUIC.
    Quic,
}

names!(TlsKind { Tls = "tls", Dtls = "dtls", Quic = "quic" });

/// The hellos of a TLS handshake; either may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Which relative of TLS.
    pub kind: TlsKind,
    /// The server's name that the client asks for, as sent. `None` = it names none, or its hello was not seen.
    pub sni: Option<Box<str>>,
    /// Application protocols that the client offers, in its order.
    pub alpn: Vec<Box<str>>,
    /// The application protocol that the server chose. `None` = none, or not visible (TLS 1.3 encrypts it).
    pub alpn_selected: Option<Box<str>>,
    /// The highest version that the client offers.
    pub version_offered: Option<TlsVersion>,
    /// The version that the server chose. `None` = its hello was not seen.
    pub version: Option<TlsVersion>,
    /// The cipher suite that the server chose, its number in the IANA registry.
    pub cipher: Option<u16>,
    /// The client's JA4 fingerprint. `None` = its hello was not seen whole.
    pub ja4: Option<Box<str>>,
}

/// A version of TLS or DTLS, as its two bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TlsVersion(pub u16);

impl TlsVersion {
    /// The name: `TLS1.3`, `DTLS1.2`; else the number, `0x7f1c`.
    pub fn name(self) -> String {
        match self.0 {
            0x0002 => "SSL2".to_owned(),
            0x0300 => "SSL3".to_owned(),
            0x0301 => "TLS1.0".to_owned(),
            0x0302 => "TLS1.1".to_owned(),
            0x0303 => "TLS1.2".to_owned(),
            0x0304 => "TLS1.3".to_owned(),
            0xfeff => "DTLS1.0".to_owned(),
            0xfefd => "DTLS1.2".to_owned(),
            0xfefc => "DTLS1.3".to_owned(),
            other => format!("0x{other:04x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_says_its_protocol() {
        let dns = |kind| Exchange::Dns(Dns { kind, ..Dns::default() }).l7();
        assert_eq!([dns(DnsKind::Dns), dns(DnsKind::Mdns), dns(DnsKind::Llmnr)], [L7::Dns, L7::Mdns, L7::Llmnr]);
        let http = |is_grpc| Exchange::Http(Http { is_grpc, ..Http::default() }).l7();
        assert_eq!([http(false), http(true)], [L7::Http, L7::Grpc]);
        let tls = |kind| Exchange::Tls(Tls { kind, ..Tls::default() }).l7();
        assert_eq!([tls(TlsKind::Tls), tls(TlsKind::Dtls), tls(TlsKind::Quic)], [L7::Tls, L7::Dtls, L7::Quic]);
    }

    #[test]
    fn the_last_address_and_the_trace_are_what_proxies_pass_on() {
        let marks = |trace: &str, forwarded: &str| {
            let mut marks = None;
            HttpMarks::set_trace(&mut marks, trace.as_bytes());
            HttpMarks::set_forwarded_for(&mut marks, forwarded.as_bytes());
            marks.map_or((None, None), |marks| (marks.trace, marks.forwarded_for))
        };
        let ip = |text: &str| text.parse().expect("an address");
        assert_eq!(marks("", "1.2.3.4, 10.0.0.7"), (None, Some((ip("10.0.0.7"), None))));
        assert_eq!(marks("", "10.0.0.7:81").1, Some((ip("10.0.0.7"), Some(81))));
        assert_eq!(marks("", "[fd00::1]").1, Some((ip("fd00::1"), None)));
        assert_eq!(marks("", "[fd00::1]:81").1, Some((ip("fd00::1"), Some(81))));
        assert_eq!(marks("", "fd00::1").1, Some((ip("fd00::1"), None)));
        assert_eq!(marks("", "unknown"), (None, None));
        assert_eq!(
            marks("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "").0,
            Some(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c)
        );
        assert_eq!(marks("00-00000000000000000000000000000000-b7ad6b7169203331-01", "").0, None);
        assert_eq!(marks("00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01", "").0, None);
        assert_eq!(marks("00-0af7", "").0, None);
    }

    #[test]
    fn record_types_have_names() {
        for number in 0..=u16::MAX {
            assert_eq!(parse_qtype(&qtype_name(number)), Some(number));
        }
        assert_eq!((qtype_name(28), qtype_name(4_000)), ("AAAA".to_owned(), "TYPE4000".to_owned()));
    }

    #[test]
    fn versions_have_names() {
        assert_eq!(TlsVersion(0x0304).name(), "TLS1.3");
        assert_eq!(TlsVersion(0x7f1c).name(), "0x7f1c");
    }
}
