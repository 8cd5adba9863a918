//! The columns that say who talked and through what: the same in every table whose rows are of one connection.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{FlowRow, ServiceRef, Value};

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
    ] [$($after)*] } };
}

/// Calls `$with! { before, who talked, middle, through what, after }`.
#[macro_export]
macro_rules! edge_columns {
    ($with:ident [$($before:tt)*] [$($middle:tt)*] [$($after:tt)*]) => { $with! { $($before)*
        src_kind: Text, Endpoints, "What the opener is: pod, node, service, external, unknown.",
            |r| r.flow_row().seen.src.kind.name().into();
        src_namespace: Text, Endpoints, "Namespace of the opener. Null = it has none.",
            |r| r.flow_row().seen.src.namespace.as_ref().into();
        src_name: Text, Endpoints, "Name of the opener: pod, node or Service. Null = not known.",
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
        dst_name: Text, Endpoints, "Name of the other side: pod, node or Service. Null = not known.",
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
        service_method: Text, Service, "How the Service was found, surest first: cluster-ip, node-port, load-balancer, external-ip (this tap saw its address), join (another leg did), dns (the opener's pod had resolved the Service's name to the address it dialled), endpoint-slice (inferred: the only one with this endpoint). Null as service_namespace.",
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
