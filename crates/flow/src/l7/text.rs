//! Text from the wire as it is kept: short, printable, without what may be secret.

use super::config::L7Config;

/// The longest text that is kept, in bytes; longer text is cut.
pub(super) const MAX_TEXT_BYTES: usize = 1_024;

/// Bytes as text: what is no UTF-8 or does not print becomes U+FFFD.
pub(super) fn text(bytes: &[u8]) -> Box<str> {
    let kept = bytes.get(..MAX_TEXT_BYTES).unwrap_or(bytes);
    let text = String::from_utf8_lossy(kept);
    if text.chars().any(char::is_control) {
        return text.replace(char::is_control, "\u{fffd}").into();
    }
    text.into()
}

/// An HTTP request target as it is kept: without query string, fragment and user info, unless they are to be kept.
pub(super) fn target(bytes: &[u8], config: L7Config) -> Box<str> {
    if config.keep_queries {
        return text(bytes);
    }
    let end = bytes.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(bytes.len());
    let bytes = bytes.get(..end).unwrap_or(bytes);
    let Some(authority) = find(bytes, b"://").map(|at| at + 3) else { return text(bytes) };
    let (scheme, rest) = bytes.split_at(authority);
    let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    if has_odd_port(host) {
        // A password with a slash in it: everything before the last @ may belong to it.
        return text(&[scheme, without_user(rest)].concat());
    }
    text(&[scheme, without_user(host), path].concat())
}

/// Whether what stands behind the last colon of a host is no port.
fn has_odd_port(host: &[u8]) -> bool {
    let host = without_user(host);
    let port = host.iter().rposition(|byte| *byte == b':').and_then(|colon| host.get(colon + 1..));
    port.is_some_and(|port| !port.iter().all(|byte| byte.is_ascii_digit() || *byte == b']'))
}

/// A host without user info before it.
pub(super) fn without_user(host: &[u8]) -> &[u8] {
    let at = host.iter().rposition(|byte| *byte == b'@');
    at.and_then(|at| host.get(at + 1..)).unwrap_or(host)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(wire: &str) -> String {
        target(wire.as_bytes(), L7Config::default()).into()
    }

    #[test]
    fn queries_fragments_and_user_info_are_not_kept() {
        assert_eq!(kept("/a/b?token=x#y"), "/a/b");
        assert_eq!(kept("http://me:secret@example.com/a@b?c"), "http://example.com/a@b");
        assert_eq!(kept("http://me:secret@example.com"), "http://example.com");
        assert_eq!(kept("http://me:se/cret@example.com/a"), "http://example.com/a");
        assert_eq!(kept("http://example.com:81/a@b"), "http://example.com:81/a@b");
        assert_eq!(kept("*"), "*");
        assert_eq!(kept("example.com:443"), "example.com:443");
    }

    #[test]
    fn queries_are_kept_where_that_is_asked_for() {
        let config = L7Config { keep_queries: true, ..L7Config::default() };
        assert_eq!(&*target(b"/a?b=c", config), "/a?b=c");
    }

    #[test]
    fn text_prints_and_is_short() {
        assert_eq!(&*text(b"a\x00b\xffc"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(text(&[b'a'; 5_000]).len(), MAX_TEXT_BYTES);
    }
}
