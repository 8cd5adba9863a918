//! Gateways and their routes, compiled: requests come in, the rule that takes them goes out (Gateway API v1).
//!
//! The listener is chosen first, by port and most specific host; only its routes count then. Among them the most
//! specific host name comes first, then the precedence of matches, then age.

mod compile;
mod conditions;
mod grants;
mod hosts;
mod listed;
mod listener;
mod rules;
mod source;
mod watched;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::answer::{Answer, Flag, Flags, Reason, RouteRef, RuleHit, Via};
use super::backend::Backend;
use super::filters::Filters;
use super::host;
use super::outcome::Outcome;
use super::path::normal::normal;
use super::path::{PathIndex, PathType};
use super::pattern::Pattern;
use super::request::{Parts, RouteRequest, Scheme};
use conditions::Conditions;
use hosts::Hosts;
use listener::{Listener, Speaks};

/// Status where no backend of a rule can be reached.
const FAILED: u16 = 500;

/// Every Gateway with the routes that are attached to it.
#[derive(Debug, Default)]
pub(super) struct Gateways {
    by_name: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Gateway>>,
    rules: Vec<Rule>,
    matches: Vec<Match>,
}

#[derive(Debug, Default)]
struct Gateway {
    /// Whether its class exists, as far as classes are known.
    is_served: bool,
    listeners: Vec<Listener>,
    /// Whether a listener is left out because it cannot be read.
    has_invalid: bool,
    ports: BTreeMap<u16, Port>,
}

/// Places of listeners of one port by host name.
#[derive(Debug, Default)]
struct Port {
    plain: Hosts<Option<usize>>,
    /// By the name in the ClientHello: HTTPS and TLS.
    secure: Hosts<Option<usize>>,
    https: Hosts<Option<usize>>,
}

/// Matches of one host name at one listener.
#[derive(Debug, Default)]
struct HostTable {
    hostname: Option<Arc<str>>,
    paths: PathIndex<Place>,
    patterns: Vec<usize>,
    /// Rules of TLSRoutes, the oldest first.
    tls: Vec<usize>,
    /// What is to be said about every answer for the host name.
    flags: Flags,
}

/// Where a match is, beside what it asks for: most that do not take a request are passed over without a look at them.
#[derive(Clone, Debug)]
struct Place {
    at: usize,
    /// `None` = nothing but the path.
    conditions: Option<Arc<Conditions>>,
}

#[derive(Clone, Debug)]
struct Rule {
    route: Arc<RouteRef>,
    index: usize,
    filters: Option<Arc<Filters>>,
    backends: Arc<[Backend]>,
}

/// All that answering takes lies in one piece.
#[derive(Debug)]
struct Match {
    /// One for all matches that ask for the same.
    conditions: Arc<Conditions>,
    path: PathRule,
    index: usize,
    rule: Rule,
    outcome: Outcome,
}

#[derive(Debug)]
enum PathRule {
    Exact(Arc<str>),
    Prefix(Arc<str>),
    Pattern(Pattern),
}

impl Gateways {
    /// Namespaces and names.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.by_name.iter().flat_map(|(namespace, names)| names.keys().map(move |name| (&**namespace, &**name)))
    }

    /// The port of a listener.
    pub(super) fn listener_port(&self, namespace: &str, name: &str, listener: &str) -> Option<u16> {
        let listeners = &self.by_name.get(namespace)?.get(name)?.listeners;
        listeners.iter().find(|known| *known.name == *listener).map(|known| known.port)
    }

    /// The rule that takes a request at a Gateway.
    pub(super) fn answer(&self, namespace: &str, name: &str, request: &RouteRequest<'_>) -> Answer<'_> {
        let Some(gateway) = self.by_name.get(namespace).and_then(|names| names.get(name)) else {
            return Answer::none(404, Reason::NoGateway);
        };
        if !gateway.is_served {
            return Answer::none(404, Reason::UnknownClass);
        }
        let mut answer = self.entered(gateway, request);
        answer.flags.set_if(Flag::InvalidListener, gateway.has_invalid);
        answer
    }

    fn entered<'a>(&'a self, gateway: &'a Gateway, request: &RouteRequest<'_>) -> Answer<'a> {
        let parts = request.parts();
        let named = parts.host.map(host::of_request);
        let sni = request.sni.map(host::of_request);
        if named == Some(None) || sni == Some(None) {
            return Answer::none(400, Reason::InvalidHost);
        }
        let (named, sni) = (named.flatten(), sni.flatten());
        let host = named.as_deref().or(sni.as_deref());
        let chosen = gateway.port(request).map(|port| match request.scheme {
            Scheme::Http => listener(&port.plain, host).ok_or(Unheard::NoListener),
            Scheme::Https | Scheme::Tls => gateway.by_sni(port, sni.as_deref().or(host), host),
        });
        let listener = match chosen {
            Some(Ok(index)) => gateway.listeners.get(index),
            Some(Err(Unheard::NoListener)) => return Answer::none(404, Reason::NoListener),
            Some(Err(Unheard::Misdirected)) => return Answer::none(421, Reason::Misdirected),
            Some(Err(Unheard::NoAnswer)) | None => None,
        };
        let Some(listener) = listener else { return Answer::refused(404, Reason::NoListener) };
        if listener.is_broken {
            let mut answer = Answer::refused(404, Reason::InvalidListener);
            answer.flags.add(listener.flags);
            return answer;
        }
        let mut answer = match listener.speaks {
            Speaks::Passthrough => self.connection(listener, sni.as_deref().or(host), Via::Passthrough),
            Speaks::Terminated => self.connection(listener, sni.as_deref().or(host), Via::Rule),
            Speaks::Http | Speaks::Https | Speaks::Other => self.request(listener, host, request, &parts),
        };
        answer.listener_port = Some(listener.port);
        answer.flags.add(listener.flags);
        answer
    }

    fn request<'a>(
        &'a self,
        listener: &'a Listener,
        host: Option<&str>,
        request: &RouteRequest<'_>,
        parts: &Parts<'_>,
    ) -> Answer<'a> {
        let (mut reason, mut flags) = (Reason::NoHost, Flags::default());
        let tables = listener.routes.matching(host).inspect(|table| {
            flags.add(table.flags);
            reason = if flags.contains(Flag::InvalidRule) { Reason::InvalidRule } else { Reason::NoRule };
        });
        let found = tables
            .enumerate()
            .find_map(|(level, table)| self.find(table, request, parts).map(|index| (level, table, index)));
        let differs = || {
            let normal = normal(parts.path)?;
            let parts = Parts { path: &normal, ..*parts };
            let other = listener.routes.matching(host).find_map(|table| self.find(table, request, &parts));
            Some(other != found.map(|(_, _, index)| index))
        };
        let differs = differs().unwrap_or(false);
        let mut answer = match found.and_then(|(_, table, index)| self.of_match(listener, table, index)) {
            Some(answer) => answer,
            None => Answer::none(404, reason),
        };
        answer.flags.add(flags);
        answer.flags.set_if(Flag::HostFallThrough, found.is_some_and(|(level, _, _)| level > 0));
        answer.flags.set_if(Flag::NormalPathDiffers, differs);
        answer
    }

    /// The place of the match that takes a request.
    fn find(&self, table: &HostTable, request: &RouteRequest<'_>, parts: &Parts<'_>) -> Option<usize> {
        let takes = |place: &&Place| place.conditions.as_ref().is_none_or(|asked| asked.take(request, parts));
        let by_pattern = |index: &&usize| {
            self.matches.get(**index).is_some_and(|found| match &found.path {
                PathRule::Pattern(pattern) => pattern.is_match(parts.path) && found.conditions.take(request, parts),
                PathRule::Exact(_) | PathRule::Prefix(_) => false,
            })
        };
        let walk = table.paths.walk(parts.path);
        let exact = walk.exact().find(takes).map(|place| place.at);
        let pattern = || table.patterns.iter().find(by_pattern).copied();
        exact.or_else(pattern).or_else(|| walk.prefixes().find(takes).map(|place| place.at))
    }

    fn of_match<'a>(&'a self, listener: &'a Listener, table: &'a HostTable, index: usize) -> Option<Answer<'a>> {
        let found = self.matches.get(index)?;
        let rule = &found.rule;
        let (path, path_type): (&str, _) = match &found.path {
            PathRule::Exact(path) => (path, PathType::Exact),
            PathRule::Prefix(path) => (path, PathType::Prefix),
            PathRule::Pattern(pattern) => (pattern.text(), PathType::RegularExpression),
        };
        let hit = RuleHit {
            route: &rule.route,
            via: Via::Rule,
            rule_index: Some(rule.index),
            match_index: Some(found.index),
            host: table.hostname.as_deref().or(listener.hostname.as_deref()),
            path: Some(path),
            path_type: Some(path_type),
        };
        Some(Answer::of(hit, &rule.backends, rule.filters.as_deref(), found.outcome))
    }

    /// The rule that takes a TLS connection.
    fn connection<'a>(&'a self, listener: &'a Listener, sni: Option<&str>, via: Via) -> Answer<'a> {
        let mut tables = listener.routes.matching(sni);
        let found = tables.find_map(|table| Some((table, self.rules.get(*table.tls.first()?)?)));
        let Some((table, rule)) = found else { return Answer::refused(404, Reason::NoHost) };
        let hit = RuleHit {
            route: &rule.route,
            via,
            rule_index: Some(rule.index),
            match_index: None,
            host: table.hostname.as_deref().or(listener.hostname.as_deref()),
            path: None,
            path_type: None,
        };
        let mut answer = Answer::of(hit, &rule.backends, None, Outcome::of(&rule.backends, None, false, FAILED));
        answer.flags.set_if(Flag::NoAnswer, answer.reason.is_some());
        answer.flags.add(table.flags);
        answer
    }
}

impl Gateway {
    /// The port that was dialled; where that is not said the scheme's, else the first that speaks the scheme.
    fn port(&self, request: &RouteRequest<'_>) -> Option<&Port> {
        let speaks = |listener: &&Listener| match request.scheme {
            Scheme::Http => listener.speaks == Speaks::Http,
            Scheme::Https | Scheme::Tls => {
                matches!(listener.speaks, Speaks::Https | Speaks::Passthrough | Speaks::Terminated)
            }
        };
        let mut ports = self.listeners.iter().filter(speaks).map(|listener| listener.port);
        let own = request.scheme.default_port();
        let port = match request.port {
            Some(port) => ports.find(|listened| *listened == port),
            None => ports.clone().find(|listened| *listened == own).or_else(|| ports.next()),
        };
        self.ports.get(&port?)
    }

    /// The listener that the ClientHello chose; then the host must be one of its own (Gateway API, `Listener`).
    fn by_sni(&self, port: &Port, sni: Option<&str>, host: Option<&str>) -> Result<usize, Unheard> {
        let index = listener(&port.secure, sni).ok_or(Unheard::NoAnswer)?;
        let is_https = self.listeners.get(index).is_some_and(|listener| listener.speaks == Speaks::Https);
        match listener(&port.https, host) {
            _ if !is_https => Ok(index),
            Some(other) if other == index => Ok(index),
            Some(_) => Err(Unheard::Misdirected),
            None => Err(Unheard::NoListener),
        }
    }
}

/// Why no listener takes a request.
enum Unheard {
    /// TLS cannot be opened.
    NoAnswer,
    /// None has the host.
    NoListener,
    /// Another one than the ClientHello chose has it.
    Misdirected,
}

fn listener(hosts: &Hosts<Option<usize>>, host: Option<&str>) -> Option<usize> {
    hosts.matching(host).find_map(|index| *index)
}
