use proptest::prelude::*;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, UnboundKey};
use weir_model::{Exchange, Request, Timestamp, Tls, TlsVersion};

use super::keys::PacketKeys;
use super::versions::Version;
use super::*;
use crate::l7::parser::Side::{Dst, Src};
use crate::l7::tls::RETRY_RANDOM;
use crate::l7::tls::mutations;
use crate::l7::tls::sample::{JA4_REST, client_hello, message, server_hello};

/// The client's first connection id in RFC 9001, A.
const ID: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
const V1: u32 = 1;
const V2: u32 = 0x6b33_43cf;

fn hex(digits: &str) -> Vec<u8> {
    let nibbles: Vec<u8> = digits.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| digit as u8).collect();
    nibbles.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// A CRYPTO frame.
fn crypto(offset: usize, bytes: &[u8]) -> Vec<u8> {
    let two = |number: usize| (0x4000 | number as u16).to_be_bytes();
    [&[6][..], &two(offset), &two(bytes.len()), bytes].concat()
}

/// An Initial packet to `destination`, protected.
fn sealed(version: u32, keys: &PacketKeys, destination: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
    let first = if version == V2 { 0xd0 } else { 0xc0 };
    let mut payload = frames.to_vec();
    payload.resize(payload.len().max(30), 0);
    let len = 0x4000 | (payload.len() + 1 + 16) as u16;
    let id = [&[destination.len() as u8], destination, &[0, 0]].concat();
    let mut packet = [&[first][..], &version.to_be_bytes(), &id, &len.to_be_bytes(), &[number]].concat();
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &keys.key).expect("length"));
    key.seal_in_place_append_tag(keys.nonce(number.into()), Aad::from(packet.clone()), &mut payload).expect("short");
    let mask = keys.mask(&payload[3..19]).expect("a sample");
    packet[0] ^= mask[0] & 0x0f;
    *packet.last_mut().expect("a header") ^= mask[1];
    [packet, payload].concat()
}

fn keys(version: u32, id: &[u8]) -> InitialKeys {
    InitialKeys::new(Version::of(version).expect("known"), id).expect("short")
}

fn from_client(version: u32, number: u8, frames: &[u8]) -> Vec<u8> {
    sealed(version, &keys(version, &ID).client, &ID, number, frames)
}

fn from_server(version: u32, number: u8, frames: &[u8]) -> Vec<u8> {
    sealed(version, &keys(version, &ID).server, &[], number, frames)
}

fn client(name: &str) -> Vec<u8> {
    message(1, &client_hello(TlsKind::Quic, name))
}

fn server() -> Vec<u8> {
    message(2, &server_hello(0x0304, [6; 32]))
}

/// What a parser gives for these datagrams, one a millisecond, and how many of them it needed.
fn run(datagrams: &[(Side, Vec<u8>)]) -> (Vec<Request>, usize) {
    let mut parser = Quic::new(L7Config::default());
    let mut out = Exchanges::default();
    for (at, (side, bytes)) in datagrams.iter().enumerate() {
        let time = Timestamp(at as i64 * 1_000_000);
        if let Turn::Done = parser.datagram(*side, bytes, false, time, &mut out) {
            return (out.drain().collect(), at + 1);
        }
        assert!(parser.memory_bytes() <= 2 * (160 << 10), "{}", parser.memory_bytes());
    }
    parser.close(&mut out);
    (out.drain().collect(), datagrams.len())
}

fn only(requests: Vec<Request>) -> (Tls, Request) {
    let [request] = <[Request; 1]>::try_from(requests).expect("one exchange");
    let Exchange::Tls(tls) = request.exchange.clone() else { panic!("no TLS: {request:?}") };
    (tls, request)
}

#[test]
fn the_packets_of_the_specification_are_read() {
    let client = hex(include_str!("tests/rfc9001-client-initial.hex"));
    let server = hex(include_str!("tests/rfc9001-server-initial.hex"));
    assert!(Quic::probe(&client));
    let (found, needed) = run(&[(Src, client), (Dst, server)]);
    let tls = only(found).0;
    assert_eq!(needed, 2);
    assert_eq!((tls.kind, tls.sni.as_deref()), (TlsKind::Quic, Some("example.com")));
    assert_eq!(tls.alpn, ["alpn".into()]);
    assert_eq!((tls.version, tls.cipher), (Some(TlsVersion(0x0304)), Some(0x1301)));
}

#[test]
fn the_second_versions_packets_are_read() {
    let server = hex(include_str!("tests/rfc9369-server-initial.hex"));
    let (found, needed) = run(&[(Src, from_client(V2, 0, &crypto(0, &client("v2.example")))), (Dst, server)]);
    let tls = only(found).0;
    assert_eq!((needed, tls.sni.as_deref(), tls.version), (2, Some("v2.example"), Some(TlsVersion(0x0304))));
}

#[test]
fn a_handshake_gives_one_exchange_as_soon_as_both_hellos_are_known() {
    let acked = [&[2, 0, 0, 0, 0][..], &crypto(0, &server())].concat();
    let datagrams = [
        (Src, from_client(V1, 0, &crypto(0, &client("q.example")))),
        (Dst, from_server(V1, 0, &acked)),
        (Dst, vec![0x40]),
    ];
    let (found, needed) = run(&datagrams);
    let (tls, request) = only(found);
    assert_eq!((needed, tls.sni.as_deref()), (2, Some("q.example")));
    assert_eq!(tls.ja4.as_deref(), Some(format!("q13{JA4_REST}").as_str()));
    assert_eq!((request.first_byte_us, request.latency_us), (Some(1_000), Some(1_000)));
}

#[test]
fn pieces_come_in_any_order_over_packets_and_datagrams() {
    let hello = client("pieces.example");
    let (begin, rest) = hello.split_at(60);
    let (middle, end) = rest.split_at(150);
    let coalesced = [
        from_client(V1, 2, &[crypto(210, end), vec![1, 0, 0], crypto(0, begin)].concat()),
        from_client(V1, 1, &crypto(0, begin)),
    ];
    let datagrams = [(Src, coalesced.concat()), (Src, from_client(V1, 0, &crypto(60, middle)))];
    let (found, _) = run(&datagrams);
    let (tls, request) = only(found);
    assert_eq!(tls.ja4.as_deref(), Some(format!("q13{JA4_REST}").as_str()));
    assert_eq!(request.ts, Timestamp(0));
}

#[test]
fn behind_other_long_packets_an_initial_one_is_found() {
    let zero_rtt = [&[0xd0, 0, 0, 0, 1, 0, 0, 0x14][..], &[7; 20]].concat();
    let datagram = [zero_rtt, from_client(V1, 0, &crypto(0, &client("late.example")))].concat();
    assert_eq!(only(run(&[(Src, datagram)]).0).0.sni.as_deref(), Some("late.example"));
}

#[test]
fn after_a_retry_the_keys_come_from_the_new_connection_id() {
    let retry = [&[0xf0, 0, 0, 0, 1, 0, 3, 1, 2, 3][..], &[9; 40]].concat();
    let new = keys(V1, &[1, 2, 3]);
    let datagrams = [
        (Src, from_client(V1, 0, &crypto(0, &client("retry.example")))),
        (Dst, retry),
        (Src, sealed(V1, &new.client, &[1, 2, 3], 1, &crypto(0, &client("retry.example")))),
        (Dst, sealed(V1, &new.server, &[], 0, &crypto(0, &server()))),
    ];
    let (found, needed) = run(&datagrams);
    let (tls, request) = only(found);
    assert_eq!((needed, tls.version), (4, Some(TlsVersion(0x0304))));
    assert_eq!((request.first_byte_us, request.latency_us), (Some(1_000), Some(3_000)));
}

#[test]
fn after_a_hello_retry_request_the_later_server_hello_counts() {
    let (first, retry) = (client("a"), message(2, &server_hello(0x0304, RETRY_RANDOM)));
    let datagrams = [
        (Src, from_client(V1, 0, &crypto(0, &first))),
        (Dst, from_server(V1, 0, &crypto(0, &retry))),
        (Src, from_client(V1, 1, &crypto(first.len(), &first))),
        (Dst, from_server(V1, 1, &crypto(retry.len(), &server()))),
    ];
    let (found, needed) = run(&datagrams);
    let (_, request) = only(found);
    assert_eq!((needed, request.first_byte_us, request.latency_us), (4, Some(1_000), Some(3_000)));
}

#[test]
fn both_sides_may_go_on_in_another_version() {
    let datagrams = [
        (Src, from_client(V1, 0, &crypto(0, &client("both.example")))),
        (Dst, from_server(V2, 0, &crypto(0, &server()))),
    ];
    let (found, needed) = run(&datagrams);
    assert_eq!((needed, only(found).0.version), (2, Some(TlsVersion(0x0304))));
}

#[test]
fn a_hello_of_which_the_end_is_missing_gives_what_stood_before_and_no_fingerprint() {
    let hello = client("part.example");
    let tls = only(run(&[(Src, from_client(V1, 0, &crypto(0, &hello[..200])))]).0).0;
    assert_eq!((tls.sni.as_deref(), tls.ja4), (Some("part.example"), None));
}

#[test]
fn what_does_not_open_gives_nothing() {
    let mut broken = from_client(V1, 0, &crypto(0, &client("a")));
    *broken.last_mut().expect("bytes") ^= 1;
    let server_first = from_server(V1, 0, &crypto(0, &server()));
    assert_eq!(run(&[(Src, broken), (Dst, server_first)]).0, []);
}

#[test]
fn it_does_not_wait_for_a_hello_for_ever() {
    let mut datagrams = vec![(Src, from_client(V1, 0, &crypto(0, &client("a"))))];
    datagrams.extend(vec![(Dst, vec![0x40; 100]); 1_000]);
    let (found, needed) = run(&datagrams);
    assert_eq!((only(found).0.version, needed), (None, 66));
}

#[test]
fn the_probe_tells_initial_packets_from_other_datagrams() {
    let initial = from_client(V1, 0, &[]);
    let negotiation = [&[0xc0, 0, 0, 0, 0, 0, 0][..], &[0, 0, 0, 1]].concat();
    let unknown = [&[0xc0, 0x1a, 0x2a, 0x3a, 0x4b][..], &initial[5..]].concat();
    assert!(Quic::probe(&initial));
    for other in [&b""[..], &initial[..20], &negotiation, &unknown, &[0x40; 1_200], &[0xff; 1_200]] {
        assert!(!Quic::probe(other), "{other:02x?}");
    }
}

#[test]
fn mutated_frames_and_datagrams_are_read_without_panic_and_within_bounds() {
    let hello = client("mutated.example");
    let frames = [
        [crypto(100, &hello[100..]), vec![0, 1, 2, 5, 0, 1, 0, 1, 1]].concat(),
        crypto(0, &hello[..100]),
        [vec![3, 5, 0, 0, 0, 1, 2, 3], crypto(0, &server())].concat(),
    ];
    mutations::each(&frames, |random, frames| {
        let [first, second, third] = frames.as_slice() else { panic!("three of them") };
        let mut datagrams = [
            (Src, from_client(V1, 0, first)),
            (Src, [from_client(V1, 1, second), from_client(V1, 2, first)].concat()),
            (Dst, from_server(V1, 0, third)),
        ];
        if random.below(2) == 0 {
            let which = random.below(datagrams.len());
            random.mutate(&mut datagrams[which].1);
        }
        Quic::probe(&datagrams[0].1);
        assert!(run(&datagrams).0.len() <= 1);
    });
}

proptest! {
    #[test]
    fn any_frames_and_datagrams_are_read_without_panic(
        datagrams in prop::collection::vec((any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..90)), 0..12),
    ) {
        let datagrams: Vec<_> = datagrams
            .into_iter()
            .map(|(is_client, is_sealed, bytes)| match (is_client, is_sealed) {
                (true, true) => (Src, from_client(V1, 0, &[&[6], bytes.as_slice()].concat())),
                (false, true) => (Dst, from_server(V1, 0, &bytes)),
                (_, false) => (Src, [&[0xc0, 0, 0, 0, 1], bytes.as_slice()].concat()),
            })
            .collect();
        prop_assert!(run(&datagrams).0.len() <= 1);
    }
}
