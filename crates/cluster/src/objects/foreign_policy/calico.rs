//! Selectors of Calico: `app == 'web' && !has(old) || role in {'a', 'b'}` (its documentation, "Selectors").
//!
//! Text comes in, a choice of pods goes out; `None` where the text is no selector.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::objects::label_selector::Requirement;
use crate::objects::pod_choice::{LabelHolder, PodChoice, TextTest};

/// Longest selector.
const MAX_BYTES: usize = 16_384;
/// Deepest nesting.
const MAX_NESTING: usize = 64;

/// Reads a selector of pods or, for `holder`, of namespaces.
pub(super) fn parse(text: &str, holder: LabelHolder) -> Option<PodChoice> {
    if text.len() > MAX_BYTES {
        return None;
    }
    if text.trim().is_empty() {
        return Some(PodChoice::All);
    }
    let mut reader = Reader { rest: text, holder, depth: 0 };
    let choice = reader.any()?;
    reader.rest.trim_start().is_empty().then_some(choice)
}

struct Reader<'a> {
    rest: &'a str,
    holder: LabelHolder,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Option<PodChoice> {
        let mut choices = vec![self.every()?];
        while self.takes("||") {
            choices.push(self.every()?);
        }
        Some(PodChoice::Any(choices))
    }

    fn every(&mut self) -> Option<PodChoice> {
        let mut choices = vec![self.one()?];
        while self.takes("&&") {
            choices.push(self.one()?);
        }
        Some(PodChoice::Every(choices))
    }

    fn one(&mut self) -> Option<PodChoice> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return None;
        }
        let choice = if self.takes("!") {
            PodChoice::Not(Box::new(self.one()?))
        } else if self.takes("(") {
            let inner = self.any()?;
            self.takes(")").then_some(inner)?
        } else {
            self.condition()?
        };
        self.depth -= 1;
        Some(choice)
    }

    fn condition(&mut self) -> Option<PodChoice> {
        let word = self.word()?;
        if self.takes("(") {
            let choice = match word {
                "all" => PodChoice::All,
                // What has no namespace is no pod.
                "global" => PodChoice::Any(Vec::new()),
                "has" => {
                    let label = self.word()?;
                    self.label(label, Requirement::Exists)
                }
                _ => return None,
            };
            return self.takes(")").then_some(choice);
        }
        if self.takes("==") {
            return self.one_of(word, true);
        }
        if self.takes("!=") {
            return self.one_of(word, false);
        }
        match self.word()? {
            "in" => self.set().map(|values| self.label(word, |key| Requirement::In(key, values))),
            "not" if self.word()? == "in" => {
                self.set().map(|values| self.label(word, |key| Requirement::NotIn(key, values)))
            }
            "contains" => self.quoted().map(|text| self.text(word, TextTest::Contains(text))),
            "starts" if self.word()? == "with" => self.quoted().map(|text| self.text(word, TextTest::StartsWith(text))),
            "ends" if self.word()? == "with" => self.quoted().map(|text| self.text(word, TextTest::EndsWith(text))),
            _ => None,
        }
    }

    fn one_of(&mut self, word: &str, is_in: bool) -> Option<PodChoice> {
        let values = BTreeSet::from([self.quoted()?]);
        let requirement = |key| if is_in { Requirement::In(key, values) } else { Requirement::NotIn(key, values) };
        Some(self.label(word, requirement))
    }

    fn set(&mut self) -> Option<BTreeSet<Arc<str>>> {
        let mut values = BTreeSet::new();
        if !self.takes("{") {
            return None;
        }
        while !self.takes("}") {
            values.insert(self.quoted()?);
            if !self.takes(",") {
                return self.takes("}").then_some(values);
            }
        }
        Some(values)
    }

    fn label(&self, word: &str, requirement: impl FnOnce(Arc<str>) -> Requirement) -> PodChoice {
        match self.holder_of(word) {
            Some((holder, key)) => PodChoice::Label(holder, requirement(key)),
            None => PodChoice::Open,
        }
    }

    fn text(&self, word: &str, test: TextTest) -> PodChoice {
        match self.holder_of(word) {
            Some((holder, key)) => PodChoice::Text(holder, key, test),
            None => PodChoice::Open,
        }
    }

    /// Whose label a word names. Calico gives endpoints labels beside those of their pods; some are not known here.
    fn holder_of(&self, word: &str) -> Option<(LabelHolder, Arc<str>)> {
        match (word, word.strip_prefix("pcns.")) {
            ("projectcalico.org/namespace" | "projectcalico.org/name", _) => {
                Some((LabelHolder::Namespace, Arc::from("kubernetes.io/metadata.name")))
            }
            (_, Some(key)) => Some((LabelHolder::Namespace, Arc::from(key))),
            (word, None) if word.starts_with("projectcalico.org/") || word.starts_with("pcsa.") => None,
            (word, None) => Some((self.holder, Arc::from(word))),
        }
    }

    /// Takes a sign, if it is next. `!` is not the first half of `!=`.
    fn takes(&mut self, sign: &str) -> bool {
        let rest = self.rest.trim_start();
        match rest.strip_prefix(sign) {
            Some(behind) if sign != "!" || !behind.starts_with('=') => {
                self.rest = behind;
                true
            }
            _ => false,
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-');
        let (word, behind) = rest.split_at_checked(rest.find(|c| !is_part(c)).unwrap_or(rest.len()))?;
        self.rest = behind;
        Some(word).filter(|word| !word.is_empty())
    }

    fn quoted(&mut self) -> Option<Arc<str>> {
        let rest = self.rest.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (text, behind) = rest.strip_prefix(quote)?.split_once(quote)?;
        self.rest = behind;
        Some(Arc::from(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(text: &str) -> bool {
        parse(text, LabelHolder::Pod).is_some()
    }

    #[test]
    fn the_grammar_is_read_whole() {
        for text in [
            "",
            "all()",
            "global()",
            "a == 'b'",
            "a=='b'&&c!=\"d\"",
            "has(a) && !has(b/c.d_e-f)",
            "a in {'b', 'c'} || d not in { 'e' }",
            "a in {}",
            "!(a contains 'b' || c starts with 'd') && e ends with 'f'",
            "((a == 'b'))",
            "! a == 'b'",
        ] {
            assert!(reads(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_refused_without_effort() {
        for text in
            ["a", "a ==", "a == b", "a == 'b", "(a == 'b'", "a == 'b')", "has()", "a in 'b'", "none()", "a = 'b'", "&&"]
        {
            assert!(!reads(text), "{text}");
        }
        assert!(!reads(&"(".repeat(10_000)) && !reads(&"!".repeat(10_000)) && !reads(&"a ".repeat(10_000)));
    }
}
