//! A handshake: what its hellos say, and when they came. Hellos come in, in any order; one exchange goes out.

use weir_model::{Exchange, Timestamp, Tls, TlsKind, TlsVersion};

use super::hello::{ClientHello, ServerHello};
use super::ja4::ja4;
use super::sslv2;
use crate::l7::exchanges::{Exchanges, Times};

/// When the first and the last byte of a message came.
pub(in crate::l7) type Span = (Timestamp, Timestamp);

/// The hellos of one handshake so far.
#[derive(Debug)]
pub(in crate::l7) struct Handshake {
    tls: Tls,
    times: Times,
    has_client: bool,
    has_server: bool,
    is_retried: bool,
    memory_bytes: usize,
}

impl Handshake {
    pub(in crate::l7) fn new(kind: TlsKind) -> Self {
        Self {
            tls: Tls { kind, ..Tls::default() },
            times: Times::default(),
            has_client: false,
            has_server: false,
            is_retried: false,
            memory_bytes: 0,
        }
    }

    /// Both hellos are known.
    pub(in crate::l7) const fn is_complete(&self) -> bool {
        self.has_client && self.has_server
    }

    pub(in crate::l7) const fn has_client(&self) -> bool {
        self.has_client
    }

    pub(in crate::l7) const fn has_server(&self) -> bool {
        self.has_server
    }

    pub(in crate::l7) const fn is_retried(&self) -> bool {
        self.is_retried
    }

    /// The server asked for another `ClientHello`.
    pub(in crate::l7) const fn retry(&mut self) {
        self.is_retried = true;
    }

    /// The body of a `ClientHello`, or the part of it that was seen. One after a retry says nothing new.
    pub(in crate::l7) fn client_hello(&mut self, body: &[u8], is_all: bool, span: Span) {
        if self.has_client {
            if self.is_retried && !self.has_server {
                self.ask(span);
            }
            return;
        }
        let Some(hello) = ClientHello::read(body, self.tls.kind) else { return };
        self.tls.ja4 = (hello.is_whole && is_all).then(|| ja4(&hello, self.tls.kind));
        self.tls.version_offered = Some(TlsVersion(hello.version));
        self.tls.sni = hello.server_name;
        self.tls.alpn = hello.protocols;
        self.memory_bytes = memory_bytes(&self.tls);
        self.has_client = true;
        self.ask(span);
    }

    /// A hello in the form of SSL 2.0, without its first two bytes.
    pub(super) fn old_hello(&mut self, message: &[u8], span: Span) {
        if let Some(version) = sslv2::version_offered(message).filter(|_| !self.has_client) {
            self.tls.version_offered = Some(version);
            self.has_client = true;
            self.ask(span);
        }
        if let Some(version) = sslv2::version_chosen(message).filter(|_| !self.has_server) {
            self.tls.version = Some(version);
            self.has_server = true;
            self.answer(span);
        }
    }

    /// The body of a `ServerHello`, or the part of it that was seen.
    pub(in crate::l7) fn server_hello(&mut self, body: &[u8], span: Span) {
        if self.has_server {
            return;
        }
        let Some(hello) = ServerHello::read(body, self.tls.kind) else { return };
        self.tls.version = Some(TlsVersion(hello.version));
        self.tls.cipher = hello.cipher;
        self.tls.alpn_selected = hello.protocol;
        self.memory_bytes = memory_bytes(&self.tls);
        if hello.is_retry {
            self.is_retried = true;
            return;
        }
        self.has_server = true;
        self.answer(span);
    }

    /// Gives out what is known, and forgets it.
    pub(in crate::l7) fn give(&mut self, out: &mut Exchanges) {
        let done = std::mem::replace(self, Self::new(self.tls.kind));
        if let Some(request) = done.times.request(Exchange::Tls(done.tls)) {
            out.push(request);
        }
    }

    /// Bytes of memory that it holds beside its own size.
    pub(in crate::l7) const fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    fn ask(&mut self, span: Span) {
        self.times.ask(span.0);
        self.times.ask(span.1);
    }

    fn answer(&mut self, span: Span) {
        self.times.answer(span.0);
        self.times.answer(span.1);
    }
}

fn memory_bytes(tls: &Tls) -> usize {
    let texts = [&tls.sni, &tls.alpn_selected, &tls.ja4];
    let texts: usize = texts.into_iter().flatten().chain(&tls.alpn).map(|text| text.len()).sum();
    texts + tls.alpn.capacity() * size_of::<Box<str>>()
}
