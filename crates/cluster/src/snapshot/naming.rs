//! How a flow to an endpoint of Services is named after them: surely, by inference, or as one of several.

use std::sync::Arc;

use weir_model::{Service, ServiceMethod, ServiceRef, ServiceType};

/// A Service's port, whether the Service itself is known or only its EndpointSlices are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PortName {
    pub(crate) namespace: Arc<str>,
    pub(crate) service: Arc<str>,
    pub(crate) port: Option<Arc<str>>,
}

impl PortName {
    pub(crate) fn new(namespace: &Arc<str>, service: &Arc<str>, port: Option<&Arc<str>>) -> Self {
        Self { namespace: Arc::clone(namespace), service: Arc::clone(service), port: port.cloned() }
    }

    pub(crate) fn of(service: &ServiceRef) -> Self {
        Self::new(&service.namespace, &service.name, service.port_name.as_ref())
    }

    pub(crate) fn typed(&self, service_type: ServiceType) -> ServiceRef {
        ServiceRef {
            namespace: Arc::clone(&self.namespace),
            name: Arc::clone(&self.service),
            service_type,
            port_name: self.port.clone(),
        }
    }
}

/// What flows to one or more endpoints are named, all of them endpoints of the same Services.
#[derive(Debug, PartialEq, Eq)]
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
    pub(crate) fn new(ports: &[(&PortName, Option<ServiceType>)]) -> Self {
        let mut services: Vec<ServiceRef> =
            ports.iter().filter_map(|(port, kind)| Some(port.typed((*kind)?))).collect();
        services.sort();
        services.dedup();
        let candidates = candidates(ports.iter().map(|(port, _)| (&*port.namespace, &*port.service)));
        let used = only_service(&services).filter(|_| candidates.len() == 1);
        let dialled = Service { used: None, method: None, candidates };
        let inferred = match used {
            Some(used) => {
                Service { used: Some(used), method: Some(ServiceMethod::EndpointSlice), candidates: Vec::new() }
            }
            None => dialled.clone(),
        };
        let dialled = Arc::new(dialled);
        let inferred = if *dialled == inferred { Arc::clone(&dialled) } else { Arc::new(inferred) };
        Self { services: services.into(), dialled, inferred }
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

/// `namespace/name` of each, sorted, each once.
pub(crate) fn candidates<'a>(names: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Arc<str>> {
    let mut candidates: Vec<Arc<str>> =
        names.map(|(namespace, name)| Arc::from(format!("{namespace}/{name}"))).collect();
    candidates.sort();
    candidates.dedup();
    candidates
}
