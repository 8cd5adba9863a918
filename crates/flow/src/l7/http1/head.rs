//! Heads of messages: lines in, what of them is needed out.

use weir_model::{Http, HttpMarks, HttpVersion, Timestamp};

use super::body::Body;
use super::start::Parts;
use crate::l7::config::{L7Config, L7Level};
use crate::l7::exchanges::OpenRequest;
use crate::l7::text::{target, text, without_user};

/// What is kept of a head.
#[derive(Debug)]
pub(super) struct Head {
    /// When its first byte came.
    pub(super) first: Timestamp,
    start: Start,
    version: HttpVersion,
    host: Option<Box<str>>,
    length: Option<u64>,
    coding: Coding,
    upgrade: Option<Box<str>>,
    is_grpc: bool,
    request_id: Option<Box<str>>,
    trace: Option<Box<str>>,
    marks: Option<Box<HttpMarks>>,
}

#[derive(Debug)]
enum Start {
    Request { method: Box<str>, path: Option<Box<str>>, host: Option<Box<str>> },
    Response { status: u16 },
}

/// How a body is coded for its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Plain,
    Chunked,
    Other,
}

/// Methods that change what a response means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Head,
    Connect,
    Other,
}

impl Head {
    /// A head that starts with this line, which came at `first`.
    pub(super) fn new(parts: Parts<'_>, first: Timestamp, config: L7Config) -> Self {
        let (start, version) = match parts {
            Parts::Request { method, target: wire, version } => {
                let path = (config.level == L7Level::Full).then(|| target(wire, config));
                let host = authority(method, wire).map(|host| text(without_user(host)));
                (Start::Request { method: text(method), path, host }, version)
            }
            Parts::Response { status, version } => (Start::Response { status }, version),
        };
        Self {
            first,
            start,
            version,
            host: None,
            length: None,
            coding: Coding::Plain,
            upgrade: None,
            is_grpc: false,
            request_id: None,
            trace: None,
            marks: None,
        }
    }

    /// A line behind the first one, without its end; what is no header, or not needed, is passed over.
    pub(super) fn line(&mut self, line: &[u8]) {
        let Some((name, value)) = header(line) else { return };
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        match name.len() {
            4 if is("Host") && self.host.is_none() => self.host = Some(text(without_user(value))),
            7 if is("Upgrade") => self.upgrade = Some(text(value).to_ascii_lowercase().into()),
            11 if is("Traceparent") => {
                self.trace = Some(text(value));
                HttpMarks::set_trace(&mut self.marks, value);
            }
            12 if is("Content-Type") => self.is_grpc = is_grpc(value),
            12 if is("X-Request-Id") => self.request_id = Some(text(value)),
            14 if is("Content-Length") && self.length.is_none() => self.length = number(value),
            15 if is("X-Forwarded-For") => HttpMarks::set_forwarded_for(&mut self.marks, value),
            17 if is("Transfer-Encoding") => self.coding = Coding::read(value),
            _ => {}
        }
    }

    pub(super) const fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The status, of a response.
    pub(super) const fn status(&self) -> Option<u16> {
        match self.start {
            Start::Response { status } => Some(status),
            Start::Request { .. } => None,
        }
    }

    /// Whether another response to the same request follows.
    pub(super) const fn is_interim(&self) -> bool {
        matches!(self.status(), Some(100 | 102..=199))
    }

    /// Whether the connection speaks something else from here on.
    pub(super) const fn is_switch(&self) -> bool {
        matches!(self.status(), Some(101))
    }

    /// The protocols that it names to speak.
    pub(super) fn upgrade(&self) -> Option<Box<str>> {
        self.upgrade.clone()
    }

    /// Whether the connection may speak something else after the response.
    pub(super) fn may_change_protocol(&self) -> bool {
        self.upgrade.is_some() || self.method() == Method::Connect
    }

    pub(super) const fn request_body(&self) -> Body {
        match (self.coding, self.length) {
            (Coding::Chunked, _) => Body::CHUNKED,
            (_, Some(length)) if length > 0 => Body::Length(length),
            _ => Body::None,
        }
    }

    /// The body of a response; `is_head` = to a request that wants none.
    pub(super) fn response_body(&self, is_head: bool) -> Body {
        if is_head || matches!(self.status(), Some(204 | 304)) {
            return Body::None;
        }
        match (self.coding, self.length) {
            (Coding::Chunked, _) => Body::CHUNKED,
            (Coding::Plain, Some(0)) => Body::None,
            (Coding::Plain, Some(length)) => Body::Length(length),
            (Coding::Other, _) | (Coding::Plain, None) => Body::UntilEnd,
        }
    }

    fn method(&self) -> Method {
        match &self.start {
            Start::Request { method, .. } if &**method == "HEAD" => Method::Head,
            Start::Request { method, .. } if &**method == "CONNECT" => Method::Connect,
            _ => Method::Other,
        }
    }

    /// The request that it is; of a response: one that was not seen.
    pub(super) fn into_request(self) -> (OpenRequest, Method) {
        let kind = self.method();
        let (method, path, target_host) = match self.start {
            Start::Request { method, path, host } => (Some(method), path, host),
            Start::Response { .. } => (None, None, None),
        };
        // The target says where a proxy is to go; the header may be the proxy's client's own idea (RFC 9112, 3.2.2).
        let host = if kind == Method::Connect { self.host.or(target_host) } else { target_host.or(self.host) };
        let http = Http {
            version: self.version,
            is_grpc: self.is_grpc,
            method,
            host: host.filter(|host| !host.is_empty()),
            path,
            request_id: self.request_id.or(self.trace),
            marks: self.marks,
            ..Http::default()
        };
        (OpenRequest { http, ..OpenRequest::default() }, kind)
    }

    /// What a response tells about an exchange.
    pub(super) fn tell(&self, http: &mut Http) {
        http.status = self.status();
        http.is_grpc |= self.is_grpc;
        if http.method.is_none() {
            http.version = self.version;
        }
        if http.request_id.is_none() {
            http.request_id = self.request_id.clone().or_else(|| self.trace.clone());
        }
    }

    /// Bytes of memory beside its own size.
    pub(super) fn memory_bytes(&self) -> usize {
        let texts = [&self.host, &self.upgrade, &self.request_id, &self.trace];
        let start = match &self.start {
            Start::Request { method, path, host } => {
                method.len() + [path, host].into_iter().flatten().map(|text| text.len()).sum::<usize>()
            }
            Start::Response { .. } => 0,
        };
        let marks = self.marks.as_ref().map_or(0, |_| size_of::<HttpMarks>());
        start + marks + texts.into_iter().flatten().map(|text| text.len()).sum::<usize>()
    }
}

impl Coding {
    fn read(value: &[u8]) -> Self {
        let mut codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let is = |coding: &[u8], wanted: &str| coding.eq_ignore_ascii_case(wanted.as_bytes());
        if codings.clone().any(|coding| is(coding, "chunked")) {
            return Self::Chunked;
        }
        if codings.all(|coding| is(coding, "identity")) { Self::Plain } else { Self::Other }
    }
}

/// The name and value of a header line; `None` = it is none.
pub(super) fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at_checked(line.iter().position(|byte| *byte == b':')?)?;
    let is_name =
        name.first().is_some_and(u8::is_ascii_graphic) && name.iter().all(|byte| (b' '..=b'~').contains(byte));
    is_name.then_some((name.trim_ascii_end(), value.get(1..)?.trim_ascii()))
}

/// The authority that a request target names.
fn authority<'a>(method: &[u8], target: &'a [u8]) -> Option<&'a [u8]> {
    if method == b"CONNECT" {
        return Some(target);
    }
    let scheme = target.iter().take_while(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte)).count();
    let rest = target.get(scheme..)?.strip_prefix(b"://").filter(|_| scheme > 0)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    rest.get(..end)
}

fn is_grpc(content_type: &[u8]) -> bool {
    let (kind, rest) = content_type.split_at_checked(16).unwrap_or_default();
    kind.eq_ignore_ascii_case(b"application/grpc") && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// A decimal number, the first of a list of the same ones.
fn number(value: &[u8]) -> Option<u64> {
    let digits = value.split(|byte| *byte == b',').next()?.trim_ascii();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| is_number)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::l7::http1::start::parts;

    fn head(lines: &[&str]) -> Head {
        let parts = parts(lines[0].as_bytes()).expect("a start line");
        let mut head = Head::new(parts, Timestamp(0), L7Config::default());
        lines[1..].iter().for_each(|line| head.line(line.as_bytes()));
        head
    }

    #[test]
    fn the_host_is_that_of_the_target_before_that_of_the_header() {
        let host = |lines: &[&str]| head(lines).into_request().0.http.host.map(String::from);
        assert_eq!(host(&["GET / HTTP/1.1", "hOST : a.example "]).as_deref(), Some("a.example"));
        assert_eq!(host(&["GET http://u:p@b.example:8080?x HTTP/1.1", "Host: a"]).as_deref(), Some("b.example:8080"));
        assert_eq!(host(&["GET /?u=http://b.example/ HTTP/1.1", "Host: a"]).as_deref(), Some("a"));
        assert_eq!(host(&["CONNECT c.example:443 HTTP/1.1"]).as_deref(), Some("c.example:443"));
        assert_eq!(host(&["GET / HTTP/1.0", "Host:"]), None);
    }

    #[test]
    fn bodies_are_framed_by_coding_length_method_and_status() {
        let body = |lines: &[&str]| head(lines).response_body(false);
        assert_eq!(body(&["HTTP/1.1 200 OK", "Content-Length: 5"]), Body::Length(5));
        assert_eq!(body(&["HTTP/1.1 200 OK", "Content-Length: 5, 5"]), Body::Length(5));
        assert_eq!(body(&["HTTP/1.1 200 OK", "Content-Length: -5"]), Body::UntilEnd);
        assert_eq!(body(&["HTTP/1.1 200 OK", "Content-Length: 5", "transfer-encoding: gzip, CHUNKED"]), Body::CHUNKED);
        assert_eq!(body(&["HTTP/1.1 200 OK", "Transfer-Encoding: identity", "Content-Length: 0"]), Body::None);
        assert_eq!(body(&["HTTP/1.1 304 Not Modified", "Content-Length: 5"]), Body::None);
        assert_eq!(head(&["HTTP/1.1 200 OK", "Content-Length: 5"]).response_body(true), Body::None);
        assert_eq!(head(&["GET / HTTP/1.1"]).request_body(), Body::None);
    }

    #[test]
    fn grpc_is_told_by_its_content_type() {
        let is_grpc = |value: &str| head(&["POST / HTTP/1.1", &format!("Content-Type: {value}")]).is_grpc;
        assert!(is_grpc("application/grpc") && is_grpc("application/grpc+proto"));
        assert!(!is_grpc("application/grpc-web") && !is_grpc("application/json"));
    }
}
