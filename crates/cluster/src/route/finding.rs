//! What is wrong with routes: objects come in as they are compiled, findings with object and field go out.

use std::fmt;

use crate::objects::{Fault, ObjectKey};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Requests are not served as the object says.
    Error,
    /// Something has no effect, or not the one it seems to have.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// A host name is none.
    InvalidHost,
    /// A path is none, or of an unknown type.
    InvalidPath,
    /// A regular expression is none, or too large.
    InvalidPattern,
    /// A filter cannot be done.
    InvalidFilter,
    /// A class that nothing serves.
    UnknownClass,
    /// A backend or port that does not exist.
    MissingBackend,
    /// A reference to another namespace that this one does not grant.
    RefusedReference,
    /// A parent that does not exist, or does not take the route.
    NotAttached,
    /// A rule that no request can reach.
    NeverMatches,
    /// The same rule again; the older one counts.
    Duplicate,
    /// A listener that another one hides, or that cannot work.
    InvalidListener,
    /// A host that is served in the clear only.
    NoCertificate,
    /// A certificate's Secret that is not among the objects.
    MissingSecret,
    /// A rule that answers every request with an error.
    NoBackend,
    /// A part that does not hold what it should, so it is left out.
    Unreadable,
    /// More than is compiled.
    TooMany,
}

impl Check {
    /// Its name, `missing-backend`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidHost => "invalid-host",
            Self::InvalidPath => "invalid-path",
            Self::InvalidPattern => "invalid-pattern",
            Self::InvalidFilter => "invalid-filter",
            Self::UnknownClass => "unknown-class",
            Self::MissingBackend => "missing-backend",
            Self::RefusedReference => "refused-reference",
            Self::NotAttached => "not-attached",
            Self::NeverMatches => "never-matches",
            Self::Duplicate => "duplicate",
            Self::InvalidListener => "invalid-listener",
            Self::NoCertificate => "no-certificate",
            Self::MissingSecret => "missing-secret",
            Self::NoBackend => "no-backend",
            Self::Unreadable => "unreadable",
            Self::TooMany => "too-many",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::InvalidHost
            | Self::InvalidPath
            | Self::InvalidPattern
            | Self::InvalidFilter
            | Self::MissingBackend
            | Self::RefusedReference
            | Self::NotAttached
            | Self::InvalidListener
            | Self::Unreadable
            | Self::TooMany => Severity::Error,
            Self::UnknownClass
            | Self::NeverMatches
            | Self::Duplicate
            | Self::NoCertificate
            | Self::MissingSecret
            | Self::NoBackend => Severity::Warning,
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The object.
    pub object: ObjectKey,
    /// The field, `spec.rules[0].host`.
    pub field: String,
    /// What was found.
    pub check: Check,
    /// In words, with the value.
    pub message: String,
}

/// `error: Ingress shop/web: spec.rules[0].host: not a host name: ... [invalid-host]`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, field, check, message } = self;
        write!(f, "{}: {object}: {field}: {message} [{}]", check.severity().name(), check.name())
    }
}

/// Findings as they come up.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
}

/// Most findings that are kept.
const MAX_FINDINGS: usize = 100_000;

impl Findings {
    pub(super) fn add(
        &mut self,
        object: &ObjectKey,
        field: impl Into<String>,
        check: Check,
        message: impl Into<String>,
    ) {
        if self.list.len() < MAX_FINDINGS {
            self.list.push(Finding { object: object.clone(), field: field.into(), check, message: message.into() });
        }
    }

    /// Notes that a part is left out because it cannot be read.
    pub(super) fn unreadable(&mut self, object: &ObjectKey, fault: Fault) {
        self.add(object, fault.field, Check::Unreadable, fault.reason);
    }

    /// By object and field.
    pub(super) fn into_sorted(mut self) -> Vec<Finding> {
        self.list.sort();
        self.list.dedup();
        self.list
    }
}
