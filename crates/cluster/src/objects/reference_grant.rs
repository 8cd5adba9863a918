//! ReferenceGrants: which objects of other namespaces may refer to those of their own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::field;
use super::meta::ObjectMeta;
use super::part::Part;

/// A ReferenceGrant; it speaks for the objects of its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ReferenceGrant {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: ReferenceGrantSpec,
}

/// `spec` of a ReferenceGrant: any of `from` may refer to any of `to`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ReferenceGrantSpec {
    /// Who may refer.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub from: Vec<Part<GrantFrom>>,
    /// To what.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub to: Vec<Part<GrantTo>>,
}

/// Objects that may refer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrantFrom {
    /// Their group.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub group: Arc<str>,
    /// Their kind.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub kind: Arc<str>,
    /// Their namespace.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub namespace: Arc<str>,
}

/// Objects that may be referred to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GrantTo {
    /// Their group; empty = core.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub group: Arc<str>,
    /// Their kind.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub kind: Arc<str>,
    /// The name of the only one; none = all of the kind.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub name: Option<Arc<str>>,
}
