//! Gateways and their rules, as the newest objects have them.

use std::sync::Arc;

use tonic::Status;
use weir_cluster::gateways::{GatewayPod, KnownBy};
use weir_cluster::routing::Routing;
use weir_model::{PodRef, Routed};
use weir_proto::v1;

use super::ObserverService;

impl ObserverService {
    pub(super) fn routes(&self) -> Result<v1::GetRoutesResponse, Status> {
        let compiled = self.compiled.borrow().clone();
        let routing =
            compiled.routes.newest().ok_or_else(|| Status::unavailable("the cluster's objects are not known"))?;
        Ok(answer(routing))
    }
}

fn answer(routing: &Routing) -> v1::GetRoutesResponse {
    v1::GetRoutesResponse {
        gateways: routing.gateways().iter().map(|(pod, gateway)| gateway_to_wire(pod, gateway)).collect(),
        rules: routing.rules().filter_map(rule_to_wire).collect(),
    }
}

fn gateway_to_wire(pod: &PodRef, gateway: &GatewayPod) -> v1::Gateway {
    let joined = |(namespace, name): &(Arc<str>, Arc<str>)| format!("{namespace}/{name}");
    v1::Gateway {
        namespace: pod.namespace.to_string(),
        name: pod.name.to_string(),
        known_by: gateway.known_by.iter().copied().map(|way| KnownBy::name(way).to_owned()).collect(),
        serves_ingresses: gateway.serves.ingresses,
        ingress_classes: gateway.serves.classes.iter().map(ToString::to_string).collect(),
        gateways: gateway.serves.gateways.iter().map(joined).collect(),
        services: gateway.services.iter().map(joined).collect(),
        ports: gateway.ports.keys().copied().map(u32::from).collect(),
    }
}

fn rule_to_wire(routed: Routed) -> Option<v1::RouteRule> {
    let text = |text: Option<Arc<str>>| text.map(|text| text.to_string());
    let (place, service) = (routed.place?, routed.service);
    let (namespace, name, port) =
        service.map_or((None, None, None), |service| (Some(service.namespace), Some(service.name), service.port));
    Some(v1::RouteRule {
        kind: place.kind.to_owned(),
        namespace: place.namespace.to_string(),
        name: place.name.to_string(),
        rule: place.rule,
        r#match: place.matched,
        host: text(routed.host),
        path: text(routed.path),
        path_type: routed.path_type.map(str::to_owned),
        service_namespace: text(namespace),
        service_name: text(name),
        service_port: text(port),
    })
}
