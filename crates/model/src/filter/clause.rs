//! One clause: a field, an operator, values; compiled once to a test on rows.

use std::fmt;
use std::str::FromStr;

use super::check::Test;
use super::columns::Columns;
use super::error::{FilterError, Problem};
use super::field::Field;
use super::parse::{self, is_bare};
use crate::Column;

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The column fits one of the values.
    Equals,
    /// At least.
    AtLeast,
    /// At most.
    AtMost,
    /// More than.
    Above,
    /// Less than.
    Below,
}

impl Operator {
    /// Every operator, longer signs before those they begin with.
    pub const ALL: [Self; 5] = [Self::AtLeast, Self::AtMost, Self::Above, Self::Below, Self::Equals];

    /// The operator's sign.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equals => "=",
            Self::AtLeast => ">=",
            Self::AtMost => "<=",
            Self::Above => ">",
            Self::Below => "<",
        }
    }
}

/// A condition on one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    negated: bool,
    field: String,
    operator: Operator,
    /// As they print: normalised, not quoted.
    values: Vec<String>,
    test: Test,
}

/// The part of a clause that a problem is about, so that a parser can say where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Field,
    Operator,
    Value(usize),
}

impl Clause {
    /// A clause that holds where `field` compares so with one of `values`.
    pub fn new(field: &str, operator: Operator, values: &[impl AsRef<str>]) -> Result<Self, FilterError> {
        Self::build(field, operator, values).map_err(|(_, problem)| FilterError { at: None, problem })
    }

    pub(super) fn build(name: &str, operator: Operator, values: &[impl AsRef<str>]) -> Result<Self, (Part, Problem)> {
        let field = Field::find(name).map_err(|problem| (Part::Field, problem))?;
        if operator != Operator::Equals {
            let expected = match (field.has_order(), values.len()) {
                (false, _) => Some("= only"),
                (true, 1) => None,
                (true, _) => Some("several values with = only"),
            };
            if let Some(expected) = expected {
                let problem = Problem::Operator { field: name.to_owned(), operator: operator.sign(), expected };
                return Err((Part::Operator, problem));
            }
        }
        if values.is_empty() {
            return Err((Part::Operator, Problem::Unexpected { found: String::new(), expected: "a value" }));
        }
        let mut texts = Vec::with_capacity(values.len());
        let mut tests = Vec::with_capacity(values.len());
        for (at, value) in values.iter().enumerate() {
            let value = value.as_ref();
            let (text, test) = field.compile(operator, value).map_err(|expected| {
                let problem = Problem::Value { field: name.to_owned(), value: value.to_owned(), expected };
                (Part::Value(at), problem)
            })?;
            texts.push(text);
            tests.push(test);
        }
        Ok(Self { negated: false, field: name.to_owned(), operator, values: texts, test: Test::Any(tests) })
    }

    /// The opposite clause: it holds wherever this one does not, nulls included.
    pub fn negated(mut self) -> Self {
        self.negated = !self.negated;
        self
    }

    /// The field as it is written.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Whether every column that it looks at is one of `columns`.
    pub fn fits(&self, columns: &[Column]) -> bool {
        self.test.columns().iter().all(|used| columns.iter().any(|column| column.name == used.name))
    }

    pub(super) fn holds(&self, row: &impl Columns) -> bool {
        self.test.holds(row) != self.negated
    }

    pub(super) fn to_sql(&self) -> String {
        match (self.negated, self.test.is_exact_in_sql()) {
            (false, _) => format!("({})", self.test.to_sql()),
            (true, true) => format!("({}) IS NOT TRUE", self.test.to_sql()),
            // The opposite of "at least these rows" is "at most those": only all rows are safe.
            (true, false) => "true".to_owned(),
        }
    }

    pub(super) fn is_exact_in_sql(&self) -> bool {
        self.test.is_exact_in_sql()
    }
}

/// Reads the text form of one clause.
impl FromStr for Clause {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        parse::clause(text)
    }
}

/// The text form, with values as they were understood.
impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let not = if self.negated { "not " } else { "" };
        write!(f, "{not}{}{}", self.field, self.operator.sign())?;
        for (at, value) in self.values.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            if is_bare(value) {
                f.write_str(value)?;
            } else {
                write!(f, "\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))?;
            }
        }
        Ok(())
    }
}
