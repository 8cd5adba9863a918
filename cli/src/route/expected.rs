//! What is expected of an answer against the answer: keys come in, those that are not met go out.
//!
//! Only what is named is compared; of objects each key that is named. Names of headers may have any case.

use serde_json::{Map, Value};

use super::answer::{Line, Said};
use super::shown;

/// Keys that say something about the case, not about the answer.
const REMARKS: [&str; 2] = ["peer_status", "note"];

/// `key: expected ..., not ...` for each key that is not met.
pub(super) fn unmet(expected: &Map<String, Value>, line: &Line) -> Vec<String> {
    let said = serde_json::to_value(&line.said).unwrap_or_default();
    let keys = expected.iter().filter(|(key, _)| !REMARKS.contains(&&***key));
    let unmet = keys.filter(|(key, wanted)| !is_met(key, wanted, &said, line));
    unmet
        .map(|(key, wanted)| format!("{key}: expected {wanted}, not {}", said.get(key).unwrap_or(&Value::Null)))
        .collect()
}

fn is_met(key: &str, wanted: &Value, said: &Value, line: &Line) -> bool {
    let Said::Answer(answered) = &line.said else { return key == "error" && said.get(key) == Some(wanted) };
    let own = said.get(key).unwrap_or(&Value::Null);
    match (key, wanted) {
        ("status", Value::Array(any)) => any.contains(own),
        ("backend_service", Value::String(name)) => {
            let weighted = answered.backends.iter().filter(|backend| backend.weight > 0 && backend.status == 200);
            own == wanted || weighted.into_iter().any(|backend| backend.backend_service.as_ref() == Some(name))
        }
        ("mirrored_to", Value::Array(receivers)) => {
            let own = own.as_array().map(Vec::as_slice).unwrap_or_default();
            receivers.len() == own.len()
                && receivers.iter().all(|receiver| own.iter().any(|own| is_mirror(receiver, own)))
        }
        ("request_at_backend", Value::Object(parts)) => parts.iter().all(|(part, wanted)| {
            let headers = own.pointer("/request/headers");
            match (&**part, wanted) {
                ("absentHeaders", Value::Array(names)) => {
                    names.iter().all(|name| header(headers, &shown(name)).is_none())
                }
                ("request", Value::Object(fields)) => fields.iter().all(|(field, wanted)| match (&**field, wanted) {
                    ("headers", Value::Object(wanted)) => {
                        wanted.iter().all(|(name, value)| header(headers, name) == Some(value))
                    }
                    _ => own.pointer("/request").is_some_and(|request| holds(wanted, request.get(field))),
                }),
                _ => holds(wanted, own.get(part)),
            }
        }),
        _ => holds(wanted, Some(own)),
    }
}

/// Whether everything that is wanted is there; numbers may be written as text.
fn holds(wanted: &Value, own: Option<&Value>) -> bool {
    match (wanted, own.unwrap_or(&Value::Null)) {
        (Value::Object(wanted), Value::Object(own)) => wanted.iter().all(|(key, wanted)| holds(wanted, own.get(key))),
        (Value::String(text), Value::Null) => text.is_empty(),
        (Value::String(_) | Value::Number(_), own @ (Value::String(_) | Value::Number(_))) => {
            shown(wanted) == shown(own)
        }
        (wanted, own) => wanted == own,
    }
}

/// A receiver may be wanted by its name alone.
fn is_mirror(wanted: &Value, own: &Value) -> bool {
    match wanted {
        Value::String(name) => own.get("name").is_some_and(|own| *own == **name),
        wanted => holds(wanted, Some(own)),
    }
}

fn header<'a>(headers: Option<&'a Value>, name: &str) -> Option<&'a Value> {
    let headers = headers?.as_object()?;
    headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_named_has_to_hold() {
        let own = json!({"scheme": "http", "port": "8080", "path": "/a"});
        assert!(holds(&json!({"port": 8080}), Some(&own)) && holds(&json!({"query": ""}), Some(&own)));
        assert!(!holds(&json!({"port": 80}), Some(&own)) && !holds(&json!({"host": "a"}), Some(&own)));
        assert!(holds(&Value::Null, None) && !holds(&json!(1), None));
    }

    #[test]
    fn an_error_meets_nothing_but_itself() {
        let line = Line::error("no".to_owned());
        let expected = json!({"status": 404, "error": "no", "peer_status": 500});
        let unmet = unmet(expected.as_object().expect("an object"), &line);
        assert_eq!(unmet, ["status: expected 404, not null"]);
    }
}
