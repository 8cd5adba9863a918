//! What routes are compiled from, and how far the newest version is out of date: objects that changed come in, the next
//! version goes out where there is one.

use std::collections::BTreeSet;
use std::time::Duration;

use weir_cluster::Timeline;
use weir_cluster::gateways::GatewayOptions;
use weir_cluster::objects::{Object, ObjectKey, ObjectKind, Objects};
use weir_cluster::routing::Routing;
use weir_model::Timestamp;
use weir_watch::Kind;

use super::{REST, REST_OF_PODS};

/// An endpoint was there before its news: it takes requests as soon as it is ready.
const LATENESS_NS: i64 = 2_000_000_000;

/// How far the newest routes are out of date.
#[derive(Debug, Default)]
pub(super) struct StaleRoutes {
    /// Kinds that have not been told in full. Until it is empty nothing is compiled.
    awaited: BTreeSet<ObjectKind>,
    /// The first change that is not in them.
    since: Option<Timestamp>,
    /// More changed than pods and endpoints.
    rules: bool,
}

impl StaleRoutes {
    /// Nothing is known yet. Kinds that nobody watches are not waited for.
    pub(super) fn waiting() -> Self {
        let is_watched = |kind: &ObjectKind| {
            kind.api_versions().iter().any(|api_version| Kind::find(api_version, kind.name()).is_some())
        };
        let kinds = ObjectKind::ALL.iter().copied().filter(|kind| is_routed(*kind));
        Self { awaited: kinds.filter(is_watched).collect(), ..Self::default() }
    }

    /// All objects of a kind are known.
    pub(super) fn complete(&mut self, kind: ObjectKind, seen: Timestamp) {
        if self.awaited.remove(&kind) && self.awaited.is_empty() {
            self.note(seen, true);
        }
    }

    /// An object came or changed.
    pub(super) fn put(&mut self, key: &ObjectKey, before: Option<&Object>, now: &Object, seen: Timestamp) {
        match (before, now) {
            (Some(Object::Pod(before)), Object::Pod(now)) if before.metadata.labels == now.metadata.labels => {}
            (Some(before), now) if before == now => {}
            _ => self.changed(key, seen),
        }
    }

    /// An object changed, or is gone.
    pub(super) fn changed(&mut self, key: &ObjectKey, seen: Timestamp) {
        if is_routed(key.kind) {
            self.note(seen, !matches!(key.kind, ObjectKind::Pod | ObjectKind::EndpointSlice));
        }
    }

    fn note(&mut self, seen: Timestamp, rules: bool) {
        self.rules |= rules;
        self.since.get_or_insert(seen);
    }

    /// How long to wait for more changes; `None` = there is nothing to compile.
    pub(super) fn rest(&self) -> Option<Duration> {
        self.since.filter(|_| self.awaited.is_empty())?;
        Some(if self.rules { REST } else { REST_OF_PODS })
    }

    /// Adds the next version, where something that matters changed.
    pub(super) fn compile(&mut self, objects: &Objects, options: &GatewayOptions, routes: &mut Timeline<Routing>) {
        if !self.awaited.is_empty() {
            return;
        }
        let Some(since) = self.since.take() else { return };
        match routes.newest().filter(|_| !self.rules) {
            Some(newest) => {
                let next = newest.with_endpoints(objects, options);
                if let Some(next) = next {
                    routes.push(since.plus_ns(-LATENESS_NS), next);
                }
            }
            None => routes.push(since, Routing::build(objects, options)),
        }
        self.rules = false;
    }
}

/// Whether routes are compiled from objects of a kind.
pub(super) const fn is_routed(kind: ObjectKind) -> bool {
    use ObjectKind::{EndpointSlice, Namespace, Pod, Service};
    kind.is_routing() || matches!(kind, EndpointSlice | Namespace | Pod | Service)
}
