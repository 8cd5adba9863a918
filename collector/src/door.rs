//! Who may come in. Agents show a certificate, people a certificate or a token; on a listener without TLS agents show
//! nothing, and people a token where there is a file of them.
//!
//! Health and reflection are open to whoever can connect: they tell whether the collector serves, and what its messages
//! look like, which is no secret.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use rustls::pki_types::CertificateDer;
use tonic::service::Interceptor;
use tonic::{Request, Status};
use tracing::{info, warn};
use weir_service::exit::{self, Usage};
use weir_service::fresh::Fresh;
use weir_service::operations::Metrics;
use weir_service::tls::{AGENT, CLIENT, Clients, Facts, Handshakes, ServerTls, TlsFiles, is_made_out_to};
use weir_service::tokens::Tokens;

use crate::CollectorSettings;

/// The certificates that somebody showed, with those between theirs and the CA. The listener has checked them.
type Certificates = Arc<Vec<CertificateDer<'static>>>;

/// The collector's door. Clones are the same door.
#[derive(Clone)]
pub(crate) struct Door {
    tls: Option<Fresh<ServerTls>>,
    tokens: Option<Fresh<Tokens>>,
    handshakes: Handshakes,
    refused: Arc<Refused>,
}

/// Those who were sent away, by what they wanted.
#[derive(Debug, Default)]
struct Refused {
    ingest: AtomicU64,
    observer: AtomicU64,
}

impl Door {
    /// Reads certificates and tokens, and goes on reading them. Must be called within a runtime.
    pub(crate) fn open(settings: &CollectorSettings) -> Result<Self> {
        let CollectorSettings { tls_cert, tls_key, tls_ca, .. } = settings;
        let files = TlsFiles::of(tls_cert.as_deref(), tls_key.as_deref(), tls_ca.as_deref());
        let files = files.map_err(|error| {
            exit::hinted(Usage(error.to_string()), "name --tls-cert, --tls-key and --tls-ca, or none of them")
        })?;
        if files.is_none() {
            check_plaintext(settings.listen, settings.plaintext)?;
        }
        let tls = files.map(|files| Fresh::keep("certificates", move || ServerTls::read(&files, Clients::Anyone)));
        let tokens = settings.tokens.clone().map(|path| Fresh::keep("tokens", move || Tokens::read(&path)));
        Ok(Self {
            tls: tls.transpose()?,
            tokens: tokens.transpose()?,
            handshakes: Handshakes::default(),
            refused: Arc::default(),
        })
    }

    /// What handshakes need; `None` = there is no TLS.
    pub(crate) fn tls(&self) -> Option<(Fresh<ServerTls>, Handshakes)> {
        self.tls.clone().map(|tls| (tls, self.handshakes.clone()))
    }

    /// Lets an agent in, or says why not. Which node it may speak for is asked later, of the badge.
    pub(crate) fn agent<T>(&self, request: &Request<T>) -> Result<Badge, Status> {
        let badge = Badge { certificates: request.peer_certs(), refused: Arc::clone(&self.refused) };
        if self.tls.is_some() && badge.certificates.is_none() {
            return Err(badge.refuse(Status::unauthenticated(format!(
                "an agent shows a certificate that is made out to {AGENT}: name --tls-cert and --tls-key"
            ))));
        }
        Ok(badge)
    }

    /// Lets a person in, or says why not.
    fn person(&self, request: &Request<()>) -> Result<(), Status> {
        let certificate = request.peer_certs();
        if certificate.as_ref().and_then(first).is_some_and(|one| is_made_out_to(one, CLIENT)) {
            return Ok(());
        }
        if self.tls.is_none() && self.tokens.is_none() {
            return Ok(());
        }
        let token = request.metadata().get("authorization").and_then(|value| value.to_str().ok()).and_then(bearer);
        match (token, &self.tokens) {
            (Some(token), Some(tokens)) if tokens.now().owner(token).is_some() => Ok(()),
            (Some(_), Some(_)) => Err(Status::unauthenticated("the token is none of the collector's")),
            (Some(_), None) => Err(Status::unauthenticated("the collector has no tokens: show a certificate")),
            (None, _) => Err(match certificate.as_ref().and_then(first) {
                Some(other) => Status::permission_denied(format!(
                    "the certificate is made out to {}, not to {CLIENT}",
                    names(other)
                )),
                None if self.tls.is_none() => Status::unauthenticated("show a token: authorization: Bearer TOKEN"),
                None => Status::unauthenticated(format!(
                    "show a certificate that is made out to {CLIENT}, or a token: authorization: Bearer TOKEN"
                )),
            }),
        }
    }

    /// Adds what happened at the door.
    pub(crate) fn add_to(&self, metrics: &mut Metrics) {
        let of = |service: &str| vec![("service", service.to_owned())];
        let refused = [("ingest", &self.refused.ingest), ("observer", &self.refused.observer)];
        let refused = refused.map(|(service, count)| (of(service), count.load(Ordering::Relaxed)));
        metrics.counters("refused_calls", "Calls of those who showed no valid certificate or token.", refused);
        let failed = self.handshakes.failed();
        metrics.counter("tls_failed_handshakes", "Connections that were dropped for want of a handshake.", failed);
        let what = |what: &str| vec![("what", what.to_owned())];
        let tls = self.tls.iter().map(|tls| ("certificates", tls.changes(), tls.failures()));
        let tokens = self.tokens.iter().map(|tokens| ("tokens", tokens.changes(), tokens.failures()));
        let files: Vec<_> = tls.chain(tokens).collect();
        let changes = files.iter().map(|(name, changes, _)| (what(name), *changes));
        metrics.counters("reloads", "Times that changed files were read again.", changes);
        let failures = files.iter().map(|(name, _, failures)| (what(name), *failures));
        metrics.counters(
            "failed_reloads",
            "Times that files could not be read again: the former ones count.",
            failures,
        );
        let ends = self.tls.iter().filter_map(|tls| Some((Vec::new(), tls.now().ends_at_s()? as f64)));
        metrics.gauges("tls_certificate_end_timestamp_seconds", "When the collector's certificate ends.", ends);
    }
}

impl Interceptor for Door {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match self.person(&request) {
            Ok(()) => Ok(request),
            Err(status) => {
                self.refused.observer.fetch_add(1, Ordering::Relaxed);
                info!(peer = ?request.remote_addr(), "refused: {}", status.message());
                Err(status)
            }
        }
    }
}

/// What an agent showed.
pub(crate) struct Badge {
    /// `None` = the listener has no TLS, and nothing is asked for.
    certificates: Option<Certificates>,
    refused: Arc<Refused>,
}

impl Badge {
    /// Whether it may speak for a node: with a certificate for any node, or with the node's own.
    pub(crate) fn check(&self, node: &str) -> Result<(), Status> {
        let Some(certificates) = &self.certificates else { return Ok(()) };
        let certificate = first(certificates);
        let of_node = format!("{node}.{AGENT}");
        if certificate.is_some_and(|one| is_made_out_to(one, AGENT) || is_made_out_to(one, &of_node)) {
            return Ok(());
        }
        let names = certificate.map_or_else(|| "nobody".to_owned(), names);
        Err(self.refuse(Status::permission_denied(format!(
            "the certificate is made out to {names}, not to {AGENT} or {of_node}"
        ))))
    }

    fn refuse(&self, status: Status) -> Status {
        self.refused.ingest.fetch_add(1, Ordering::Relaxed);
        status
    }
}

fn first(certificates: &Certificates) -> Option<&CertificateDer<'static>> {
    certificates.first()
}

fn names(certificate: &CertificateDer<'_>) -> String {
    let names = Facts::of(certificate).map(|facts| facts.names).unwrap_or_default();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// The token of an `authorization` header (RFC 6750).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Without TLS the collector listens on this machine alone, unless asked.
fn check_plaintext(listen: SocketAddr, asked: bool) -> Result<()> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    if asked {
        warn!(%listen, "without TLS: whoever reaches this address can send flows, and read all that is said");
        return Ok(());
    }
    let usage = Usage(format!("{listen} is not on this machine alone, and there is no TLS"));
    let hint = "name --tls-cert, --tls-key and --tls-ca (`weir certs init` makes them), or say --plaintext";
    Err(exit::hinted(usage, hint))
}
