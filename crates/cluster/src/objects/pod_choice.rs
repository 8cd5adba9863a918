//! Which pods a policy of a foreign kind may mean, by their labels and those of their namespaces.
//!
//! What the objects do not tell (service accounts, groups) stays open: such a choice may be of any pod.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::label_selector::{LabelSelector, Requirement};

/// A choice of pods.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PodChoice {
    /// Every pod.
    All,
    /// Some pods, but the objects do not say which.
    Open,
    /// By one label.
    Label(LabelHolder, Requirement),
    /// By what the value of a label looks like.
    Text(LabelHolder, Arc<str>, TextTest),
    /// Those that are not chosen.
    Not(Box<Self>),
    /// Those that every one of these chooses.
    Every(Vec<Self>),
    /// Those that any of these chooses.
    Any(Vec<Self>),
}

/// Whose labels are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LabelHolder {
    /// The pod's own.
    Pod,
    /// Those of its namespace.
    Namespace,
}

/// What the value of a label must look like.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TextTest {
    /// It has this text somewhere.
    Contains(Arc<str>),
    /// It begins with it.
    StartsWith(Arc<str>),
    /// It ends with it.
    EndsWith(Arc<str>),
}

impl TextTest {
    /// Whether a value looks like that.
    pub fn holds(&self, value: &str) -> bool {
        match self {
            Self::Contains(text) => value.contains(&**text),
            Self::StartsWith(text) => value.starts_with(&**text),
            Self::EndsWith(text) => value.ends_with(&**text),
        }
    }
}

impl PodChoice {
    /// The pods that have, or whose namespaces have, what a selector asks for.
    pub(super) fn of_selector(holder: LabelHolder, selector: LabelSelector) -> Self {
        Self::Every(selector.requirements.into_iter().map(|requirement| Self::Label(holder, requirement)).collect())
    }
}
