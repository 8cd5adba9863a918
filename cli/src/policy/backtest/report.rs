//! What came of a backtest, in one value: written as JSON as it is, and the source of every other form.

use serde::Serialize;
use weir_cluster::backtest::{Changes, Edge, Effect, Stats};
use weir_cluster::objects::ObjectKey;
use weir_model::Timestamp;

use super::candidate::Given;
use crate::policy::completeness::Completeness;
use crate::policy::replay::Replay;

/// The whole answer.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) summary: Summary,
    pub(super) edges: Vec<EdgeLine>,
    pub(super) candidate: Vec<PolicyLine>,
    pub(super) removed: Vec<String>,
    pub(super) history: Completeness,
}

/// Edges and connections by what the candidate does to them.
#[derive(Serialize)]
pub(super) struct Summary {
    pub(super) newly_denied: Count,
    pub(super) newly_allowed: Count,
    pub(super) undecided: Count,
    pub(super) unchanged: Count,
    /// Connections of changed edges beyond those that are listed.
    pub(super) unlisted_connections: u64,
}

#[derive(Serialize)]
pub(super) struct Count {
    pub(super) edges: usize,
    pub(super) connections: u64,
}

/// One edge that the candidate changes, or that nobody can judge.
#[derive(Serialize)]
pub(super) struct EdgeLine {
    pub(super) effect: &'static str,
    pub(super) src: String,
    pub(super) dst: String,
    pub(super) protocol: String,
    pub(super) port: Option<u16>,
    pub(super) verdict_before: &'static str,
    pub(super) verdict_after: &'static str,
    pub(super) decided_before: String,
    pub(super) decided_after: String,
    pub(super) connections: u64,
    pub(super) bytes: u64,
    pub(super) first_seen: Timestamp,
    pub(super) last_seen: Timestamp,
    pub(super) flows: Vec<i64>,
}

impl EdgeLine {
    fn of((edge, stats): (&Edge, &Stats)) -> Self {
        Self {
            effect: edge.effect.name(),
            src: edge.src.to_string(),
            dst: edge.dst.to_string(),
            protocol: edge.protocol.clone(),
            port: edge.port,
            verdict_before: edge.verdicts.0,
            verdict_after: edge.verdicts.1,
            decided_before: edge.before.clone(),
            decided_after: edge.after.clone(),
            connections: stats.connections,
            bytes: stats.bytes,
            first_seen: stats.first_seen,
            last_seen: stats.last_seen,
            flows: stats.flows.clone(),
        }
    }

    /// `shop/web -> shop/db:5432 tcp`.
    pub(super) fn name(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{} -> {}{port} {}", self.src, self.dst, self.protocol)
    }
}

/// One policy of the candidate, and what it did.
#[derive(Serialize)]
pub(super) struct PolicyLine {
    #[serde(skip)]
    pub(super) key: ObjectKey,
    pub(super) policy: String,
    /// An object of this key was there at some time, and is compared with.
    pub(super) replaces: bool,
    pub(super) file: String,
    pub(super) line: usize,
    /// Connections that no rule of it matches.
    pub(super) denied_by_default: u64,
    pub(super) rules: Vec<RuleLine>,
}

/// One rule of it.
#[derive(Serialize)]
pub(super) struct RuleLine {
    pub(super) direction: &'static str,
    pub(super) rule: u32,
    pub(super) line: usize,
    /// Connections that it decided.
    pub(super) decided: u64,
}

impl Report {
    pub(super) fn new(replay: &Replay, given: &Given, changes: &Changes, history: Completeness) -> Self {
        let tally = &replay.tally;
        let count = |effect| Count { edges: tally.of(effect).count(), connections: tally.connections(effect) };
        let lines = replay.exercise.policies().iter().map(|used| {
            let place = given.places.get(&used.key);
            let line = |way, index| place.map_or(1, |place| place.lines.rule(way, index));
            let rules = used.rules.iter().map(|rule| RuleLine {
                direction: rule.way.name(),
                rule: rule.index,
                line: line(rule.way, rule.index),
                decided: rule.decided,
            });
            PolicyLine {
                key: used.key.clone(),
                policy: used.key.to_string(),
                replaces: changes.policies().any(|known| *known == used.key),
                file: place.map(|place| place.path.display().to_string()).unwrap_or_default(),
                line: place.map_or(1, |place| place.lines.object),
                denied_by_default: used.isolated,
                rules: rules.collect(),
            }
        });
        Self {
            summary: Summary {
                newly_denied: count(Effect::NewlyDenied),
                newly_allowed: count(Effect::NewlyAllowed),
                undecided: count(Effect::Undecided),
                unchanged: Count { edges: tally.unchanged(), connections: tally.connections(Effect::Unchanged) },
                unlisted_connections: tally.unlisted(),
            },
            edges: tally.edges().map(EdgeLine::of).collect(),
            candidate: lines.collect(),
            removed: given.candidate.removed.iter().map(ToString::to_string).collect(),
            history,
        }
    }

    /// Edges of an effect, the busiest first.
    pub(super) fn of(&self, effect: Effect) -> Vec<&EdgeLine> {
        let mut edges: Vec<&EdgeLine> = self.edges.iter().filter(|edge| edge.effect == effect.name()).collect();
        edges.sort_by_key(|edge| std::cmp::Reverse(edge.connections));
        edges
    }
}
