use weir_model::{HttpVersion, Timestamp};

use super::wire::*;
use crate::l7::config::{L7Config, L7Level};
use crate::l7::exchanges::OpenRequest;
use crate::l7::http2::Http2;
use crate::l7::parser::Side;

#[test]
fn a_request_and_its_response_are_an_exchange() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a?token=x")));
    tap.server(3, &frame(HEADERS, WHOLE, 1, &[0x88]));
    tap.server(4, &frame(DATA, 0, 1, b"body"));
    assert!(tap.found().is_empty());
    tap.server(6, &frame(DATA, END, 1, &[]));
    let found = tap.found();
    assert_eq!(lines(&found), ["GET /a 200"]);
    let (request, http) = (&found[0], http(&found[0]));
    assert_eq!((http.version, http.host.as_deref(), http.is_grpc), (HttpVersion::Http2, Some("web:80"), false));
    assert_eq!(request.ts, Timestamp(1_000_000_000));
    assert_eq!((request.first_byte_us, request.latency_us), (Some(2_000_000), Some(5_000_000)));
    assert!(tap.closed().is_empty());
}

#[test]
fn a_request_lasts_as_long_as_its_body() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, WHOLE, 1, &get("/a")));
    let body = frame(DATA, END, 1, &[0; 100]);
    tap.client(2, &body[..50]);
    tap.client(5, &body[50..]);
    tap.server(6, &frame(HEADERS, ONLY, 1, &[0x88]));
    assert_eq!(tap.found()[0].first_byte_us, Some(1_000_000));
}

#[test]
fn a_call_has_the_status_of_its_trailers() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, WHOLE, 1, &call("/shop.Cart/Add")));
    tap.client(1, &frame(DATA, END, 1, &[0, 0, 0, 0, 0]));
    tap.server(2, &frame(HEADERS, WHOLE, 1, &[0x88]));
    tap.server(2, &frame(DATA, 0, 1, &[0, 0, 0, 0, 0]));
    tap.server(2, &frame(HEADERS, ONLY, 1, &plain(&[("grpc-status", "14"), ("grpc-message", "gone")])));
    let found = tap.found();
    assert_eq!(lines(&found), ["POST /shop.Cart/Add 200"]);
    assert_eq!((http(&found[0]).is_grpc, http(&found[0]).grpc_status), (true, Some(14)));
}

#[test]
fn a_call_may_be_answered_by_one_block() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &call("/a.B/C")));
    tap.server(2, &frame(HEADERS, ONLY, 1, &plain(&[(":status", "200"), ("grpc-status", "12")])));
    let found = tap.found();
    assert_eq!((http(&found[0]).status, http(&found[0]).grpc_status), (Some(200), Some(12)));
}

#[test]
fn streams_end_in_their_own_order() {
    let mut tap = Tap::opened();
    for (stream, path) in [(1, "/a"), (3, "/b"), (5, "/c")] {
        tap.client(1, &frame(HEADERS, ONLY, stream, &get(path)));
    }
    tap.server(2, &frame(HEADERS, WHOLE, 1, &[0x88]));
    tap.server(2, &frame(HEADERS, ONLY, 5, &[0x8d]));
    tap.server(2, &frame(HEADERS, ONLY, 3, &[0x89]));
    tap.server(2, &frame(DATA, END, 1, b"x"));
    assert_eq!(lines(&tap.found()), ["GET /c 404", "GET /b 204", "GET /a 200"]);
}

#[test]
fn informational_responses_are_not_the_answer() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a")));
    tap.server(2, &frame(HEADERS, WHOLE, 1, &plain(&[(":status", "103"), ("link", "</b>")])));
    tap.server(3, &frame(HEADERS, ONLY, 1, &[0x8e]));
    let found = tap.found();
    assert_eq!((lines(&found), found[0].first_byte_us), (vec!["GET /a 500".to_owned()], Some(2_000_000)));
}

#[test]
fn a_reset_ends_an_exchange_and_what_comes_late_is_none() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, WHOLE, 1, &get("/a")));
    tap.client(2, &frame(RESET, 0, 1, &[0, 0, 0, 8]));
    assert_eq!(lines(&tap.found()), ["GET /a -"]);
    tap.server(3, &frame(HEADERS, ONLY, 1, &[0x88]));
    tap.client(3, &frame(HEADERS, ONLY, 1, &plain(&[("a-trailer", "x")])));
    assert!(tap.closed().is_empty());
}

#[test]
fn what_is_open_is_given_out_when_the_server_or_the_flow_ends() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a")));
    tap.end(Side::Src);
    assert!(tap.found().is_empty());
    tap.server(2, &frame(HEADERS, WHOLE, 1, &[0x88]));
    tap.end(Side::Dst);
    assert_eq!(lines(&tap.found()), ["GET /a 200"]);
    tap.client(1, &frame(HEADERS, ONLY, 3, &get("/b")));
    assert_eq!(lines(&tap.closed()), ["GET /b -"]);
}

#[test]
fn blocks_go_on_in_continuations_and_have_padding_and_priority() {
    let block = get("/a");
    let padded = [&[2, 0, 0, 0, 0, 15][..], &block[..10], &[0, 0]].concat();
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, END | 0x28, 1, &padded));
    tap.client(1, &frame(CONTINUATION, 0, 1, &block[10..11]));
    tap.client(1, &frame(CONTINUATION, 0, 1, &[]));
    tap.client(2, &frame(CONTINUATION, WHOLE, 1, &block[11..]));
    tap.server(3, &frame(HEADERS, ONLY, 1, &[0x88]));
    let found = tap.found();
    assert_eq!((lines(&found), found[0].first_byte_us), (vec!["GET /a 200".to_owned()], Some(1_000_000)));
}

#[test]
fn fields_of_earlier_blocks_are_referred_to() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &[&[0x82][..], &kept(&[(":path", "/a"), ("x-request-id", "17")])].concat()));
    tap.client(1, &frame(HEADERS, ONLY, 3, &[0x83, 0xbf, 0xbe]));
    let found = tap.closed();
    assert_eq!(lines(&found), ["GET /a -", "POST /a -"]);
    assert_eq!(http(&found[1]).request_id.as_deref(), Some("17"));
}

#[test]
fn a_host_field_stands_in_for_the_authority() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &plain(&[(":method", "GET"), ("host", "me@web"), ("traceparent", "00-1")])));
    tap.client(1, &frame(HEADERS, ONLY, 3, &plain(&[(":method", "GET"), (":authority", "b"), ("host", "a")])));
    let found = tap.closed();
    assert_eq!((http(&found[0]).host.as_deref(), http(&found[1]).host.as_deref()), (Some("web"), Some("b")));
    assert_eq!(http(&found[0]).request_id.as_deref(), Some("00-1"));
}

#[test]
fn a_push_is_a_request_that_the_server_made() {
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a")));
    tap.server(2, &frame(PUSH_PROMISE, WHOLE, 1, &[&[0, 0, 0, 2][..], &get("/a.css")].concat()));
    tap.server(3, &frame(HEADERS, ONLY, 1, &[0x88]));
    tap.server(4, &frame(HEADERS, ONLY, 2, &[0x8b]));
    assert_eq!(lines(&tap.found()), ["GET /a 200", "GET /a.css 304"]);
}

#[test]
fn an_extended_connect_turns_a_stream_into_something_else() {
    let fields = [(":method", "CONNECT"), (":protocol", "websocket"), (":path", "/chat")];
    let mut tap = Tap::opened();
    tap.client(1, &frame(HEADERS, WHOLE, 1, &plain(&fields)));
    tap.client(1, &frame(HEADERS, WHOLE, 3, &plain(&fields)));
    tap.server(2, &frame(HEADERS, WHOLE, 1, &[0x88]));
    tap.server(2, &frame(HEADERS, WHOLE, 3, &[0x8d]));
    let found = tap.closed();
    assert_eq!(lines(&found), ["CONNECT /chat 200", "CONNECT /chat 404"]);
    assert_eq!((http(&found[0]).upgrade.as_deref(), http(&found[1]).upgrade.as_deref()), (Some("websocket"), None));
}

#[test]
fn after_an_upgrade_stream_one_answers_the_request() {
    let mut request = OpenRequest::default();
    request.http.method = Some("GET".into());
    request.http.path = Some("/up".into());
    request.times.ask(Timestamp(1_000_000_000));
    let mut tap = Tap::new(Http2::upgraded(L7Config::default(), request));
    let (client, server) = opening();
    tap.server(2, &server);
    tap.server(3, &frame(HEADERS, ONLY, 1, &[0x88]));
    tap.client(4, &client);
    tap.client(4, &frame(HEADERS, ONLY, 3, &get("/next")));
    tap.server(5, &frame(HEADERS, ONLY, 3, &[0x88]));
    let found = tap.found();
    assert_eq!(lines(&found), ["GET /up 200", "GET /next 200"]);
    assert_eq!((http(&found[0]).upgrade.as_deref(), found[0].first_byte_us), (Some("h2c"), Some(2_000_000)));
}

#[test]
fn settings_of_the_server_may_come_first() {
    let mut tap = Tap::new(Http2::new(L7Config::default()));
    let (client, server) = opening();
    tap.server(1, &server);
    tap.client(2, &client);
    tap.client(3, &frame(HEADERS, ONLY, 1, &get("/a")));
    tap.server(4, &frame(HEADERS, ONLY, 1, &[0x88]));
    assert_eq!(lines(&tap.found()), ["GET /a 200"]);
}

#[test]
fn an_answer_may_come_before_its_request() {
    let mut tap = Tap::opened();
    tap.server(1, &frame(HEADERS, ONLY, 1, &[0x88]));
    tap.client(2, &frame(HEADERS, ONLY, 1, &get("/a")));
    let found = tap.found();
    assert_eq!((lines(&found), found[0].first_byte_us), (vec!["GET /a 200".to_owned()], Some(0)));
}

#[test]
fn a_server_that_answers_in_another_protocol_ends_it() {
    let mut tap = Tap::new(Http2::new(L7Config::default()));
    let (client, _) = opening();
    tap.client(1, &client);
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a")));
    tap.server(2, b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert!(tap.is_done);
    assert_eq!(lines(&tap.found()), ["GET /a -"]);
}

#[test]
fn frames_without_settings_before_them_are_another_protocol() {
    let mut tap = Tap::new(Http2::new(L7Config::default()));
    tap.client(1, &opening().0);
    tap.server(2, &frame(DATA, 0, 0, &[]));
    assert!(tap.is_done);
}

#[test]
fn a_table_may_be_as_large_as_its_reader_allows() {
    let long = "x".repeat(5_000);
    let block = kept(&[(":path", "/a"), ("cookie", &long)]);
    for settings in [&[][..], &[0, 3, 0, 0, 0, 100, 0, 1, 0, 0, 0x40, 0]] {
        let mut tap = Tap::opened();
        for byte in frame(SETTINGS, 0, 0, settings) {
            tap.server(1, &[byte]);
        }
        tap.client(2, &frame(HEADERS, ONLY, 1, &block));
        tap.client(2, &frame(HEADERS, ONLY, 3, &[0x82, 0xbf]));
        let path = if settings.is_empty() { "-" } else { "/a" };
        assert_eq!(lines(&tap.closed())[1], format!("GET {path} -"));
    }
}

#[test]
fn names_are_the_first_request_without_its_path() {
    let mut tap = Tap::new(Http2::new(L7Config { level: L7Level::Names, ..L7Config::default() }));
    let (client, server) = opening();
    tap.client(0, &client);
    tap.server(0, &server);
    tap.client(1, &frame(HEADERS, ONLY, 1, &get("/a")));
    tap.client(1, &frame(HEADERS, ONLY, 3, &get("/b")));
    tap.server(2, &frame(HEADERS, ONLY, 3, &[0x8d]));
    tap.server(2, &frame(HEADERS, ONLY, 1, &[0x88]));
    assert!(tap.is_done);
    let found = tap.found();
    assert_eq!((lines(&found), http(&found[0]).host.as_deref()), (vec!["GET - 200".to_owned()], Some("web:80")));
}
