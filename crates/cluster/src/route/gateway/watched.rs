//! Requests of which only a part was seen, at a Gateway: every match that may have taken them.

use super::conditions::Conditions;
use super::listener::{Listener, Speaks};
use super::{Gateways, HostTable, PathRule, Place};
use crate::route::answer::{Answer, Flag, Reason};
use crate::route::host;
use crate::route::request::{Parts, RouteRequest, Scheme};
use crate::route::watched::Watched;

/// Whether a match takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Yes,
    No,
    /// It asks for something that was not seen.
    Maybe,
}

impl Gateways {
    /// Every rule that may take the request, the likeliest first.
    pub(in crate::route) fn watched(&self, namespace: &str, name: &str, watched: &Watched<'_>) -> Vec<Answer<'_>> {
        let request = watched.request();
        let mut whole = self.answer(namespace, name, &request);
        // Without a listener there is nothing to choose; a connection's rule asks for no more than its name.
        let listener = self.listener_of(namespace, name, &request);
        let Some(listener) = listener.filter(|listener| matches!(listener.speaks, Speaks::Http | Speaks::Https)) else {
            return vec![whole];
        };
        // It cannot work by its object, and yet it was asked: whoever serves there does so in a way of his own.
        if listener.is_broken {
            whole.flags.remove(Flag::NoAnswer);
            whole.flags.set_if(Flag::InvalidListener, true);
        }
        let parts = request.parts();
        let named = parts.host.or(request.sni).and_then(host::of_request);
        let mut answers = Vec::new();
        let mut is_settled = false;
        for table in listener.routes.matching(named.as_deref()) {
            is_settled = match watched.target {
                Some(_) => self.take(listener, table, &request, &parts, watched, &mut answers),
                None => self.take_any(listener, table, watched, &mut answers),
            };
            if is_settled {
                break;
            }
        }
        if !is_settled && (watched.target.is_some() || answers.is_empty()) {
            answers.push(Answer::none(404, whole.reason.unwrap_or(Reason::NoRule)));
        }
        for answer in &mut answers {
            answer.listener_port = whole.listener_port;
            answer.flags.add(whole.flags);
        }
        answers
    }

    fn listener_of(&self, namespace: &str, name: &str, request: &RouteRequest<'_>) -> Option<&Listener> {
        let gateway = self.by_name.get(namespace)?.get(name).filter(|gateway| gateway.is_served)?;
        let (named, sni) = (request.parts().host.map(host::of_request), request.sni.map(host::of_request));
        let (named, sni) = (named.flatten(), sni.flatten());
        let host = named.as_deref().or(sni.as_deref());
        let port = gateway.port(request)?;
        let index = match request.scheme {
            Scheme::Http => super::listener(&port.plain, host),
            Scheme::Https | Scheme::Tls => gateway.by_sni(port, sni.as_deref().or(host), host).ok(),
        };
        gateway.listeners.get(index?)
    }

    /// Adds the matches of one host name that may take the request; whether one of them surely does.
    fn take<'a>(
        &'a self,
        listener: &'a Listener,
        table: &'a HostTable,
        request: &RouteRequest<'_>,
        parts: &Parts<'_>,
        watched: &Watched<'_>,
        answers: &mut Vec<Answer<'a>>,
    ) -> bool {
        let fits = |index: &usize| match self.matches.get(*index).map(|found| &found.path) {
            Some(PathRule::Pattern(pattern)) => pattern.is_match(parts.path),
            _ => false,
        };
        let walk = table.paths.walk(parts.path);
        let patterns = table.patterns.iter().filter(|index| fits(index)).copied();
        let at = |place: &Place| place.at;
        for index in walk.exact().map(at).chain(patterns).chain(walk.prefixes().map(at)) {
            let Some(found) = self.matches.get(index) else { continue };
            let takes = found.conditions.may_take(request, parts, watched);
            if takes != Takes::No {
                answers.extend(self.of_match(listener, table, index));
            }
            if takes == Takes::Yes {
                return true;
            }
        }
        false
    }

    /// Adds every match of one host name, for a request without a path; whether there was any.
    fn take_any<'a>(
        &'a self,
        listener: &'a Listener,
        table: &'a HostTable,
        watched: &Watched<'_>,
        answers: &mut Vec<Answer<'a>>,
    ) -> bool {
        let before = answers.len();
        for index in table.places() {
            let method = self.matches.get(index).and_then(|found| found.conditions.method.as_deref());
            if method.is_none() || watched.method.is_none() || method == watched.method {
                answers.extend(self.of_match(listener, table, index));
            }
        }
        answers.len() > before
    }
}

impl Conditions {
    fn may_take(&self, request: &RouteRequest<'_>, parts: &Parts<'_>, watched: &Watched<'_>) -> Takes {
        let method_differs = match (self.method.as_deref(), watched.method) {
            (Some(wanted), Some(seen)) => wanted != seen,
            _ => false,
        };
        if method_differs {
            return Takes::No;
        }
        let knows_method = self.method.is_none() || watched.method.is_some();
        let knows_query = self.query.is_empty() || watched.knows_query();
        if self.headers.is_empty() && knows_method && knows_query {
            return if self.take(request, parts) { Takes::Yes } else { Takes::No };
        }
        Takes::Maybe
    }
}
