//! GRPCRoutes (`gateway.networking.k8s.io`), as written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_ref::BackendRef;
use super::field;
use super::http_route::ValueMatch;
use super::meta::ObjectMeta;
use super::part::{Ignored, Part};
use super::route_filter::RouteFilter;
use super::route_parent::ParentRef;

/// A GRPCRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct GrpcRoute {
    /// Name and age.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: GrpcRouteSpec,
}

/// `spec` of a GRPCRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrpcRouteSpec {
    /// What it attaches to.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub parent_refs: Vec<Part<ParentRef>>,
    /// Host names; none = those of the listener.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub hostnames: Vec<Part<Arc<str>>>,
    /// Rules.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub rules: Vec<Part<GrpcRule>>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcRule {
    /// What it matches, any of them; none = every call.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub matches: Vec<Part<GrpcMatch>>,
    /// What is done to matching calls.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub filters: Vec<Part<RouteFilter>>,
    /// Where they go.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub backend_refs: Vec<Part<BackendRef>>,
    /// Its name; says nothing about calls.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub name: Ignored,
    /// Which calls belong together; not looked at.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub session_persistence: Ignored,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcMatch {
    /// Service and method.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub method: Option<GrpcMethodMatch>,
    /// Headers (metadata of the call).
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub headers: Vec<ValueMatch>,
}

/// A condition on service and method; what it does not name may be any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrpcMethodMatch {
    /// `Exact` (where it is not said) or `RegularExpression`.
    #[serde(default, rename = "type", deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub match_type: Option<Arc<str>>,
    /// The service with its package, `shop.v1.Cart`.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub service: Option<Arc<str>>,
    /// The method.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub method: Option<Arc<str>>,
}
