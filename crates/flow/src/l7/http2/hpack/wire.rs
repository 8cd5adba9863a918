//! Integers and byte strings of HPACK (RFC 7541, 5), taken from the front of a header block.

use std::borrow::Cow;

use super::huffman;

/// What cannot be header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::l7::http2) struct Malformed;

/// The first byte, left where it is.
pub(super) fn first(block: &[u8]) -> Option<u8> {
    block.first().copied()
}

/// An integer whose first byte has `prefix` bits of it.
pub(super) fn integer(block: &mut &[u8], prefix: u32) -> Result<usize, Malformed> {
    let mask = (1 << prefix) - 1;
    let mut value = u64::from(byte(block)?) & mask;
    if value < mask {
        return Ok(value as usize);
    }
    // No number in a header block needs more than 32 bits.
    for shift in [0, 7, 14, 21, 28] {
        let byte = byte(block)?;
        value += u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).map(|value| value as usize).map_err(|_| Malformed);
        }
    }
    Err(Malformed)
}

/// A byte string.
pub(super) fn string<'a>(block: &mut &'a [u8]) -> Result<Cow<'a, [u8]>, Malformed> {
    let is_coded = first(block).is_some_and(|byte| byte & 0x80 != 0);
    let len = integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(len).ok_or(Malformed)?;
    *block = rest;
    if !is_coded {
        return Ok(bytes.into());
    }
    let mut decoded = Vec::with_capacity(bytes.len() * 8 / 5);
    if huffman::decode(bytes, &mut decoded) { Ok(decoded.into()) } else { Err(Malformed) }
}

fn byte(block: &mut &[u8]) -> Result<u8, Malformed> {
    let (byte, rest) = block.split_first().ok_or(Malformed)?;
    *block = rest;
    Ok(*byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(mut bytes: &[u8], prefix: u32) -> Result<(usize, usize), Malformed> {
        integer(&mut bytes, prefix).map(|value| (value, bytes.len()))
    }

    #[test]
    fn integers_of_the_rfc() {
        assert_eq!(read(&[0b0110_1010, 7], 5), Ok((10, 1)));
        assert_eq!(read(&[0b1111_1111, 0b1001_1010, 0b0000_1010], 5), Ok((1_337, 0)));
        assert_eq!(read(&[0b0010_1010], 8), Ok((42, 0)));
    }

    #[test]
    fn integers_without_end_are_malformed() {
        assert_eq!(read(&[0xff, 0x80, 0x80], 7), Err(Malformed));
        assert_eq!(read(&[0xff, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00], 7), Err(Malformed));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 7), Err(Malformed));
        assert_eq!(read(&[0xff, 0x80, 0xff, 0xff, 0xff, 0x0f], 7), Ok((u32::MAX as usize, 0)));
        assert_eq!(read(&[], 7), Err(Malformed));
    }

    #[test]
    fn a_string_longer_than_its_block_is_malformed() {
        let mut block: &[u8] = b"\x03abcd";
        assert_eq!(string(&mut block).as_deref(), Ok(&b"abc"[..]));
        assert_eq!(block, b"d");
        assert_eq!(string(&mut &b"\x04abc"[..]), Err(Malformed));
        assert_eq!(string(&mut &b"\x7f\xff\xff\xff\xff\x07abc"[..]), Err(Malformed));
    }
}
