//! What can be wrong with a filter, and where.

use std::fmt;

/// A filter that could not be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FilterError {
    /// The character of the text, counted from 1; `None` for a clause that was not given as text.
    pub at: Option<usize>,
    /// What is wrong there.
    pub problem: Problem,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(f, "at character {at}: ")?;
        }
        self.problem.fmt(f)
    }
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A name that is no column of `flows` and no word of the language.
    UnknownField {
        /// The name.
        field: String,
        /// Fields whose names are close, closest first.
        near: Vec<&'static str>,
    },
    /// A comparison of something that has no order, or of several values at once.
    Operator {
        /// The field.
        field: String,
        /// The operator.
        operator: &'static str,
        /// What the field takes.
        expected: &'static str,
    },
    /// A value that the field cannot have.
    Value {
        /// The field.
        field: String,
        /// The value.
        value: String,
        /// What the field takes.
        expected: String,
    },
    /// Something else was expected here.
    Unexpected {
        /// The rest of the text up to a blank; empty at the end.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A double quote that is never closed.
    OpenQuote,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { field, near } => {
                write!(f, "unknown field: {field}")?;
                if !near.is_empty() {
                    write!(f, " (did you mean {}?)", near.join(", "))?;
                }
                Ok(())
            }
            Self::Operator { field, operator, expected } => write!(f, "{field} takes {expected}, not: {operator}"),
            Self::Value { field, value, expected } => {
                write!(f, "not a value for {field}: {value} (expected {expected})")
            }
            Self::Unexpected { found, expected } if found.is_empty() => write!(f, "expected {expected}, found the end"),
            Self::Unexpected { found, expected } => write!(f, "expected {expected}, found: {found}"),
            Self::OpenQuote => f.write_str("this double quote is never closed"),
        }
    }
}
