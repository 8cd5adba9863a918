//! Requests at the front of a gateway: what a client asked for comes in, the rule that takes it goes out.

use weir_model::{Exchange, Http, RouteLeg, RouteMethod, Routed, Tls};

use super::Rules;
use super::said::said;
use crate::gateways::GatewayPod;
use crate::route::{Answer, Reason, Scheme, Watched};

/// The rule that a client's request met. `port` is the one that was dialled, where it is known.
pub(super) fn meet(rules: &Rules, gateway: &GatewayPod, port: Option<u16>, exchange: &Exchange) -> Option<Routed> {
    match exchange {
        Exchange::Http(http) => of_http(rules, gateway, port, http),
        Exchange::Tls(tls) => Some(of_tls(rules, gateway, port, tls)),
        Exchange::Dns(_) => None,
    }
}

fn of_http(rules: &Rules, gateway: &GatewayPod, port: Option<u16>, http: &Http) -> Option<Routed> {
    // Without the request's head nothing is known of what was asked for.
    let method = http.method.as_deref()?;
    let host = http.host.as_deref();
    let watched =
        Watched { scheme: Scheme::Http, method: Some(method), host, target: http.path.as_deref(), sni: None, port };
    let by = if http.path.is_some() { RouteMethod::Request } else { RouteMethod::Host };
    Some(said(RouteLeg::Front, &answers(rules, gateway, &watched), by))
}

fn of_tls(rules: &Rules, gateway: &GatewayPod, port: Option<u16>, tls: &Tls) -> Routed {
    let Some(sni) = tls.sni.as_deref() else { return Routed::unknown(RouteLeg::Front) };
    let watched = Watched { scheme: Scheme::Tls, sni: Some(sni), port, ..Watched::default() };
    said(RouteLeg::Front, &answers(rules, gateway, &watched), RouteMethod::Sni)
}

/// Every rule that may have taken the request. Of the tables that a gateway serves those without any rule for it say
/// nothing where others have one.
fn answers<'a>(rules: &'a Rules, gateway: &'a GatewayPod, watched: &Watched<'_>) -> Vec<Answer<'a>> {
    let of_ingresses = rules.of(gateway).into_iter().map(|routes| routes.ingress_watched(watched));
    let of_gateways = gateway.serves.gateways.iter();
    let of_gateways = of_gateways.map(|(namespace, name)| rules.all.gateway_watched(namespace, name, watched));
    let tables: Vec<Vec<Answer<'a>>> = of_ingresses.chain(of_gateways).collect();
    let has_rule = |table: &Vec<Answer<'a>>| table.iter().any(|answer| answer.rule.is_some());
    if tables.iter().any(has_rule) {
        return tables.into_iter().filter(has_rule).flatten().collect();
    }
    // One that knows the host says more than one that does not.
    let knows_host = |table: &Vec<Answer<'a>>| {
        table.iter().any(|answer| matches!(answer.reason, Some(Reason::NoRule | Reason::InvalidRule)))
    };
    tables.into_iter().max_by_key(knows_host).unwrap_or_default()
}
