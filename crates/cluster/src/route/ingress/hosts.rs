//! Hosts of Ingress rules: a wildcard covers exactly one label.

use crate::route::HashMap;
use crate::route::host::HostPattern;
use crate::route::inline::Inline;

/// Something for each host.
#[derive(Debug)]
pub(super) struct Hosts<T> {
    exact: HashMap<Inline, T>,
    wildcard: HashMap<Inline, T>,
    any: Option<T>,
}

impl<T> Default for Hosts<T> {
    fn default() -> Self {
        Self { exact: HashMap::default(), wildcard: HashMap::default(), any: None }
    }
}

impl<T: Default> Hosts<T> {
    /// What there is for a host.
    pub(super) fn entry(&mut self, pattern: &HostPattern) -> &mut T {
        match pattern {
            HostPattern::Exact(host) => self.exact.entry(Inline::from(&**host)).or_default(),
            HostPattern::Wildcard(base) => self.wildcard.entry(Inline::from(&**base)).or_default(),
            HostPattern::Any => self.any.get_or_insert_default(),
        }
    }
}

impl<T> Hosts<T> {
    /// What there is for a request's host, the most specific first.
    pub(super) fn matching(&self, host: Option<&str>) -> impl Iterator<Item = &T> {
        let base = host.and_then(|host| host.split_once('.')).filter(|(label, _)| !label.is_empty());
        let exact = host.and_then(|host| self.exact.get(host.as_bytes()));
        let wildcard = base.and_then(|(_, base)| self.wildcard.get(base.as_bytes()));
        [exact, wildcard, self.any.as_ref()].into_iter().flatten()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.wildcard.values()).chain(&self.any)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.exact.values_mut().chain(self.wildcard.values_mut()).chain(&mut self.any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_one_label_and_the_exact_host_is_first() {
        let mut hosts = Hosts::default();
        for host in ["*.foo.com", "bar.foo.com"] {
            *hosts.entry(&HostPattern::parse(Some(host)).expect("a host")) = host;
        }
        *hosts.entry(&HostPattern::Any) = "any";
        let matching = |host| hosts.matching(host).copied().collect::<Vec<_>>();
        assert_eq!(matching(Some("bar.foo.com")), ["bar.foo.com", "*.foo.com", "any"]);
        assert_eq!(matching(Some("x.foo.com")), ["*.foo.com", "any"]);
        for other in [Some("baz.bar.foo.com"), Some("foo.com"), Some(".foo.com"), None] {
            assert_eq!(matching(other), ["any"], "{other:?}");
        }
    }
}
