//! Host names of Gateways and their routes: a wildcard covers one label or more.

use std::iter::successors;

use crate::route::HashMap;
use crate::route::host::HostPattern;
use crate::route::inline::Inline;

/// Something for each host name.
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
    /// What there is for a name.
    pub(super) fn entry(&mut self, pattern: &HostPattern) -> &mut T {
        match pattern {
            HostPattern::Exact(host) => self.exact.entry(Inline::from(&**host)).or_default(),
            HostPattern::Wildcard(base) => self.wildcard.entry(Inline::from(&**base)).or_default(),
            HostPattern::Any => self.any.get_or_insert_default(),
        }
    }
}

impl<T> Hosts<T> {
    /// What there is for a request's host, the most specific first: the name itself, wildcards by length, every host.
    pub(super) fn matching<'a, 'h>(&'a self, host: Option<&'h str>) -> impl Iterator<Item = &'a T> + use<'a, 'h, T> {
        let exact = host.and_then(|host| self.exact.get(host.as_bytes()));
        let bases = successors(host.filter(|_| !self.wildcard.is_empty()).and_then(behind), |base| behind(base));
        exact.into_iter().chain(bases.filter_map(|base| self.wildcard.get(base.as_bytes()))).chain(&self.any)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.exact.values().chain(self.wildcard.values()).chain(&self.any)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.exact.values_mut().chain(self.wildcard.values_mut()).chain(&mut self.any)
    }
}

/// A name without its first label.
fn behind(name: &str) -> Option<&str> {
    name.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, base)| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_any_number_of_labels_but_not_none() {
        let mut hosts = Hosts::default();
        for host in ["*.a.com", "*.b.a.com", "b.a.com"] {
            *hosts.entry(&HostPattern::parse(Some(host)).expect("a host")) = host;
        }
        let matching = |host| hosts.matching(Some(host)).copied().collect::<Vec<_>>();
        assert_eq!(matching("b.a.com"), ["b.a.com", "*.a.com"]);
        assert_eq!(matching("x.y.b.a.com"), ["*.b.a.com", "*.a.com"]);
        assert_eq!(matching("x.a.com"), ["*.a.com"]);
        for other in ["a.com", "xa.com", ".a.com", "com"] {
            assert!(matching(other).is_empty(), "{other}");
        }
        assert_eq!(hosts.matching(None).count(), 0);
    }
}
