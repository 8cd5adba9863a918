//! Dictionary entries: taps, endpoints and Services as messages and back.

use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, PodRef, Service, ServiceMethod, ServiceRef, ServiceType, Tap, TapRole};

use crate::v1;

/// A field of a message has no valid value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} has no valid value: {value}")]
pub struct Malformed {
    field: &'static str,
    value: String,
}

impl Malformed {
    pub(crate) fn new(field: &'static str, value: &impl ToString) -> Self {
        Self { field, value: value.to_string() }
    }
}

fn text(text: Option<&Arc<str>>) -> Option<String> {
    text.map(|t| t.as_ref().to_owned())
}

fn shared(text: Option<String>) -> Option<Arc<str>> {
    text.map(Arc::from)
}

pub(crate) fn pod_to_wire(pod: &PodRef) -> v1::PodRef {
    v1::PodRef { namespace: pod.namespace.to_string(), name: pod.name.to_string() }
}

pub(crate) fn pod_from_wire(pod: v1::PodRef) -> PodRef {
    PodRef { namespace: pod.namespace.into(), name: pod.name.into() }
}

pub(crate) const fn role_to_wire(role: TapRole) -> v1::TapRole {
    match role {
        TapRole::Pod => v1::TapRole::Pod,
        TapRole::Uplink => v1::TapRole::Uplink,
        TapRole::Other => v1::TapRole::Other,
    }
}

pub(crate) fn role_from_wire(role: i32) -> Result<TapRole, Malformed> {
    match v1::TapRole::try_from(role) {
        Ok(v1::TapRole::Pod) => Ok(TapRole::Pod),
        Ok(v1::TapRole::Uplink) => Ok(TapRole::Uplink),
        Ok(v1::TapRole::Other) => Ok(TapRole::Other),
        Ok(v1::TapRole::Unspecified) | Err(_) => Err(Malformed::new("role", &role)),
    }
}

pub(crate) fn tap_to_wire(tap: &Tap) -> v1::Tap {
    v1::Tap {
        interface: tap.interface.to_string(),
        role: role_to_wire(tap.role).into(),
        pod: tap.pod.as_ref().map(pod_to_wire),
        sampling: tap.sampling,
    }
}

pub(crate) fn tap_from_wire(tap: v1::Tap) -> Result<Tap, Malformed> {
    if tap.sampling == 0 {
        return Err(Malformed::new("tap.sampling", &0));
    }
    Ok(Tap {
        interface: tap.interface.into(),
        role: role_from_wire(tap.role)?,
        pod: tap.pod.map(pod_from_wire),
        sampling: tap.sampling,
    })
}

pub(crate) fn endpoint_to_wire(endpoint: &Endpoint) -> v1::Endpoint {
    v1::Endpoint {
        kind: endpoint.kind.name().to_owned(),
        namespace: text(endpoint.namespace.as_ref()),
        name: text(endpoint.name.as_ref()),
        workload_kind: text(endpoint.workload_kind.as_ref()),
        workload: text(endpoint.workload.as_ref()),
        node: text(endpoint.node.as_ref()),
        zone: text(endpoint.zone.as_ref()),
        labels: endpoint.labels.iter().map(ToString::to_string).collect(),
        dns_name: text(endpoint.dns_name.as_ref()),
    }
}

pub(crate) fn endpoint_from_wire(endpoint: v1::Endpoint) -> Result<Endpoint, Malformed> {
    Ok(Endpoint {
        kind: EndpointKind::parse(&endpoint.kind).ok_or_else(|| Malformed::new("endpoint.kind", &endpoint.kind))?,
        namespace: shared(endpoint.namespace),
        name: shared(endpoint.name),
        workload_kind: shared(endpoint.workload_kind),
        workload: shared(endpoint.workload),
        node: shared(endpoint.node),
        zone: shared(endpoint.zone),
        labels: endpoint.labels.into_iter().map(Arc::from).collect(),
        dns_name: shared(endpoint.dns_name),
    })
}

pub(crate) fn service_to_wire(service: &Service) -> v1::ServiceUse {
    let used = service.used.as_ref();
    v1::ServiceUse {
        namespace: used.map(|u| u.namespace.to_string()),
        name: used.map(|u| u.name.to_string()),
        r#type: used.map(|u| u.service_type.name().to_owned()),
        port_name: used.and_then(|u| text(u.port_name.as_ref())),
        method: service.method.map(|m| m.name().to_owned()),
        candidates: service.candidates.iter().map(ToString::to_string).collect(),
    }
}

pub(crate) fn service_from_wire(service: v1::ServiceUse) -> Result<Service, Malformed> {
    let used = match (service.namespace, service.name, service.r#type) {
        (Some(namespace), Some(name), Some(kind)) => Some(ServiceRef {
            namespace: namespace.into(),
            name: name.into(),
            service_type: ServiceType::parse(&kind).ok_or_else(|| Malformed::new("service.type", &kind))?,
            port_name: shared(service.port_name),
        }),
        (None, None, None) if service.port_name.is_none() => None,
        _ => return Err(Malformed::new("service.name", &"incomplete")),
    };
    let method = match service.method {
        Some(word) => Some(ServiceMethod::parse(&word).ok_or_else(|| Malformed::new("service.method", &word))?),
        None => None,
    };
    Ok(Service { used, method, candidates: service.candidates.into_iter().map(Arc::from).collect() })
}
