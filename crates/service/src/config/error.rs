//! What is wrong with a configuration: all of it, each with the place it came from.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag, with its dashes.
    Flag(String),
    /// A variable of the environment.
    Environment(String),
    /// A line of the file, counted from 1.
    File(PathBuf, usize),
    /// The program's own default.
    Default,
    /// Nowhere: it is not set.
    Unset,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
            Self::Unset => f.write_str("not set"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A value that its setting cannot have.
    Value {
        /// The setting.
        key: &'static str,
        /// The value as it was written.
        value: String,
        /// Where it came from.
        source: Source,
        /// What the setting takes.
        expected: &'static str,
    },
    /// A setting that must be given was not.
    Missing {
        /// The setting.
        key: &'static str,
        /// What the setting takes.
        expected: &'static str,
    },
    /// A key of the file that is no setting.
    UnknownKey {
        /// The key.
        key: String,
        /// Its place.
        source: Source,
        /// A setting of nearly that name.
        near: Option<&'static str>,
    },
    /// The file cannot be read as TOML.
    Syntax {
        /// The place.
        source: Source,
        /// What TOML says about it.
        message: String,
    },
    /// The file cannot be read at all.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says about it.
        message: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value { key, value, source, expected } => {
                write!(f, "{source}: not a value for {key}: {value} (expected {expected})")
            }
            Self::Missing { key, expected } => {
                let (flag, variable) = (super::setting::flag(key), super::setting::variable(key));
                write!(f, "{key} is not set (expected {expected} from {flag}, {variable} or the file)")
            }
            Self::UnknownKey { key, source, near } => {
                write!(f, "{source}: unknown key: {key}")?;
                near.map_or(Ok(()), |near| write!(f, " (did you mean {near}?)"))
            }
            Self::Syntax { source, message } => write!(f, "{source}: {message}"),
            Self::Unreadable { path, message } => write!(f, "cannot read {}: {message}", path.display()),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The command line makes no sense, or asked for help: [`crate::exit`] prints it as it is.
    Usage(clap::Error),
    /// Everything that is wrong, in the order of the settings.
    Problems(Vec<Problem>),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(f),
            Self::Problems(problems) => {
                f.write_str("bad configuration:")?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for ConfigError {}
