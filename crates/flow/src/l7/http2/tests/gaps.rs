use super::wire::*;
use crate::l7::config::L7Config;
use crate::l7::http2::Http2;
use crate::l7::parser::Side;

/// A request whose path goes into the dynamic table, and one that refers to it.
fn known(path: &str) -> Vec<u8> {
    [&[0x82, 0x86][..], &kept(&[(":path", path)])].concat()
}

#[test]
fn a_gap_within_a_body_is_stepped_over() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a")));
    tap.server(2, &frame(HEADERS, WHOLE, 1, &[0x88]));
    tap.server(2, &frame(DATA, 0, 1, &[7; 100])[..20]);
    tap.gap(Side::Dst, 89);
    let end = frame(DATA, END, 1, &[7; 100]);
    tap.server(3, &end[..9]);
    tap.gap(Side::Dst, 99);
    assert!(tap.found().is_empty());
    tap.gap(Side::Dst, 1);
    assert_eq!(lines(&tap.found()), ["GET /a 200"]);
}

#[test]
fn a_gap_within_a_block_costs_its_fields_and_the_table() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &known("/a")));
    let block = frame(HEADERS, ONLY, 3, &known("/b"));
    tap.client(1, &block[..12]);
    tap.gap(Side::Src, block.len() as u64 - 12);
    // The newest is /b, which nobody saw, and certainly not /a.
    tap.client(2, &frame(HEADERS, ONLY, 5, &[0x82, 0xbe]));
    tap.client(2, &frame(HEADERS, ONLY, 7, &known("/d")));
    tap.client(2, &frame(HEADERS, ONLY, 9, &[0x82, 0xbe]));
    tap.client(2, &frame(HEADERS, ONLY, 11, &[0x82, 0xbf]));
    for stream in [1, 3, 5, 7, 9, 11] {
        tap.server(3, &frame(HEADERS, ONLY, stream, &[0x88]));
    }
    let expected = ["GET /a 200", "- - 200", "GET - 200", "GET /d 200", "GET /d 200", "GET - 200"];
    assert_eq!(lines(&tap.found()), expected);
}

#[test]
fn after_a_gap_in_a_promise_its_parent_is_left_alone() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a")));
    let promise = frame(PUSH_PROMISE, WHOLE, 1, &[&[0, 0, 0, 2][..], &get("/b")].concat());
    tap.server(2, &promise[..11]);
    tap.gap(Side::Dst, promise.len() as u64 - 11);
    tap.server(4, &frame(HEADERS, ONLY, 2, &[0x88]));
    tap.server(4, &frame(HEADERS, ONLY, 1, &[0x88]));
    let found = tap.closed();
    assert_eq!((lines(&found), found[0].first_byte_us), (vec!["GET /a 200".to_owned()], Some(3_000_000)));
}

#[test]
fn after_a_gap_that_hides_frames_reading_goes_on_where_a_segment_starts_with_them() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &known("/a")));
    tap.gap(Side::Src, 500);
    tap.client(2, &[7; 300]);
    tap.client(2, &frame(HEADERS, ONLY, 7, &[0x82, 0x86, 0xbe]));
    tap.client(2, &frame(HEADERS, ONLY, 9, &known("/b")));
    // 3 was asked unseen; 9 is to come.
    for stream in [1, 3, 7, 9] {
        tap.server(3, &frame(HEADERS, ONLY, stream, &[0x88]));
    }
    assert_eq!(lines(&tap.found()), ["GET /a 200", "- - 200", "GET - 200", "GET /b 200"]);
    // 5 may have been asked too; 1 was, and is over.
    tap.server(4, &frame(HEADERS, ONLY, 5, &[0x8d]));
    tap.server(4, &frame(HEADERS, ONLY, 1, &[0x8d]));
    assert_eq!(lines(&tap.closed()), ["- - 404"]);
}

#[test]
fn a_connection_that_was_joined_half_way_tells_what_it_can() {
    let mut tap = Tap::new(Http2::new(L7Config::default()));
    // The answer of a call that was made before, in the middle of a body.
    tap.data(Side::Src, 1, &[9; 200]);
    let message = frame(DATA, END, 7, &[0, 0, 0, 0, 2, 8, 1]);
    tap.data(Side::Dst, 2, &[frame(HEADERS, WHOLE, 7, &[0x83, 0x86, 0xc5, 0xc4]), message.clone()].concat());
    let trailers = frame(HEADERS, ONLY, 7, &kept(&[("grpc-status", "0")]));
    let body = frame(DATA, 0, 7, &[0, 0, 0, 0, 2, 8, 1]);
    tap.data(Side::Src, 3, &[frame(HEADERS, WHOLE, 7, &[0x88, 0xc0]), body, trailers].concat());
    let found = tap.found();
    assert_eq!(lines(&found), ["POST - 200"]);
    let http = http(&found[0]);
    assert_eq!((http.is_grpc, http.grpc_status, http.host.as_deref()), (true, Some(0), None));
    assert_eq!(found[0].first_byte_us, Some(1_000_000));
}

#[test]
fn a_response_alone_makes_an_exchange_where_its_request_was_before_the_tap() {
    let mut tap = Tap::new(Http2::new(L7Config::default()));
    tap.server(1, &[frame(HEADERS, WHOLE, 7, &[0x88, 0xc0]), frame(DATA, END, 7, b"body")].concat());
    let found = tap.found();
    assert_eq!((lines(&found), found[0].first_byte_us), (vec!["- - 200".to_owned()], None));
}

#[test]
fn a_gap_before_the_first_byte_leaves_the_other_side_readable() {
    let mut tap = Tap::new(Http2::new(L7Config::default()));
    tap.gap(Side::Src, 1_000);
    let (_, server) = opening();
    tap.server(1, &[server, frame(HEADERS, ONLY, 1, &[0x88])].concat());
    assert_eq!(lines(&tap.found()), ["- - 200"]);
}
