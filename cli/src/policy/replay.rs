//! Stored connections judged by the policies of their time, without a candidate and with it.

use std::collections::BTreeMap;

use anyhow::Result;
use weir_cluster::backtest::{Candidate, Changes, Exercise, Tally};
use weir_cluster::policy::{PolicyOptions, PolicySet};
use weir_cluster::{History, Snapshot};
use weir_model::{Judgement, Timestamp, Verdict};

use super::past::{Group, Past, slices};
use crate::progress::bar;
use crate::reattribute::history::remembering;
use crate::stored_objects::{Event, Source, each};

/// The cluster's objects, for who had which address and for what policies said.
pub(crate) struct Objects {
    pub(crate) history: History,
    pub(crate) changes: Changes,
}

impl Objects {
    pub(crate) async fn read(source: Source<'_>) -> Result<Self> {
        let mut objects = Self { history: remembering(Vec::new()), changes: Changes::default() };
        each(source, |event, since| match event {
            Event::Applied(object) => {
                objects.history.apply(&object, since);
                objects.changes.apply(object, since);
            }
            Event::Removed(key) => {
                objects.history.remove(&key, since);
                objects.changes.remove(key, since);
            }
        })
        .await?;
        Ok(objects)
    }
}

/// A group as it fares without the candidate and with it.
pub(crate) struct Judged<'a> {
    pub(crate) group: &'a Group,
    /// The cluster when it began.
    pub(crate) snapshot: Snapshot,
    pub(crate) before: Judgement,
    pub(crate) after: Judgement,
}

/// What came of a replay, beside what `each` was told.
#[derive(Default)]
pub(crate) struct Replay {
    pub(crate) tally: Tally,
    pub(crate) exercise: Exercise,
    pub(crate) connections: u64,
    /// Connections that no policy can be about.
    pub(crate) aside: u64,
    /// Connections that were stored with another verdict than they have by the stored objects.
    pub(crate) stored_otherwise: u64,
    /// Reasons of undecided ones, with connections.
    pub(crate) reasons: BTreeMap<&'static str, u64>,
    pub(crate) first_seen: Option<Timestamp>,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) epochs: usize,
}

impl Replay {
    /// Replays the connections that began within `bounds`; every group is told to `each`.
    pub(crate) async fn run(
        past: &Past<'_>,
        objects: &Objects,
        candidate: &Candidate,
        bounds: (Timestamp, Timestamp),
        mut each: impl FnMut(&Judged<'_>),
    ) -> Result<Self> {
        let (since, until) = past.within(bounds).await?;
        let mut epochs = objects.changes.epochs(since, until);
        let starts = epochs.starts().to_vec();
        let slices = slices(&starts, until);
        let mut replay = Self { exercise: Exercise::of(&candidate.put), epochs: starts.len(), ..Self::default() };
        let mut known = 0;
        let mut sets: Option<(usize, PolicySet, PolicySet)> = None;
        let progress = bar("replaying connections", slices.len() as u64);
        for (number, slice) in slices.iter().enumerate() {
            let mut groups = past.groups(slice, number == 0).await?;
            groups.sort_by_key(|group| group.epoch);
            for same in groups.chunk_by(|one, other| one.epoch == other.epoch) {
                let epoch = same.first().map_or(0, |group| group.epoch);
                if sets.as_ref().is_none_or(|(of, ..)| *of != epoch) {
                    let mut now = None;
                    while known <= epoch {
                        now = epochs.advance();
                        known += 1;
                    }
                    sets = now.map(|objects| {
                        let before = PolicySet::build(objects, PolicyOptions::default());
                        let after = candidate.tried(objects, &before);
                        (epoch, before, after)
                    });
                }
                let Some((_, before, after)) = &sets else { continue };
                for group in same {
                    if let Some(judged) = replay.judge(group, objects, (before, after)) {
                        each(&judged);
                    }
                }
            }
            progress.step();
        }
        Ok(replay)
    }

    fn judge<'a>(
        &mut self,
        group: &'a Group,
        objects: &Objects,
        (before, after): (&PolicySet, &PolicySet),
    ) -> Option<Judged<'a>> {
        let stats = &group.stats;
        self.connections += stats.connections;
        self.first_seen = Some(self.first_seen.map_or(stats.first_seen, |first| first.min(stats.first_seen)));
        self.last_seen = Some(self.last_seen.map_or(stats.last_seen, |last| last.max(stats.last_seen)));
        let snapshot = objects.history.snapshot(group.start);
        let Some(ends) = group.conversation.replay(&snapshot) else {
            self.aside += stats.connections;
            return None;
        };
        let (before, after) = (ends.judge(before), ends.judge(after));
        let verdict = before.verdict();
        if group.stored.is_some_and(|stored| stored != verdict) {
            self.stored_otherwise += stats.connections;
        }
        for side in [&before.egress, &before.ingress] {
            if side.verdict == Verdict::Undecided {
                *self.reasons.entry(side.reason.name()).or_default() += stats.connections;
                break;
            }
        }
        self.exercise.count(&after, stats.connections);
        self.tally.add(&group.conversation, &before, &after, stats);
        Some(Judged { group, snapshot, before, after })
    }
}
