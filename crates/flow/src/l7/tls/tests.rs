use proptest::prelude::*;
use weir_model::{Exchange, Request, Timestamp, Tls, TlsKind, TlsVersion};

use super::hello::RETRY_RANDOM;
use super::mutations;
use super::sample::{JA4_REST, client_hello, long, message, record, server_hello};
use super::{MAX_RECORD_BYTES, TlsStream};
use crate::l7::config::L7Config;
use crate::l7::exchanges::Exchanges;
use crate::l7::parser::Side::{self, Dst, Src};
use crate::l7::parser::{Probe, StreamParser, Turn};

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CHANGE_CIPHER_SPEC: u8 = 20;
const APPLICATION_DATA: u8 = 23;

/// A parser at work, and what it gave.
struct Run {
    parser: TlsStream,
    out: Exchanges,
    found: Vec<Request>,
    is_done: bool,
}

impl Run {
    fn new() -> Self {
        Self { parser: TlsStream::new(L7Config::default()), out: Exchanges::default(), found: vec![], is_done: false }
    }

    fn data(mut self, side: Side, bytes: &[u8], micros: i64) -> Self {
        if !self.is_done {
            let turn = self.parser.data(side, bytes, Timestamp(micros * 1_000), &mut self.out);
            self.is_done = matches!(turn, Turn::Done);
        }
        self.found.extend(self.out.drain());
        self
    }

    fn gap(mut self, side: Side, len: u64) -> Self {
        if !self.is_done {
            self.is_done = matches!(self.parser.gap(side, len, &mut self.out), Turn::Done);
        }
        self
    }

    fn close(mut self) -> Vec<Request> {
        if !self.is_done {
            self.parser.close(&mut self.out);
        }
        self.found.extend(self.out.drain());
        self.found
    }
}

fn client(name: &str) -> Vec<u8> {
    message(1, &client_hello(TlsKind::Tls, name))
}

fn server(version: u16) -> Vec<u8> {
    message(2, &server_hello(version, [0x66; 32]))
}

fn retry() -> Vec<u8> {
    message(2, &server_hello(0x0304, RETRY_RANDOM))
}

fn only(requests: Vec<Request>) -> (Tls, Request) {
    let [request] = <[Request; 1]>::try_from(requests).expect("one exchange");
    let Exchange::Tls(tls) = request.exchange.clone() else { panic!("no TLS: {request:?}") };
    (tls, request)
}

#[test]
fn a_handshake_gives_one_exchange_as_soon_as_both_hellos_are_known() {
    let run = Run::new().data(Src, &record(HANDSHAKE, &client("example.com")), 100).data(
        Dst,
        &record(HANDSHAKE, &server(0x0304)),
        350,
    );
    assert!(run.is_done);
    let (tls, request) = only(run.close());
    let wanted = Tls {
        kind: TlsKind::Tls,
        sni: Some("example.com".into()),
        alpn: vec!["h2".into(), "http/1.1".into()],
        alpn_selected: None,
        version_offered: Some(TlsVersion(0x0304)),
        version: Some(TlsVersion(0x0304)),
        cipher: Some(0x1301),
        ja4: Some(format!("t13{JA4_REST}").into()),
    };
    assert_eq!(tls, wanted);
    assert_eq!((request.ts, request.first_byte_us, request.latency_us), (Timestamp(100_000), Some(250), Some(250)));
}

#[test]
fn up_to_tls_1_2_the_chosen_protocol_is_visible() {
    let run = Run::new().data(Src, &record(HANDSHAKE, &client("a")), 0).data(
        Dst,
        &record(HANDSHAKE, &[server(0x0303), message(11, &[0; 900])].concat()),
        1,
    );
    let tls = only(run.close()).0;
    assert_eq!((tls.version, tls.alpn_selected.as_deref()), (Some(TlsVersion(0x0303)), Some("h2")));
}

#[test]
fn drafts_keep_their_number() {
    let run = Run::new().data(Src, &record(HANDSHAKE, &client("a")), 0);
    let tls = only(run.data(Dst, &record(HANDSHAKE, &server(0x7f1c)), 1).close()).0;
    assert_eq!(tls.version, Some(TlsVersion(0x7f1c)));
}

#[test]
fn hellos_are_read_over_records_of_one_byte() {
    let in_bytes = |message: &[u8]| message.iter().flat_map(|byte| record(HANDSHAKE, &[*byte])).collect::<Vec<_>>();
    let stream = in_bytes(&client("example.com"));
    assert_eq!(TlsStream::probe(&stream), Probe::Yes);
    let run = Run::new().data(Src, &stream, 0).data(Dst, &in_bytes(&server(0x0304)), 1);
    assert!(run.is_done);
    assert_eq!(only(run.close()).0.sni.as_deref(), Some("example.com"));
}

#[test]
fn after_a_retry_the_later_server_hello_counts_and_the_exchange_stays_one() {
    let ccs = record(CHANGE_CIPHER_SPEC, &[1]);
    let run = Run::new()
        .data(Src, &[record(HANDSHAKE, &client("first")), ccs.clone(), record(APPLICATION_DATA, &[0; 50])].concat(), 0)
        .data(Dst, &[record(HANDSHAKE, &retry()), ccs].concat(), 10)
        .data(Src, &record(HANDSHAKE, &client("first")), 20);
    assert!(!run.is_done);
    let run = run.data(Dst, &record(HANDSHAKE, &server(0x0304)), 50);
    assert!(run.is_done);
    let (tls, request) = only(run.close());
    assert_eq!(tls.version, Some(TlsVersion(0x0304)));
    assert_eq!((request.first_byte_us, request.latency_us), (Some(30), Some(50)));
}

#[test]
fn a_second_client_hello_that_nobody_asked_for_changes_nothing() {
    let run = Run::new()
        .data(Src, &record(HANDSHAKE, &client("first")), 0)
        .data(Src, &record(HANDSHAKE, &client("second")), 5)
        .data(Dst, &record(HANDSHAKE, &server(0x0303)), 9);
    let (tls, request) = only(run.close());
    assert_eq!((tls.sni.as_deref(), request.first_byte_us), (Some("first"), Some(9)));
}

#[test]
fn a_client_answers_itself_with_nothing() {
    let run = Run::new()
        .data(Src, &[record(HANDSHAKE, &client("a")), record(HANDSHAKE, &server(0x0303))].concat(), 0)
        .data(Dst, &record(HANDSHAKE, &server(0x0304)), 9);
    assert_eq!(only(run.close()).0.version, Some(TlsVersion(0x0304)));
}

#[test]
fn a_hello_begins_with_its_record() {
    let stream = record(HANDSHAKE, &client("a"));
    let run = Run::new().data(Src, &stream[..3], 1).data(Src, &stream[3..7], 2).data(Src, &stream[7..], 3);
    let (_, request) = only(run.data(Dst, &record(HANDSHAKE, &server(0x0303)), 9).close());
    assert_eq!((request.ts, request.first_byte_us, request.latency_us), (Timestamp(1_000), Some(6), Some(8)));
}

#[test]
fn alerts_may_stand_before_the_server_hello() {
    let warning = record(ALERT, &[1, 112]);
    let run = Run::new().data(Src, &record(HANDSHAKE, &client("a")), 0).data(
        Dst,
        &[warning, record(HANDSHAKE, &server(0x0303))].concat(),
        1,
    );
    assert_eq!(only(run.close()).0.version, Some(TlsVersion(0x0303)));
}

#[test]
fn a_refused_handshake_is_given_at_the_end_without_a_version() {
    let run = Run::new().data(Src, &record(HANDSHAKE, &client("a")), 0).data(Dst, &record(ALERT, &[2, 40]), 1);
    let (tls, request) = only(run.close());
    assert_eq!((tls.sni.as_deref(), tls.version, request.latency_us), (Some("a"), None, None));
}

#[test]
fn a_server_hello_alone_gives_the_servers_part() {
    let run = Run::new().data(Dst, &record(HANDSHAKE, &server(0x0303)), 5);
    let run = run.data(Src, &record(HANDSHAKE, &message(16, &[0; 66])), 9);
    assert!(run.is_done);
    let (tls, request) = only(run.close());
    assert_eq!((tls.version, tls.sni, tls.ja4), (Some(TlsVersion(0x0303)), None, None));
    assert_eq!((request.ts, request.latency_us), (Timestamp(5_000), None));
}

#[test]
fn hellos_are_paired_in_any_order_and_from_any_side() {
    let run =
        Run::new().data(Src, &record(HANDSHAKE, &server(0x0303)), 5).data(Dst, &record(HANDSHAKE, &client("late")), 9);
    assert!(run.is_done);
    let (tls, request) = only(run.close());
    assert_eq!((tls.version, tls.sni.as_deref()), (Some(TlsVersion(0x0303)), Some("late")));
    assert_eq!(request.first_byte_us, Some(0));
}

#[test]
fn what_was_joined_behind_its_hellos_gives_nothing() {
    let data = record(APPLICATION_DATA, &[1; 100]);
    let run = Run::new().data(Src, &data, 0).data(Dst, &data, 1);
    assert!(run.is_done);
    assert_eq!(run.close(), []);
}

#[test]
fn a_hello_that_breaks_off_gives_what_stood_before_and_no_fingerprint() {
    let stream = record(HANDSHAKE, &client("example.com"));
    let run = Run::new().data(Src, &stream[..stream.len() - 20], 0).gap(Src, 20);
    let tls = only(run.data(Dst, &record(HANDSHAKE, &server(0x0304)), 1).close()).0;
    assert_eq!((tls.sni.as_deref(), tls.ja4), (Some("example.com"), None));
    assert_eq!(tls.version, Some(TlsVersion(0x0304)));
    let tls = only(Run::new().data(Src, &stream[..stream.len() - 20], 0).close()).0;
    assert_eq!((tls.sni.as_deref(), tls.ja4), (Some("example.com"), None));
}

#[test]
fn a_gap_within_what_is_skipped_is_no_harm() {
    let alert = record(ALERT, &[1; 100]);
    let behind = [&alert[70..], &record(HANDSHAKE, &server(0x0303))].concat();
    let run = Run::new().data(Dst, &alert[..20], 0).gap(Dst, 50).data(Dst, &behind, 1);
    assert_eq!(only(run.close()).0.version, Some(TlsVersion(0x0303)));
    let skipped = record(HANDSHAKE, &[retry(), message(9, &[1; 100])].concat());
    let (begin, end) = skipped.split_at(skipped.len() - 90);
    let behind = [&end[50..], &record(HANDSHAKE, &server(0x0304))].concat();
    let run = Run::new().data(Dst, begin, 0).gap(Dst, 50).data(Dst, &behind, 1);
    assert_eq!(only(run.close()).0.version, Some(TlsVersion(0x0304)));
}

#[test]
fn after_a_gap_a_hello_is_found_again() {
    let run = Run::new().gap(Src, 1_000).data(Src, &record(HANDSHAKE, &client("again")), 1);
    assert_eq!(only(run.close()).0.sni.as_deref(), Some("again"));
}

#[test]
fn a_hello_beyond_any_size_gives_what_fits_and_takes_no_more_memory() {
    let mut body = client_hello(TlsKind::Tls, "example.com");
    body.resize(2_000_000, 0);
    let mut run = Run::new();
    for part in message(1, &body).chunks(16_000) {
        run = run.data(Src, &record(HANDSHAKE, part), 0);
        assert!(run.parser.memory_bytes() < 140_000, "{}", run.parser.memory_bytes());
    }
    let tls = only(run.data(Dst, &record(HANDSHAKE, &server(0x0304)), 1).close()).0;
    assert_eq!((tls.sni.as_deref(), tls.ja4), (Some("example.com"), None));
}

#[test]
fn a_hello_in_the_form_of_ssl_2_offers_its_version() {
    let message = [&[1, 3, 1, 0, 6, 0, 0, 0, 16][..], &[0, 0, 4, 1, 0, 0x80], &[7; 16]].concat();
    let stream = [&[0x80, message.len() as u8], message.as_slice()].concat();
    assert_eq!(TlsStream::probe(&stream), Probe::Yes);
    let run = Run::new().data(Src, &stream, 0).data(Dst, &record(HANDSHAKE, &server(0x0301)), 1);
    assert!(run.is_done);
    let tls = only(run.close()).0;
    assert_eq!((tls.version_offered, tls.version), (Some(TlsVersion(0x0301)), Some(TlsVersion(0x0301))));
}

#[test]
fn ssl_2_itself_is_told_by_the_servers_hello() {
    let asked = [&[0x80, 28, 1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[7; 16]].concat();
    let answered = [&[0x80, 30, 4, 0, 1, 0, 2, 0, 0, 0, 3, 0, 16, 1, 0, 0x80][..], &[7; 16]].concat();
    assert_eq!(TlsStream::probe(&asked), Probe::Yes);
    let run = Run::new().data(Src, &asked, 0).data(Dst, &answered, 1);
    assert!(run.is_done);
    assert_eq!(only(run.close()).0.version, Some(TlsVersion(0x0002)));
}

#[test]
fn the_probe_tells_hellos_from_other_bytes() {
    let stream = record(HANDSHAKE, &client("a"));
    for len in 0..6 {
        assert_eq!(TlsStream::probe(&stream[..len]), Probe::Maybe, "{len}");
    }
    assert_eq!(TlsStream::probe(&stream), Probe::Yes);
    assert_eq!(TlsStream::probe(&record(HANDSHAKE, &server(0x0304))), Probe::Yes);
    let too_long = [&[22, 3, 1][..], &(MAX_RECORD_BYTES as u16 + 1).to_be_bytes(), &[1, 0, 0, 9]].concat();
    let old = [&[0x80, 29, 1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80][..], &[7; 16]].concat();
    for other in
        [&b"GET / HTTP/1.1\r\n"[..], b"SSH-2.0", b"\x17\x03\x03\x00\x40\x01\x00", b"\x80\x80\x01\x09", &too_long, &old]
    {
        assert_eq!(TlsStream::probe(other), Probe::No, "{other:02x?}");
    }
}

#[test]
fn odd_lists_are_read_as_far_as_they_go() {
    let with = |extension: &[u8]| {
        let mut body = client_hello(TlsKind::Tls, "x");
        body.truncate(2 + 32 + 33 + 10 + 2);
        body.extend(long(extension));
        only(Run::new().data(Src, &record(HANDSHAKE, &message(1, &body)), 0).close()).0
    };
    let unknown_type = with(&[0, 0, 0, 10, 0, 8, 9, 0, 1, b'n', 0, 0, 1, b'h']);
    assert_eq!(unknown_type.sni.as_deref(), Some("h"));
    let no_names = with(&[0, 0, 0, 0, 0, 16, 0, 2, 0, 0]);
    assert_eq!((no_names.sni, no_names.alpn), (None, vec![]));
    let empty_name = with(&[0, 16, 0, 6, 0, 4, 0, 2, b'h', b'2']);
    assert_eq!(empty_name.alpn, ["h2".into()]);
    let cut = with(&[0, 0, 0, 200, 0, 198, 0, 0, 195, b'n']);
    assert_eq!((cut.sni, cut.ja4), (None, None));
    assert_eq!(cut.version_offered, Some(TlsVersion(0x0303)));
}

#[test]
fn relatives_and_versions_to_come_are_read() {
    let offered = |version: [u8; 2], record_version: [u8; 2]| {
        let mut body = client_hello(TlsKind::Tls, "x");
        body.truncate(2 + 32 + 33 + 10 + 2);
        body[..2].copy_from_slice(&version);
        let mut stream = record(HANDSHAKE, &message(1, &body));
        stream[1..3].copy_from_slice(&record_version);
        assert_eq!(TlsStream::probe(&stream), Probe::Yes);
        only(Run::new().data(Src, &stream, 0).close()).0.version_offered
    };
    assert_eq!(offered([1, 1], [1, 1]), Some(TlsVersion(0x0101)));
    assert_eq!(offered([3, 0x63], [3, 1]), Some(TlsVersion(0x0363)));
}

/// Both sides of a handshake with everything between the hellos.
fn conversation() -> [(Side, Vec<u8>); 4] {
    let ccs = record(CHANGE_CIPHER_SPEC, &[1]);
    let cut_in_records =
        |message: &[u8]| message.chunks(90).flat_map(|part| record(HANDSHAKE, part)).collect::<Vec<_>>();
    [
        (Src, [cut_in_records(&client("cut.example")), ccs.clone()].concat()),
        (Dst, [cut_in_records(&retry()), ccs].concat()),
        (Src, cut_in_records(&client("cut.example"))),
        (Dst, [record(ALERT, &[1, 0]), cut_in_records(&[server(0x0304), message(11, &[2; 300])].concat())].concat()),
    ]
}

fn fed(streams: &[(Side, Vec<u8>)], cuts: &[usize]) -> Vec<Request> {
    let mut cuts = cuts.iter().copied().cycle();
    let mut run = Run::new();
    for (at, (side, stream)) in (0..).zip(streams) {
        let mut rest = stream.as_slice();
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
            run = run.data(*side, part, at);
            rest = behind;
        }
    }
    run.close()
}

#[test]
fn mutated_streams_are_read_without_panic_and_within_bounds() {
    let (sides, streams): (Vec<_>, Vec<_>) = conversation().into_iter().unzip();
    mutations::each(&streams, |random, streams| {
        let mut run = Run::new();
        for (side, stream) in sides.iter().zip(&streams) {
            let mut rest = stream.as_slice();
            while !rest.is_empty() {
                let (part, behind) = rest.split_at((1 + random.below(500)).min(rest.len()));
                run = run.data(*side, part, 0);
                rest = behind;
                if random.below(40) == 0 {
                    run = run.gap(*side, random.below(300) as u64);
                }
            }
            assert!(run.parser.memory_bytes() < 10_000, "{}", run.parser.memory_bytes());
        }
        assert!(run.close().len() <= 1);
    });
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_exchanges(cuts in prop::collection::vec(1usize..400, 1..20)) {
        let whole = fed(&conversation(), &[usize::MAX]);
        prop_assert_eq!(whole.len(), 1);
        prop_assert_eq!(fed(&conversation(), &cuts), whole.clone());
        prop_assert_eq!(fed(&conversation(), &[1]), whole);
    }

    #[test]
    fn any_bytes_are_read_without_panic(
        streams in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..600)), 0..6),
        cuts in prop::collection::vec(1usize..400, 1..20),
    ) {
        let side = |is_src| if is_src { Src } else { Dst };
        let streams: Vec<_> = streams.into_iter().map(|(is_src, bytes)| (side(is_src), bytes)).collect();
        prop_assert!(fed(&streams, &cuts).len() <= 1);
    }
}
