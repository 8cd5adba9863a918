use proptest::collection::vec;
use proptest::prelude::*;
use weir_model::Request;

use super::*;
use crate::l7::drive::{Part, damaged, drive, dst, src};

const MAX_BYTES: usize = 256 << 10;

fn full(parts: &[Part]) -> (Vec<Request>, Turn) {
    drive(Http1::new(L7Config::default()), parts, MAX_BYTES, |len| len)
}

/// Exchanges as `method host path status`.
fn said(requests: &[Request]) -> Vec<String> {
    let shown = |request: &Request| {
        let http = request.exchange.http().expect("HTTP");
        let text = |text: &Option<Box<str>>| text.as_deref().unwrap_or("-").to_owned();
        let status = http.status.map_or("-".to_owned(), |status| status.to_string());
        format!("{} {} {} {status}", text(&http.method), text(&http.host), text(&http.path))
    };
    requests.iter().map(shown).collect()
}

fn found(parts: &[Part]) -> Vec<String> {
    said(&full(parts).0)
}

const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: x.example\r\nX-Request-Id: 7\r\n\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn an_exchange_has_its_names_and_times() {
    let (found, turn) = full(&[src(&GET[..10]), src(&GET[10..]), dst(&OK[..20]), dst(&OK[20..42]), dst(&OK[42..])]);
    assert_eq!(said(&found), ["GET x.example /a 200"]);
    let [request] = &found[..] else { unreachable!("one exchange") };
    assert_eq!((request.ts, request.first_byte_us, request.latency_us), (Timestamp(0), Some(1_000), Some(4_000)));
    assert_eq!(request.exchange.http().expect("HTTP").request_id.as_deref(), Some("7"));
    assert!(matches!(turn, Turn::Stay));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let asked = "HEAD /1 HTTP/1.1\r\n\r\nPOST /2 HTTP/1.1\nContent-Length: 4\n\nGET GET /3 HTTP/1.0\r\n\r\n";
    let answers = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n\
        HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nHTTP/1.1 404 No\r\n\r\nHTTP/1.1 500 no\r\n\r\n";
    assert_eq!(
        found(&[src(asked), dst(answers), Part::End(Side::Dst)]),
        ["HEAD - /1 200", "POST - /2 201", "GET - /3 404"]
    );
}

#[test]
fn a_request_is_given_out_without_an_answer_when_the_flow_is_over() {
    assert_eq!(found(&[src(GET), Part::End(Side::Src)]), ["GET x.example /a -"]);
    // A head that never ends asks nothing.
    assert_eq!(found(&[src("GET / HTTP/1.1\r\nHost: a")]), [""; 0]);
}

#[test]
fn a_flow_that_was_joined_half_way_starts_with_the_next_head() {
    let parts = [dst("rest of a body\nHTTP/1.1 is fine\n"), dst("\x00\x01"), dst(OK), src(GET), dst(OK)];
    assert_eq!(found(&parts), ["- - - 200", "GET x.example /a 200"]);
}

#[test]
fn a_response_that_was_captured_before_its_request_answers_it() {
    assert_eq!(found(&[dst(OK), src(GET)]), ["GET x.example /a 200"]);
    assert_eq!(found(&[dst(OK), src(""), src(""), src(GET)]), ["- - - 200", "GET x.example /a -"]);
    assert_eq!(found(&[dst(OK), src(GET), dst(OK)]), ["- - - 200", "GET x.example /a 200"]);
}

#[test]
fn a_request_that_waited_for_a_segment_is_answered_by_what_came_after_it() {
    let (mut parser, mut out) = (Http1::new(L7Config::default()), Exchanges::default());
    let at = |millis: i64| Timestamp(millis * 1_000_000);
    parser.data(Side::Dst, OK.as_bytes(), at(5), &mut out);
    parser.data(Side::Src, GET.as_bytes(), at(4), &mut out);
    parser.data(Side::Dst, &OK.as_bytes()[..40], at(8), &mut out);
    parser.data(Side::Src, GET.as_bytes(), at(7), &mut out);
    parser.data(Side::Dst, &OK.as_bytes()[40..], at(9), &mut out);
    let found: Vec<_> = out.drain().collect();
    assert_eq!(said(&found), ["GET x.example /a 200", "GET x.example /a 200"]);
    assert_eq!(found.iter().map(|request| request.latency_us).collect::<Vec<_>>(), [Some(1_000), Some(2_000)]);
}

#[test]
fn requests_behind_a_gap_get_their_own_answers_only() {
    let (mut parser, mut out) = (Http1::new(L7Config::default()), Exchanges::default());
    let at = |millis: i64| Timestamp(millis * 1_000_000);
    for answered in [1, 3, 5] {
        parser.data(Side::Dst, OK.as_bytes(), at(answered), &mut out);
    }
    parser.gap(Side::Src, 50, &mut out);
    for asked in [2, 4] {
        parser.data(Side::Src, GET.as_bytes(), at(asked), &mut out);
    }
    assert_eq!(said(&out.drain().collect::<Vec<_>>()), ["- - - 200", "GET x.example /a 200", "GET x.example /a 200"]);
    // An answer that was given out alone is not made up for by the next one.
    for answered in 10..40 {
        parser.data(Side::Dst, OK.as_bytes(), at(answered), &mut out);
    }
    parser.data(Side::Src, GET.as_bytes(), at(9), &mut out);
    let found = said(&out.drain().collect::<Vec<_>>());
    assert_eq!(found.last().map(String::as_str), Some("GET x.example /a -"));
}

#[test]
fn a_gap_within_a_body_of_known_length_is_passed_over() {
    let start = "HTTP/1.1 206 Partial\r\nContent-Length: 10\r\n\r\n12";
    let parts = [src(GET.repeat(2)), dst(start), Part::Gap(Side::Dst, 7), dst("0HTTP/1.1 404 No\r\n\r\n")];
    assert_eq!(found(&parts), ["GET x.example /a 206", "GET x.example /a 404"]);
}

#[test]
fn behind_a_gap_the_next_head_is_looked_for_and_nothing_is_made_up() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab";
    let gap = Part::Gap(Side::Dst, 100);
    let parts = [
        src(GET),
        dst(chunked),
        gap.clone(),
        dst("HTTP/1.1 in a text\n\x00"),
        src(GET),
        dst("HTTP/1.1 404 No\r\n\r\n"),
    ];
    assert_eq!(found(&parts), ["GET x.example /a 200", "GET x.example /a 404"]);
    // The first answer is lost with its head: the next one belongs to the request that was sent last.
    let parts = [src(GET), gap.clone(), src("GET /2 HTTP/1.1\r\n\r\n"), dst("HTTP/1.1 404 No\r\n\r\n")];
    assert_eq!(found(&parts), ["GET x.example /a -", "GET - /2 404"]);
    // Which of two it was cannot be said.
    let parts = [src(GET.repeat(2)), gap, dst("HTTP/1.1 404 No\r\n\r\n")];
    assert_eq!(found(&parts), ["GET x.example /a -", "GET x.example /a -", "- - - 404"]);
}

#[test]
fn a_head_with_a_gap_tells_what_stands_before_it() {
    let parts = [src(&GET[..40]), Part::Gap(Side::Src, 20), dst("HTTP/1.1 302 Found\r\nSe"), Part::Gap(Side::Dst, 9)];
    assert_eq!(found(&parts), ["GET x.example /a 302"]);
    // The snap length cuts every segment.
    let cut = |part, side| [part, Part::Gap(side, 50)];
    let asks = cut(src("GET /a HTTP/1.1\r\nHo"), Side::Src);
    let tells = cut(dst("HTTP/1.1 200 OK\r\nCon"), Side::Dst);
    assert_eq!(found(&[asks.clone(), tells.clone(), asks, tells].concat()), ["GET - /a 200", "GET - /a 200"]);
}

#[test]
fn connect_opens_a_tunnel_for_something_else() {
    let connect = "CONNECT t.example:443 HTTP/1.1\r\nHost: t.example:443\r\n\r\n";
    let (found, turn) = full(&[src(connect), dst("HTTP/1.1 200 Connection established\r\n\r\nabc")]);
    assert_eq!(said(&found), ["CONNECT t.example:443 t.example:443 200"]);
    assert!(matches!(turn, Turn::Anew { rest: 3 }), "{turn:?}");
    let refused = "HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n";
    let (found, turn) = full(&[src(connect), dst(refused), src(GET), dst(OK)]);
    assert_eq!(said(&found), ["CONNECT t.example:443 t.example:443 407", "GET x.example /a 200"]);
    assert!(matches!(turn, Turn::Stay), "{turn:?}");
}

#[test]
fn upgrades_are_noted() {
    let ask = |what: &str| src(format!("GET /chat HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: {what}\r\n\r\n"));
    let switch = |what: &str| dst(format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: {what}\r\n\r\n\x01\x02"));
    let (found, turn) = full(&[ask("WebSocket"), switch("WebSocket")]);
    assert_eq!(said(&found), ["GET - /chat 101"]);
    assert_eq!(found[0].exchange.http().expect("HTTP").upgrade.as_deref(), Some("websocket"));
    assert!(matches!(turn, Turn::Done), "{turn:?}");

    let (found, turn) = full(&[ask("h2c"), switch("h2c")]);
    let Turn::Http2 { request, rest } = turn else { panic!("{turn:?}") };
    assert_eq!((found.len(), rest, request.http.path.as_deref(), request.http.status), (0, 2, Some("/chat"), None));
    assert!(request.times.asked.is_some() && request.times.answered.is_none());

    let (found, turn) = full(&[ask("tcp"), switch("tcp")]);
    assert_eq!(found[0].exchange.http().expect("HTTP").upgrade.as_deref(), Some("tcp"));
    assert!(matches!(turn, Turn::Anew { rest: 2 }), "{turn:?}");
    assert_eq!(self::found(&[ask("h2c"), dst(OK), src(GET), dst(OK)]), ["GET - /chat 200", "GET x.example /a 200"]);
}

#[test]
fn names_are_those_of_the_first_exchange() {
    let config = L7Config { level: L7Level::Names, ..L7Config::default() };
    let parts = [src(GET.repeat(2)), dst(OK.repeat(2))];
    let (found, turn) = drive(Http1::new(config), &parts, MAX_BYTES, |len| len);
    assert_eq!(said(&found), ["GET x.example - 200"]);
    assert!(matches!(turn, Turn::Done));
    let (found, _) = drive(Http1::new(config), &parts[..1], MAX_BYTES, |len| len);
    assert_eq!(said(&found), ["GET x.example - -"]);
}

#[test]
fn deep_pipelines_and_long_heads_take_no_more_than_their_memory() {
    let (found, _) = full(&[src(GET.repeat(200)), dst(OK.repeat(200))]);
    assert_eq!(said(&found).iter().filter(|line| line.ends_with("/a 200")).count(), 64);
    assert_eq!(said(&found).iter().filter(|line| line.starts_with("- - - 200")).count(), 136);
    let header = format!("A: {}\r\n", "a".repeat(1_000));
    let (found, _) = full(&[src("GET / HTTP/1.1\r\n"), src(header.repeat(100)), src(GET)]);
    assert_eq!(said(&found), ["GET - / -", "GET x.example /a -"]);
}

#[test]
fn a_server_that_greets_in_another_protocol_was_not_asked_over_http() {
    let (found, turn) = full(&[src(GET), dst("SSH-2.0-x\r\n")]);
    assert_eq!(said(&found), [""; 0]);
    assert!(matches!(turn, Turn::Done));
    assert_eq!(self::found(&[src(GET), dst(OK), dst("220 x\r\n")]), ["GET x.example /a 200"]);
}

#[test]
fn noise_is_given_up() {
    let (found, turn) = full(&[src(GET), src("a".repeat(600_000)), src("\n".repeat(600_000))]);
    assert_eq!(said(&found), ["GET x.example /a -"]);
    assert!(matches!(turn, Turn::Done));
}

fn piece() -> impl Strategy<Value = &'static [u8]> {
    prop::sample::select(vec![
        GET.as_bytes(),
        OK.as_bytes(),
        b"HEAD /h HTTP/1.0\n\n",
        b"POST http://u@h/p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 204 No\r\n\r\n",
        b"\r\n",
        b"some text\nGET / HTTP/1.1\nnot a header\n\n",
        b"\xff\x00\xfe",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    ])
}

proptest! {
    #[test]
    fn cuts_change_nothing(
        pieces in vec((any::<bool>(), piece()), 0..12),
        cuts in vec(1..40_usize, 1..20),
    ) {
        // What a side sends first says where messages start.
        let mut parts = vec![src(GET), dst("HTTP/1.1 100 Continue\r\n\r\n")];
        parts.extend(pieces.iter().map(|(is_src, bytes)| if *is_src { src(bytes) } else { dst(bytes) }));
        let mut cuts = cuts.iter().cycle();
        let (whole, turn) = full(&parts);
        let cut = |_| cuts.next().copied().unwrap_or(1);
        let (cut, cut_turn) = drive(Http1::new(L7Config::default()), &parts, MAX_BYTES, cut);
        prop_assert_eq!(whole, cut);
        prop_assert_eq!(format!("{turn:?}"), format!("{cut_turn:?}"));
    }
}

#[test]
fn damage_never_panics_and_takes_no_more_than_its_memory() {
    let seeds = [
        GET.repeat(3),
        OK.repeat(3),
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\n".into(),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n".into(),
        "CONNECT a:1 HTTP/1.1\r\n\r\nGET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n".into(),
    ]
    .map(String::into_bytes);
    damaged(&seeds, |bytes, dice| {
        let mut parts = Vec::new();
        for piece in bytes.chunks(1 + dice.roll(60)) {
            let side = if dice.roll(2) == 0 { Side::Src } else { Side::Dst };
            parts.push(match dice.roll(12) {
                0 => Part::Gap(side, dice.roll(50) as u64),
                1 => Part::End(side),
                _ => Part::Data(side, piece.to_vec()),
            });
        }
        full(&parts);
    });
}
