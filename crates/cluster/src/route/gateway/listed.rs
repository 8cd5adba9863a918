//! Rules of routes one after the other, as listeners have them.

use std::collections::BTreeSet;

use super::listener::{Listener, Speaks};
use super::{Gateways, HostTable, Rule};
use crate::route::answer::{Answer, RuleHit, Via};
use crate::route::listed::Listed;
use crate::route::outcome::Outcome;

impl Gateways {
    /// Every match of every rule at the listeners it is attached to, and every rule of a TLSRoute.
    pub(in crate::route) fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        let named = self
            .by_name
            .iter()
            .flat_map(|(namespace, names)| names.iter().map(move |(name, gateway)| ((&**namespace, &**name), gateway)));
        named
            .filter(|(_, gateway)| gateway.is_served)
            .flat_map(move |(name, gateway)| gateway.listeners.iter().flat_map(move |listener| self.at(listener, name)))
    }

    fn at<'a>(&'a self, listener: &'a Listener, name: (&'a str, &'a str)) -> impl Iterator<Item = Listed<'a>> {
        listener.routes.values().flat_map(move |table| {
            let matches = table.places().into_iter().filter_map(move |index| self.of_match(listener, table, index));
            let secure = table.tls.first().and_then(|index| self.rules.get(*index));
            matches
                .chain(secure.map(move |rule| rule.of_connection(listener, table)))
                .map(move |answer: Answer<'a>| Listed { answer, gateway: Some(name) })
        })
    }
}

impl Rule {
    /// The rule as an answer to a TLS connection.
    fn of_connection<'a>(&'a self, listener: &'a Listener, table: &'a HostTable) -> Answer<'a> {
        let hit = RuleHit {
            route: &self.route,
            via: if listener.speaks == Speaks::Passthrough { Via::Passthrough } else { Via::Rule },
            rule_index: Some(self.index),
            match_index: None,
            host: table.hostname.as_deref().or(listener.hostname.as_deref()),
            path: None,
            path_type: None,
        };
        Answer::of(hit, &self.backends, None, Outcome::of(&self.backends, None, false, super::FAILED))
    }
}

impl HostTable {
    /// Every match, each once.
    pub(super) fn places(&self) -> BTreeSet<usize> {
        self.paths.lists().flatten().map(|place| place.at).chain(self.patterns.iter().copied()).collect()
    }
}
