//! What the two hellos of a handshake say (RFC 8446, 4.1; RFC 5246, 7.4.1; RFC 6347, 4.2.1).
//!
//! The bodies of handshake messages come in, as much of them as was seen; nothing in them is trusted. What stands before
//! the first field that makes no sense is kept.

use weir_model::TlsKind;

use super::fields::{Fields, u16s};
use crate::l7::text::text;

/// The most application protocols of a list that are kept.
const MAX_PROTOCOLS: usize = 32;

/// The random bytes by which a `ServerHello` asks for another `ClientHello` (RFC 8446, 4.1.3).
pub(in crate::l7) const RETRY_RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11,
    0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

pub(super) const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
pub(super) const PROTOCOLS: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// What a client offers; numbers of GREASE (RFC 8701) are left out everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ClientHello {
    /// The newest version that it offers.
    pub(super) version: u16,
    pub(super) ciphers: Vec<u16>,
    /// The types of its extensions.
    pub(super) extensions: Vec<u16>,
    pub(super) signature_algorithms: Vec<u16>,
    pub(super) server_name: Option<Box<str>>,
    pub(super) protocols: Vec<Box<str>>,
    /// The first protocol as sent; empty = there is none.
    pub(super) first_protocol: Vec<u8>,
    /// All of it could be read.
    pub(super) is_whole: bool,
}

impl ClientHello {
    /// Reads the body of a message; `None` = it is none.
    pub(super) fn read(body: &[u8], kind: TlsKind) -> Option<Self> {
        let mut fields = Fields::new(body);
        let version = fields.u16().filter(|version| is_hello_version(*version, kind))?;
        fields.take(RETRY_RANDOM.len())?;
        let mut hello = Self { version, ..Self::default() };
        hello.is_whole = hello.lists(fields, kind).is_some();
        Some(hello)
    }

    fn lists(&mut self, mut fields: Fields<'_>, kind: TlsKind) -> Option<()> {
        let _session = fields.short()?;
        if kind == TlsKind::Dtls {
            let _cookie = fields.short()?;
        }
        self.ciphers = u16s(fields.long()?).filter(|cipher| !is_grease(*cipher)).collect();
        let _compression = fields.short()?;
        extensions(fields, |extension, body| {
            if !is_grease(extension) {
                self.extensions.push(extension);
            }
            self.extension(extension, body, kind)
        })
    }

    fn extension(&mut self, extension: u16, body: &[u8], kind: TlsKind) -> Option<()> {
        let mut fields = Fields::new(body);
        match extension {
            SERVER_NAME if self.server_name.is_none() => self.server_name = server_name(body),
            SIGNATURE_ALGORITHMS => {
                self.signature_algorithms = u16s(fields.long()?).filter(|number| !is_grease(*number)).collect();
            }
            PROTOCOLS if self.protocols.is_empty() => {
                let listed = || protocols(body).filter(|name| !is_grease_name(name));
                self.protocols = listed().take(MAX_PROTOCOLS).map(text).collect();
                self.first_protocol = listed().next().unwrap_or_default().to_vec();
            }
            SUPPORTED_VERSIONS => {
                let versions = u16s(fields.short()?).filter(|version| !is_grease(*version));
                // The numbers of DTLS count down.
                let newest = if kind == TlsKind::Dtls { versions.min() } else { versions.max() };
                self.version = newest.unwrap_or(self.version);
            }
            _ => {}
        }
        Some(())
    }
}

/// What a server chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerHello {
    pub(super) version: u16,
    pub(super) cipher: Option<u16>,
    pub(super) protocol: Option<Box<str>>,
    /// It asks for another `ClientHello`.
    pub(super) is_retry: bool,
}

impl ServerHello {
    /// Reads the body of a message; `None` = it is none.
    pub(super) fn read(body: &[u8], kind: TlsKind) -> Option<Self> {
        let mut fields = Fields::new(body);
        let version = fields.u16().filter(|version| is_hello_version(*version, kind) || is_draft(*version))?;
        let is_retry = fields.array()? == RETRY_RANDOM;
        let mut hello = Self { version, cipher: None, protocol: None, is_retry };
        // What cannot be read stays unknown.
        let _ = hello.choices(fields);
        Some(hello)
    }

    fn choices(&mut self, mut fields: Fields<'_>) -> Option<()> {
        // The early drafts of TLS 1.3 left out session and compression.
        let is_short = is_draft(self.version);
        if !is_short {
            let _session = fields.short()?;
        }
        self.cipher = Some(fields.u16()?);
        if !is_short {
            let _compression = fields.u8()?;
        }
        extensions(fields, |extension, body| {
            match extension {
                SUPPORTED_VERSIONS => self.version = Fields::new(body).u16()?,
                PROTOCOLS => self.protocol = protocols(body).next().map(text),
                _ => {}
            }
            Some(())
        })
    }
}

/// Hands out extensions; `None` = they could not be read to their end.
fn extensions(mut fields: Fields<'_>, mut extension: impl FnMut(u16, &[u8]) -> Option<()>) -> Option<()> {
    if fields.is_empty() {
        return Some(());
    }
    // Where their end is missing, the first ones may still be there.
    let whole = fields.long();
    let mut fields = whole.map_or_else(|| Fields::new(fields.rest().get(2..).unwrap_or_default()), Fields::new);
    let mut is_sound = whole.is_some();
    while !fields.is_empty() {
        let number = fields.u16()?;
        let body = fields.long()?;
        is_sound &= extension(number, body).is_some();
    }
    is_sound.then_some(())
}

/// The first host name of a list of server names (RFC 6066, 3).
fn server_name(body: &[u8]) -> Option<Box<str>> {
    const HOST_NAME: u8 = 0;
    let mut names = Fields::new(body);
    let _len = names.u16()?;
    loop {
        let kind = names.u8()?;
        let name = names.long()?;
        if kind == HOST_NAME && !name.is_empty() {
            return Some(text(name));
        }
    }
}

/// The names of a list of application protocols (RFC 7301, 3.1).
fn protocols(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut names = Fields::new(body);
    let mut names = Fields::new(names.long().unwrap_or_default());
    std::iter::from_fn(move || names.short()).filter(|name| !name.is_empty())
}

/// Whether it is one of the numbers that stand for nothing (RFC 8701).
const fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

fn is_grease_name(name: &[u8]) -> bool {
    name.as_array().is_some_and(|pair| is_grease(u16::from_be_bytes(*pair)))
}

/// The drafts of TLS 1.3.
const fn is_draft(version: u16) -> bool {
    version >> 8 == 0x7f
}

/// Whether a hello may begin with this version: also one that is to come, by which clients try out servers; TLCP's (GB/T
/// 38636); that of OpenSSL's first DTLS.
const fn is_hello_version(version: u16, kind: TlsKind) -> bool {
    match kind {
        TlsKind::Dtls => matches!(version, 0xfe00..=0xfeff | 0x0100),
        TlsKind::Tls | TlsKind::Quic => matches!(version, 0x0300..=0x04ff | 0x0101),
    }
}
