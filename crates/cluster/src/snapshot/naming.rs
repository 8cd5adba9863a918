//! How a flow to an endpoint of Services is named after them: surely, by inference, or as one of several.

use std::hash::Hash;
use std::sync::Arc;

use weir_model::{Service, ServiceMethod, ServiceRef, ServiceType};

use super::{HashMap, HashSet};

/// A Service's port, whether the Service itself is known or only its EndpointSlices are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PortName {
    pub(super) namespace: Arc<str>,
    pub(super) service: Arc<str>,
    pub(super) port: Option<Arc<str>>,
}

impl PortName {
    pub(super) fn new(namespace: &Arc<str>, service: &Arc<str>, port: Option<&Arc<str>>) -> Self {
        Self { namespace: Arc::clone(namespace), service: Arc::clone(service), port: port.cloned() }
    }

    pub(super) fn of(service: &ServiceRef) -> Self {
        Self::new(&service.namespace, &service.name, service.port_name.as_ref())
    }

    pub(super) fn typed(&self, service_type: ServiceType) -> ServiceRef {
        ServiceRef {
            namespace: Arc::clone(&self.namespace),
            name: Arc::clone(&self.service),
            service_type,
            port_name: self.port.clone(),
        }
    }
}

/// What flows to one or more endpoints are named, all of them endpoints of the same Services.
#[derive(Debug)]
pub(crate) struct Naming {
    /// The Services that are known, sorted, each once.
    pub(crate) services: Box<[ServiceRef]>,
    /// For a leg where the opener itself dialled the endpoint: no Service was used, these may explain it.
    pub(crate) dialled: Arc<Service>,
    /// For any other leg: the only Service there is, or all that there are.
    pub(crate) inferred: Arc<Service>,
}

impl Naming {
    /// Names endpoints of `ports`, each with the type of its Service where that is known.
    pub(super) fn new(ports: &[(&PortName, Option<ServiceType>)], shared: &mut Shared) -> Self {
        let mut services: Vec<ServiceRef> =
            ports.iter().filter_map(|(port, kind)| Some(port.typed((*kind)?))).collect();
        services.sort();
        services.dedup();
        let candidates = shared.candidates(ports.iter().map(|(port, _)| (&*port.namespace, &*port.service)));
        let used = only_service(&services).filter(|_| candidates.len() == 1);
        let dialled = Service { used: None, method: None, candidates };
        let inferred = match used {
            Some(used) => {
                Service { used: Some(used), method: Some(ServiceMethod::EndpointSlice), candidates: Vec::new() }
            }
            None => dialled.clone(),
        };
        Self { services: services.into(), dialled: shared.service(dialled), inferred: shared.service(inferred) }
    }
}

/// The one Service among its ports. Where several of them lead to one endpoint, the port has no name.
fn only_service(services: &[ServiceRef]) -> Option<ServiceRef> {
    match services {
        [] => None,
        [only] => Some(only.clone()),
        [first, ..] => Some(ServiceRef { port_name: None, ..first.clone() }),
    }
}

/// Values that are the same `Arc` wherever they are equal. Lives only while a snapshot is built.
#[derive(Default)]
pub(super) struct Shared {
    services: HashSet<Arc<Service>>,
    candidates: HashMap<String, Arc<str>>,
}

impl Shared {
    pub(super) fn service(&mut self, service: Service) -> Arc<Service> {
        let service = Arc::new(service);
        if let Some(shared) = self.services.get(&service) {
            return Arc::clone(shared);
        }
        self.services.insert(Arc::clone(&service));
        service
    }

    /// `namespace/name` of each, sorted, each once.
    pub(super) fn candidates<'a>(&mut self, names: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Arc<str>> {
        let mut candidates: Vec<Arc<str>> = names
            .map(|(namespace, name)| {
                let text = format!("{namespace}/{name}");
                Arc::clone(self.candidates.entry(text).or_insert_with_key(|text| Arc::from(&**text)))
            })
            .collect();
        candidates.sort();
        candidates.dedup();
        candidates
    }
}
