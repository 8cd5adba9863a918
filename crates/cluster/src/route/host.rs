//! Host names: of requests, cut down to what rules compare, and of rules, checked.
//!
//! Text comes in, a lower-case name or the reason why it is none goes out. Which requests a wildcard covers differs
//! between Ingress and Gateway and is not said here.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Longest host name (RFC 1035, 2.3.4).
const MAX_BYTES: usize = 253;
/// Longest label of one.
const MAX_LABEL_BYTES: usize = 63;

/// The host that a request names: lower case, without port and final dot. `None` = no host name at all.
pub(super) fn of_request(host: &str) -> Option<Cow<'_, str>> {
    // Nearly all are written as they are compared.
    let is_plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    if (1..=MAX_BYTES).contains(&host.len()) && host.bytes().all(is_plain) && !host.ends_with('.') {
        return Some(Cow::Borrowed(host));
    }
    let name = without_port(host);
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() || name.len() > MAX_BYTES {
        return None;
    }
    let mut upper = false;
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'[' | b']' | b':' => {}
            b'A'..=b'Z' => upper = true,
            _ => return None,
        }
    }
    Some(if upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) })
}

/// Cuts `:port` off; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !is_open_bracket(name) => name,
        _ => host,
    }
}

fn is_open_bracket(name: &str) -> bool {
    name.starts_with('[') && !name.ends_with(']')
}

/// The hosts that a rule, a route or a listener names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum HostPattern {
    /// Every host.
    Any,
    /// One host.
    Exact(Arc<str>),
    /// The hosts below this one: `*.` and this.
    Wildcard(Arc<str>),
}

impl HostPattern {
    /// Reads a host of a rule. The error says what is wrong with it.
    pub(super) fn parse(host: Option<&str>) -> Result<Self, &'static str> {
        let Some(host) = host else { return Ok(Self::Any) };
        let lower = host.to_ascii_lowercase();
        let (base, wildcard) = lower.strip_prefix("*.").map_or((&*lower, false), |base| (base, true));
        check(base)?;
        Ok(if wildcard { Self::Wildcard(base.into()) } else { Self::Exact(base.into()) })
    }

    /// Whether some host is covered by both, where a wildcard covers any number of labels.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Exact(one), Self::Exact(two)) => one == two,
            (Self::Exact(host), Self::Wildcard(base)) | (Self::Wildcard(base), Self::Exact(host)) => below(host, base),
            (Self::Wildcard(one), Self::Wildcard(two)) => one == two || below(one, two) || below(two, one),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Exact(host) => f.write_str(host),
            Self::Wildcard(base) => write!(f, "*.{base}"),
        }
    }
}

/// Whether `host` has at least one more label than `base` in front of it.
fn below(host: &str, base: &str) -> bool {
    host.strip_suffix(base).and_then(|front| front.strip_suffix('.')).is_some_and(|front| !front.is_empty())
}

fn check(host: &str) -> Result<(), &'static str> {
    if host.is_empty() || host.len() > MAX_BYTES {
        return Err("not a host name: empty or longer than 253 bytes");
    }
    if host.contains('*') {
        return Err("not a host name: * may only stand as the first label, with others behind it");
    }
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Err("not a host name: an IP address");
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= MAX_LABEL_BYTES
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.split('.').all(is_label) { Ok(()) } else { Err("not a host name: letters, digits, - and . are allowed") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_loses_case_port_and_final_dot() {
        for (host, name) in [
            ("Foo.COM:8443", Some("foo.com")),
            ("foo.com.", Some("foo.com")),
            ("foo.com.:80", Some("foo.com")),
            ("foo.com:", Some("foo.com")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("10.0.0.1:80", Some("10.0.0.1")),
            ("", None),
            (".", None),
            ("a b", None),
            ("user@host", None),
        ] {
            assert_eq!(of_request(host).as_deref(), name, "{host}");
        }
        assert_eq!(of_request(&"a".repeat(254)), None);
    }

    #[test]
    fn a_rule_names_a_host_or_a_wildcard_and_nothing_else() {
        assert_eq!(HostPattern::parse(Some("Foo.com")), Ok(HostPattern::Exact("foo.com".into())));
        assert_eq!(HostPattern::parse(Some("*.foo.com")), Ok(HostPattern::Wildcard("foo.com".into())));
        assert_eq!(HostPattern::parse(None), Ok(HostPattern::Any));
        for wrong in
            ["", "*", "*.", "a.*.com", "*a.com", "*.*.com", "10.0.0.1", "a b", "a..b", "-a", "a-.b", "a:80", "a/b"]
        {
            assert!(HostPattern::parse(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn patterns_meet_where_one_host_is_in_both() {
        let meets = |one, two| {
            let parse = |text| HostPattern::parse(Some(text)).expect("a host");
            let (one, two) = (parse(one), parse(two));
            assert_eq!(one.meets(&two), two.meets(&one));
            one.meets(&two)
        };
        assert!(meets("a.com", "a.com") && meets("x.a.com", "*.a.com") && meets("x.y.a.com", "*.a.com"));
        assert!(meets("*.a.com", "*.b.a.com") && meets("*.a.com", "*.a.com"));
        assert!(!meets("a.com", "*.a.com") && !meets("xa.com", "*.a.com") && !meets("*.a.com", "*.xa.com"));
        assert!(!meets("a.com", "b.com"));
    }
}
