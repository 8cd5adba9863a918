//! What route rules do to requests and responses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_ref::BackendRef;
use super::field;

/// A filter: its type, and the field of that type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteFilter {
    /// `RequestHeaderModifier`, `RequestRedirect`, ...
    #[serde(default, rename = "type", deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub filter_type: Arc<str>,
    /// Changes of the request's headers.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub request_header_modifier: Option<HeaderModifier>,
    /// Changes of the response's headers.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub response_header_modifier: Option<HeaderModifier>,
    /// A second receiver.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub request_mirror: Option<Mirror>,
    /// An answer that sends the client elsewhere.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub request_redirect: Option<Redirect>,
    /// A change of host and path.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub url_rewrite: Option<Rewrite>,
}

/// Changes of headers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct HeaderModifier {
    /// Headers that take the place of those there are.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub set: Vec<Header>,
    /// Headers that are added to those there are.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub add: Vec<Header>,
    /// Headers that are taken out.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub remove: Vec<Arc<str>>,
}

/// A header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Header {
    /// The name, in any case.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
    /// The value.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub value: Arc<str>,
}

/// A second receiver of requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mirror {
    /// The receiver.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub backend_ref: BackendRef,
    /// Share of the requests in percent; neither share = all.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub percent: Option<u32>,
    /// Share of the requests.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub fraction: Option<Fraction>,
}

/// A share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Fraction {
    /// Above the line.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub numerator: u32,
    /// Below the line; none = 100.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub denominator: Option<u32>,
}

/// An answer that sends the client elsewhere. What it does not name stays as in the request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Redirect {
    /// The scheme.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub scheme: Option<Arc<str>>,
    /// The host.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub hostname: Option<Arc<str>>,
    /// The path.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub path: Option<PathModifier>,
    /// The port.
    #[serde(default, deserialize_with = "field::port", skip_serializing_if = "field::is_default")]
    pub port: Option<u16>,
    /// The status; none = 302.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub status_code: Option<u16>,
}

/// A change of host and path on the way to the backend.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Rewrite {
    /// The host.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub hostname: Option<Arc<str>>,
    /// The path.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub path: Option<PathModifier>,
}

/// A change of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathModifier {
    /// `ReplaceFullPath` or `ReplacePrefixMatch`.
    #[serde(default, rename = "type", deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub modifier_type: Arc<str>,
    /// The new path.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub replace_full_path: Option<Arc<str>>,
    /// What stands for the prefix that the rule matched.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub replace_prefix_match: Option<Arc<str>>,
}
