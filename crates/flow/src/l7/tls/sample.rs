//! Hellos for tests.

use weir_model::TlsKind;

/// A handshake message.
pub(in crate::l7) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&[kind], &len[1..], body].concat()
}

/// A record of TLS.
pub(in crate::l7) fn record(content: u8, body: &[u8]) -> Vec<u8> {
    [&[content, 3, 1], long(body).as_slice()].concat()
}

/// Bytes behind a length of two bytes.
pub(in crate::l7) fn long(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

fn short(bytes: &[u8]) -> Vec<u8> {
    [&[bytes.len() as u8], bytes].concat()
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn extensions(extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let list: Vec<u8> =
        extensions.iter().flat_map(|(kind, body)| [kind.to_be_bytes().to_vec(), long(body)].concat()).collect();
    long(&list)
}

/// The body of a `ClientHello` that offers TLS 1.3 (DTLS 1.2) to `name`, with `h2` and `http/1.1`, and GREASE all over.
pub(in crate::l7) fn client_hello(kind: TlsKind, name: &str) -> Vec<u8> {
    let is_dtls = kind == TlsKind::Dtls;
    let versions: &[u16] = if is_dtls { &[0xfefd, 0xfeff] } else { &[0x2a2a, 0x0304, 0x0303] };
    let list = extensions(&[
        (0x1a1a, vec![]),
        (0, long(&[&[0], long(name.as_bytes()).as_slice()].concat())),
        (16, long(&[short(b"h2"), short(b"http/1.1")].concat())),
        (13, long(&numbers(&[0x0403, 0x0804]))),
        (43, short(&numbers(versions))),
        (0x0029, vec![7; 200]),
    ]);
    [
        numbers(&[if is_dtls { 0xfefd } else { 0x0303 }]),
        vec![0x55; 32],
        short(&[9; 32]),
        if is_dtls { short(&[]) } else { vec![] },
        long(&numbers(&[0x0a0a, 0x1301, 0xc02f, 0x002f])),
        short(&[0]),
        list,
    ]
    .concat()
}

/// The JA4 fingerprint of that hello behind its first three characters; by `sha256sum` of the lists.
pub(in crate::l7) const JA4_REST: &str = "d0305h2_54093f43ad55_ce39d44525fc";

/// The body of a `ServerHello` that chooses `version` and cipher 0x1301.
pub(in crate::l7) fn server_hello(version: u16, random: [u8; 32]) -> Vec<u8> {
    let legacy = match version {
        0x0304 | 0x7f00..=0x7fff => 0x0303,
        0xfefc => 0xfefd,
        version => version,
    };
    let list = if legacy == version { vec![(16, long(&short(b"h2")))] } else { vec![(43, numbers(&[version]))] };
    [numbers(&[legacy]), random.to_vec(), short(&[9; 32]), numbers(&[0x1301]), vec![0], extensions(&list)].concat()
}
