//! What rules send requests to: references come in, Services and ports go out, or why that does not work.

use std::fmt;
use std::sync::Arc;

use super::answer::Reason;
use super::filters::Filters;
use crate::objects::{IngressBackend, Object, ObjectKey, ObjectKind, Objects, Service};

/// A port of a Service as a rule names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendPort {
    /// By number.
    Number(u16),
    /// By name.
    Name(Arc<str>),
}

impl fmt::Display for BackendPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// One receiver of a rule's requests.
#[derive(Debug)]
pub struct Backend {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// The Service; `None` = an object of another kind.
    pub service: Option<Arc<str>>,
    /// The port, as the rule names it.
    pub port: Option<BackendPort>,
    /// Its share among the rule's backends; 0 = none.
    pub weight: u32,
    /// Why requests for it fail.
    pub refusal: Option<Reason>,
    pub(super) filters: Option<Box<Filters>>,
}

impl Backend {
    /// The backend of an Ingress. A Service that is missing is only told from one that is not given where others are.
    pub(super) fn of_ingress(namespace: &Arc<str>, backend: &IngressBackend, services: &Services<'_>) -> Self {
        let namespace = Arc::clone(namespace);
        let mut made = Self { namespace, service: None, port: None, weight: 1, refusal: None, filters: None };
        let Some(service) = backend.service.as_ref().filter(|service| !service.name.is_empty()) else {
            let is_resource = backend.resource.is_some();
            made.refusal = Some(if is_resource { Reason::UnknownBackendKind } else { Reason::NoBackend });
            return made;
        };
        made.service = Some(Arc::clone(&service.name));
        let number = service.port.number.map(BackendPort::Number);
        made.port = service.port.name.clone().map(BackendPort::Name).or(number);
        if services.are_known() {
            made.refusal = services.refusal(&made.namespace, &service.name, made.port.as_ref());
        }
        made
    }
}

/// The Services that backends are looked up in.
pub(super) struct Services<'a> {
    objects: &'a Objects,
    are_known: bool,
}

impl<'a> Services<'a> {
    pub(super) fn new(objects: &'a Objects) -> Self {
        Self { objects, are_known: objects.services().next().is_some() }
    }

    /// Whether there is any.
    pub(super) const fn are_known(&self) -> bool {
        self.are_known
    }

    /// Why a port of a Service cannot be reached.
    pub(super) fn refusal(&self, namespace: &Arc<str>, name: &Arc<str>, port: Option<&BackendPort>) -> Option<Reason> {
        let Some(service) = self.find(namespace, name) else { return Some(Reason::MissingBackend) };
        let has = |port: &BackendPort| {
            service.spec.ports.iter().any(|known| match port {
                BackendPort::Number(number) => known.port == *number,
                BackendPort::Name(name) => known.name.as_ref() == Some(name),
            })
        };
        if port.is_some_and(has) { None } else { Some(Reason::MissingPort) }
    }

    fn find(&self, namespace: &Arc<str>, name: &Arc<str>) -> Option<&'a Service> {
        let (namespace, name) = (Arc::clone(namespace), Arc::clone(name));
        match self.objects.get(&ObjectKey { kind: ObjectKind::Service, namespace, name })? {
            Object::Service(service) => Some(service),
            _ => None,
        }
    }
}
