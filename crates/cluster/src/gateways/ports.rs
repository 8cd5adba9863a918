//! Pods behind Services, and which of their ports stand for which port of the Service.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_model::{PodRef, Protocol};

use crate::objects::{EndpointSlice, Objects, Service, SliceEndpoint};

/// Ports of a pod, each with the ports of the Service that lead there.
type Ports = BTreeMap<u16, BTreeSet<u16>>;

/// EndpointSlices by the namespace and name of their Service.
pub(super) struct Behind<'a> {
    slices: BTreeMap<(&'a str, &'a str), Vec<&'a EndpointSlice>>,
}

impl<'a> Behind<'a> {
    pub(super) fn new(objects: &'a Objects) -> Self {
        let mut slices: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for slice in objects.endpoint_slices() {
            let Some(service) = slice.service() else { continue };
            slices.entry((&*slice.metadata.namespace, &**service)).or_default().push(slice);
        }
        Self { slices }
    }

    /// The pods that EndpointSlices name behind a Service; one may come several times.
    pub(super) fn pods(&self, service: &'a Service) -> impl Iterator<Item = (PodRef, Ports)> {
        let key = (&*service.metadata.namespace, &*service.metadata.name);
        let slices = self.slices.get(&key).into_iter().flatten();
        slices.flat_map(move |slice| {
            let ports = ports(service, slice);
            slice.endpoints.iter().filter_map(move |endpoint| Some((pod(endpoint, slice)?, ports.clone())))
        })
    }
}

fn pod(endpoint: &SliceEndpoint, slice: &EndpointSlice) -> Option<PodRef> {
    let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"))?;
    let namespace = target.namespace.as_ref().unwrap_or(&slice.metadata.namespace);
    Some(PodRef { namespace: Arc::clone(namespace), name: Arc::clone(target.name.as_ref()?) })
}

fn ports(service: &Service, slice: &EndpointSlice) -> Ports {
    let mut ports = Ports::new();
    for port in slice.ports.iter().filter(|port| port.protocol == Protocol::TCP) {
        let dialled = service.spec.ports.iter().filter(|known| known.name == port.name);
        if let Some(own) = port.port {
            ports.entry(own).or_default().extend(dialled.map(|known| known.port));
        }
    }
    ports
}
