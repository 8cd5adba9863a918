//! The text form of a filter, read left to right; every problem says at which character.

use super::clause::{Clause, Operator, Part};
use super::error::{FilterError, Problem};

/// The clauses of `text`.
pub(super) fn filter(text: &str) -> Result<Vec<Clause>, FilterError> {
    let mut reader = Reader { text, at: 0 };
    let mut clauses = Vec::new();
    reader.skip_blanks();
    while !reader.rest().is_empty() {
        if !clauses.is_empty() && !reader.keyword("and") {
            return Err(reader.unexpected("\"and\" between clauses, or a comma between values"));
        }
        clauses.push(reader.clause()?);
        reader.skip_blanks();
    }
    Ok(clauses)
}

/// The one clause that `text` is.
pub(super) fn clause(text: &str) -> Result<Clause, FilterError> {
    let mut reader = Reader { text, at: 0 };
    let clause = reader.clause()?;
    reader.skip_blanks();
    if reader.rest().is_empty() { Ok(clause) } else { Err(reader.unexpected("no more than one clause")) }
}

/// Whether `value` can stand without quotes. A sign in front would be read as part of the operator.
pub(super) fn is_bare(value: &str) -> bool {
    !value.is_empty() && !value.starts_with(['=', '<', '>']) && value.chars().all(is_bare_char)
}

fn is_bare_char(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !matches!(c, ',' | '"' | '(' | ')')
}

struct Reader<'a> {
    text: &'a str,
    /// Byte offset of what comes next; always at a character's start.
    at: usize,
}

impl<'a> Reader<'a> {
    fn clause(&mut self) -> Result<Clause, FilterError> {
        let mut negated = false;
        while self.keyword("not") {
            negated = !negated;
        }
        self.skip_blanks();
        let field_at = self.at;
        let field = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if field.is_empty() {
            return Err(self.unexpected("a field"));
        }
        self.skip_blanks();
        let operator_at = self.at;
        let (operator, unequal) = self.operator()?;
        let mut values = Vec::new();
        let mut values_at = Vec::new();
        loop {
            self.skip_blanks();
            values_at.push(self.at);
            values.push(self.value()?);
            self.skip_blanks();
            if !self.skip(",") {
                break;
            }
        }
        let clause = Clause::build(field, operator, &values).map_err(|(part, problem)| {
            let at = match part {
                Part::Field => field_at,
                Part::Operator => operator_at,
                Part::Value(which) => values_at.get(which).copied().unwrap_or(operator_at),
            };
            self.error(at, problem)
        })?;
        Ok(if negated == unequal { clause } else { clause.negated() })
    }

    /// The operator, and whether it was written `!=`: "not" and "=" in one.
    fn operator(&mut self) -> Result<(Operator, bool), FilterError> {
        if self.skip("!=") {
            return Ok((Operator::Equals, true));
        }
        match Operator::ALL.into_iter().find(|operator| self.skip(operator.sign())) {
            Some(operator) => Ok((operator, false)),
            None => Err(self.unexpected("one of = != >= <= > <")),
        }
    }

    fn value(&mut self) -> Result<String, FilterError> {
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let value = self.take_while(is_bare_char);
        if value.is_empty() { Err(self.unexpected("a value")) } else { Ok(value.to_owned()) }
    }

    fn quoted(&mut self) -> Result<String, FilterError> {
        let opened_at = self.at;
        let mut value = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    return Ok(value);
                }
                '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
                _ => value.push(c),
            }
        }
        Err(self.error(opened_at, Problem::OpenQuote))
    }

    /// Skips `word` in any case if it comes next as a whole word with a blank behind it.
    fn keyword(&mut self, word: &str) -> bool {
        self.skip_blanks();
        let rest = self.rest();
        let found = rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
            && rest.get(word.len()..).is_some_and(|behind| behind.starts_with(char::is_whitespace));
        if found {
            self.at += word.len();
        }
        found
    }

    fn skip_blanks(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn skip(&mut self, sign: &str) -> bool {
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len();
        }
        found
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn unexpected(&self, expected: &'static str) -> FilterError {
        let found = self.rest().split_whitespace().next().unwrap_or_default().to_owned();
        self.error(self.at, Problem::Unexpected { found, expected })
    }

    fn error(&self, at: usize, problem: Problem) -> FilterError {
        let before = self.text.get(..at).unwrap_or_default();
        FilterError { at: Some(before.chars().count() + 1), problem }
    }
}
