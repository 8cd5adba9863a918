//! Percent-encoding (RFC 3986, 2.1): bytes in, bytes out. An escape that is none stays as it is.

/// Undoes every escape; what is not part of one passes through `plain`.
pub(super) fn decode(text: &[u8], plain: impl Fn(u8) -> u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        match rest {
            [b'%', high, low, behind @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(digit(*high) << 4 | digit(*low));
                rest = behind;
            }
            [byte, behind @ ..] => {
                out.push(plain(*byte));
                rest = behind;
            }
            [] => return out,
        }
    }
}

const fn digit(hex: u8) -> u8 {
    match hex {
        b'0'..=b'9' => hex - b'0',
        b'a'..=b'f' => hex - b'a' + 10,
        _ => hex.wrapping_sub(b'A').wrapping_add(10),
    }
}
