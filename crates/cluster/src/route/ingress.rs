//! Ingress rules, compiled: requests come in, the rule that takes them goes out (networking.k8s.io/v1, strictly read).
//!
//! The host is chosen first, then the longest path, then exact over prefix, then the oldest object. A host whose rules
//! do not match hands a request to default backends only, never to a less specific host.

mod class;
mod compile;
mod hosts;
mod listed;

use std::sync::Arc;

use super::answer::{Answer, Flag, Flags, Reason, RouteRef, RuleHit, Via};
use super::backend::Backend;
use super::host;
use super::outcome::Outcome;
use super::path::normal::normal;
use super::path::{PathIndex, PathType};
use super::request::{Parts, RouteRequest, Scheme};
use hosts::Hosts;

/// Status where a backend cannot be reached: what most controllers answer.
const UNAVAILABLE: u16 = 503;

/// The rules of all Ingresses: those that are served, and those that nobody serves.
#[derive(Debug, Default)]
pub(super) struct Ingresses {
    served: Table,
    unclaimed: Table,
}

impl Ingresses {
    /// The rule that takes a request.
    pub(super) fn answer(&self, request: &RouteRequest<'_>) -> Answer<'_> {
        let parts = request.parts();
        let name = parts.host.map(host::of_request);
        if name == Some(None) {
            return Answer::none(400, Reason::InvalidHost);
        }
        let name = name.flatten();
        let mut answer = self.served.answer(name.as_deref(), &parts, request.scheme);
        if answer.rule.is_none() && self.unclaimed.answer(name.as_deref(), &parts, request.scheme).rule.is_some() {
            answer.reason = Some(Reason::UnknownClass);
        }
        answer
    }
}

/// Rules of some Ingresses.
#[derive(Debug, Default)]
struct Table {
    hosts: Hosts<HostRules>,
    /// Default backends of Ingresses without rules, the oldest first, then of all others.
    defaults: Vec<Fallback>,
    /// Whether there is a rule whose host is none, or is not known.
    has_invalid: bool,
    flags: Flags,
}

/// Rules of one host.
#[derive(Debug, Default)]
struct HostRules {
    paths: PathIndex<Entry>,
    /// Default backends of Ingresses that have rules for the host, the oldest first.
    defaults: Vec<Fallback>,
    flags: Flags,
}

/// One path.
#[derive(Debug)]
struct Entry {
    route: Arc<RouteRef>,
    rule_index: usize,
    path_index: usize,
    host: Option<Arc<str>>,
    path: Arc<str>,
    path_type: PathType,
    backend: Backend,
    has_tls: bool,
    flags: Flags,
    outcome: Outcome,
}

/// A default backend.
#[derive(Clone, Debug)]
struct Fallback {
    route: Arc<RouteRef>,
    backend: Arc<Backend>,
    has_rules: bool,
    flags: Flags,
}

impl Table {
    fn answer(&self, name: Option<&str>, parts: &Parts<'_>, scheme: Scheme) -> Answer<'_> {
        let mut levels = self.hosts.matching(name);
        let rules = levels.next();
        let found = rules.and_then(|rules| rules.find(parts.path));
        let mut answer = match found {
            Some(entry) => entry.answer(scheme),
            None => self.default(rules),
        };
        if let Some(rules) = rules {
            answer.flags.add(rules.flags);
            let differs = || {
                let normal = normal(parts.path)?;
                Some(!same(rules.find(&normal), found))
            };
            answer.flags.set_if(Flag::NormalPathDiffers, differs().unwrap_or(false));
            let falls = found.is_none() && levels.any(|less| less.find(parts.path).is_some());
            answer.flags.set_if(Flag::HostFallThrough, falls);
        }
        if answer.rule.is_some() {
            answer.flags.add(self.flags);
        }
        answer.flags.set_if(Flag::InvalidRule, self.has_invalid && found.is_none());
        answer
    }

    fn default<'a>(&'a self, rules: Option<&'a HostRules>) -> Answer<'a> {
        let own = rules.and_then(|rules| rules.defaults.first());
        let reason = match rules {
            Some(rules) if rules.flags.contains(Flag::InvalidRule) => Reason::InvalidRule,
            Some(_) => Reason::NoRule,
            None => Reason::NoHost,
        };
        let Some(default) = own.or_else(|| self.defaults.first()) else { return Answer::none(404, reason) };
        let mut answer = default.answer();
        answer.flags.set_if(Flag::DefaultBackendScope, own.is_none() && default.has_rules);
        answer
    }
}

fn same(one: Option<&Entry>, two: Option<&Entry>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => std::ptr::eq(one, two),
        (None, None) => true,
        _ => false,
    }
}

impl HostRules {
    fn find(&self, path: &str) -> Option<&Entry> {
        let walk = self.paths.walk(path);
        walk.exact().next().or_else(|| walk.prefixes().next())
    }
}

impl Entry {
    fn answer(&self, scheme: Scheme) -> Answer<'_> {
        let hit = RuleHit {
            route: &self.route,
            via: Via::Rule,
            rule_index: Some(self.rule_index),
            match_index: Some(self.path_index),
            host: self.host.as_deref(),
            path: Some(&self.path),
            path_type: Some(self.path_type),
        };
        let mut answer = Answer::of(hit, std::slice::from_ref(&self.backend), None, self.outcome);
        answer.flags.add(self.flags);
        answer.flags.set_if(Flag::HttpsRedirect, self.has_tls && scheme == Scheme::Http);
        answer
    }
}

impl Fallback {
    fn hit(&self) -> RuleHit<'_> {
        let (route, via) = (&*self.route, Via::DefaultBackend);
        RuleHit { route, via, rule_index: None, match_index: None, host: None, path: None, path_type: None }
    }
}
