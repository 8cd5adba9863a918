//! The Huffman code of HPACK (RFC 7541, 5.2 and appendix B).
//!
//! The code is canonical: codes of one length follow each other in the order of their symbols, and longer codes follow
//! shorter ones. So the lengths say everything, and all tables come from them when this is compiled.

/// The longest code in bits.
const LONGEST: usize = 30;
/// The shortest code in bits.
const SHORTEST: usize = 5;

/// The length of each symbol's code in bits.
#[rustfmt::skip]
const BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
    28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
    6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20,
    20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23,
    24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22,
    22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27,
    24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26,
    26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// Codes of one length.
#[derive(Clone, Copy)]
struct Length {
    /// The first code.
    first: u32,
    /// The first code behind them, at the upper end of 32 bits.
    limit: u64,
    /// Where in `SYMBOLS` they start.
    start: u16,
}

const LENGTHS: [Length; LONGEST + 1] = lengths();
const SYMBOLS: [u16; 257] = symbols();

/// Adds what `bytes` say to `out`; false = they are malformed.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut bits, mut count) = (0u64, 0usize);
    let mut rest = bytes.iter();
    loop {
        while count <= 32 {
            let Some(byte) = rest.next() else { break };
            bits = bits << 8 | u64::from(*byte);
            count += 8;
        }
        // What is missing at the end counts as padding, which is all ones.
        let window = if count >= 32 { bits >> (count - 32) } else { !(!bits << (32 - count)) } & 0xffff_ffff;
        let Some((symbol, len)) = symbol(window) else { return false };
        if len > count {
            return count < 8 && window == 0xffff_ffff;
        }
        let Ok(byte) = u8::try_from(symbol) else { return false };
        out.push(byte);
        count -= len;
        bits &= (1 << count) - 1;
    }
}

/// The symbol that 32 bits start with, and its length in bits.
fn symbol(window: u64) -> Option<(u16, usize)> {
    let (len, codes) = LENGTHS.iter().enumerate().skip(SHORTEST).find(|(_, codes)| window < codes.limit)?;
    let place = usize::from(codes.start) + ((window >> (32 - len)) as u32).checked_sub(codes.first)? as usize;
    SYMBOLS.get(place).map(|symbol| (*symbol, len))
}

const fn lengths() -> [Length; LONGEST + 1] {
    let mut lengths = [Length { first: 0, limit: 0, start: 0 }; LONGEST + 1];
    let (mut len, mut code, mut start) = (1, 0, 0);
    while len <= LONGEST {
        code <<= 1;
        lengths[len].first = code;
        lengths[len].start = start;
        let mut symbol = 0;
        while symbol < BITS.len() {
            if BITS[symbol] as usize == len {
                code += 1;
                start += 1;
            }
            symbol += 1;
        }
        lengths[len].limit = (code as u64) << (32 - len);
        len += 1;
    }
    lengths
}

const fn symbols() -> [u16; 257] {
    let mut symbols = [0; 257];
    let (mut len, mut place) = (1, 0);
    while len <= LONGEST {
        let mut symbol = 0;
        while symbol < BITS.len() {
            if BITS[symbol] as usize == len {
                symbols[place] = symbol as u16;
                place += 1;
            }
            symbol += 1;
        }
        len += 1;
    }
    symbols
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(bytes, &mut out).then_some(out)
    }

    /// The code of `symbol` and its length, from the tables.
    fn code(symbol: usize) -> (u64, usize) {
        let len = usize::from(BITS[symbol]);
        let place = SYMBOLS.iter().position(|found| usize::from(*found) == symbol).expect("every symbol has a place");
        (u64::from(LENGTHS[len].first) + place as u64 - u64::from(LENGTHS[len].start), len)
    }

    #[test]
    fn codes_are_those_of_the_appendix() {
        let listed = [
            (usize::from(b'0'), 0x0, 5),
            (usize::from(b'a'), 0x3, 5),
            (usize::from(b'z'), 0x7b, 7),
            (usize::from(b'X'), 0xfc, 8),
            (0, 0x1ff8, 13),
            (usize::from(b'\\'), 0x7fff0, 19),
            (1, 0x7f_ffd8, 23),
            (255, 0x3ff_ffee, 26),
            (10, 0x3fff_fffc, 30),
            (22, 0x3fff_fffe, 30),
            (256, 0x3fff_ffff, 30),
        ];
        for (symbol, bits, len) in listed {
            assert_eq!(code(symbol), (bits, len), "{symbol}");
        }
    }

    #[test]
    fn every_byte_is_read_again() {
        for bytes in [(0..=255).collect::<Vec<u8>>(), b"www.example.com".to_vec(), vec![10; 9], Vec::new()] {
            let mut bits: Vec<bool> = Vec::new();
            for byte in &bytes {
                let (code, len) = code(usize::from(*byte));
                bits.extend((0..len).rev().map(|bit| code >> bit & 1 == 1));
            }
            bits.resize(bits.len().next_multiple_of(8), true);
            let wire: Vec<u8> =
                bits.chunks(8).map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect();
            assert_eq!(decoded(&wire), Some(bytes));
        }
    }

    #[test]
    fn wrong_padding_and_an_ended_string_are_malformed() {
        assert_eq!(
            decoded(&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff]).as_deref(),
            Some(&b"www.example.com"[..])
        );
        assert_eq!(decoded(&[0x00, 0x00]), None);
        assert_eq!(decoded(&[0xff]), None);
        assert_eq!(decoded(&[0xff, 0xff, 0xff, 0xff]), None);
        assert_eq!(decoded(&[0x1f, 0xff]), None);
    }
}
