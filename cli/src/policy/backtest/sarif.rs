//! A backtest as SARIF 2.1.0: one result for each edge that changes, at the policy that is behind it, and one for each rule that
//! nothing exercised.

use std::fmt::Write as _;

use serde_json::{Value, json};
use weir_cluster::backtest::Effect;

use super::candidate::Given;
use super::report::{EdgeLine, PolicyLine, Report};

/// Results at most, as code scanning takes them.
const MAX_RESULTS: usize = 5_000;

/// The log.
pub(super) fn log(report: &Report, given: &Given) -> Value {
    let changed = [(Effect::NewlyDenied, "error"), (Effect::NewlyAllowed, "warning"), (Effect::Undecided, "note")];
    let edges = changed.into_iter().flat_map(|(effect, level)| {
        report.of(effect).into_iter().map(move |edge| of_edge(report, given, edge, effect, level))
    });
    let idle = report.candidate.iter().flat_map(|policy| {
        policy.rules.iter().filter(|rule| rule.decided == 0).map(|rule| {
            let text = format!(
                "{} rule {} of {} decided none of {} stored connections",
                rule.direction, rule.rule, policy.policy, report.history.connections
            );
            result("unexercised-rule", "note", &text, &[location(&policy.file, rule.line)])
        })
    });
    let results: Vec<Value> = edges.chain(idle).take(MAX_RESULTS).collect();
    let rule = |id: &str, text: &str| json!({"id": id, "shortDescription": {"text": text}});
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "weir",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": [
                    rule("newly-denied", "Stored connections that were allowed would be denied"),
                    rule("newly-allowed", "Stored connections that were denied would be allowed"),
                    rule("undecided", "Stored connections that nobody can judge"),
                    rule("unexercised-rule", "A rule that no stored connection met"),
                ],
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn of_edge(report: &Report, given: &Given, edge: &EdgeLine, effect: Effect, level: &str) -> Value {
    let flows: Vec<String> = edge.flows.iter().map(ToString::to_string).collect();
    let text = format!(
        "{}: {} connections and {} bytes from {} to {} would go from {} ({}) to {} ({}); flows such as {}",
        edge.name(),
        edge.connections,
        edge.bytes,
        edge.first_seen.rfc3339(),
        edge.last_seen.rfc3339(),
        edge.verdict_before,
        edge.decided_before,
        edge.verdict_after,
        edge.decided_after,
        flows.join(", ")
    );
    let named: Vec<&PolicyLine> = report.candidate.iter().filter(|policy| names(edge, policy)).collect();
    let mut locations: Vec<Value> =
        named.iter().map(|policy| location(&policy.file, decisive_line(edge, policy))).collect();
    if locations.is_empty() {
        // Something that is taken away has no place; the change as a whole has.
        let place = given.places.values().next();
        locations.extend(place.map(|place| location(&place.path.display().to_string(), place.lines.object)));
    }
    result(effect.name(), level, &text, &locations)
}

/// Whether what decides an edge with the candidate is this policy.
fn names(edge: &EdgeLine, policy: &PolicyLine) -> bool {
    let name = name(policy);
    edge.decided_after.split([' ', ',', ';', '(', ')']).any(|word| word == name)
}

/// The line of the rule that decides, else that of the policy.
fn decisive_line(edge: &EdgeLine, policy: &PolicyLine) -> usize {
    let name = name(policy);
    let decides = |rule: &&super::report::RuleLine| {
        edge.decided_after
            .split("; ")
            .any(|side| side.starts_with(rule.direction) && side.ends_with(&format!("rule {} of {name}", rule.rule)))
    };
    policy.rules.iter().find(decides).map_or(policy.line, |rule| rule.line)
}

fn name(policy: &PolicyLine) -> String {
    match &*policy.key.namespace {
        "" => policy.key.name.to_string(),
        namespace => format!("{namespace}/{}", policy.key.name),
    }
}

fn result(rule: &str, level: &str, text: &str, locations: &[Value]) -> Value {
    json!({"ruleId": rule, "level": level, "message": {"text": text}, "locations": locations})
}

fn location(file: &str, line: usize) -> Value {
    // A relative path is one of the repository; others are URIs of their own.
    let uri: String = file.trim_start_matches("./").split('/').map(encoded).collect::<Vec<_>>().join("/");
    let uri = if uri.starts_with('/') { format!("file://{uri}") } else { uri };
    json!({"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": line.max(1)}}})
}

/// One part of a path as part of a URI (RFC 3986).
fn encoded(part: &str) -> String {
    let mut out = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
