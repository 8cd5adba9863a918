//! Ingress rules one after the other: all of them, or those of one host.

use super::{Fallback, HostRules, Ingresses, Table, UNAVAILABLE};
use crate::route::answer::{Answer, Reason};
use crate::route::host;
use crate::route::listed::Listed;
use crate::route::outcome::Outcome;
use crate::route::request::{RouteRequest, Scheme};

impl Ingresses {
    /// Every rule that is served, and every default backend.
    pub(in crate::route) fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        let rules = self.served.hosts.values().flat_map(|rules| rules.answers(Scheme::Https));
        let defaults = self.served.defaults.iter().map(Fallback::answer);
        rules.chain(defaults).map(|answer| Listed { answer, gateway: None })
    }

    /// Every rule of the host of a request whose path is not known.
    pub(in crate::route) fn of_host(&self, request: &RouteRequest<'_>) -> Vec<Answer<'_>> {
        // A client hello names the host as well as a request does.
        let named = request.parts().host.or(request.sni).map(host::of_request);
        if named == Some(None) {
            return vec![Answer::none(400, Reason::InvalidHost)];
        }
        self.served.of_host(named.flatten().as_deref(), request.scheme)
    }
}

impl Table {
    fn of_host(&self, name: Option<&str>, scheme: Scheme) -> Vec<Answer<'_>> {
        let rules = self.hosts.matching(name).next();
        let answers: Vec<_> = rules.into_iter().flat_map(|rules| rules.answers(scheme)).collect();
        if answers.is_empty() { vec![self.default(rules)] } else { answers }
    }
}

impl HostRules {
    fn answers(&self, scheme: Scheme) -> impl Iterator<Item = Answer<'_>> {
        // Of one path and type only the first serves.
        self.paths.lists().filter_map(|list| list.first()).map(move |entry| entry.answer(scheme))
    }
}

impl Fallback {
    pub(super) fn answer(&self) -> Answer<'_> {
        let backend = std::slice::from_ref(&*self.backend);
        let mut answer = Answer::of(self.hit(), backend, None, Outcome::of(backend, None, false, UNAVAILABLE));
        answer.flags.add(self.flags);
        answer
    }
}
