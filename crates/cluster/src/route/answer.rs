//! The answer to a request: the rule that takes it and its backends, or why nobody serves it.
//!
//! Everything is borrowed from the compiled routes; making an answer allocates nothing.

use std::fmt;
use std::sync::Arc;

use super::backend::Backend;
use super::filters::Filters;
use super::outcome::{self, Outcome};
use super::path::PathType;

/// The kinds of objects that hold rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RouteKind {
    /// An Ingress.
    Ingress,
    /// An HTTPRoute.
    HttpRoute,
    /// A GRPCRoute.
    GrpcRoute,
    /// A TLSRoute.
    TlsRoute,
}

impl RouteKind {
    /// As in `kind:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::TlsRoute => "TLSRoute",
        }
    }
}

/// The object of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RouteRef {
    /// The kind.
    pub kind: RouteKind,
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl fmt::Display for RouteRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.name(), self.namespace, self.name)
    }
}

/// How a request came to its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By a rule.
    Rule,
    /// By the default backend of an Ingress.
    DefaultBackend,
    /// By the name in its ClientHello; TLS ends behind the gateway.
    Passthrough,
}

impl Via {
    /// `rule`, `defaultBackend` (as the field of an Ingress is called) or `passthrough`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::DefaultBackend => "defaultBackend",
            Self::Passthrough => "passthrough",
        }
    }
}

/// The rule that takes a request.
#[derive(Clone, Copy, Debug)]
pub struct RuleHit<'a> {
    /// Its object.
    pub route: &'a RouteRef,
    /// How it was chosen.
    pub via: Via,
    /// Its place in the object; `None` = the default backend.
    pub rule_index: Option<usize>,
    /// The place of the path (Ingress) or match in the rule.
    pub match_index: Option<usize>,
    /// The host as the object names it; `None` = every host.
    pub host: Option<&'a str>,
    /// The path, or the regular expression for it.
    pub path: Option<&'a str>,
    /// How the path is compared.
    pub path_type: Option<PathType>,
}

/// Why a request does not reach a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The request's host is no host name.
    InvalidHost,
    /// No rule names the host.
    NoHost,
    /// Rules name the host, and none of them matches.
    NoRule,
    /// Only an Ingress of another class, or of none that exists, has a rule.
    UnknownClass,
    /// There is no such Gateway.
    NoGateway,
    /// The Gateway does not listen for such a request.
    NoListener,
    /// TLS was opened with one listener's name, and the host is another one's.
    Misdirected,
    /// The rule names no backend.
    NoBackend,
    /// All its backends have weight 0.
    ZeroWeight,
    /// The backend does not exist.
    MissingBackend,
    /// The backend exists and does not have the port, or none is named.
    MissingPort,
    /// The backend is no Service.
    UnknownBackendKind,
    /// The backend is in another namespace, which does not grant it.
    RefusedReference,
    /// The rule has a filter that cannot be done.
    InvalidFilter,
    /// The backend is not written as one.
    InvalidBackend,
    /// No valid rule takes it; one that is left out because it is not valid might have.
    InvalidRule,
    /// The Gateway's listener for it cannot work: no certificate, or in conflict with another one.
    InvalidListener,
}

impl Reason {
    /// Its name, `no-rule`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidHost => "invalid-host",
            Self::NoHost => "no-host",
            Self::NoRule => "no-rule",
            Self::UnknownClass => "unknown-class",
            Self::NoGateway => "no-gateway",
            Self::NoListener => "no-listener",
            Self::Misdirected => "misdirected",
            Self::NoBackend => "no-backend",
            Self::ZeroWeight => "zero-weight",
            Self::MissingBackend => "missing-backend",
            Self::MissingPort => "missing-port",
            Self::UnknownBackendKind => "unknown-backend-kind",
            Self::RefusedReference => "refused-reference",
            Self::InvalidFilter => "invalid-filter",
            Self::InvalidBackend => "invalid-backend",
            Self::InvalidRule => "invalid-rule",
            Self::InvalidListener => "invalid-listener",
        }
    }
}

/// Where controllers are known to answer otherwise, or are free to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flag {
    /// The path is `ImplementationSpecific`, taken for a prefix.
    ImplementationSpecific,
    /// Escapes, double slashes or dot segments undone, another rule would match.
    NormalPathDiffers,
    /// A less specific host has a rule for the path: Ingress controllers differ in falling through, here none does;
    /// Gateway API asks for it.
    HostFallThrough,
    /// ingress-nginx makes all paths of this host case-insensitive regular expressions.
    NginxRegexHost,
    /// ingress-nginx rewrites the path on the way to the backend.
    NginxRewrite,
    /// Many controllers answer requests in the clear with a redirect to HTTPS here.
    HttpsRedirect,
    /// ingress-nginx takes this default backend only for the hosts of its Ingress.
    DefaultBackendScope,
    /// The Ingress names no class; not every controller serves it then.
    NoClass,
    /// Ingresses of several classes are answered as if one controller served them all.
    SeveralClasses,
    /// The Service is not among the objects, nor is any other.
    ServicesUnknown,
    /// The order and reach of regular expressions are the implementation's.
    RegularExpression,
    /// The certificate of the listener is in a namespace that does not grant it.
    RefusedCertificate,
    /// Some of the rule's backends fail, so a share of the requests does.
    PartlyFailing,
    /// A mirror of the rule cannot be used, so it gets no copies.
    RefusedMirror,
    /// A rule that is left out because it is not valid might have taken the request.
    InvalidRule,
    /// A listener of the Gateway is left out because it is not valid.
    InvalidListener,
    /// The client gets no answer at all: its connection is not taken. The status stands for that.
    NoAnswer,
    /// A copy that a mirror got: nobody waits for its answer. Only told of requests that were seen behind a gateway.
    Mirror,
}

impl Flag {
    /// Every flag.
    pub const ALL: [Self; 18] = [
        Self::ImplementationSpecific,
        Self::NormalPathDiffers,
        Self::HostFallThrough,
        Self::NginxRegexHost,
        Self::NginxRewrite,
        Self::HttpsRedirect,
        Self::DefaultBackendScope,
        Self::NoClass,
        Self::SeveralClasses,
        Self::ServicesUnknown,
        Self::RegularExpression,
        Self::RefusedCertificate,
        Self::PartlyFailing,
        Self::RefusedMirror,
        Self::InvalidRule,
        Self::InvalidListener,
        Self::NoAnswer,
        Self::Mirror,
    ];

    /// Its name, `implementation-specific`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImplementationSpecific => "implementation-specific",
            Self::NormalPathDiffers => "normal-path-differs",
            Self::HostFallThrough => "host-fall-through",
            Self::NginxRegexHost => "nginx-regex-host",
            Self::NginxRewrite => "nginx-rewrite",
            Self::HttpsRedirect => "https-redirect",
            Self::DefaultBackendScope => "default-backend-scope",
            Self::NoClass => "no-class",
            Self::SeveralClasses => "several-classes",
            Self::ServicesUnknown => "services-unknown",
            Self::RegularExpression => "regular-expression",
            Self::RefusedCertificate => "refused-certificate",
            Self::PartlyFailing => "partly-failing",
            Self::RefusedMirror => "refused-mirror",
            Self::InvalidRule => "invalid-rule",
            Self::InvalidListener => "invalid-listener",
            Self::NoAnswer => "no-answer",
            Self::Mirror => "mirror",
        }
    }
}

/// A set of flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u32);

impl Flags {
    /// Adds one where `condition` holds.
    pub(super) fn set_if(&mut self, flag: Flag, condition: bool) {
        self.0 |= u32::from(condition) << flag as u32;
    }

    /// Adds all of another set.
    pub(super) const fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Takes one out.
    pub(super) const fn remove(&mut self, flag: Flag) {
        self.0 &= !(1 << flag as u32);
    }

    /// Whether one is in it.
    pub const fn contains(self, flag: Flag) -> bool {
        self.0 >> flag as u32 & 1 == 1
    }

    /// Those in it, in the order of [`Flag::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.into_iter().filter(move |flag| self.contains(*flag))
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status: 200 = a backend answers, whatever it says. Where the client gets no answer at all
    /// ([`Flag::NoAnswer`]), 404 where nothing takes the request and 500 where a rule does.
    pub status: u16,
    /// The rule that takes it.
    pub rule: Option<RuleHit<'a>>,
    /// Why no backend answers; `None` = one does, or a redirect.
    pub reason: Option<Reason>,
    /// Where controllers may answer otherwise.
    pub flags: Flags,
    pub(super) backends: &'a [Backend],
    pub(super) filters: Option<&'a Filters>,
    /// The port that was listened on; `None` = an Ingress, which knows none.
    pub(super) listener_port: Option<u16>,
}

impl<'a> Answer<'a> {
    /// Nobody takes it.
    pub(super) fn none(status: u16, reason: Reason) -> Self {
        let flags = Flags::default();
        Self { status, rule: None, reason: Some(reason), flags, backends: &[], filters: None, listener_port: None }
    }

    /// Nobody takes the connection, so there is no answer at all.
    pub(super) fn refused(status: u16, reason: Reason) -> Self {
        let mut answer = Self::none(status, reason);
        answer.flags.set_if(Flag::NoAnswer, true);
        answer
    }

    /// A rule takes it, and this comes of it.
    pub(super) const fn of(
        rule: RuleHit<'a>,
        backends: &'a [Backend],
        filters: Option<&'a Filters>,
        outcome: Outcome,
    ) -> Self {
        let Outcome { status, reason, flags } = outcome;
        Self { status, rule: Some(rule), reason, flags, backends, filters, listener_port: None }
    }

    /// Everything that the rule sends requests to, in its order, with what does not work.
    pub const fn backends(&self) -> &'a [Backend] {
        self.backends
    }

    /// The backend that answers; where several do, the one with the largest share, the first of those.
    pub fn backend(&self) -> Option<&'a Backend> {
        let answered = self.status == 200;
        self.chosen().filter(|_| answered)
    }

    /// The backend whose filters count.
    pub(super) fn chosen(&self) -> Option<&'a Backend> {
        outcome::chosen(self.backends)
    }
}
