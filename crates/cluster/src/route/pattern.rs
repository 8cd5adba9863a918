//! Regular expressions of routes, bounded: linear in what they are matched against, and small once compiled.
//!
//! They take the whole value, as in Envoy; what a controller makes of them is not specified by Gateway API.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::HashMap;

/// Longest expression.
const MAX_BYTES: usize = 4_096;
/// Most bytes of one when compiled.
const MAX_COMPILED_BYTES: usize = 256 * 1024;
/// Most bytes of the states that matching makes up as it goes.
const MAX_STATE_BYTES: usize = 1024 * 1024;
/// Deepest nesting.
const MAX_NESTING: u32 = 64;
/// Most different expressions of one cluster.
const MAX_PATTERNS: usize = 4_096;

/// A regular expression.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Arc<str>,
    regex: Regex,
}

impl Pattern {
    pub(super) fn is_match(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// As it was written.
    pub(super) const fn text(&self) -> &Arc<str> {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// All expressions so far; each is compiled once.
#[derive(Default)]
pub(super) struct Patterns {
    known: HashMap<Arc<str>, Result<Regex, String>>,
}

impl Patterns {
    /// Compiles an expression. The error says what is wrong with it, in one line.
    pub(super) fn compile(&mut self, text: &Arc<str>) -> Result<Pattern, String> {
        if text.len() > MAX_BYTES {
            return Err(format!("longer than {MAX_BYTES} bytes"));
        }
        if self.known.len() >= MAX_PATTERNS && !self.known.contains_key(text) {
            return Err(format!("more than {MAX_PATTERNS} different regular expressions"));
        }
        let regex = self.known.entry(Arc::clone(text)).or_insert_with(|| compile(text));
        regex.clone().map(|regex| Pattern { text: Arc::clone(text), regex })
    }
}

fn compile(text: &str) -> Result<Regex, String> {
    // Read alone first: `a)(b` would be well-formed within the group.
    let mut builder = RegexBuilder::new(text);
    let limited = |builder: &mut RegexBuilder| {
        builder.size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_STATE_BYTES).nest_limit(MAX_NESTING).build()
    };
    let whole = limited(&mut builder).and_then(|_| limited(&mut RegexBuilder::new(&format!("^(?:{text})$"))));
    whole.map_err(|error| error.to_string().lines().last().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        Patterns::default().compile(&pattern.into()).expect("a pattern").is_match(value)
    }

    #[test]
    fn an_expression_takes_the_whole_value() {
        assert!(matches("/v[0-9]+", "/v12") && !matches("/v[0-9]+", "/v12/x") && !matches("a|b", "ab"));
    }

    #[test]
    fn what_would_be_large_slow_or_malformed_is_refused() {
        let mut patterns = Patterns::default();
        for wrong in ["(", "a)(b", "[", r"(a)\1", "(?=a)", "((a{100}){100}){100}"] {
            assert!(patterns.compile(&wrong.into()).is_err(), "{wrong}");
        }
        assert!(patterns.compile(&"a".repeat(MAX_BYTES + 1).into()).is_err());
        assert!(patterns.compile(&("(".repeat(200) + &")".repeat(200)).into()).is_err());
    }
}
