//! EndpointSlices: the addresses and resolved ports behind a Service.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::Protocol;

use super::field::{self, Address};
use super::meta::ObjectMeta;

/// An EndpointSlice (`discovery.k8s.io/v1`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSlice {
    /// Name and labels.
    pub metadata: ObjectMeta,
    /// What kind of addresses it lists.
    pub address_type: AddressType,
    /// Ports that every endpoint of the slice has.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub ports: Vec<SlicePort>,
    /// Endpoints.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub endpoints: Vec<SliceEndpoint>,
}

impl EndpointSlice {
    /// The Service of the same namespace that the slice belongs to, by its label.
    pub fn service(&self) -> Option<&Arc<str>> {
        self.metadata.labels.get("kubernetes.io/service-name").filter(|name| !name.is_empty())
    }
}

/// What kind of addresses a slice lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum AddressType {
    /// IPv4.
    IPv4,
    /// IPv6.
    IPv6,
    /// DNS names.
    #[serde(rename = "FQDN")]
    Fqdn,
}

/// A port of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SlicePort {
    /// The name of the Service port it stands for.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub name: Option<Arc<str>>,
    /// The protocol.
    #[serde(default = "field::tcp", with = "field::protocol")]
    pub protocol: Protocol,
    /// The number at the endpoints; `None` = not restricted, which names nothing.
    #[serde(default, deserialize_with = "field::port", skip_serializing_if = "field::is_default")]
    pub port: Option<u16>,
}

/// An endpoint of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SliceEndpoint {
    /// Its addresses, interchangeable.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub addresses: Vec<Address>,
    /// Whether it takes traffic.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub conditions: Conditions,
    /// The node it is on.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub node_name: Option<Arc<str>>,
    /// The object behind it, most often a Pod.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub target_ref: Option<ObjectReference>,
}

/// Conditions of an endpoint. Absent ones mean what the accessors say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Conditions {
    /// Takes traffic; absent = yes.
    #[serde(default, deserialize_with = "field::flag", skip_serializing_if = "field::is_default")]
    pub ready: Option<bool>,
    /// Would be ready if it were not terminating; absent = as `ready`.
    #[serde(default, deserialize_with = "field::flag", skip_serializing_if = "field::is_default")]
    pub serving: Option<bool>,
    /// Is going away; absent = no.
    #[serde(default, deserialize_with = "field::flag", skip_serializing_if = "field::is_default")]
    pub terminating: Option<bool>,
}

impl Conditions {
    /// Whether it takes traffic.
    pub fn is_ready(self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether it could take traffic, going away or not.
    pub fn is_serving(self) -> bool {
        self.serving.unwrap_or_else(|| self.is_ready())
    }

    /// Whether it is going away.
    pub fn is_terminating(self) -> bool {
        self.terminating.unwrap_or(false)
    }
}

/// A reference to an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct ObjectReference {
    /// The kind.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub kind: Option<Arc<str>>,
    /// The namespace.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub namespace: Option<Arc<str>>,
    /// The name.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub name: Option<Arc<str>>,
}
