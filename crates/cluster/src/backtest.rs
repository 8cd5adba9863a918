//! What other policies would have done to connections that are stored: objects as they came and went and conversations come
//! in, edges that would fare otherwise go out.
//!
//! Time is cut into epochs in which the policies, and what they ask of pods, were the same. For each one two sets are
//! compiled, without and with the candidate, and every conversation of it is judged by both. Nothing here reads a lake.

mod candidate;
mod changes;
mod exercise;
mod tally;

pub use candidate::Candidate;
pub use changes::{Changes, Epochs};
pub use exercise::{Exercise, PolicyUse, RuleUse, WayOfRule};
pub use tally::{Edge, EdgeEnd, MAX_EDGES, Stats, Tally};

use weir_model::Verdict;

/// What a candidate does to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// They were allowed and would be denied.
    NewlyDenied,
    /// They were denied and would be allowed.
    NewlyAllowed,
    /// Nobody can say: undecided without the candidate or with it.
    Undecided,
    /// The verdict stays.
    Unchanged,
}

impl Effect {
    /// The effect of a verdict becoming another.
    pub const fn of(before: Verdict, after: Verdict) -> Self {
        match (before, after) {
            (Verdict::Allowed, Verdict::Denied) => Self::NewlyDenied,
            (Verdict::Denied, Verdict::Allowed) => Self::NewlyAllowed,
            (Verdict::Undecided, _) | (_, Verdict::Undecided) => Self::Undecided,
            _ => Self::Unchanged,
        }
    }

    /// As it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly-denied",
            Self::NewlyAllowed => "newly-allowed",
            Self::Undecided => "undecided",
            Self::Unchanged => "unchanged",
        }
    }
}
