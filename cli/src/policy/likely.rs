//! What a group of connections looks like beside all the others: each word from evidence that the lake holds.

use std::collections::BTreeSet;
use std::fmt;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::audit::Edge;

/// The likely cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Likely {
    /// Nothing that policies deny was stopped anywhere.
    NotEnforced,
    /// Other connections that the same policies deny were stopped: it changed meanwhile, or is not in force everywhere.
    StalePolicy,
    /// Nothing that these policies deny was stopped, but what others deny was.
    PolicyNotEnforced,
    /// Something else than the policies drops it.
    BlockedElsewhere,
    /// A policy of a kind that only the CNI knows has a say.
    ForeignPolicy,
    /// The policies stopped it.
    Policy,
    /// It failed for a reason that is no policy's: see `cause`.
    NoPolicy,
}

/// How all connections fared.
#[derive(Debug, Default, Serialize)]
pub(super) struct Totals {
    /// With a verdict.
    connections: u64,
    consistent: u64,
    /// Denied and stopped.
    stopped: u64,
    denied_but_passed: u64,
    allowed_but_blocked: u64,
    undecided: u64,
    /// Policies are denied by throughout, and nothing was stopped.
    nothing_enforced: bool,
    /// The policies of connections that were stopped.
    #[serde(skip)]
    stopping: BTreeSet<String>,
}

impl Totals {
    pub(super) fn of(edges: &[Edge]) -> Self {
        let mut totals = Self::default();
        for edge in edges {
            let count = match &*edge.audit {
                "consistent" => &mut totals.consistent,
                "denied-but-passed" => &mut totals.denied_but_passed,
                "allowed-but-blocked" => &mut totals.allowed_but_blocked,
                _ => &mut totals.undecided,
            };
            *count += edge.connections;
            totals.connections += edge.connections;
            if edge.verdict == "denied" && edge.audit == "consistent" {
                totals.stopped += edge.connections;
                totals.stopping.extend(edge.policies.clone());
            }
        }
        totals.nothing_enforced = totals.denied_but_passed > 0 && totals.stopped == 0;
        totals
    }

    /// What an edge looks like; `None` = there is nothing to look at.
    pub(super) fn likely(&self, edge: &Edge) -> Option<Likely> {
        let is_foreign = [&edge.egress_reason, &edge.ingress_reason].iter().any(|reason| **reason == "foreign-policy");
        match (&*edge.audit, &*edge.verdict, edge.cause.as_deref()) {
            ("denied-but-passed", ..) if self.nothing_enforced => Some(Likely::NotEnforced),
            ("denied-but-passed", ..) if edge.policies.as_ref().is_some_and(|names| self.stopping.contains(names)) => {
                Some(Likely::StalePolicy)
            }
            ("denied-but-passed", ..) => Some(Likely::PolicyNotEnforced),
            ("allowed-but-blocked", ..) => Some(Likely::BlockedElsewhere),
            (_, _, Some("policy")) => Some(Likely::Policy),
            (_, _, Some(_)) if is_foreign => Some(Likely::ForeignPolicy),
            (_, _, Some(_)) => Some(Likely::NoPolicy),
            (_, "undecided", None) if is_foreign && edge.outcome != "established" => Some(Likely::ForeignPolicy),
            _ => None,
        }
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections, consistent, stopped, denied_but_passed, allowed_but_blocked, undecided, .. } = self;
        write!(
            f,
            "{connections} connections with a verdict: {consistent} consistent, {stopped} of them denied and stopped; "
        )?;
        write!(
            f,
            "{denied_but_passed} denied but passed, {allowed_but_blocked} allowed but blocked, {undecided} undecided"
        )?;
        if self.nothing_enforced {
            write!(f, "\nnothing here is enforced: all {denied_but_passed} connections that policies deny passed")?;
        }
        Ok(())
    }
}

impl Likely {
    /// The order in which findings are read.
    pub(super) const fn rank(self) -> u8 {
        self as u8
    }

    pub(super) fn style(self) -> Style {
        match self {
            Self::Policy | Self::NoPolicy => Style::new(),
            Self::ForeignPolicy => AnsiColor::Yellow.on_default(),
            _ => AnsiColor::Red.on_default(),
        }
    }

    pub(super) fn text(self, edge: &Edge) -> String {
        let cause = edge.cause.as_deref().unwrap_or("unknown");
        match self {
            Self::NotEnforced => "the cluster enforces no policy: everything that is denied passed".to_owned(),
            Self::StalePolicy => "a stale policy: others that the same policies deny were stopped".to_owned(),
            Self::PolicyNotEnforced => "these policies are not enforced, though others are".to_owned(),
            Self::BlockedElsewhere => {
                format!("something else drops it, a policy of another kind or a firewall ({cause})")
            }
            Self::ForeignPolicy => "a policy of a kind that only the CNI knows".to_owned(),
            Self::Policy => "the policies stopped it".to_owned(),
            Self::NoPolicy => format!("no policy: {cause}"),
        }
    }
}
