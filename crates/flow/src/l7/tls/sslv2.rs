//! Hellos in the form of SSL 2.0, by which old clients also offer newer versions (RFC 5246, E.2).

use weir_model::TlsVersion;

use super::fields::Fields;
use crate::l7::parser::Probe;

/// A record header's first bit: there is no padding.
const UNPADDED: u8 = 0x80;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 4;

/// What the first bytes that a side sends look like.
pub(super) fn probe(bytes: &[u8]) -> Probe {
    let is = |at: usize, fits: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| fits(*byte));
    let is_head = is(0, |byte| byte & UNPADDED != 0)
        && is(2, |byte| byte == CLIENT_HELLO)
        && is(3, |byte| byte == 3 || byte == 0)
        && is(4, |byte| byte <= 4);
    match bytes.split_at_checked(2) {
        _ if !is_head => Probe::No,
        Some((head, message)) if message.len() >= 9 => {
            if message_bytes(head) == lengths(message) && version_offered(message).is_some() {
                Probe::Yes
            } else {
                Probe::No
            }
        }
        _ => Probe::Maybe,
    }
}

/// The length of the message behind the first two bytes of a record.
pub(super) fn message_bytes(head: &[u8]) -> Option<usize> {
    let number = Fields::new(head).u16()?;
    (number >> 8 & u16::from(UNPADDED) != 0).then_some(usize::from(number & 0x7fff))
}

/// The version that a message offers; `None` = it is no such message.
pub(super) fn version_offered(message: &[u8]) -> Option<TlsVersion> {
    let mut fields = Fields::new(message);
    fields.u8().filter(|kind| *kind == CLIENT_HELLO)?;
    fields.u16().filter(|version| matches!(version, 0x0002 | 0x0300..=0x0304)).map(TlsVersion)
}

/// The version that a server's message chooses; `None` = it is no such message.
pub(super) fn version_chosen(message: &[u8]) -> Option<TlsVersion> {
    let mut fields = Fields::new(message);
    fields.u8().filter(|kind| *kind == SERVER_HELLO)?;
    let (_is_resumed, _certificate) = (fields.u8()?, fields.u8()?);
    fields.u16().filter(|version| *version == 0x0002).map(TlsVersion)
}

/// Whether a side's first record, of which these are the first bytes, is one of SSL 2.0.
pub(super) fn is_hello(header: &[u8]) -> bool {
    probe(header) != Probe::No || message_bytes(header).is_some() && header.get(2) == Some(&SERVER_HELLO)
}

/// The length of a message by the lengths of its parts.
fn lengths(message: &[u8]) -> Option<usize> {
    let mut fields = Fields::new(message);
    fields.take(3)?;
    let ciphers = fields.u16().filter(|len| *len > 0 && len % 3 == 0)?;
    let (session, challenge) = (fields.u16()?, fields.u16()?);
    Some(9 + usize::from(ciphers) + usize::from(session) + usize::from(challenge))
}
