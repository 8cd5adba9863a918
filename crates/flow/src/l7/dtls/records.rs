//! The records of a datagram, and the fragments of handshake messages in them (RFC 6347, 4.1 and 4.2.2).

use crate::l7::tls::Fields;

/// Of OpenSSL's first DTLS.
const FIRST_VERSION: u16 = 0x0100;
const CONTENT_HANDSHAKE: u8 = 22;

/// A piece of a handshake message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) kind: u8,
    /// The message's number among those of its side.
    pub(super) message: u16,
    pub(super) message_bytes: usize,
    /// Where in the message the piece stands.
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
}

/// The fragments in the clear in a datagram, up to what is no record; where it `is_cut` the last one may be shorter.
pub(super) fn fragments(datagram: &[u8], is_cut: bool) -> impl Iterator<Item = Fragment<'_>> {
    let mut records = Fields::new(datagram);
    let mut body = Fields::new(&[]);
    std::iter::from_fn(move || {
        loop {
            if !body.is_empty() {
                if let Some(fragment) = fragment(&mut body, is_cut) {
                    return Some(fragment);
                }
                body = Fields::new(&[]);
            }
            body = Fields::new(record(&mut records, is_cut)?);
        }
    })
}

/// The body of the next record of handshake messages; `None` = there is none in the clear.
fn record<'a>(fields: &mut Fields<'a>, is_cut: bool) -> Option<&'a [u8]> {
    loop {
        let content = fields.u8()?;
        fields.u16().filter(|version| matches!(*version, 0xfefc..=0xfeff | FIRST_VERSION))?;
        // Behind epoch 0 all is encrypted.
        fields.u16().filter(|epoch| *epoch == 0)?;
        let _sequence = fields.take(6)?;
        let body = bytes(fields, is_cut)?;
        if content == CONTENT_HANDSHAKE {
            return Some(body);
        }
    }
}

/// The bytes behind a length of two bytes.
fn bytes<'a>(fields: &mut Fields<'a>, is_cut: bool) -> Option<&'a [u8]> {
    let len = usize::from(fields.u16()?);
    let len = if is_cut { len.min(fields.rest().len()) } else { len };
    fields.take(len)
}

fn fragment<'a>(fields: &mut Fields<'a>, is_cut: bool) -> Option<Fragment<'a>> {
    let (kind, message_bytes, message) = (fields.u8()?, fields.u24()? as usize, fields.u16()?);
    let (start, len) = (fields.u24()? as usize, fields.u24()? as usize);
    if start + len > message_bytes {
        return None;
    }
    let len = if is_cut { len.min(fields.rest().len()) } else { len };
    Some(Fragment { kind, message, message_bytes, start, bytes: fields.take(len)? })
}
