use std::time::{Duration, Instant};

use proptest::prelude::*;
use weir_model::Request;

use super::wire::*;
use crate::l7::config::L7Config;
use crate::l7::exchanges::OpenRequest;
use crate::l7::http2::Http2;
use crate::l7::parser::{Side, StreamParser};

/// What a connection may hold, whatever is sent.
const MAX_BYTES: usize = 1 << 20;

/// A connection with some of everything: what each side sends, in turns.
fn conversation() -> Vec<(Side, Vec<u8>)> {
    let (client, server) = opening();
    let block = get("/a");
    let coded = [0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
    let ask = [
        client,
        frame(HEADERS, END | 0x28, 1, &[&[2, 0, 0, 0, 0, 15][..], &block[..10], &[0, 0]].concat()),
        frame(CONTINUATION, WHOLE, 1, &block[10..]),
        frame(HEADERS, WHOLE, 3, &call("/a.B/C")),
        frame(DATA, END, 3, &[1; 300]),
        frame(HEADERS, ONLY, 5, &coded),
        frame(HEADERS, ONLY, 7, &[0x82, 0xbe]),
        frame(HEADERS, WHOLE, 9, &get("/reset")),
        frame(RESET, 0, 9, &[0; 4]),
    ];
    let answer = [
        server,
        frame(PUSH_PROMISE, WHOLE, 1, &[&[0, 0, 0, 2][..], &kept(&[(":method", "GET"), (":path", "/p")])].concat()),
        frame(HEADERS, ONLY, 2, &[0x88]),
        frame(HEADERS, WHOLE, 1, &kept(&[(":status", "201"), ("server", "x")])),
        frame(DATA, 0x9, 1, &[&[20][..], &[3; 80]].concat()),
        frame(HEADERS, WHOLE, 3, &[0x20, 0x3f, 0xe1, 0x1f, 0x88]),
        frame(77, 0xff, 0, &[5; 50]),
        frame(DATA, 0, 3, &[3; 80]),
        frame(HEADERS, ONLY, 3, &kept(&[("grpc-status", "0")])),
        frame(HEADERS, ONLY, 7, &[0x8d]),
    ];
    vec![(Side::Src, ask.concat()), (Side::Dst, answer.concat())]
}

/// Everything found when `bytes` come in pieces of these lengths, in turns.
fn found_in(conversation: &[(Side, Vec<u8>)], lengths: &[usize]) -> Vec<Request> {
    let mut tap = Tap::new(Http2::new(L7Config::default()));
    let mut lengths = lengths.iter().cycle();
    for (side, bytes) in conversation {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = (*lengths.next().expect("a cycle")).clamp(1, rest.len());
            tap.data(*side, 1, &rest[..len]);
            rest = &rest[len..];
        }
    }
    tap.closed()
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_exchanges(lengths in prop::collection::vec(1usize..60, 1..20)) {
        let whole = found_in(&conversation(), &[usize::MAX]);
        prop_assert_eq!(whole.len(), 6);
        prop_assert_eq!(found_in(&conversation(), &lengths), whole);
    }

    #[test]
    fn noise_does_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600), gap in any::<u32>()) {
        let mut tap = Tap::opened();
        Http2::probe(&bytes);
        tap.client(1, &bytes);
        tap.gap(Side::Src, u64::from(gap));
        tap.server(2, &bytes);
        tap.client(3, &bytes);
        prop_assert!(tap.parser.memory_bytes() < MAX_BYTES);
    }
}

#[test]
fn the_conversation_is_read_in_full() {
    let lines = lines(&found_in(&conversation(), &[usize::MAX]));
    assert_eq!(lines, ["GET /reset -", "GET /p 200", "GET /a 201", "POST /a.B/C 200", "GET - 404", "GET / -"]);
}

#[test]
fn open_streams_have_a_cap_and_the_oldest_go_first() {
    let mut tap = Tap::opened();
    for stream in 0..3_000u32 {
        tap.client(1, &frame(HEADERS, ONLY, stream * 2 + 1, &get(&format!("/{stream}"))));
    }
    let early = tap.found();
    assert_eq!((early.len(), lines(&early)[0].as_str()), (3_000 - 1_024, "GET /0 -"));
    // An answer that comes too late for its request makes no exchange of its own.
    tap.server(2, &frame(HEADERS, ONLY, 1, &[0x88]));
    assert!(tap.found().is_empty());
    assert_eq!(tap.closed().len(), 1_024);
}

#[test]
fn memory_has_a_cap_whatever_is_sent() {
    let long = "x".repeat(8_000);
    let mut tap = Tap::opened();
    for side in [Side::Src, Side::Dst] {
        tap.data(side, 1, &frame(HEADERS, WHOLE, 1, &[0x3f, 0xff, 0xff, 0xff, 0xff, 0x07]));
        for stream in 0..400u32 {
            let id = stream.to_string();
            let fields =
                [(":method", &*long), (":path", &long), (":authority", &long), ("x-request-id", &long), ("id", &id)];
            tap.data(side, 1, &frame(HEADERS, WHOLE, stream * 2 + 3, &kept(&fields)));
            assert!(tap.parser.memory_bytes() < MAX_BYTES, "{}", tap.parser.memory_bytes());
        }
        tap.data(side, 1, &frame(HEADERS, 0, 2_001, &[0; 16_384]));
        for _ in 0..100 {
            tap.data(side, 1, &frame(CONTINUATION, 0, 2_001, &[0; 16_384]));
            assert!(tap.parser.memory_bytes() < MAX_BYTES);
        }
        tap.data(side, 1, &frame(CONTINUATION, WHOLE, 2_001, &[]));
    }
    // And it goes on.
    tap.client(2, &frame(HEADERS, ONLY, 3_001, &get("/after")));
    tap.server(2, &frame(HEADERS, ONLY, 3_001, &[0x88]));
    assert!(lines(&tap.found()).contains(&"GET /after 200".to_owned()));
}

#[test]
fn damaged_connections_do_no_harm() {
    let started = Instant::now();
    let mut random = Random(0x5eed_0002);
    let mut rounds = 0;
    while rounds < 3_000 || started.elapsed() < fuzz_time() {
        rounds += 1;
        let mut tap = Tap::new(match rounds % 4 {
            0 => Http2::upgraded(L7Config::default(), OpenRequest::default()),
            _ => Http2::new(L7Config::default()),
        });
        for _ in 0..=random.below(3) {
            for (side, mut bytes) in conversation() {
                for _ in 0..random.below(8) {
                    let at = random.below(bytes.len());
                    match random.below(4) {
                        0 => bytes[at] = random.below(256) as u8,
                        1 => bytes[at] ^= 1 << random.below(8),
                        2 => drop(bytes.drain(at..(at + random.below(20)).min(bytes.len()))),
                        _ => bytes.insert(at, [0, 0xff, 0x7f, 0x80][random.below(4)]),
                    }
                }
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let len = (random.below(200) + 1).min(rest.len());
                    if random.below(20) == 0 {
                        tap.gap(side, len as u64);
                    } else {
                        tap.data(side, 1, &rest[..len]);
                    }
                    rest = &rest[len..];
                }
            }
        }
        assert!(tap.parser.memory_bytes() < MAX_BYTES);
        tap.closed();
    }
}

/// How long damaged input is tried beyond the first rounds.
#[expect(clippy::disallowed_methods, reason = "a longer run is asked for by the environment")]
fn fuzz_time() -> Duration {
    let seconds = std::env::var("WEIR_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0))
}

/// Numbers that look random and are the same in every run (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end.max(1) as u64) as usize
    }
}
