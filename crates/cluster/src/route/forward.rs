//! What a rule makes of a request: the redirect that the client gets, or the request that the backend gets.
//!
//! Answers and requests come in, owned text goes out. Only made where somebody asks: matching needs none of it.

use std::collections::{BTreeMap, BTreeSet};

use super::answer::Answer;
use super::filters::{Filters, Mirrored};
use super::host;
use super::request::RouteRequest;
use crate::objects::{HeaderModifier, PathModifier};

/// Where a client is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The scheme.
    pub scheme: String,
    /// The host; `None` = the request named none.
    pub host: Option<String>,
    /// The port; `None` = the one of the scheme.
    pub port: Option<u16>,
    /// The path.
    pub path: String,
    /// The query, as in the request.
    pub query: Option<String>,
}

/// A request as a backend gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// The method.
    pub method: String,
    /// The host.
    pub host: Option<String>,
    /// Path and query.
    pub path: String,
    /// Headers, each name once, its values joined by `,`. Names are written as in `X-Request-Id`.
    pub headers: BTreeMap<String, String>,
    /// Names of headers that were taken out, whether they were there or not.
    pub removed: BTreeSet<String>,
}

impl<'a> Answer<'a> {
    /// Where the client is sent, for an answer that is a redirect.
    pub fn location(&self, request: &RouteRequest<'_>) -> Option<Location> {
        if self.reason.is_some() {
            return None;
        }
        let redirect = self.applied().find_map(|filters| filters.redirect.as_ref())?;
        let parts = request.parts();
        let scheme = redirect.scheme.as_deref().unwrap_or(request.scheme.name()).to_ascii_lowercase();
        let own_port = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let known = if redirect.scheme.is_some() { own_port.or(self.listener_port) } else { self.listener_port };
        let host = redirect.hostname.as_deref().map(str::to_owned);
        Some(Location {
            host: host.or_else(|| Some(host::of_request(parts.host?)?.into_owned())),
            port: redirect.port.or(known).filter(|port| Some(*port) != own_port),
            path: self.changed(redirect.path.as_ref(), parts.path),
            query: parts.query.map(str::to_owned),
            scheme,
        })
    }

    /// What the backend gets, for an answer that has one.
    pub fn forwarded(&self, request: &RouteRequest<'_>) -> Option<Forwarded> {
        self.backend()?;
        let parts = request.parts();
        let mut made = Forwarded {
            method: request.method.to_owned(),
            host: parts.host.map(str::to_owned),
            path: parts.path.to_owned(),
            headers: BTreeMap::new(),
            removed: BTreeSet::new(),
        };
        for (name, value) in request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host")) {
            made.add(name, value);
        }
        for filters in self.applied() {
            if let Some(rewrite) = &filters.rewrite {
                made.path = self.changed(rewrite.path.as_ref(), &made.path);
                made.host = rewrite.hostname.as_deref().map(str::to_owned).or(made.host);
            }
            filters.request_headers.iter().for_each(|modifier| made.modify(modifier));
        }
        if let Some(query) = parts.query {
            made.path.push('?');
            made.path.push_str(query);
        }
        Some(made)
    }

    /// Changes of the response's headers, in their order.
    pub fn response_headers(&self) -> impl Iterator<Item = &'a HeaderModifier> + use<'a> {
        let answered = self.backend().is_some();
        self.applied().filter(move |_| answered).flat_map(|filters| &filters.response_headers)
    }

    /// Services that get copies of the request.
    pub fn mirrors(&self) -> impl Iterator<Item = &'a Mirrored> + use<'a> {
        let answered = self.backend().is_some();
        self.applied().filter(move |_| answered).flat_map(|filters| &filters.mirrors)
    }

    /// The rule's filters, then the backend's.
    fn applied(&self) -> impl Iterator<Item = &'a Filters> + use<'a> {
        self.filters.into_iter().chain(self.chosen().and_then(|backend| backend.filters.as_deref()))
    }

    fn changed(&self, change: Option<&PathModifier>, path: &str) -> String {
        let full = change.and_then(|change| change.replace_full_path.as_deref());
        let prefix = change.and_then(|change| change.replace_prefix_match.as_deref());
        match (full, prefix) {
            (Some(full), _) => rooted(full),
            (None, Some(new)) => replaced(path, self.rule.and_then(|rule| rule.path).unwrap_or("/"), new),
            (None, None) => path.to_owned(),
        }
    }
}

/// A path with another prefix (Gateway API, `HTTPPathModifier`, `replacePrefixMatch`).
fn replaced(path: &str, matched: &str, new: &str) -> String {
    let rest = path.strip_prefix(matched.strip_suffix('/').unwrap_or(matched)).unwrap_or_default();
    if rest.is_empty() {
        return rooted(new);
    }
    rooted(&(new.strip_suffix('/').unwrap_or(new).to_owned() + rest))
}

fn rooted(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

impl Forwarded {
    /// Of entries with one name the first counts (Gateway API, `HTTPHeaderFilter`).
    fn modify(&mut self, modifier: &HeaderModifier) {
        for header in firsts(&modifier.set) {
            self.headers.insert(canonical(&header.name), header.value.as_ref().to_owned());
        }
        for header in firsts(&modifier.add) {
            self.add(&header.name, &header.value);
        }
        for name in &modifier.remove {
            let name = canonical(name);
            self.headers.remove(&name);
            self.removed.insert(name);
        }
    }

    fn add(&mut self, name: &str, value: &str) {
        let values = self.headers.entry(canonical(name)).or_default();
        if !values.is_empty() {
            values.push(',');
        }
        values.push_str(value);
    }
}

fn firsts(headers: &[crate::objects::Header]) -> impl Iterator<Item = &crate::objects::Header> {
    let mut seen = BTreeSet::new();
    headers.iter().filter(move |header| seen.insert(header.name.to_ascii_lowercase()))
}

/// A header's name with each word's first letter upper case.
pub fn canonical(name: &str) -> String {
    let mut is_first = true;
    let upper = name.chars().map(|c| {
        let c = if is_first { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        is_first = c == '-';
        c
    });
    upper.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_replaced_as_gateway_api_tabulates() {
        for (path, matched, new, want) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            ("/foo", "/foo/", "/", "/"),
            ("/bar", "/", "/x", "/x/bar"),
        ] {
            assert_eq!(replaced(path, matched, new), want, "{path} {matched} {new}");
        }
    }

    #[test]
    fn header_names_are_written_alike() {
        assert_eq!(canonical("x-HEADER-add"), "X-Header-Add");
    }
}
