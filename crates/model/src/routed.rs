//! Which Ingress or Gateway rule a request met, as far as watching shows.

use std::sync::Arc;

use crate::flow::names;
use crate::{ConnectionId, Timestamp};

/// On which side of a gateway a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteLeg {
    /// From a client to the gateway.
    Front,
    /// From the gateway to a backend.
    Back,
}

names!(RouteLeg { Front = "front", Back = "back" });

/// How it is known which rule a request met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteMethod {
    /// By what the request says: host, path, method.
    Request,
    /// By its host; the path is not known.
    Host,
    /// By the name in the TLS client hello; the path is not known.
    Sni,
    /// By host and path at the backend, with the rule's rewrite undone.
    Rewrite,
    /// By the backend: only this rule leads there.
    Backend,
    /// By the other leg of the same request.
    Join,
}

names!(RouteMethod {
    Request = "request", Host = "host", Sni = "sni", Rewrite = "rewrite", Backend = "backend", Join = "join",
});

/// The object of a rule, and the rule's place in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulePlace {
    /// `Ingress`, `HTTPRoute`, `GRPCRoute`, `TLSRoute`.
    pub kind: &'static str,
    /// The object's namespace.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
    /// The rule's place in the object, from 0; `None` = the default backend, or not known which rule.
    pub rule: Option<u32>,
    /// The place of the path or match in the rule, from 0; `None` = it has none, or not known which.
    pub matched: Option<u32>,
}

impl RulePlace {
    /// In one word: `kind/namespace/name/rule/match`, `-` for what it lacks.
    pub fn text(&self) -> String {
        let number = |number: Option<u32>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
        let Self { kind, namespace, name, .. } = self;
        format!("{kind}/{namespace}/{name}/{}/{}", number(self.rule), number(self.matched))
    }
}

/// The Service that a rule sends requests to, and the port as the rule names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteService {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Number or name of its port; `None` = the rule names none.
    pub port: Option<Arc<str>>,
}

/// What is known of the rule that a request met. Shared behind `Arc`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Routed {
    /// On which side of the gateway.
    pub leg: RouteLeg,
    /// The rule; `None` = there is none, or there is no telling which.
    pub place: Option<RulePlace>,
    /// The host as the rule has it; `None` = every host.
    pub host: Option<Arc<str>>,
    /// The path as the rule has it.
    pub path: Option<Arc<str>>,
    /// How the path is compared: `Exact`, `Prefix`, ..., as the object has it.
    pub path_type: Option<&'static str>,
    /// How it is known; `None` without a rule.
    pub method: Option<RouteMethod>,
    /// Why no rule, or no backend of it, serves the request.
    pub reason: Option<&'static str>,
    /// Rules that it may have been, `kind/namespace/name/rule/match`, where there is no telling which.
    pub candidates: Vec<Arc<str>>,
    /// Where controllers are known to answer otherwise.
    pub flags: Vec<&'static str>,
    /// Where the rule sends requests, where that is one Service.
    pub service: Option<RouteService>,
}

impl Routed {
    /// Nothing but the leg.
    pub const fn unknown(leg: RouteLeg) -> Self {
        Self {
            leg,
            place: None,
            host: None,
            path: None,
            path_type: None,
            method: None,
            reason: None,
            candidates: Vec::new(),
            flags: Vec::new(),
            service: None,
        }
    }

    /// Whether it is known to the last detail which rule it was.
    pub fn is_sure(&self) -> bool {
        self.place.is_some() && self.candidates.is_empty()
    }

    /// Whether two legs of a request met the same rule of the same object.
    pub fn agrees_on_place(&self, other: &Self) -> bool {
        self.place.is_some() && self.place == other.place
    }

    /// Whether the rule of another leg may be the one that is known here in part: it is of the same object, or among the
    /// candidates; where nothing is known it may be any.
    pub fn may_be_place_of(&self, other: &Self) -> bool {
        let Some(theirs) = &other.place else { return true };
        let is_candidate = |text: &Arc<str>| **text == *theirs.text();
        match &self.place {
            Some(own) => {
                let same = (own.kind, &own.namespace, &own.name) == (theirs.kind, &theirs.namespace, &theirs.name);
                same && own.rule.is_none_or(|rule| theirs.rule == Some(rule))
            }
            None => self.candidates.is_empty() && self.reason.is_none() || self.candidates.iter().any(is_candidate),
        }
    }

    /// Whether two requests met the same rule, as far as both are known.
    pub fn agrees(&self, other: &Self) -> bool {
        self.leg == other.leg
            && self.place == other.place
            && self.service == other.service
            && self.reason == other.reason
            && self.candidates == other.candidates
    }
}

/// How the two legs of a user's request were found to belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrontMethod {
    /// Both carry the same `X-Request-Id`.
    RequestId,
    /// Both carry the same trace in `traceparent`.
    TraceParent,
    /// `X-Forwarded-For` names the client of the only request or TLS connection that can be meant.
    ForwardedFor,
    /// Only one TLS connection to the gateway can be meant: no other was open whose name leads to the rule.
    OnlyOne,
}

names!(FrontMethod {
    RequestId = "request-id", TraceParent = "traceparent", ForwardedFor = "forwarded-for", OnlyOne = "only-one",
});

/// The user's request at the gateway that a request to a backend was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Its id, as [`crate::Http::request_id`] of either leg says it.
    pub request_id: Option<Box<str>>,
    /// Its connection.
    pub connection: Option<ConnectionId>,
    /// Its first byte; of a TLS connection that of the client hello.
    pub ts: Timestamp,
    /// How it was found.
    pub method: FrontMethod,
}

/// Where the time of a user's request went, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// In backends: from the gateway's requests to the ends of their answers.
    pub backend_us: u32,
    /// Everything else: the gateway, and the way between it and the tap.
    pub gateway_us: u32,
}
