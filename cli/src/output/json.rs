//! One JSON object a line: every column; of flows also the Community ID, which is made here and stored nowhere, and what
//! they said above the transport layer, where that is known.

use std::io::{self, Write};

use serde::Serialize;
use weir_model::tables::FLOWS;
use weir_model::{Dns, Exchange, Http, Record, Request, Tls, TlsVersion, qtype_name};

use super::FlowPrinter;

pub(super) struct Json<W> {
    out: W,
}

impl<W: Write> Json<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    row: &'a Record,
    #[serde(flatten)]
    flow: Option<OfFlow<'a>>,
}

/// What a flow's line has besides its columns.
#[derive(Serialize)]
struct OfFlow<'a> {
    community_id: Option<String>,
    #[serde(flatten)]
    said: Option<Said<'a>>,
}

/// What a flow said, by protocol.
#[derive(Serialize)]
struct Said<'a> {
    dns: Vec<DnsSaid<'a>>,
    http: Vec<HttpSaid<'a>>,
    tls: Option<TlsSaid<'a>>,
}

#[derive(Serialize)]
struct DnsSaid<'a> {
    qname: &'a str,
    qtype: Option<String>,
    rcode: Option<u16>,
    answers: Vec<&'a str>,
}

#[derive(Serialize)]
struct HttpSaid<'a> {
    version: &'static str,
    method: Option<&'a str>,
    host: Option<&'a str>,
    path: Option<&'a str>,
    status: Option<u16>,
    grpc_status: Option<u32>,
}

#[derive(Serialize)]
struct TlsSaid<'a> {
    sni: Option<&'a str>,
    alpn: &'a [Box<str>],
    version: Option<String>,
}

impl<'a> Said<'a> {
    fn of(requests: &'a [Request]) -> Self {
        let exchanges = || requests.iter().map(|request| &request.exchange);
        Self {
            dns: exchanges().filter_map(Exchange::dns).filter_map(DnsSaid::of).collect(),
            http: exchanges().filter_map(Exchange::http).map(HttpSaid::of).collect(),
            tls: exchanges().find_map(Exchange::tls).map(TlsSaid::of),
        }
    }
}

impl<'a> DnsSaid<'a> {
    /// `None` = it asks nothing, as what mDNS announces. Everything that came back is an answer here, glue too.
    fn of(dns: &'a Dns) -> Option<Self> {
        let answers = dns.answers.iter().chain(&dns.additional).map(|answer| &**answer).collect();
        Some(Self { qname: dns.qname.as_deref()?, qtype: dns.qtype.map(qtype_name), rcode: dns.rcode, answers })
    }
}

impl<'a> HttpSaid<'a> {
    fn of(http: &'a Http) -> Self {
        Self {
            version: http.version.name(),
            method: http.method.as_deref(),
            host: http.host.as_deref(),
            path: http.path.as_deref(),
            status: http.status,
            grpc_status: http.grpc_status,
        }
    }
}

impl<'a> TlsSaid<'a> {
    fn of(tls: &'a Tls) -> Self {
        Self { sni: tls.sni.as_deref(), alpn: &tls.alpn, version: tls.version.map(TlsVersion::name) }
    }
}

impl<W: Write> Json<W> {
    fn line(&mut self, row: &Record, said: Option<Said<'_>>) -> io::Result<()> {
        let is_flow = std::ptr::eq(row.columns, FLOWS.columns);
        let flow = is_flow.then(|| OfFlow { community_id: weir_model::community_id_of(row), said });
        serde_json::to_writer(&mut self.out, &Line { row, flow })?;
        writeln!(self.out)
    }
}

impl<W: Write> FlowPrinter for Json<W> {
    fn print(&mut self, row: &Record) -> io::Result<()> {
        self.line(row, None)
    }

    fn print_with(&mut self, row: &Record, said: &[Request]) -> io::Result<()> {
        self.line(row, Some(Said::of(said)))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
