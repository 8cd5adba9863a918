//! TLSRoutes (`gateway.networking.k8s.io`), as written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_ref::BackendRef;
use super::field;
use super::meta::ObjectMeta;
use super::part::Part;
use super::route_parent::ParentRef;

/// A TLSRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct TlsRoute {
    /// Name and age.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: TlsRouteSpec,
}

/// `spec` of a TLSRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsRouteSpec {
    /// What it attaches to.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub parent_refs: Vec<Part<ParentRef>>,
    /// Names that clients ask for (SNI); none = those of the listener.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub hostnames: Vec<Part<Arc<str>>>,
    /// Rules; the first one serves.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub rules: Vec<Part<TlsRule>>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsRule {
    /// Where connections go.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub backend_refs: Vec<Part<BackendRef>>,
}
