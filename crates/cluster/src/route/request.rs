//! A request as routes see it: plain borrowed fields in, host, path and query out.

use std::borrow::Cow;

use super::percent;

/// How a client speaks to the entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    #[default]
    Http,
    /// In TLS that the entry ends.
    Https,
    /// In TLS of which only the ClientHello is known.
    Tls,
}

impl Scheme {
    /// The port where nothing else is said.
    pub(super) const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https | Self::Tls => 443,
        }
    }

    /// As in a URL.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Tls => "tls",
        }
    }
}

/// One request. Nothing in it is checked beforehand.
#[derive(Clone, Copy, Debug)]
pub struct RouteRequest<'a> {
    /// How the client speaks.
    pub scheme: Scheme,
    /// The method, `GET`; compared byte by byte.
    pub method: &'a str,
    /// `Host` or `:authority`, with or without port.
    pub host: Option<&'a str>,
    /// The target as on the wire: path and query, or a whole URL, whose host then counts (RFC 9112, 3.2.2).
    pub target: &'a str,
    /// The name in the ClientHello.
    pub sni: Option<&'a str>,
    /// The port that was dialled; `None` = the one that fits the scheme.
    pub port: Option<u16>,
    /// Header names, in any case, and values; a name may come again.
    pub headers: &'a [(&'a str, &'a str)],
}

impl Default for RouteRequest<'_> {
    fn default() -> Self {
        Self { scheme: Scheme::Http, method: "GET", host: None, target: "/", sni: None, port: None, headers: &[] }
    }
}

impl<'a> RouteRequest<'a> {
    /// Cuts the target into its parts.
    pub(super) fn parts(&self) -> Parts<'a> {
        let (authority, rest) = absolute(self.target).map_or((None, self.target), |(host, rest)| (Some(host), rest));
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        let path = if path.is_empty() { "/" } else { path };
        let named = || self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, value)| *value);
        Parts { host: authority.or(self.host).or_else(named).filter(|host| !host.is_empty()), path, query }
    }
}

/// Authority and the rest of an absolute target.
fn absolute(target: &str) -> Option<(&str, &str)> {
    if target.starts_with('/') {
        return None;
    }
    let (scheme, rest) = target.split_once("://")?;
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return None;
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest.split_at_checked(end)
}

/// The parts of a request that rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    pub(super) host: Option<&'a str>,
    /// Never empty; begins with `/` in every request but `OPTIONS *` and malformed ones.
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// The value of the first parameter of a name (RFC 3986 escapes and `+` undone).
    pub(super) fn parameter(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query?.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (unescaped(key) == name).then(|| unescaped(value))
        })
    }
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let decoded = percent::decode(text.as_bytes(), |byte| if byte == b'+' { b' ' } else { byte });
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(target: &str) -> Parts<'_> {
        RouteRequest { host: Some("given"), target, ..RouteRequest::default() }.parts()
    }

    #[test]
    fn a_target_has_a_path_and_a_query() {
        assert_eq!(parts("/a/b?c=d?e#f"), Parts { host: Some("given"), path: "/a/b", query: Some("c=d?e") });
        assert_eq!(parts("?x"), Parts { host: Some("given"), path: "/", query: Some("x") });
        assert_eq!(parts("*").path, "*");
    }

    #[test]
    fn the_host_of_a_whole_url_counts() {
        assert_eq!(parts("http://a.com:80/b"), Parts { host: Some("a.com:80"), path: "/b", query: None });
        assert_eq!(parts("HTTPS://a.com?q"), Parts { host: Some("a.com"), path: "/", query: Some("q") });
        assert_eq!(parts("/x?to=http://b/").host, Some("given"));
    }

    #[test]
    fn the_first_parameter_of_a_name_counts_and_escapes_are_undone() {
        let parts = parts("/?a=1&b=x%20y+z&a=2&c&%64=%4");
        assert_eq!(parts.parameter("a").as_deref(), Some("1"));
        assert_eq!(parts.parameter("b").as_deref(), Some("x y z"));
        assert_eq!(parts.parameter("c").as_deref(), Some(""));
        assert_eq!(parts.parameter("d").as_deref(), Some("%4"));
        assert_eq!(parts.parameter("A"), None, "names keep their case");
    }

    #[test]
    fn a_host_header_stands_in_for_a_host() {
        let headers = [("HOST", "a.com")];
        let request = RouteRequest { headers: &headers, ..RouteRequest::default() };
        assert_eq!(request.parts().host, Some("a.com"));
    }
}
