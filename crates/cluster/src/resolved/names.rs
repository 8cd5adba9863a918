//! The names of one answer: what was asked, and what that is an alias of.

use std::sync::Arc;

use weir_model::Dns;

use crate::Snapshot;

/// Most names that are kept of an answer.
const MAX_NAMES: usize = 8;

/// A name whose addresses were told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Names {
    /// The name that was asked for.
    asked: Arc<str>,
    /// What it is an alias of (CNAME), one after the other; the last one has the addresses.
    aliases: Box<[Arc<str>]>,
}

impl Names {
    /// The names of an answer; `None` = it leads to no address.
    pub(super) fn of(dns: &Dns) -> Option<Self> {
        dns.addresses().next()?;
        let mut names = dns.names().take(MAX_NAMES).map(Arc::from);
        Some(Self { asked: names.next()?, aliases: names.collect() })
    }

    /// The name that was meant: the one asked for, without what a search list added to it.
    pub(super) fn told(&self, snapshot: &Snapshot) -> &Arc<str> {
        self.aliases.first().filter(|alias| snapshot.is_search_of(&self.asked, alias)).unwrap_or(&self.asked)
    }

    /// Each name with those that it is an alias of.
    pub(super) fn each(&self) -> impl Iterator<Item = (&str, &[Arc<str>])> {
        let behind = |next| self.aliases.get(next..).unwrap_or_default();
        let aliases = (1..).zip(&*self.aliases).map(move |(next, name)| (&**name, behind(next)));
        std::iter::once((&*self.asked, &*self.aliases)).chain(aliases)
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        let text = |name: &Arc<str>| name.len() + 2 * size_of::<usize>();
        let aliases = self.aliases.iter().map(text).sum::<usize>();
        size_of_val(self) + size_of_val(&*self.aliases) + text(&self.asked) + aliases
    }
}
