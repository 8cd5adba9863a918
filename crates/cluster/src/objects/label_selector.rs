//! Label selectors: which objects a policy means, by their labels.
//!
//! An absent selector is an `Option` at its place; an empty one matches everything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::field;

/// A label selector (`meta/v1`): every requirement must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct LabelSelector {
    /// What is asked of the labels.
    pub requirements: Vec<Requirement>,
}

/// What is asked of one label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub enum Requirement {
    /// The label is there, with one of these values.
    In(Arc<str>, BTreeSet<Arc<str>>),
    /// The label has none of these values, or is not there.
    NotIn(Arc<str>, BTreeSet<Arc<str>>),
    /// The label is there.
    Exists(Arc<str>),
    /// The label is not there.
    DoesNotExist(Arc<str>),
}

impl LabelSelector {
    /// Whether labels have all that is asked, `label` giving the value of a key.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => label(key).is_some_and(|value| values.contains(value)),
            Requirement::NotIn(key, values) => label(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::DoesNotExist(key) => label(key).is_none(),
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Text {
    #[serde(default, deserialize_with = "field::labels", skip_serializing_if = "field::is_default")]
    match_labels: BTreeMap<Arc<str>, Arc<str>>,
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "Vec::is_empty")]
    match_expressions: Vec<Expression>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Expression {
    key: Arc<str>,
    operator: Operator,
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    values: BTreeSet<Arc<str>>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl TryFrom<Text> for LabelSelector {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        let labels = text.match_labels.into_iter();
        let mut requirements: Vec<_> =
            labels.map(|(key, value)| Requirement::In(key, BTreeSet::from([value]))).collect();
        for Expression { key, operator, values } in text.match_expressions {
            requirements.push(match (operator, values.is_empty()) {
                (Operator::In, false) => Requirement::In(key, values),
                (Operator::NotIn, false) => Requirement::NotIn(key, values),
                (Operator::Exists, true) => Requirement::Exists(key),
                (Operator::DoesNotExist, true) => Requirement::DoesNotExist(key),
                (Operator::In | Operator::NotIn, true) => return Err(format!("values of {key} are missing")),
                (Operator::Exists | Operator::DoesNotExist, false) => {
                    return Err(format!("values of {key} have no meaning with this operator"));
                }
            });
        }
        Ok(Self { requirements })
    }
}

/// Every requirement as an expression: labels and expressions mean the same, and their order stays.
impl From<LabelSelector> for Text {
    fn from(selector: LabelSelector) -> Self {
        let expression = |requirement| {
            let (key, operator, values) = match requirement {
                Requirement::In(key, values) => (key, Operator::In, values),
                Requirement::NotIn(key, values) => (key, Operator::NotIn, values),
                Requirement::Exists(key) => (key, Operator::Exists, BTreeSet::new()),
                Requirement::DoesNotExist(key) => (key, Operator::DoesNotExist, BTreeSet::new()),
            };
            Expression { key, operator, values }
        };
        let match_expressions = selector.requirements.into_iter().map(expression).collect();
        Self { match_labels: BTreeMap::new(), match_expressions }
    }
}
