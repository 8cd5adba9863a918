//! What the joining of legs asks the cluster's objects.

use std::sync::Arc;

use weir_model::{Endpoint, PodRef, Service, ServiceMethod, ServiceRef, Timestamp, Tuple};

use crate::Snapshot;

/// Knows who has addresses, and which pods a Service's connections may end at.
pub trait Names {
    /// Every pod behind the Service port; `None` where some backend is no known pod, or the Service is not known.
    fn pods_behind(&self, service: &ServiceRef) -> Option<Vec<PodRef>>;

    /// Who opens from a tuple's source.
    fn opener(&self, tuple: &Tuple, at: Timestamp) -> Arc<Endpoint>;

    /// Who is at a tuple's destination.
    fn reached(&self, tuple: &Tuple, at: Timestamp) -> Arc<Endpoint>;

    /// The Service whose own address and port is a tuple's destination, as conntrack's word.
    fn dialled(&self, tuple: &Tuple, at: Timestamp) -> Option<Arc<Service>>;
}

/// Knows nobody: every backend may be anywhere.
impl Names for () {
    fn pods_behind(&self, _: &ServiceRef) -> Option<Vec<PodRef>> {
        None
    }

    fn opener(&self, _: &Tuple, _: Timestamp) -> Arc<Endpoint> {
        Arc::default()
    }

    fn reached(&self, _: &Tuple, _: Timestamp) -> Arc<Endpoint> {
        Arc::default()
    }

    fn dialled(&self, _: &Tuple, _: Timestamp) -> Option<Arc<Service>> {
        None
    }
}

impl Names for Snapshot {
    fn pods_behind(&self, service: &ServiceRef) -> Option<Vec<PodRef>> {
        self.backend_pods(service)
    }

    fn opener(&self, tuple: &Tuple, at: Timestamp) -> Arc<Endpoint> {
        self.then(at).opener(tuple.src_ip, tuple.src_port, tuple.protocol)
    }

    fn reached(&self, tuple: &Tuple, at: Timestamp) -> Arc<Endpoint> {
        self.then(at).endpoint(tuple.dst_ip, tuple.dst_port, tuple.protocol)
    }

    fn dialled(&self, tuple: &Tuple, at: Timestamp) -> Option<Arc<Service>> {
        let then = self.then(at);
        let claim = then.target(tuple.dst_ip, tuple.dst_port, tuple.protocol).claim?;
        let method = claim.known.method.map(|_| ServiceMethod::Conntrack);
        Some(Arc::new(Service { method, ..Service::clone(&claim.known) }))
    }
}

impl Snapshot {
    /// As of a time, or as it is where so long ago is not remembered.
    fn then(&self, at: Timestamp) -> Self {
        if self.remembers(at) { self.as_of(at) } else { self.clone() }
    }
}
