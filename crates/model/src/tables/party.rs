//! The columns that say who talked and through what: the same in every table whose rows are of one connection.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{FlowRow, RouteService, Routed, RulePlace, ServiceRef, Value};

/// A row that belongs to a flow.
pub trait OfFlow {
    /// The flow's row, as far as it was known.
    fn flow_row(&self) -> &FlowRow;
}

impl OfFlow for FlowRow {
    fn flow_row(&self) -> &FlowRow {
        self
    }
}

/// Calls `$with! { before, columns, after }` with the columns of who talked, behind which addresses, and through what.
#[macro_export]
macro_rules! party_columns {
    ($with:ident [$($before:tt)*] [$($after:tt)*]) => { $crate::edge_columns! { $with [$($before)*] [
        nat: Text, Nat, "What was rewritten between the two ends: none, dst, src, both. Null = not known.",
            |r| r.flow_row().nat.map(|n| n.name()).into();
        client_ip: Ip, Nat, "The real client's address before SNAT. Null = not rewritten, or not known.",
            |r| r.flow_row().client.map(|c| c.0).into();
        client_port: Int32, Nat, "The real client's port before SNAT. Null as client_ip.",
            |r| r.flow_row().client.map(|c| c.1).into();
        backend_ip: Ip, Nat, "The backend's address after DNAT. Null = not rewritten, or not known.",
            |r| r.flow_row().backend.map(|b| b.0).into();
        backend_port: Int32, Nat, "The backend's port after DNAT. Null as backend_ip.",
            |r| r.flow_row().backend.map(|b| b.1).into();
    ] [
        route_leg: Text, Route, "Side of a gateway (Ingress controller, proxy of a Gateway): front (client to gateway), back (gateway to backend). Null = no gateway's, or nothing that rules are about was heard.",
            |r| $crate::tables::routed(r.flow_row()).map(|route| route.leg.name()).into();
        route_kind: Text, Route, "Kind of the object whose rule was met: Ingress, HTTPRoute, GRPCRoute, TLSRoute. Null = no rule was, or there is no telling which (see route_candidates); of a flow also where its requests met different ones.",
            |r| $crate::tables::place(r.flow_row()).map(|place| place.kind).into();
        route_namespace: Text, Route, "Namespace of that object. Null as route_kind.",
            |r| $crate::tables::place(r.flow_row()).map(|place| &place.namespace).into();
        route_name: Text, Route, "Name of that object. Null as route_kind.",
            |r| $crate::tables::place(r.flow_row()).map(|place| &place.name).into();
        route_rule: Int32, Route, "Place of the rule in the object, from 0. Null = the default backend, not known which, or as route_kind.",
            |r| $crate::tables::place(r.flow_row()).and_then(|place| place.rule).into();
        route_match: Int32, Route, "Place of the path (Ingress) or match in the rule, from 0. Null = the rule has none, not known which, or as route_kind.",
            |r| $crate::tables::place(r.flow_row()).and_then(|place| place.matched).into();
        route_host: Text, Route, "Host as the rule names it. Null = it is for every host, or as route_kind.",
            |r| $crate::tables::routed(r.flow_row()).and_then(|route| route.host.as_ref()).into();
        route_path: Text, Route, "Path, or regular expression for it, as the rule names it. Null = the rule names none, not known which (TLS, --l7 names), or as route_kind.",
            |r| $crate::tables::routed(r.flow_row()).and_then(|route| route.path.as_ref()).into();
        route_path_type: Text, Route, "How the rule compares its path: Exact, Prefix (Ingress), PathPrefix (routes), ImplementationSpecific, RegularExpression. Null as route_path.",
            |r| $crate::tables::routed(r.flow_row()).and_then(|route| route.path_type).into();
        route_method: Text, Route, "How the rule is known: request (by host, path and method), host (its path is not known), sni (by the name in the TLS client hello; its path is not known), rewrite (by host and path at the backend, a rewrite undone), backend (only this rule leads there), join (by the request's other leg). Null as route_kind.",
            |r| $crate::tables::routed(r.flow_row()).and_then(|route| route.method).map(|m| m.name()).into();
        route_reason: Text, Route, "Why no rule, or no backend of the rule, serves it: no-host, no-rule, invalid-host, no-listener, no-backend, missing-backend, refused-reference, ... Null = a rule and a backend do, or it is not known.",
            |r| $crate::tables::routed(r.flow_row()).and_then(|route| route.reason).into();
        route_candidates: TextList, Route, "Rules that it may have met, kind/namespace/name/rule/match, where there is no telling which; the first 16. Null = none.",
            |r| $crate::tables::routed(r.flow_row()).map_or($crate::Value::Null, |route| $crate::tables::words(&route.candidates));
        route_flags: TextList, Route, "Where controllers are known to answer otherwise than the specification, as weir route eval names it. Null = none.",
            |r| $crate::tables::routed(r.flow_row()).map_or($crate::Value::Null, |route| $crate::tables::names(&route.flags));
        route_service_namespace: Text, Route, "Namespace of the Service that the rule sends to. Null = none, one of several, or as route_kind.",
            |r| $crate::tables::sent_to(r.flow_row()).map(|service| &service.namespace).into();
        route_service_name: Text, Route, "Name of that Service. Null as route_service_namespace.",
            |r| $crate::tables::sent_to(r.flow_row()).map(|service| &service.name).into();
        route_service_port: Text, Route, "Its port as the rule names it, number or name. Null as route_service_namespace.",
            |r| $crate::tables::sent_to(r.flow_row()).and_then(|service| service.port.as_ref()).into();
        $($after)*
    ] } };
}

/// Calls `$with! { before, who talked, middle, through what, after }`.
#[macro_export]
macro_rules! edge_columns {
    ($with:ident [$($before:tt)*] [$($middle:tt)*] [$($after:tt)*]) => { $with! { $($before)*
        src_kind: Text, Endpoints, "What the opener is: pod, node, service, external, unknown.",
            |r| r.flow_row().seen.src.kind.name().into();
        src_namespace: Text, Endpoints, "Namespace of the opener. Null = it has none.",
            |r| r.flow_row().seen.src.namespace.as_ref().into();
        src_name: Text, Endpoints, "Name of the opener: pod, node or Service; of an outside address its network, where one is configured. Null = not known.",
            |r| r.flow_row().seen.src.name.as_ref().into();
        src_workload_kind: Text, Endpoints, "Kind of the workload that owns the opener (Deployment, StatefulSet, ...; Pod without an owner). Null = not a pod.",
            |r| r.flow_row().seen.src.workload_kind.as_ref().into();
        src_workload: Text, Endpoints, "Name of that workload. Null = not a pod.",
            |r| r.flow_row().seen.src.workload.as_ref().into();
        src_node: Text, Endpoints, "Node of the opener. Null = not in the cluster, or not known.",
            |r| r.flow_row().seen.src.node.as_ref().into();
        src_zone: Text, Endpoints, "Zone of that node. Null = not known.",
            |r| r.flow_row().seen.src.zone.as_ref().into();
        src_labels: TextList, Endpoints, "Chosen labels of the opener, key=value. Null = none.",
            |r| $crate::tables::words(&r.flow_row().seen.src.labels);
        src_dns_name: Text, Endpoints, "Name that the pod of this connection had resolved to the opener's address, the last one before the flow began. Only of addresses that no object has. Null = none was seen to be resolved.",
            |r| r.flow_row().seen.src.dns_name.as_ref().into();
        dst_kind: Text, Endpoints, "What the other side is: pod, node, service (a Service whose backend is not known), external, unknown.",
            |r| r.flow_row().seen.dst.kind.name().into();
        dst_namespace: Text, Endpoints, "Namespace of the other side. Null = it has none.",
            |r| r.flow_row().seen.dst.namespace.as_ref().into();
        dst_name: Text, Endpoints, "Name of the other side: pod, node or Service (node-local-dns = the DNS cache on the pod's node); of an outside address its network, where one is configured. Null = not known.",
            |r| r.flow_row().seen.dst.name.as_ref().into();
        dst_workload_kind: Text, Endpoints, "Kind of the workload that owns the other side. Null = not a pod.",
            |r| r.flow_row().seen.dst.workload_kind.as_ref().into();
        dst_workload: Text, Endpoints, "Name of that workload. Null = not a pod.",
            |r| r.flow_row().seen.dst.workload.as_ref().into();
        dst_node: Text, Endpoints, "Node of the other side. Null = not in the cluster, or not known.",
            |r| r.flow_row().seen.dst.node.as_ref().into();
        dst_zone: Text, Endpoints, "Zone of that node. Null = not known.",
            |r| r.flow_row().seen.dst.zone.as_ref().into();
        dst_labels: TextList, Endpoints, "Chosen labels of the other side, key=value. Null = none.",
            |r| $crate::tables::words(&r.flow_row().seen.dst.labels);
        dst_dns_name: Text, Endpoints, "Name that the opener had resolved to the other side's address, the last one before the flow began: as asked, not what it is an alias of. Only of addresses that no object has. Null = none was seen to be resolved.",
            |r| r.flow_row().seen.dst.dns_name.as_ref().into();

        $($middle)*

        service_namespace: Text, Service, "Namespace of the Service that was used. Null = none, or not known which (see service_candidates).",
            |r| $crate::tables::used(r.flow_row()).map(|s| &s.namespace).into();
        service_name: Text, Service, "Name of the Service that was used. Null as service_namespace.",
            |r| $crate::tables::used(r.flow_row()).map(|s| &s.name).into();
        service_type: Text, Service, "Its type: cluster-ip, headless, node-port, load-balancer, external-name. Null as service_namespace.",
            |r| $crate::tables::used(r.flow_row()).map(|s| s.service_type.name()).into();
        service_port_name: Text, Service, "Name of the Service port. Null = unnamed, or as service_namespace.",
            |r| $crate::tables::used(r.flow_row()).and_then(|s| s.port_name.as_ref()).into();
        service_method: Text, Service, "How the Service was found, surest first: cluster-ip, node-port, load-balancer, external-ip (this tap saw its address), conntrack (a node's connection tracking has it), join (another leg did), route (a gateway's rule leads there), dns (the opener's pod had resolved the Service's name to the address it dialled), endpoint-slice (inferred: the only one with this endpoint). Null as service_namespace.",
            |r| r.flow_row().seen.service.as_ref().and_then(|s| s.method).map(|m| m.name()).into();
        service_candidates: TextList, Service, "Services it may have been, namespace/name, where there is no telling which, or whether any. Null = none.",
            |r| r.flow_row().seen.service.as_ref().map_or($crate::Value::Null, |s| $crate::tables::words(&s.candidates));

        $($after)*
    } };
}

// What follows is called by the value expressions above, which may be expanded in other crates.

#[doc(hidden)]
pub fn words(words: &[Arc<str>]) -> Value<'_> {
    if words.is_empty() {
        return Value::Null;
    }
    Value::TextList(words.iter().map(|word| Cow::Borrowed(&**word)).collect())
}

#[doc(hidden)]
pub fn used(row: &FlowRow) -> Option<&ServiceRef> {
    row.seen.service.as_ref().and_then(|service| service.used.as_ref())
}

#[doc(hidden)]
pub fn names(names: &[&'static str]) -> Value<'static> {
    if names.is_empty() {
        return Value::Null;
    }
    Value::TextList(names.iter().map(|name| Cow::Borrowed(*name)).collect())
}

#[doc(hidden)]
pub fn routed(row: &FlowRow) -> Option<&Routed> {
    row.route.as_deref()
}

#[doc(hidden)]
pub fn place(row: &FlowRow) -> Option<&RulePlace> {
    row.route.as_ref().and_then(|route| route.place.as_ref())
}

#[doc(hidden)]
pub fn sent_to(row: &FlowRow) -> Option<&RouteService> {
    row.route.as_ref().and_then(|route| route.service.as_ref())
}
