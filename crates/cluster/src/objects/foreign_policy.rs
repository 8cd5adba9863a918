//! Policies of kinds that one CNI alone knows: noticed with whom they may select, never evaluated.
//!
//! Where a selector can be read, pods that it does not match are none of the policy's. What cannot be read may select
//! every pod that its scope has.

mod calico;
mod cilium;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::meta::ObjectMeta;
use super::pod_choice::{LabelHolder, PodChoice};

/// A policy that some CNI enforces beside or instead of `NetworkPolicies`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignPolicy {
    /// Name and namespace; it only selects pods of that.
    pub metadata: ObjectMeta,
    /// The pods it may select, for connections to them; `None` = it has no say about those.
    pub ingress: Option<PodChoice>,
    /// The pods it may select, for connections from them; `None` = it has no say about those.
    pub egress: Option<PodChoice>,
}

impl<'de> Deserialize<'de> for ForeignPolicy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let whole = Whole::deserialize(from)?;
        if let Some(Subjects { ingress, egress }) = whole.subjects {
            let owned = |choice: Option<Cow<'static, PodChoice>>| choice.map(Cow::into_owned);
            return Ok(Self { metadata: whole.metadata, ingress: owned(ingress), egress: owned(egress) });
        }
        let (mut ingress, mut egress) = (Vec::new(), Vec::new());
        let single = Some(&whole.spec).filter(|spec| !spec.is_null());
        for spec in single.into_iter().chain(&whole.specs) {
            // A policy of the nodes themselves selects no pod.
            if spec.get("nodeSelector").is_some_and(|selector| !selector.is_null()) {
                continue;
            }
            let (to, from) = directions(spec);
            ingress.extend(to.then(|| subjects(spec, "ingress")));
            egress.extend(from.then(|| subjects(spec, "egress")));
        }
        let any = |choices: Vec<PodChoice>| (!choices.is_empty()).then_some(PodChoice::Any(choices));
        Ok(Self { metadata: whole.metadata, ingress: any(ingress), egress: any(egress) })
    }
}

#[derive(Deserialize)]
struct Whole {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    specs: Vec<Value>,
    #[serde(default)]
    subjects: Option<Subjects<'static>>,
}

/// Whom the policy may select, in a policy that was written back: of what only its CNI understands nothing else is kept.
#[derive(Deserialize, Serialize)]
struct Subjects<'a> {
    ingress: Option<Cow<'a, PodChoice>>,
    egress: Option<Cow<'a, PodChoice>>,
}

impl Serialize for ForeignPolicy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Kept<'a> {
            metadata: &'a ObjectMeta,
            subjects: Subjects<'a>,
        }
        let [ingress, egress] = [&self.ingress, &self.egress].map(|choice| choice.as_ref().map(Cow::Borrowed));
        let subjects = Subjects { ingress, egress };
        Kept { metadata: &self.metadata, subjects }.serialize(to)
    }
}

/// Whether it may have a say about ingress and about egress.
fn directions(spec: &Value) -> (bool, bool) {
    let is_listed = |key: &str| spec.get(key).and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
    let is_present = |key: &str| spec.get(key).is_some_and(|rules| !rules.is_null());
    if let Some(types) = spec.get("types").and_then(Value::as_array) {
        let has = |wanted: &str| types.iter().any(|found| found.as_str() == Some(wanted));
        return (has("Ingress"), has("Egress"));
    }
    let (to, from) =
        (is_present("ingress") || is_listed("ingressDeny"), is_present("egress") || is_listed("egressDeny"));
    if to || from { (to, from) } else { (true, true) }
}

/// Whom it may select in one direction.
fn subjects(spec: &Value, direction: &str) -> PodChoice {
    if let Some(selector) = spec.get("endpointSelector").filter(|selector| !selector.is_null()) {
        return cilium::parse(selector).unwrap_or(PodChoice::Open);
    }
    let rules = spec.get(direction).and_then(Value::as_array).into_iter().flatten();
    let applied: Vec<&Value> = std::iter::once(spec).chain(rules).filter_map(|at| at.get("appliedTo")).collect();
    if !applied.is_empty() {
        let each = applied.into_iter().flat_map(|applied| match applied {
            Value::Array(list) => list.iter().map(antrea).collect(),
            _ => vec![PodChoice::Open],
        });
        return PodChoice::Any(each.collect());
    }
    let calico = |field: &str, holder| match spec.get(field) {
        None | Some(Value::Null) => PodChoice::All,
        Some(text) => text.as_str().and_then(|text| calico::parse(text, holder)).unwrap_or(PodChoice::Open),
    };
    let (pods, namespaces) =
        (calico("selector", LabelHolder::Pod), calico("namespaceSelector", LabelHolder::Namespace));
    PodChoice::Every(vec![pods, namespaces])
}

/// An entry of `appliedTo` in a policy of Antrea. One that names groups or service accounts may mean anybody.
fn antrea(applied: &Value) -> PodChoice {
    let known = applied.as_object().is_some_and(|fields| {
        fields.iter().all(|(key, value)| matches!(&**key, "podSelector" | "namespaceSelector") || value.is_null())
    });
    let selector = |field: &str, holder| match applied.get(field) {
        None | Some(Value::Null) => PodChoice::All,
        Some(selector) => serde_json::from_value(selector.clone())
            .map_or(PodChoice::Open, |selector| PodChoice::of_selector(holder, selector)),
    };
    let rest = if known { PodChoice::All } else { PodChoice::Open };
    let (pods, namespaces) =
        (selector("podSelector", LabelHolder::Pod), selector("namespaceSelector", LabelHolder::Namespace));
    PodChoice::Every(vec![pods, namespaces, rest])
}
