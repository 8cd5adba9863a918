use proptest::prelude::*;
use weir_model::{Exchange, Request, Timestamp, Tls, TlsVersion};

use super::*;
use crate::l7::parser::Side::{Dst, Src};
use crate::l7::tls::RETRY_RANDOM;
use crate::l7::tls::mutations;
use crate::l7::tls::sample::{JA4_REST, client_hello, long, server_hello};

/// A record with one fragment of a message.
fn fragment(kind: u8, message: u16, body: &[u8], start: usize, len: usize) -> Vec<u8> {
    let u24 = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
    let head = [vec![kind], u24(body.len()), message.to_be_bytes().to_vec(), u24(start), u24(len)].concat();
    let body = [head.as_slice(), &body[start..start + len]].concat();
    [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &long(&body)].concat()
}

fn whole(kind: u8, message: u16, body: &[u8]) -> Vec<u8> {
    fragment(kind, message, body, 0, body.len())
}

fn client() -> Vec<u8> {
    client_hello(TlsKind::Dtls, "media.example")
}

/// What a parser gives for these datagrams, one a millisecond, and how many of them it needed.
fn run(datagrams: &[(Side, Vec<u8>)]) -> (Vec<Request>, usize) {
    let mut parser = Dtls::new(L7Config::default());
    let mut out = Exchanges::default();
    for (at, (side, bytes)) in datagrams.iter().enumerate() {
        let time = Timestamp(at as i64 * 1_000_000);
        if let Turn::Done = parser.datagram(*side, bytes, false, time, &mut out) {
            return (out.drain().collect(), at + 1);
        }
        assert!(parser.memory_bytes() <= 2 * (256 << 10), "{}", parser.memory_bytes());
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
fn a_handshake_with_a_cookie_gives_one_exchange() {
    let datagrams = [
        (Src, whole(1, 0, &client())),
        (Dst, whole(3, 0, &[0xfe, 0xff, 2, 1, 1])),
        (Src, whole(1, 1, &client())),
        (Dst, whole(2, 1, &server_hello(0xfefd, [6; 32]))),
    ];
    assert!(Dtls::probe(&datagrams[0].1));
    let (found, needed) = run(&datagrams);
    let (tls, request) = only(found);
    assert_eq!(needed, 4);
    assert_eq!((tls.kind, tls.sni.as_deref()), (TlsKind::Dtls, Some("media.example")));
    assert_eq!((tls.version_offered, tls.version), (Some(TlsVersion(0xfefd)), Some(TlsVersion(0xfefd))));
    assert_eq!(tls.ja4.as_deref(), Some(format!("dd2{JA4_REST}").as_str()));
    assert_eq!((request.first_byte_us, request.latency_us), (Some(1_000), Some(3_000)));
}

#[test]
fn dtls_1_3_is_told_by_the_servers_choice() {
    let datagrams = [
        (Src, whole(1, 0, &client())),
        (Dst, whole(2, 0, &server_hello(0xfefc, RETRY_RANDOM))),
        (Src, whole(1, 1, &client())),
        (Dst, whole(2, 1, &server_hello(0xfefc, [6; 32]))),
    ];
    let (found, needed) = run(&datagrams);
    assert_eq!((needed, only(found).0.version), (4, Some(TlsVersion(0xfefc))));
}

#[test]
fn what_is_sent_again_changes_no_times() {
    let hello = whole(1, 0, &client());
    let datagrams = [
        (Src, hello.clone()),
        (Src, hello.clone()),
        (Src, hello.clone()),
        (Dst, whole(2, 0, &server_hello(0xfefd, [6; 32]))),
    ];
    assert_eq!(only(run(&datagrams).0).1.first_byte_us, Some(3_000));
    let datagrams = [
        (Src, hello.clone()),
        (Dst, whole(3, 0, &[0xfe, 0xff, 2, 1, 1])),
        (Src, whole(1, 1, &client())),
        (Src, hello),
        (Dst, whole(2, 1, &server_hello(0xfefd, [6; 32]))),
    ];
    assert_eq!(only(run(&datagrams).0).1.first_byte_us, Some(2_000));
}

#[test]
fn fragments_come_in_any_order_between_datagrams_of_others() {
    let body = client();
    let datagrams = [
        (Src, fragment(1, 0, &body, 200, body.len() - 200)),
        (Dst, b"\x01\x01\x00\x00STUN".to_vec()),
        (Src, fragment(1, 0, &body, 100, 150)),
        (Src, [fragment(1, 0, &body, 0, 50), fragment(1, 0, &body, 50, 50)].concat()),
    ];
    let tls = only(run(&datagrams).0).0;
    assert_eq!(tls.ja4.as_deref(), Some(format!("dd2{JA4_REST}").as_str()));
}

#[test]
fn a_hello_cut_short_gives_what_stood_before_and_no_fingerprint() {
    let datagram = whole(1, 0, &client());
    let cut = &datagram[..datagram.len() - 100];
    let mut parser = Dtls::new(L7Config::default());
    let mut out = Exchanges::default();
    parser.datagram(Src, cut, true, Timestamp(0), &mut out);
    parser.close(&mut out);
    let tls = only(out.drain().collect()).0;
    assert_eq!((tls.sni.as_deref(), tls.ja4), (Some("media.example"), None));
    parser.datagram(Src, cut, false, Timestamp(0), &mut out);
    parser.close(&mut out);
    assert_eq!(out.drain().count(), 0);
}

#[test]
fn it_does_not_wait_for_a_hello_for_ever() {
    let mut datagrams = vec![(Src, whole(1, 0, &client()))];
    datagrams.extend(vec![(Dst, vec![0x80; 100]); 1_000]);
    let (found, needed) = run(&datagrams);
    assert_eq!((only(found).0.version, needed), (None, 66));
}

#[test]
fn the_probe_tells_hellos_from_other_datagrams() {
    assert!(Dtls::probe(&whole(2, 1, &server_hello(0xfefd, [6; 32]))));
    let mut encrypted = whole(1, 0, &client());
    encrypted[4] = 1;
    let mut beyond = whole(1, 0, &client());
    beyond[13 + 8] += 1;
    let certificate = whole(11, 2, &[0; 50]);
    for other in [
        &b""[..],
        b"\x16",
        &encrypted,
        &beyond,
        &certificate,
        b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03",
        &[0; 64],
    ] {
        assert!(!Dtls::probe(other), "{other:02x?}");
    }
}

#[test]
fn mutated_datagrams_are_read_without_panic_and_within_bounds() {
    let body = client();
    let datagrams = [
        fragment(1, 0, &body, 0, 120),
        fragment(1, 0, &body, 120, body.len() - 120),
        whole(3, 0, &[0xfe, 0xff, 2, 1, 1]),
        whole(1, 1, &body),
        [whole(2, 1, &server_hello(0xfefd, [6; 32])), whole(11, 2, &[0; 200])].concat(),
    ];
    mutations::each(&datagrams, |_, datagrams| {
        let sides = [Src, Src, Dst, Src, Dst];
        let datagrams: Vec<_> = sides.into_iter().zip(datagrams).collect();
        Dtls::probe(&datagrams[0].1);
        assert!(run(&datagrams).0.len() <= 1);
    });
}

proptest! {
    #[test]
    fn any_datagrams_are_read_without_panic(
        datagrams in prop::collection::vec((any::<bool>(), 0u8..4, prop::collection::vec(any::<u8>(), 12..80)), 0..20),
    ) {
        let datagrams: Vec<_> = datagrams
            .into_iter()
            .map(|(is_src, kind, bytes)| {
                let body = [&[kind], bytes.as_slice()].concat();
                let datagram = [&[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0][..], &long(&body)].concat();
                (if is_src { Src } else { Dst }, datagram)
            })
            .collect();
        prop_assert!(run(&datagrams).0.len() <= 1);
    }
}
