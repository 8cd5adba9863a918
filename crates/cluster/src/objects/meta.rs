//! Metadata that every object has, and its references to owners.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::Timestamp;

use super::field;

/// `metadata` of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectMeta {
    /// The name.
    pub name: Arc<str>,
    /// The namespace; empty for kinds without one.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub namespace: Arc<str>,
    /// Labels.
    #[serde(default, deserialize_with = "field::labels", skip_serializing_if = "field::is_default")]
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Annotations that routes read; all others are dropped.
    #[serde(default, deserialize_with = "field::route_annotations", skip_serializing_if = "field::is_default")]
    pub annotations: BTreeMap<Arc<str>, Arc<str>>,
    /// What tells it from others that had or will have its name.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub uid: Option<Arc<str>>,
    /// The version that the API server gave this state of the object.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub resource_version: Option<Arc<str>>,
    /// Owners.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub owner_references: Vec<OwnerReference>,
    /// When the API server took the object in.
    #[serde(default, with = "field::time", skip_serializing_if = "field::is_default")]
    pub creation_timestamp: Option<Timestamp>,
    /// When deletion was asked for; the object may live on for its grace period.
    #[serde(default, with = "field::time", skip_serializing_if = "field::is_default")]
    pub deletion_timestamp: Option<Timestamp>,
}

impl ObjectMeta {
    /// The owner that controls the object; where none is marked so, the first owner.
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller).or_else(|| self.owner_references.first())
    }
}

/// An object that owns another one of its namespace, or of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnerReference {
    /// Kind of the owner.
    pub kind: Arc<str>,
    /// Name of the owner.
    pub name: Arc<str>,
    /// Whether it is the one that manages the object.
    #[serde(default, deserialize_with = "field::is_set", skip_serializing_if = "field::is_default")]
    pub controller: bool,
}
