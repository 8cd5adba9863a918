use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::{DnsKind, Request};

use super::*;
use crate::l7::drive::{Part, damaged, drive, dst, src};
use crate::l7::parser::Probe;

const PORTS: (u16, u16) = (40_000, 53);
const MAX_BYTES: usize = 128 << 10;

fn header(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect()
}

fn question(name: &str, qtype: u16) -> Vec<u8> {
    let labels = name.split('.').flat_map(|label| [&[label.len() as u8][..], label.as_bytes()].concat());
    labels.chain([0]).chain(qtype.to_be_bytes()).chain([0, 1]).collect()
}

/// A record of the name at the start of the question section.
fn record(kind: u16, ttl_s: u32, data: &[u8]) -> Vec<u8> {
    let (kind, length) = (kind.to_be_bytes(), (data.len() as u16).to_be_bytes());
    [&[0xc0, 12][..], &kind, &[0, 1], &ttl_s.to_be_bytes(), &length, data].concat()
}

fn query(id: u16, name: &str) -> Vec<u8> {
    [header(id, 0x0100, [1, 0, 0, 0]), question(name, 1)].concat()
}

fn answer(id: u16, name: &str) -> Vec<u8> {
    [header(id, 0x8180, [1, 1, 0, 0]), question(name, 1), record(1, 60, &[10, 0, 0, 1])].concat()
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// Feeds datagrams, one a millisecond.
fn datagrams(ports: (u16, u16), datagrams: &[(Side, Vec<u8>)]) -> Vec<Request> {
    let (mut parser, mut out) = (DnsDatagrams::new(L7Config::default(), ports), Exchanges::default());
    for (number, (side, bytes)) in datagrams.iter().enumerate() {
        parser.datagram(*side, bytes, false, Timestamp(number as i64 * 1_000_000), &mut out);
        assert!(parser.memory_bytes() <= MAX_BYTES);
    }
    parser.close(&mut out);
    assert_eq!(parser.memory_bytes(), 0);
    out.drain().collect()
}

fn stream(parts: &[Part]) -> (Vec<Request>, Turn) {
    drive(DnsStream::new(L7Config::default(), PORTS), parts, MAX_BYTES, |len| len)
}

/// Exchanges as `qname rcode answers`.
fn said(requests: &[Request]) -> Vec<String> {
    let shown = |request: &Request| {
        let dns = request.exchange.dns().expect("DNS");
        let rcode = dns.rcode.map_or("-".to_owned(), |rcode| rcode.to_string());
        format!("{} {rcode} {}", dns.qname.as_deref().unwrap_or("-"), dns.answers.join(","))
    };
    requests.iter().map(shown).collect()
}

/// A record of a name of its own.
fn record_of(name: &str, kind: u16, data: &[u8]) -> Vec<u8> {
    let name = &question(name, 0)[..name.len() + 2];
    [name, &record(kind, 60, data)[2..]].concat()
}

/// The names and addresses that the answers lead to from `www.shop`.
fn led_to(answers: &[Vec<u8>]) -> String {
    let head = [header(7, 0x8180, [1, answers.len() as u16, 0, 0]), question("www.shop", 1)].concat();
    let response = [&[head][..], answers].concat().concat();
    let found = datagrams(PORTS, &[(Side::Src, query(7, "www.shop")), (Side::Dst, response)]);
    let dns = found[0].exchange.dns().expect("DNS");
    let addresses: Vec<_> = dns.addresses().map(|ip| ip.to_string()).collect();
    format!("{} = {}", dns.names().collect::<Vec<_>>().join(" > "), addresses.join(","))
}

#[test]
fn aliases_are_followed_to_the_addresses_of_the_last() {
    let alias = |name: &str, target: &str| record_of(name, 5, &question(target, 0)[..target.len() + 2]);
    let address = |name: &str, last: u8| record_of(name, 1, &[10, 0, 0, last]);
    assert_eq!(led_to(&[address("www.shop", 1), address("WWW.Shop", 2)]), "www.shop = 10.0.0.1,10.0.0.2");
    let chain = [alias("www.shop", "cdn.net"), alias("CDN.net", "a.cdn.net"), address("a.cdn.net", 1)];
    assert_eq!(led_to(&chain), "www.shop > cdn.net > a.cdn.net = 10.0.0.1");
    let strangers = [address("other.shop", 1), alias("other.shop", "x"), address("www.shop", 2), address("shop", 3)];
    assert_eq!(led_to(&strangers), "www.shop = 10.0.0.2", "records of other names are nobody's");
    let overtaken = [address("cdn.net", 1), alias("www.shop", "cdn.net")];
    assert_eq!(led_to(&overtaken), "www.shop > cdn.net = ");
    let looks_like_one = [alias("www.shop", "10.0.0.9"), address("10.0.0.9", 1)];
    assert_eq!(led_to(&looks_like_one), "www.shop = 10.0.0.1");
    let many: Vec<_> = (0..=70).map(|last| address("www.shop", last)).collect();
    assert_eq!(led_to(&many).matches(',').count(), 63, "only those that are kept");
}

#[test]
fn a_query_and_its_response_are_one_exchange() {
    let records = [
        record(5, 300, b"\x01b\xc0\x0e"),
        record(1, 60, &[10, 0, 0, 1]),
        record(28, 90, &[0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]),
        record(16, 80, b"\x01x"),
        record(33, 80, b"\0\0\0\0\0\x35\xc0\x0c"),
        record(1, 1, &[10, 0, 0, 2]),
        [&[0, 0, 41, 4, 208][..], &[1, 0, 0, 0, 0, 0]].concat(),
    ];
    let response = [header(7, 0x8183, [1, 5, 0, 2]), question("a.Example", 1), records.concat()].concat();
    let found = datagrams(PORTS, &[(Side::Src, query(7, "A.example")), (Side::Dst, response)]);
    assert_eq!(said(&found), ["a.example 19 b.example,10.0.0.1,1:2:3:4:5:6:7:8,a.example"]);
    let dns = found[0].exchange.dns().expect("DNS");
    assert_eq!((dns.qtype, dns.ttl_s, dns.kind), (Some(1), Some(60), DnsKind::Dns));
    assert_eq!((dns.names().collect::<Vec<_>>(), dns.addresses().count()), (vec!["a.example", "b.example"], 0));
    assert_eq!(dns.additional.join(","), "10.0.0.2");
    assert_eq!((found[0].first_byte_us, found[0].latency_us), (Some(1_000), Some(1_000)));
}

#[test]
fn a_repeated_query_counts_once_from_its_first_time() {
    let ask = |id, name| (Side::Src, query(id, name));
    let tell = |id, name| (Side::Dst, answer(id, name));
    let found = datagrams(PORTS, &[ask(1, "a"), ask(1, "a"), ask(1, "b"), ask(2, "a"), tell(1, "a"), tell(1, "a")]);
    assert_eq!(said(&found), ["a 0 10.0.0.1", "a 0 10.0.0.1", "b - ", "a - "]);
    assert_eq!((found[0].ts, found[0].latency_us, found[0].first_byte_us), (Timestamp(0), Some(4_000), Some(3_000)));
    assert_eq!((found[1].ts, found[1].latency_us), (Timestamp(5_000_000), None));
}

#[test]
fn a_response_answers_what_it_repeats_and_the_other_side_asked() {
    let found =
        datagrams(PORTS, &[(Side::Src, query(1, "a")), (Side::Src, answer(1, "a")), (Side::Dst, answer(1, "b"))]);
    assert_eq!(said(&found), ["a 0 10.0.0.1", "b 0 10.0.0.1", "a - "]);
    let refused = header(1, 0x8185, [0, 0, 0, 0]);
    assert_eq!(said(&datagrams(PORTS, &[(Side::Src, query(1, "a")), (Side::Dst, refused)])), ["a 5 "]);
}

#[test]
fn open_queries_are_few_and_wait_for_a_while() {
    let asked: Vec<_> = (0..500).map(|id| (Side::Src, query(id, "a"))).collect();
    assert_eq!(datagrams(PORTS, &asked).len(), 500);
    let (mut parser, mut out) = (DnsDatagrams::new(L7Config::default(), PORTS), Exchanges::default());
    parser.datagram(Side::Src, &query(1, "a"), false, Timestamp(0), &mut out);
    parser.datagram(Side::Src, &query(2, "b"), false, Timestamp(31_000_000_000), &mut out);
    assert_eq!(said(&out.drain().collect::<Vec<_>>()), ["a - "]);
}

#[test]
fn what_is_cut_or_wrong_gives_what_stands_before_it() {
    let whole = [answer(1, "a.example"), record(1, 9, &[10, 0, 0, 2])].concat();
    let read = |len: usize, is_cut| Message::read(&whole[..len], is_cut).map(|message| message.question.is_some());
    let end = 12 + question("a.example", 1).len();
    assert_eq!(
        (read(end, true), read(end, false), read(end - 5, true), read(end - 5, false)),
        (Some(true), Some(true), Some(false), None)
    );
    let mut looped = whole.clone();
    looped[12..14].copy_from_slice(&[0xc0, 12]);
    assert!(Message::read(&looped, false).is_none());
}

#[test]
fn relatives_are_told_by_their_ports() {
    let kind = |ports| datagrams(ports, &[(Side::Src, query(0, "a.local"))])[0].exchange.dns().map(|dns| dns.kind);
    assert_eq!(kind((5353, 5353)), Some(DnsKind::Mdns));
    assert_eq!(kind((50_000, 5355)), Some(DnsKind::Llmnr));
    assert_eq!(kind((5353, 53)), Some(DnsKind::Dns));
}

#[test]
fn other_ports_need_a_flawless_message() {
    let probe = |bytes: &[u8], port| DnsDatagrams::probe(bytes, (40_000, port));
    let (asks, tells) = (query(1, "a.example"), answer(1, "a.example"));
    assert!(probe(&asks, 53) && probe(&asks, 1_053) && probe(&tells, 1_053));
    assert!(!probe(&asks, 137) && !probe(&asks[..11], 53));
    assert!(!probe(&[&asks[..], b"x"].concat(), 1_053) && !probe(&tells[..tells.len() - 1], 1_053));
    assert!(probe(&tells[..tells.len() - 1], 53));
    for flags in [0x0900, 0x0140, 0x0101, 0x2900] {
        let odd = [header(1, flags, [1, 0, 0, 0]), question("a", 1)].concat();
        assert!(!probe(&odd, 1_053), "{flags:#x}");
    }
    assert!(!probe(&header(1, 0x0100, [0, 0, 0, 0]), 53));
}

#[test]
fn streams_are_recognised_by_their_first_message() {
    let wire = framed(&query(1, "a.example"));
    let probe = |bytes: &[u8], port| DnsStream::probe(bytes, (40_000, port));
    assert_eq!(
        (probe(&wire[..1], 53), probe(&wire[..10], 53), probe(&wire[..14], 53)),
        (Probe::Maybe, Probe::Maybe, Probe::Yes)
    );
    assert_eq!((probe(&wire[..14], 1_053), probe(&wire, 1_053)), (Probe::Maybe, Probe::Yes));
    assert_eq!((probe(b"GET / HTTP/1.1\r\n\r\n", 53), probe(b"\x00\x05hello", 53)), (Probe::No, Probe::No));
}

#[test]
fn messages_lie_in_a_stream_as_they_like() {
    let asked = [framed(&query(1, "a")), framed(&query(2, "b"))].concat();
    let told = [framed(&answer(2, "b")), framed(&answer(1, "a"))].concat();
    let (found, _) = stream(&[src(&asked[..5]), src(&asked[5..]), dst(&told[..50]), dst(&told[50..])]);
    assert_eq!(said(&found), ["b 0 10.0.0.1", "a 0 10.0.0.1"]);
    assert_eq!((found[1].ts, found[1].first_byte_us, found[1].latency_us), (Timestamp(0), Some(1_000), Some(3_000)));
}

#[test]
fn a_transfer_of_a_zone_is_one_exchange() {
    let ask = [header(1, 0, [1, 0, 0, 0]), question("zone", 252)].concat();
    let first = [header(1, 0x8400, [1, 1, 0, 0]), question("zone", 252), record(2, 60, b"\x01n\x00")].concat();
    let more = [header(1, 0x8400, [0, 1, 0, 0]), b"\0\0\x01\0\x01\0\0\0\x01\0\x04aaaa".to_vec()].concat();
    let (found, _) = stream(&[src(framed(&ask)), dst(framed(&first)), dst(framed(&more).repeat(3))]);
    assert_eq!(said(&found), ["zone 0 n"]);
}

#[test]
fn gaps_in_a_stream_are_passed_over() {
    let tells = framed(&answer(1, "a.example"));
    let gap = |len| Part::Gap(Side::Dst, len as u64);
    let parts = [dst(&tells[..30]), gap(tells.len() - 40), dst(&tells[tells.len() - 10..]), dst(&tells)];
    assert_eq!(said(&stream(&parts).0), ["a.example 0 ", "a.example 0 10.0.0.1"]);
    let parts = [dst(&tells[..30]), gap(1_000), dst(b"garbage"), dst(&tells)];
    assert_eq!(said(&stream(&parts).0), ["a.example 0 ", "a.example 0 10.0.0.1"]);
}

#[test]
fn what_is_not_dns_is_given_up() {
    let (found, turn) = stream(&[src(framed(&query(1, "a"))), src([0; 40])]);
    assert_eq!(said(&found), ["a - "]);
    assert!(matches!(turn, Turn::Done));
}

fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (0..3_u16, "[ab]").prop_map(|(id, name)| framed(&query(id, &name))),
        4 => (0..3_u16, "[ab]").prop_map(|(id, name)| framed(&answer(id, &name))),
        1 => vec(any::<u8>(), 0..30),
        1 => Just(framed(&[answer(1, "a"), record(16, 1, &[0; 9_000])].concat())),
    ]
}

proptest! {
    #[test]
    fn cuts_change_nothing(pieces in vec((any::<bool>(), piece()), 0..12), cuts in vec(1..40_usize, 1..20)) {
        let parts: Vec<_> = pieces.iter().map(|(is_src, bytes)| if *is_src { src(bytes) } else { dst(bytes) }).collect();
        let mut cuts = cuts.iter().cycle();
        let (whole, _) = stream(&parts);
        let cut = |_| cuts.next().copied().unwrap_or(1);
        let (cut, _) = drive(DnsStream::new(L7Config::default(), PORTS), &parts, MAX_BYTES, cut);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn noise_never_panics(bytes in vec(any::<u8>(), 0..300), is_cut in any::<bool>()) {
        Message::read(&bytes, is_cut);
        DnsDatagrams::probe(&bytes, (1, 2));
        DnsStream::probe(&bytes, PORTS);
    }
}

#[test]
fn damage_never_panics_and_takes_no_more_than_its_memory() {
    let long =
        [answer(3, "a.b.c.d.example"), record(5, 1, b"\x01b\xc0\x10"), record(15, 1, b"\0\x01\xc0\x0c")].concat();
    let seeds = [query(1, "a.example"), answer(1, "a.example"), long].map(|message| framed(&message));
    damaged(&seeds, |bytes, dice| {
        let ports = if dice.roll(2) == 0 { PORTS } else { (1, 2) };
        let message = bytes.get(2..).unwrap_or_default().to_vec();
        DnsDatagrams::probe(&message, ports);
        datagrams(ports, &[(Side::Src, message.clone()), (Side::Dst, message)]);
        let mut parts = Vec::new();
        for piece in bytes.chunks(1 + dice.roll(60)) {
            let side = if dice.roll(4) == 0 { Side::Src } else { Side::Dst };
            parts.push(match dice.roll(12) {
                0 => Part::Gap(side, dice.roll(50) as u64),
                1 => Part::End(side),
                _ => Part::Data(side, piece.to_vec()),
            });
        }
        stream(&parts);
    });
}
