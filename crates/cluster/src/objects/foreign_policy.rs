//! Policies of kinds that one CNI alone knows: noticed with whom they may select, never evaluated.
//!
//! What a selector means is left to its CNI wherever it is not plainly a label selector: such a policy may select
//! every pod that its scope has.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::field;
use super::label_selector::LabelSelector;
use super::meta::ObjectMeta;

/// A policy that some CNI enforces beside or instead of `NetworkPolicies`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignPolicy {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// The pods it may select, for connections to them.
    pub ingress: Vec<ForeignSubject>,
    /// The pods it may select, for connections from them.
    pub egress: Vec<ForeignSubject>,
}

/// Pods that a foreign policy may select, within its namespace where it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ForeignSubject {
    /// Their namespaces; `None` = all of its scope.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub namespaces: Option<LabelSelector>,
    /// Their labels; `None` = all.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub pods: Option<LabelSelector>,
}

impl<'de> Deserialize<'de> for ForeignPolicy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let whole = Whole::deserialize(from)?;
        if let Some(Subjects { ingress, egress }) = whole.subjects {
            return Ok(Self { metadata: whole.metadata, ingress: ingress.into_owned(), egress: egress.into_owned() });
        }
        let (mut ingress, mut egress) = (Vec::new(), Vec::new());
        let single = Some(&whole.spec).filter(|spec| !spec.is_null());
        for spec in single.into_iter().chain(&whole.specs) {
            let (to, from) = directions(spec);
            // A policy of the nodes themselves selects no pod.
            let subjects = if spec.get("nodeSelector").is_some() { Vec::new() } else { subjects(spec) };
            if to {
                ingress.extend(subjects.iter().cloned());
            }
            if from {
                egress.extend(subjects);
            }
        }
        Ok(Self { metadata: whole.metadata, ingress, egress })
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
    ingress: Cow<'a, [ForeignSubject]>,
    egress: Cow<'a, [ForeignSubject]>,
}

impl Serialize for ForeignPolicy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Kept<'a> {
            metadata: &'a ObjectMeta,
            subjects: Subjects<'a>,
        }
        let subjects = Subjects { ingress: Cow::Borrowed(&self.ingress), egress: Cow::Borrowed(&self.egress) };
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

fn subjects(spec: &Value) -> Vec<ForeignSubject> {
    if let Some(selector) = spec.get("endpointSelector") {
        return vec![ForeignSubject { namespaces: None, pods: cilium(selector) }];
    }
    let of_rules = ["ingress", "egress"].into_iter().filter_map(|key| spec.get(key)?.as_array()).flatten();
    let applied = [spec].into_iter().chain(of_rules).filter_map(|at| at.get("appliedTo")?.as_array()).flatten();
    let subjects: Vec<_> = applied.map(antrea).collect();
    if subjects.is_empty() { vec![ForeignSubject::default()] } else { subjects }
}

/// A selector that Cilium writes with the source of each label, `k8s:app`.
fn cilium(selector: &Value) -> Option<LabelSelector> {
    let bare = |key: &str| {
        let bare = key.strip_prefix("k8s:").or_else(|| key.strip_prefix("any:")).unwrap_or(key);
        // Labels of other sources and of namespaces are none of the pod's own.
        (!bare.contains(':') && !bare.starts_with("io.kubernetes.pod.") && !bare.starts_with("io.cilium."))
            .then(|| bare.to_owned())
    };
    let labels = selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let labels =
        labels.map(|(key, value)| Some((bare(key)?, value.clone()))).collect::<Option<serde_json::Map<_, _>>>();
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten().map(|e| {
        let mut expression = e.clone();
        let key = bare(expression.get("key")?.as_str()?)?;
        *expression.get_mut("key")? = Value::String(key);
        Some(expression)
    });
    let expressions = expressions.collect::<Option<Vec<_>>>();
    let selector = serde_json::json!({"matchLabels": labels?, "matchExpressions": expressions?});
    serde_json::from_value(selector).ok()
}

fn antrea(applied: &Value) -> ForeignSubject {
    let selector = |key: &str| serde_json::from_value(applied.get(key)?.clone()).ok();
    ForeignSubject { namespaces: selector("namespaceSelector"), pods: selector("podSelector") }
}

impl ForeignPolicy {
    /// The namespace that it is limited to; empty = none.
    pub const fn namespace(&self) -> &Arc<str> {
        &self.metadata.namespace
    }
}
