//! Gateways and GatewayClasses (`gateway.networking.k8s.io`), as written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::field;
use super::label_selector::LabelSelector;
use super::meta::ObjectMeta;
use super::part::Part;

/// A GatewayClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct GatewayClass {
    /// The name.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: GatewayClassSpec,
}

/// `spec` of a GatewayClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// The controller that serves the class.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub controller_name: Option<Arc<str>>,
}

/// A Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Gateway {
    /// Name and age.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: GatewaySpec,
    /// The status.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub status: GatewayStatus,
}

/// `status` of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct GatewayStatus {
    /// Where it is reached.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub addresses: Vec<GatewayAddress>,
}

/// An address of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct GatewayAddress {
    /// An IP address or a host name.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub value: Arc<str>,
}

/// `spec` of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// The GatewayClass.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub gateway_class_name: Arc<str>,
    /// What it listens for.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub listeners: Vec<Part<Listener>>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// The name, which routes may ask for.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
    /// The host name, `*.` first for a wildcard; none = every host.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub hostname: Option<Arc<str>>,
    /// The port.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP`, or one of the implementation's own.
    pub protocol: Arc<str>,
    /// How TLS is ended.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub tls: Option<ListenerTls>,
    /// Which routes may attach.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub allowed_routes: AllowedRoutes,
}

/// `tls` of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerTls {
    /// `Terminate` (where it is not said) or `Passthrough`.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub mode: Option<Arc<str>>,
    /// Certificates.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub certificate_refs: Vec<SecretRef>,
}

/// A reference to a certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SecretRef {
    /// The group; none = core.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub group: Option<Arc<str>>,
    /// The kind; none = Secret.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub kind: Option<Arc<str>>,
    /// The name.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
    /// The namespace; none = the Gateway's.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub namespace: Option<Arc<str>>,
}

/// `allowedRoutes` of a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct AllowedRoutes {
    /// Namespaces.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub namespaces: AllowedNamespaces,
    /// Kinds; none = those of the protocol.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub kinds: Vec<AllowedKind>,
}

/// Namespaces whose routes may attach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct AllowedNamespaces {
    /// `Same` (where it is not said), `All`, `Selector` or `None`.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub from: Option<Arc<str>>,
    /// Labels of the namespaces, for `Selector`.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub selector: Option<LabelSelector>,
}

/// A kind of routes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct AllowedKind {
    /// The group; none = Gateway API.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub group: Option<Arc<str>>,
    /// The kind.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub kind: Arc<str>,
}
