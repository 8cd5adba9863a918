//! The answer to one probe, as JSON for programs or as text for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Map, Value};
use weir_cluster::policy::{ConnectionVerdict, PolicySet, SideVerdict};
use weir_model::Verdict;

use super::notes::Notes;
use super::probe::{Expected, Probe, Written, expects};

/// What a probe said, and what is said to it.
pub(super) struct Answer<'a> {
    fields: &'a Map<String, Value>,
    said: Result<(ConnectionVerdict<'a>, Expected), &'a str>,
    /// What is wrong with the objects and may touch the answer.
    notes: Vec<String>,
    /// The probe is bad and yet expects something.
    is_bad_expectation: bool,
}

impl<'a> Answer<'a> {
    pub(super) fn new(
        written: &'a Written,
        probe: Result<&Probe, &'a String>,
        set: &'a PolicySet,
        notes: &Notes,
    ) -> Self {
        let said = probe.map(|probe| (set.judge(&probe.connection), probe.expected)).map_err(String::as_str);
        let party = |key: &str| written.fields.get(key).and_then(Value::as_str).unwrap_or_default().trim();
        let notes =
            said.as_ref().map_or_else(|_| Vec::new(), |(said, _)| notes.about([party("src"), party("dst")], said));
        let is_bad_expectation = said.is_err() && expects(written);
        Self { fields: &written.fields, said, notes, is_bad_expectation }
    }

    /// Whether something that the probe expects does not hold.
    pub(super) fn is_unmet(&self) -> bool {
        match &self.said {
            Err(_) => self.is_bad_expectation,
            Ok((said, expected)) => !missed(said, *expected).is_empty(),
        }
    }

    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let mut fields = self.fields.clone();
        for own in ["verdict", "egress", "ingress", "error"] {
            fields.remove(own);
        }
        if !self.notes.is_empty() {
            fields.remove("notes");
        }
        let (said, error) = match &self.said {
            Ok((said, _)) => (Some(said), None),
            Err(error) => (None, Some(*error)),
        };
        let line = Line {
            fields,
            verdict: said.map(|said| said.verdict.name()),
            egress: said.map(|said| SideLine::of(&said.egress)),
            ingress: said.map(|said| SideLine::of(&said.ingress)),
            error,
            notes: &self.notes,
        };
        serde_json::to_writer(&mut *out, &line)?;
        writeln!(out)
    }

    pub(super) fn write_text(&self, out: &mut impl Write) -> io::Result<()> {
        let field = |key: &str| match self.fields.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => "?".to_owned(),
            Some(other) => other.to_string(),
        };
        let (said, expected) = match &self.said {
            Ok(said) => said,
            Err(error) => {
                let style = AnsiColor::Red.on_default();
                return writeln!(out, "{style}bad probe{style:#}  {} -> {}  {error}", field("src"), field("dst"));
            }
        };
        let style = style(said.verdict);
        let protocol = if self.fields.contains_key("protocol") { field("protocol") } else { "tcp".to_owned() };
        write!(
            out,
            "{style}{:<9}{style:#}  {} -> {}  {} {}  egress: {}; ingress: {}",
            said.verdict.name(),
            field("src"),
            field("dst"),
            protocol.to_ascii_lowercase(),
            field("port"),
            side(&said.egress),
            side(&said.ingress)
        )?;
        for (what, wanted) in missed(said, *expected) {
            let red = AnsiColor::Red.on_default();
            write!(out, "  {red}[{what}: {}]{red:#}", wanted.name())?;
        }
        writeln!(out)?;
        self.notes.iter().try_for_each(|note| writeln!(out, "    note: {note}"))
    }
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    egress: Option<SideLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ingress: Option<SideLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

#[derive(Serialize)]
struct SideLine {
    verdict: &'static str,
    reason: &'static str,
    tier: Option<&'static str>,
    policies: Vec<String>,
    rule: Option<u32>,
}

impl SideLine {
    fn of(side: &SideVerdict<'_>) -> Self {
        Self {
            verdict: side.verdict.name(),
            reason: side.reason.name(),
            tier: side.tier.map(weir_model::Tier::name),
            policies: side.policies.iter().map(ToString::to_string).collect(),
            rule: side.rule,
        }
    }
}

/// What a probe expects and does not get.
fn missed(said: &ConnectionVerdict<'_>, expected: Expected) -> Vec<(&'static str, Verdict)> {
    let sides = [
        ("expected", expected.both, said.verdict),
        ("expected egress", expected.egress, said.egress.verdict),
        ("expected ingress", expected.ingress, said.ingress.verdict),
    ];
    let missed = sides.into_iter().filter_map(|(what, wanted, got)| Some((what, wanted.filter(|w| *w != got)?)));
    missed.collect()
}

/// `denied, isolated-no-match: shop/a, shop/b`, `allowed, allowed-by: shop/a rule 0`.
fn side(side: &SideVerdict<'_>) -> String {
    let policies: Vec<_> = side.policies.iter().map(ToString::to_string).collect();
    let policies = if policies.is_empty() { String::new() } else { format!(": {}", policies.join(", ")) };
    let rule = side.rule.map(|rule| format!(" rule {rule}")).unwrap_or_default();
    format!("{}, {}{policies}{rule}", side.verdict.name(), side.reason.name())
}

fn style(verdict: Verdict) -> Style {
    let colour = match verdict {
        Verdict::Allowed => AnsiColor::Green,
        Verdict::Denied => AnsiColor::Red,
        Verdict::Undecided => AnsiColor::Yellow,
    };
    colour.on_default()
}
