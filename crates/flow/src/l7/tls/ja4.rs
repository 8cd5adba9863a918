//! The JA4 fingerprint of a client, as its makers specify it (`JA4: TLS Client Fingerprinting`, `FoxIO`).

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use weir_model::TlsKind;

use super::hello::{ClientHello, PROTOCOLS, SERVER_NAME};

/// What stands for a list without members.
const NOTHING: &str = "000000000000";

/// The fingerprint of a hello, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
pub(super) fn ja4(hello: &ClientHello, kind: TlsKind) -> Box<str> {
    let transport = match kind {
        TlsKind::Tls => 't',
        TlsKind::Dtls => 'd',
        TlsKind::Quic => 'q',
    };
    let name = if hello.extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
    let version = version(hello.version);
    let ciphers = hello.ciphers.len().min(99);
    let extensions = hello.extensions.len().min(99);
    let [first, last] = protocol(&hello.first_protocol);
    let ciphers_hash = hash(&listed(sorted(hello.ciphers.clone())));
    let extensions_hash = extensions_hash(hello);
    format!("{transport}{version}{name}{ciphers:02}{extensions:02}{first}{last}_{ciphers_hash}_{extensions_hash}")
        .into()
}

const fn version(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// The first and last character of a protocol's name; of its hexadecimal digits where one of the two is no letter or digit.
fn protocol(name: &[u8]) -> [char; 2] {
    let (Some(first), Some(last)) = (name.first(), name.last()) else { return ['0', '0'] };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(*first), char::from(*last)];
    }
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    [digit(first >> 4), digit(last & 0x0f)]
}

/// Of the extensions by number and the signature algorithms in order. Server name and protocols stand in the first part.
fn extensions_hash(hello: &ClientHello) -> String {
    let extensions = hello.extensions.iter().copied().filter(|number| !matches!(*number, SERVER_NAME | PROTOCOLS));
    let mut list = listed(sorted(extensions.collect()));
    if !list.is_empty() && !hello.signature_algorithms.is_empty() {
        list.push('_');
        list.push_str(&listed(hello.signature_algorithms.clone()));
    }
    hash(&list)
}

fn sorted(mut numbers: Vec<u16>) -> Vec<u16> {
    numbers.sort_unstable();
    numbers
}

fn listed(numbers: Vec<u16>) -> String {
    let mut list = String::with_capacity(numbers.len() * 5);
    for number in numbers {
        let comma = if list.is_empty() { "" } else { "," };
        write!(list, "{comma}{number:04x}").expect("a string takes all that is written to it");
    }
    list
}

fn hash(list: &str) -> String {
    if list.is_empty() {
        return NOTHING.to_owned();
    }
    let hash = digest(&SHA256, list.as_bytes());
    hash.as_ref().iter().take(NOTHING.len() / 2).fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string takes all that is written to it");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification, with its lists as sent.
    fn example() -> ClientHello {
        ClientHello {
            version: 0x0304,
            ciphers: vec![
                0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d,
                0x002f, 0x0035,
            ],
            extensions: vec![
                0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01,
                0x000b, 0x000a, 0x0015,
            ],
            signature_algorithms: vec![0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601],
            first_protocol: b"h2".to_vec(),
            is_whole: true,
            ..ClientHello::default()
        }
    }

    #[test]
    fn the_example_of_the_specification_has_its_fingerprint() {
        assert_eq!(&*ja4(&example(), TlsKind::Tls), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        assert_eq!(&*ja4(&example(), TlsKind::Quic), "q13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn without_signature_algorithms_the_extensions_stand_alone() {
        let hello = ClientHello { signature_algorithms: Vec::new(), ..example() };
        assert_eq!(&*ja4(&hello, TlsKind::Tls), "t13d1516h2_8daaf6152771_6d807ffa2a79");
    }

    #[test]
    fn what_is_not_there_is_zeros() {
        let hello = ClientHello { version: 0xfefd, is_whole: true, ..ClientHello::default() };
        assert_eq!(&*ja4(&hello, TlsKind::Dtls), "dd2i000000_000000000000_000000000000");
    }

    #[test]
    fn a_protocol_that_is_no_word_gives_hexadecimal_digits() {
        let of = |name: &[u8]| protocol(name).iter().collect::<String>();
        assert_eq!([of(b"http/1.1"), of(b"h"), of(b"")], ["h1", "hh", "00"]);
        assert_eq!([of(b"\xab"), of(b"\xab\xcd"), of(b"0\xab"), of(b"0\xab\xcd1")], ["ab", "ad", "3b", "01"]);
    }
}
