//! One thing that was looked at.

use serde_json::json;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grade {
    /// As it should be.
    Ok,
    /// The agent runs, and something will be missing from what it tells.
    Warn,
    /// The agent cannot do its work.
    Fail,
}

impl Grade {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was found, and what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) name: &'static str,
    /// How it stands.
    pub(super) grade: Grade,
    /// What was found.
    pub(super) found: String,
    /// What can be done, where something can.
    pub(super) advice: Option<&'static str>,
}

impl Check {
    pub(super) fn new(name: &'static str, grade: Grade, found: impl Into<String>) -> Self {
        Self { name, grade, found: found.into(), advice: None }
    }

    /// The same with what can be done.
    pub(super) fn advise(self, advice: &'static str) -> Self {
        Self { advice: Some(advice), ..self }
    }

    /// For people: a line, and one for the advice.
    pub(super) fn text(&self) -> String {
        let advice = self.advice.map(|advice| format!("\n      do: {advice}")).unwrap_or_default();
        format!("{:<4}  {}: {}{advice}", self.grade.name(), self.name, self.found)
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        json!({ "check": self.name, "grade": self.grade.name(), "found": self.found, "do": self.advice }).to_string()
    }
}
