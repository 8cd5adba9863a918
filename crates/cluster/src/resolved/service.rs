//! The Service that an opener was led to by a name: a headless one by its own, one outside by an alias of it.

use std::sync::Arc;

use weir_model::{AttributedFlow, Service, ServiceRef};

use super::names::Names;
use super::namespace;
use crate::Snapshot;
use crate::snapshot::Meant;

/// What is known of the flow's Service, where its opener knew the other side by these names. One that all names agree on
/// was used; where they do not, those that one of them stands for are candidates too.
pub(super) fn used(snapshot: &Snapshot, seen: &AttributedFlow, led_by: &[Arc<Names>]) -> Option<Arc<Service>> {
    let meant = |names: &Arc<Names>| service_of(snapshot, seen, names);
    let mut led: Vec<Option<&Arc<Service>>> = led_by.iter().map(meant).collect();
    led.sort_by_key(|service| service.map(|service| &service.used));
    led.dedup();
    match led.as_slice() {
        [] | [None] => seen.service.clone(),
        [Some(only)] => Some(at_port(snapshot, seen, only)),
        several => Some(Arc::new(candidates(seen, several.iter().copied().flatten()))),
    }
}

/// The Service that the first of the names stands for that stands for any.
fn service_of<'a>(snapshot: &'a Snapshot, seen: &AttributedFlow, names: &Names) -> Option<&'a Arc<Service>> {
    names.each().find_map(|(name, aliases)| {
        let meant = snapshot.service_named(name, namespace(&seen.tap))?;
        let leads = match &meant.service.alias_of {
            Some(outside) => aliases.iter().any(|alias| **alias == **outside),
            None => meant.is_full || is_endpoint(snapshot, seen, &meant),
        };
        leads.then_some(&meant.service.known)
    })
}

/// Whether the EndpointSlices have the address that was dialled.
fn is_endpoint(snapshot: &Snapshot, seen: &AttributedFlow, meant: &Meant<'_>) -> bool {
    port_of(snapshot, seen, &meant.service.known).is_some()
}

fn port_of<'a>(snapshot: &'a Snapshot, seen: &AttributedFlow, service: &Service) -> Option<&'a ServiceRef> {
    let used = service.used.as_ref()?;
    let tuple = seen.flow.tuple;
    let ports = snapshot.services_of(tuple.dst_ip, tuple.dst_port, tuple.protocol);
    ports.iter().find(|port| port.namespace == used.namespace && port.name == used.name)
}

/// The Service with the name of the port that was dialled, where it has one.
fn at_port(snapshot: &Snapshot, seen: &AttributedFlow, service: &Arc<Service>) -> Arc<Service> {
    match port_of(snapshot, seen, service) {
        Some(port) if port.port_name.is_some() => {
            Arc::new(Service { used: Some(port.clone()), ..Service::clone(service) })
        }
        _ => Arc::clone(service),
    }
}

fn candidates<'a>(seen: &AttributedFlow, led: impl Iterator<Item = &'a Arc<Service>>) -> Service {
    let own = seen.service.iter().flat_map(|service| service.candidates.iter().cloned());
    let led = led.filter_map(|service| service.used.as_ref());
    let led = led.map(|used| Arc::from(format!("{}/{}", used.namespace, used.name)));
    let mut candidates: Vec<Arc<str>> = own.chain(led).collect();
    candidates.sort();
    candidates.dedup();
    Service { used: None, method: None, candidates }
}
