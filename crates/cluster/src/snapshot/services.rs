//! Services at their addresses and ports, and what stands behind them.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, PodRef, Service};

use super::naming::Naming;
use super::steps::Steps;
use crate::objects::{EndpointSlice, SliceEndpoint};

/// An endpoint of a Service's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its address.
    pub ip: IpAddr,
    /// The port at that address.
    pub port: u16,
    /// The pod behind it, where the EndpointSlice names one.
    pub pod: Option<PodRef>,
    /// The node it is on.
    pub node: Option<Arc<str>>,
    /// It takes traffic.
    pub ready: bool,
    /// It could take traffic, going away or not: used where none is ready.
    pub serving: bool,
    /// It is going away.
    pub terminating: bool,
}

impl Backend {
    pub(crate) fn new(ip: IpAddr, port: u16, endpoint: &SliceEndpoint, slice: &EndpointSlice) -> Self {
        let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
        let pod = target.and_then(|target| {
            let namespace = target.namespace.as_ref().unwrap_or(&slice.metadata.namespace);
            Some(PodRef { namespace: Arc::clone(namespace), name: Arc::clone(target.name.as_ref()?) })
        });
        let conditions = endpoint.conditions;
        Self {
            ip,
            port,
            pod,
            node: endpoint.node_name.clone(),
            ready: conditions.is_ready(),
            serving: conditions.is_serving(),
            terminating: conditions.is_terminating(),
        }
    }
}

/// Sorts endpoints by address and port. Slices may repeat one while they are rewritten: the readier entry counts.
pub(crate) fn sorted(mut backends: Vec<Backend>) -> Arc<[Backend]> {
    backends.sort_by_key(|backend| (backend.ip, backend.port, !backend.ready, !backend.serving));
    backends.dedup_by_key(|backend| (backend.ip, backend.port));
    backends.into()
}

/// One or more Services at an address and port.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Claim {
    /// The Service used; several Services only as candidates.
    pub(crate) known: Arc<Service>,
    /// The Service as an endpoint; without a name where there are several.
    pub(crate) endpoint: Arc<Endpoint>,
    /// Its traffic policy for this address is `Local`.
    pub(crate) local_only: bool,
}

/// What is at an address and port.
#[derive(Clone, Debug, Default)]
pub(crate) struct At {
    /// The Services that have it.
    pub(crate) claim: Steps<Arc<Claim>>,
    /// How it is named after the Services that it is an endpoint of.
    pub(crate) naming: Steps<Arc<Naming>>,
}

impl At {
    pub(crate) const fn is_empty(&self) -> bool {
        self.claim.is_empty() && self.naming.is_empty()
    }
}
