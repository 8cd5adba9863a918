//! Requests of which only a part was seen: what passive watching knows comes in, every rule that it may have been goes out.
//!
//! Headers and stripped queries are never known here, a path or a method may be missing. A rule that asks for something
//! unknown may or may not take the request, so it is an answer beside the next one that surely does.

use super::path::normal::normal;
use super::request::{RouteRequest, Scheme};
use super::{Answer, Flag, Routes};

/// A request as far as it was seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched<'a> {
    /// How the client speaks.
    pub scheme: Scheme,
    /// The method; `None` = not seen.
    pub method: Option<&'a str>,
    /// The host; `None` = none was sent.
    pub host: Option<&'a str>,
    /// The target, its query left out or not; `None` = not seen, or not kept.
    pub target: Option<&'a str>,
    /// The name in the ClientHello.
    pub sni: Option<&'a str>,
    /// The port that was dialled; `None` = not known.
    pub port: Option<u16>,
}

impl<'a> Watched<'a> {
    /// As a whole request, where what was not seen is taken for the usual.
    pub(super) fn request(&self) -> RouteRequest<'a> {
        RouteRequest {
            scheme: self.scheme,
            method: self.method.unwrap_or("GET"),
            host: self.host,
            target: self.target.unwrap_or("/"),
            sni: self.sni,
            port: self.port,
            headers: &[],
        }
    }

    /// Whether the query is known: it stands there, for it is left out whole.
    pub(super) fn knows_query(&self) -> bool {
        self.target.is_some_and(|target| target.contains('?'))
    }
}

impl Routes {
    /// Every Ingress rule that may take the request, the likeliest first; one = that one. Without a path all rules of the
    /// host, and not that there may be none.
    pub fn ingress_watched(&self, watched: &Watched<'_>) -> Vec<Answer<'_>> {
        let request = watched.request();
        let Some(target) = watched.target else { return self.ingresses.of_host(&request) };
        let answer = self.ingress(&request);
        let mut answers = vec![answer];
        if answer.flags.contains(Flag::NormalPathDiffers) {
            let path = target.split(['?', '#']).next().unwrap_or(target);
            let other = normal(path).map(|path| self.ingress(&RouteRequest { target: &path, ..request }));
            answers.extend(other.map(|other| Answer { flags: answer.flags, ..other }));
        }
        answers
    }

    /// Every rule at a Gateway that may take the request, the likeliest first; one = that one. Without a path as for an
    /// Ingress.
    pub fn gateway_watched(&self, namespace: &str, name: &str, watched: &Watched<'_>) -> Vec<Answer<'_>> {
        self.gateways.watched(namespace, name, watched)
    }
}
