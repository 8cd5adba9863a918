//! Which Ingress or Gateway rule serves a request.
//!
//! Objects are compiled once, at [`Routes::build`]; then each request is a few look-ups: its host, the elements of its
//! path, and the conditions of the rules found there. Nothing here follows what single controllers do beside the
//! specification; where they are known to, the answer carries a [`Flag`].

mod answer;
mod backend;
mod filters;
mod finding;
mod forward;
mod gateway;
mod host;
mod ingress;
mod inline;
mod listed;
mod outcome;
mod path;
mod pattern;
mod percent;
mod request;
mod undone;
mod watched;

use std::sync::Arc;

use weir_model::Timestamp;

use crate::objects::{ObjectMeta, Objects};

pub use answer::{Answer, Flag, Flags, Reason, RouteKind, RouteRef, RuleHit, Via};
pub use backend::{Backend, BackendPort};
pub use filters::Mirrored;
pub use finding::{Check, Finding, Severity};
pub use forward::{Forwarded, Location, canonical};
pub use listed::Listed;
pub use path::PathType;
pub use request::{RouteRequest, Scheme};
pub use undone::{AtBackend, Fit, Undo};
pub use watched::Watched;

use finding::Findings;
use gateway::Gateways;
use ingress::Ingresses;

type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
type HashSet<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;

/// What routes are compiled for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteOptions {
    /// Only Ingresses of this class are served, whether there is an IngressClass of that name or not. Default: those
    /// of every class there is, and those without one where there is no class or a default.
    pub ingress_class: Option<String>,
}

/// The compiled rules of a cluster. Share it behind `Arc`; build a new one when an object of its kinds, a Service or
/// a Namespace changes.
#[derive(Debug, Default)]
pub struct Routes {
    ingresses: Ingresses,
    gateways: Gateways,
    findings: Vec<Finding>,
}

impl Routes {
    /// Compiles the rules. What is wrong with an object becomes a finding, and takes no more out than it must: a rule,
    /// a match, a hostname.
    pub fn build(objects: &Objects, options: &RouteOptions) -> Self {
        let mut findings = Findings::default();
        let ingresses = Ingresses::build(objects, options, &mut findings);
        let gateways = Gateways::build(objects, &mut findings);
        Self { ingresses, gateways, findings: findings.into_sorted() }
    }

    /// The Ingress rule that takes a request.
    pub fn ingress(&self, request: &RouteRequest<'_>) -> Answer<'_> {
        self.ingresses.answer(request)
    }

    /// The rule that takes a request at a Gateway.
    pub fn gateway(&self, namespace: &str, name: &str, request: &RouteRequest<'_>) -> Answer<'_> {
        self.gateways.answer(namespace, name, request)
    }

    /// The port of a Gateway's listener.
    pub fn listener_port(&self, namespace: &str, name: &str, listener: &str) -> Option<u16> {
        self.gateways.listener_port(namespace, name, listener)
    }

    /// Namespace and name of every Gateway, in order.
    pub fn gateway_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.gateways.names()
    }

    /// What is wrong with the objects, by object and field.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

/// Sorts objects: the oldest first, those of unknown age last, then by namespace and name.
fn age(metadata: &ObjectMeta) -> (bool, Option<Timestamp>, Arc<str>, Arc<str>) {
    let created = metadata.creation_timestamp;
    (created.is_none(), created, Arc::clone(&metadata.namespace), Arc::clone(&metadata.name))
}
