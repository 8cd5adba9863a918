//! A policy as it is written, taken apart field by field: what is wrong is named and has no effect.
//!
//! A wrong rule costs that rule, a wrong subject or priority the whole policy; nothing is ever read as more than it says.
//! A policy that is written back ([`Kept`]) says what was understood, and beside it what was wrong.

use std::fmt;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::meta::ObjectMeta;
use super::part::Part;

/// A field of a policy that does not hold what it should, and so has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The path to it, `spec.ingress[0].ports[1]`.
    pub field: String,
    /// What is wrong, and what follows from it.
    pub reason: String,
}

impl Fault {
    /// The fault as seen from outside, `place` being where its part stands.
    #[must_use]
    pub fn below(&self, place: &str) -> Self {
        let field = match self.field.as_str() {
            "" => place.to_owned(),
            inner if inner.starts_with('[') => format!("{place}{inner}"),
            inner => format!("{place}.{inner}"),
        };
        Self { field, reason: self.reason.clone() }
    }
}

/// `field: reason`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.reason)
    }
}

/// A policy as it is written back. Read again it is the same one.
#[derive(Serialize)]
pub(super) struct Kept<'a> {
    pub(super) metadata: &'a ObjectMeta,
    /// What was understood; never empty. `None` = the policy has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spec: Option<Value>,
    /// [`FAULTS`].
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    pub(super) faults: &'a [Fault],
}

/// The field that only policies have that were written back, and only those with faults.
const FAULTS: &str = "faults";

/// Rules at their places, `null` in the place of one that has no effect.
pub(super) fn at_places(rules: impl Iterator<Item = (u32, Value)>) -> Value {
    let mut places = Vec::new();
    for (index, rule) in rules {
        places.resize(places.len().max(index as usize), Value::Null);
        places.push(rule);
    }
    Value::Array(places)
}

/// A policy that is being read.
pub(super) struct Draft {
    pub(super) metadata: ObjectMeta,
    spec: Map<String, Value>,
    pub(super) faults: Vec<Fault>,
    /// Something is wrong that the policy cannot do without.
    pub(super) is_refused: bool,
    /// The policy was written back: its faults were found when it was read first.
    known_faults: Option<Vec<Fault>>,
}

impl Draft {
    /// Takes the parts. Only metadata without a name is an error.
    pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut whole = Whole::deserialize(from)?;
        let Metadata { metadata, unknown } = whole.metadata.ok_or_else(|| D::Error::missing_field("metadata"))?;
        let known_faults: Option<Vec<Fault>> =
            whole.rest.get(FAULTS).and_then(|found| Deserialize::deserialize(found).ok());
        if known_faults.is_some() {
            whole.rest.remove(FAULTS);
        }
        let is_refused = known_faults.is_some() && whole.spec.is_null();
        let mut draft = Self { metadata, spec: Map::new(), faults: Vec::new(), is_refused, known_faults };
        for field in unknown {
            draft.fault(format!("metadata.{field}"), "unknown field");
        }
        match whole.spec {
            Value::Null => {}
            Value::Object(spec) => draft.spec = spec,
            _ => draft.refuse("spec", "is no map"),
        }
        let unknown: Vec<String> =
            whole.rest.keys().filter(|field| !matches!(&***field, "apiVersion" | "kind" | "status")).cloned().collect();
        if draft.spec.is_empty() && !draft.is_refused && !unknown.is_empty() {
            draft.refuse("spec", "is missing beside an unknown field");
        }
        for field in unknown {
            draft.fault(field, "unknown field");
        }
        Ok(draft)
    }

    /// Notes that something is wrong with a field.
    pub(super) fn fault(&mut self, field: impl Into<String>, reason: impl Into<String>) {
        self.faults.push(Fault { field: field.into(), reason: reason.into() });
    }

    /// Notes that something is wrong which the policy cannot do without.
    pub(super) fn refuse(&mut self, field: impl Into<String>, reason: impl fmt::Display) {
        self.is_refused = true;
        self.fault(field, format!("{reason}; the policy has no effect"));
    }

    /// Takes a field of the specification; `null` and absent are `None`. A wrong one costs the policy.
    pub(super) fn field<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.spec.remove(name).filter(|value| !value.is_null())?;
        let path = format!("spec.{name}");
        Part::of(&value).into_at(&path).map_err(|fault| self.refuse(fault.field, fault.reason)).ok()
    }

    /// Takes the field that says whom the policy is about; `None` = everybody. Where it is absent beside a field that is
    /// not known, nobody can tell whom the policy means: it has no effect, instead of one on all.
    pub(super) fn subject<T: DeserializeOwned>(&mut self, name: &str, known: &[&str]) -> Option<T> {
        let subject = self.field(name);
        let unknown = self.spec.keys().find(|field| !known.contains(&field.as_str())).cloned();
        if let Some(unknown) = unknown.filter(|_| subject.is_none() && !self.is_refused) {
            self.refuse(format!("spec.{unknown}"), format!("unknown field, and {name} is absent"));
            self.spec.remove(&unknown);
        }
        subject
    }

    /// Takes a list of rules, each with its position; `None` = absent. A wrong rule costs itself.
    pub(super) fn rules<T: DeserializeOwned>(&mut self, name: &str) -> Option<Vec<(u32, T)>> {
        let value = self.spec.remove(name).filter(|value| !value.is_null())?;
        let Value::Array(rules) = value else {
            self.fault(format!("spec.{name}"), "is no list; it has no rules");
            return Some(Vec::new());
        };
        let mut read_rules = Vec::with_capacity(rules.len());
        for (index, rule) in (0..).zip(&rules) {
            if self.known_faults.is_some() && rule.is_null() {
                continue;
            }
            match Part::of(rule).into_at(&format!("spec.{name}[{index}]")) {
                Ok(rule) => read_rules.push((index, rule)),
                Err(Fault { field, reason }) => self.fault(field, format!("{reason}; the rule has no effect")),
            }
        }
        Some(read_rules)
    }

    /// Names the fields that nothing took.
    pub(super) fn finish(mut self) -> (ObjectMeta, Vec<Fault>) {
        for field in std::mem::take(&mut self.spec).keys() {
            self.fault(format!("spec.{field}"), "unknown field");
        }
        (self.metadata, self.known_faults.unwrap_or(self.faults))
    }
}

/// Metadata, and the fields in it that are none.
struct Metadata {
    metadata: ObjectMeta,
    unknown: Vec<String>,
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Map::deserialize(from)?;
        let unknown = written.keys().filter(|field| !METADATA.contains(&&***field)).cloned().collect();
        let metadata = ObjectMeta::deserialize(Value::Object(written)).map_err(D::Error::custom)?;
        Ok(Self { metadata, unknown })
    }
}

/// The fields of metadata (`meta/v1`, `ObjectMeta`).
const METADATA: [&str; 16] = [
    "annotations",
    "clusterName",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

#[derive(Deserialize)]
struct Whole {
    metadata: Option<Metadata>,
    #[serde(default)]
    spec: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}
