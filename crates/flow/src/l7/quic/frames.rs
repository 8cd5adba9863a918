//! The frames of an Initial packet, of which those with handshake bytes count (RFC 9000, 17.2.2 and 19).

use crate::l7::tls::Fields;

const PADDING: u64 = 0x00;
const PING: u64 = 0x01;
const ACK: u64 = 0x02;
const ACK_ECN: u64 = 0x03;
const CRYPTO: u64 = 0x06;

/// Bytes of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CryptoFrame<'a> {
    /// Where in the stream they stand.
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
}

/// The frames with handshake bytes, up to what must not stand in an Initial packet.
pub(super) fn crypto_frames(payload: &[u8]) -> impl Iterator<Item = CryptoFrame<'_>> {
    let mut fields = Fields::new(payload);
    std::iter::from_fn(move || {
        loop {
            match varint(&mut fields)? {
                PADDING | PING => {}
                ACK => skip_ack(&mut fields)?,
                ACK_ECN => {
                    skip_ack(&mut fields)?;
                    for _ in 0..3 {
                        varint(&mut fields)?;
                    }
                }
                CRYPTO => {
                    let offset = varint(&mut fields)?;
                    let len = varint(&mut fields)?;
                    let bytes = fields.take(usize::try_from(len).ok()?)?;
                    return Some(CryptoFrame { offset, bytes });
                }
                _ => return None,
            }
        }
    })
}

fn skip_ack(fields: &mut Fields<'_>) -> Option<()> {
    let (_largest, _delay, ranges, _first) = (varint(fields)?, varint(fields)?, varint(fields)?, varint(fields)?);
    for _ in 0..ranges {
        let (_gap, _len) = (varint(fields)?, varint(fields)?);
    }
    Some(())
}

/// A number of one to eight bytes (RFC 9000, 16).
pub(super) fn varint(fields: &mut Fields<'_>) -> Option<u64> {
    let first = fields.u8()?;
    let more = (1_usize << (first >> 6)) - 1;
    let rest = fields.take(more)?;
    Some(rest.iter().fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_length_that_they_say() {
        let of = |bytes: &[u8]| varint(&mut Fields::new(bytes));
        assert_eq!(of(&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c]), Some(151_288_809_941_952_652));
        assert_eq!(of(&[0x9d, 0x7f, 0x3e, 0x7d]), Some(494_878_333));
        assert_eq!([of(&[0x7b, 0xbd]), of(&[0x25]), of(&[0x40]), of(&[])], [Some(15_293), Some(37), None, None]);
    }

    #[test]
    fn other_frames_are_passed_over() {
        let payload =
            [&[0, 0, 1, 2, 9, 0, 1, 0, 0, 0, 3, 9, 0, 0, 0, 1, 2, 3][..], &[6, 4, 2, b'a', b'b', 0x1c, 6, 0, 0]];
        let payload = payload.concat();
        let found: Vec<_> = crypto_frames(&payload).collect();
        assert_eq!(found, [CryptoFrame { offset: 4, bytes: b"ab" }]);
    }
}
