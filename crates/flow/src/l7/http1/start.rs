//! Start lines (RFC 9112, 3 and 4): whether bytes are one, and its parts.
//!
//! Any method will do, but the line must end in the version: other protocols of text have lines like these.

use weir_model::HttpVersion;

use crate::l7::parser::Probe;

/// The longest line that is kept.
pub(super) const MAX_LINE_BYTES: usize = 16 << 10;
const MAX_METHOD_BYTES: usize = 32;
const VERSION: &[u8] = b"HTTP/1.";
/// The version, spaces, three digits and what follows them.
const MAX_STATUS_BYTES: usize = 16;

/// Which start lines a side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartLine {
    /// Of requests.
    Request,
    /// Of responses.
    Status,
}

/// The parts of a start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parts<'a> {
    Request { method: &'a [u8], target: &'a [u8], version: HttpVersion },
    Response { status: u16, version: HttpVersion },
}

/// The parts of a line, without its end; `None` = it is no start line.
pub(super) fn parts(line: &[u8]) -> Option<Parts<'_>> {
    response(line).or_else(|| request(line))
}

/// Whether a line is how servers of other protocols begin: SSH, SMTP and FTP, POP, IMAP, RFB.
pub(super) fn is_greeting(line: &[u8]) -> bool {
    [&b"SSH-"[..], b"220 ", b"220-", b"+OK", b"* OK", b"RFB "].iter().any(|greeting| line.starts_with(greeting))
}

/// Whether these may be the first bytes of a message.
pub(super) fn probe(bytes: &[u8]) -> Probe {
    let blank = bytes.iter().take(4).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let bytes = bytes.get(blank..).unwrap_or_default();
    if !may_begin(bytes) {
        return Probe::No;
    }
    let end = bytes.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n');
    if let Some(line) = end.and_then(|end| bytes.get(..end)) {
        return if parts(line).is_some() { Probe::Yes } else { Probe::No };
    }
    let is_version = bytes.iter().zip(VERSION).all(|(byte, wanted)| byte == wanted);
    let may_be = match () {
        () if is_version && bytes.len() > 12 && response(bytes).is_some() => return Probe::Yes,
        () if is_version => bytes.len() < MAX_STATUS_BYTES,
        () => bytes.len() < MAX_LINE_BYTES && may_be_request(bytes),
    };
    if may_be { Probe::Maybe } else { Probe::No }
}

/// Whether the first bytes are a version or a method, as far as they go. Most payloads are told apart by it without looking
/// at the rest.
fn may_begin(bytes: &[u8]) -> bool {
    let is_version = bytes.iter().zip(VERSION).all(|(byte, wanted)| byte == wanted);
    let first = bytes.get(..=MAX_METHOD_BYTES).unwrap_or(bytes);
    let method = first.split(|byte| is_space(*byte)).next().unwrap_or_default();
    is_version || is_method(method)
}

fn may_be_request(bytes: &[u8]) -> bool {
    match bytes.iter().position(|byte| is_space(*byte)) {
        None => bytes.is_empty() || is_method(bytes),
        Some(end) => bytes.split_at_checked(end).is_some_and(|(method, rest)| {
            let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
            is_method(method) && rest.iter().all(|byte| is_space(*byte) || is_target(*byte))
        }),
    }
}

fn response(line: &[u8]) -> Option<Parts<'_>> {
    let (version, rest) = line.strip_prefix(VERSION)?.split_first()?;
    let (digits, behind) = rest.trim_ascii_start().split_first_chunk::<3>()?;
    let is_apart = rest.first().is_some_and(|byte| is_space(*byte));
    let is_over = behind.first().is_none_or(|byte| is_space(*byte) || *byte == b'\r');
    if !is_apart || !is_over || digits[0] == b'0' {
        return None;
    }
    let status = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Parts::Response { status, version: self::version(*version)? })
}

fn request(line: &[u8]) -> Option<Parts<'_>> {
    let (before, version) = line.trim_ascii_end().split_last_chunk::<8>()?;
    let version = self::version(*version.strip_prefix(VERSION)?.first()?)?;
    let (method, target) = before.split_at_checked(before.iter().position(|byte| is_space(*byte))?)?;
    let is_apart = target.last().is_some_and(|byte| is_space(*byte));
    let target = target.trim_ascii();
    let is_request = is_apart
        && is_method(method)
        && !target.is_empty()
        && target.iter().all(|byte| is_target(*byte) || is_space(*byte));
    is_request.then_some(Parts::Request { method, target, version })
}

const fn version(digit: u8) -> Option<HttpVersion> {
    match digit {
        b'0' => Some(HttpVersion::Http10),
        b'1'..=b'9' => Some(HttpVersion::Http11),
        _ => None,
    }
}

/// A token (RFC 9110, 5.6.2) that starts with a letter and has letters of one case, as all methods do.
fn is_method(bytes: &[u8]) -> bool {
    if bytes.len() > MAX_METHOD_BYTES || !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_mixed = bytes.iter().any(u8::is_ascii_uppercase) && bytes.iter().any(u8::is_ascii_lowercase);
    bytes.iter().all(is_token) && !is_mixed
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

const fn is_target(byte: u8) -> bool {
    !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_method_is_recognised_by_the_version_at_the_end_of_the_line() {
        for line in [
            "GET / HTTP/1.1\r\n",
            "PROPFIND /a HTTP/1.0\n",
            "M-SEARCH * HTTP/1.1\r\n",
            "get  /a b  HTTP/1.1 \r\n",
            "CONNECT a.example:443 HTTP/1.1\r\n",
            "\r\nGET / HTTP/1.1\r\n",
            "HTTP/1.1 200 OK\r\n",
            "HTTP/1.0 404\r\n",
            "HTTP/1.1  200 OK",
        ] {
            assert_eq!(probe(line.as_bytes()), Probe::Yes, "{line:?}");
        }
    }

    #[test]
    fn other_protocols_of_text_are_left_alone() {
        for line in [
            "OPTIONS rtsp://a/b RTSP/1.0\r\n",
            "RTSP/1.0 200 OK\r\n",
            "REQMOD icap://a/b ICAP/1.0\r\n",
            "INVITE sip:a@b SIP/2.0\r\n",
            "SIP/2.0 200 OK\r\n",
            "EHLO a.example\r\n",
            "220 a.example ESMTP HTTP/1.1\r\n",
            "NICK a\r\n",
            "*1\r\n$4\r\nPING\r\n",
            "PRI * HTTP/2.0\r\n",
            "GET /\r\n",
            "GET HTTP/1.1\r\n",
            "HTTP/1.1 2000 OK\r\n",
            "HTTP/1.1 OK\r\n",
            "SSH-2.0-x\r\n",
            "\x16\x03\x01\x02",
            "GET /\0",
            "restGET / HTTP/1.1\r\n",
        ] {
            assert_eq!(probe(line.as_bytes()), Probe::No, "{line:?}");
        }
    }

    #[test]
    fn a_line_that_goes_on_may_be_one() {
        for line in ["", "G", "GET", "GET /a/b?c HTT", "GET / HTTP/1.1\r", "HTTP/1.", "HTTP/1.1 20", "H"] {
            assert_eq!(probe(line.as_bytes()), Probe::Maybe, "{line:?}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(9_000));
        assert_eq!((probe(&long.as_bytes()[..5_000]), probe(long.as_bytes())), (Probe::Maybe, Probe::Yes));
        assert_eq!(probe(&[b'a'; MAX_LINE_BYTES]), Probe::No);
    }
}
