//! Endpoint selectors of Cilium: label selectors whose keys say where a label comes from, `k8s:app`.

use serde_json::{Map, Value, json};

use crate::objects::label_selector::LabelSelector;
use crate::objects::pod_choice::{LabelHolder, PodChoice};

/// Reads a selector; `None` where it is none. What is asked of labels of other sources stays open, so it leaves the
/// choice to all that is asked beside it.
pub(super) fn parse(selector: &Value) -> Option<PodChoice> {
    let mut asked = Vec::new();
    for (key, value) in object(selector, "matchLabels")? {
        asked.push(one(key, &json!({"key": "", "operator": "In", "values": [value]}))?);
    }
    for expression in list(selector, "matchExpressions")? {
        asked.push(one(expression.get("key")?.as_str()?, expression)?);
    }
    Some(PodChoice::Every(asked))
}

fn object<'a>(selector: &'a Value, field: &str) -> Option<impl Iterator<Item = (&'a String, &'a Value)>> {
    match selector.get(field) {
        None | Some(Value::Null) => Some(None.into_iter().flatten()),
        Some(Value::Object(labels)) => Some(Some(labels).into_iter().flatten()),
        Some(_) => None,
    }
}

fn list<'a>(selector: &'a Value, field: &str) -> Option<&'a [Value]> {
    match selector.get(field) {
        None | Some(Value::Null) => Some(&[]),
        Some(list) => list.as_array().map(Vec::as_slice),
    }
}

/// What an expression asks of the label that `key` names.
fn one(key: &str, expression: &Value) -> Option<PodChoice> {
    let Some((holder, key)) = holder(key) else { return Some(PodChoice::Open) };
    let mut expression: Map<String, Value> = expression.as_object()?.clone();
    expression.insert("key".to_owned(), Value::String(key.to_owned()));
    let selector: LabelSelector = serde_json::from_value(json!({"matchExpressions": [expression]})).ok()?;
    Some(PodChoice::of_selector(holder, selector))
}

/// Whose label a key names; `None` = one that Cilium makes itself.
fn holder(key: &str) -> Option<(LabelHolder, &str)> {
    let bare = key.strip_prefix("k8s:").or_else(|| key.strip_prefix("any:")).unwrap_or(key);
    if bare == "io.kubernetes.pod.namespace" {
        return Some((LabelHolder::Namespace, "kubernetes.io/metadata.name"));
    }
    if let Some(key) = bare.strip_prefix("io.cilium.k8s.namespace.labels.") {
        return Some((LabelHolder::Namespace, key));
    }
    let is_own = !bare.contains(':') && !bare.starts_with("io.cilium.") && !bare.starts_with("io.kubernetes.pod.");
    is_own.then_some((LabelHolder::Pod, bare))
}
