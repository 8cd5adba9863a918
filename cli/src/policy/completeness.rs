//! How complete the history is that something is concluded from: how long it is, what was lost, who was not watched.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use weir_model::Timestamp;

use super::past::Past;
use super::replay::{Objects, Replay};
use crate::query::{answer, rows};

/// How complete a history is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Completeness {
    /// Stored connections in the range.
    pub(crate) connections: u64,
    pub(crate) first_seen: Option<Timestamp>,
    pub(crate) last_seen: Option<Timestamp>,
    /// Seconds between them.
    pub(crate) span_s: u64,
    /// Since when the cluster's objects are known; `None` = they have always been so, or none is.
    pub(crate) objects_since: Option<Timestamp>,
    pub(crate) objects_known: bool,
    /// How often policies, labels, nodes or hosts of pods changed.
    pub(crate) epochs: usize,
    /// Connections that nobody can judge by the policies of their time, by reason.
    pub(crate) undecided: std::collections::BTreeMap<&'static str, u64>,
    /// Connections that policies cannot be about.
    pub(crate) no_policy_matter: u64,
    /// Connections whose stored verdict is not the one of the stored objects.
    pub(crate) stored_otherwise: u64,
    /// Packets of all taps in the range, and those that were lost as far as that is known.
    pub(crate) packets: u64,
    pub(crate) lost_packets: u64,
    /// Rows that were lost, and spans of loss.
    pub(crate) lost_rows: u64,
    pub(crate) losses: u64,
    /// Pods that had no tap at some time.
    pub(crate) pods_without_tap: u64,
    /// Nodes whose agents watched.
    pub(crate) nodes: u64,
}

#[derive(Deserialize)]
struct Sums {
    packets: u64,
    lost_packets: u64,
    lost_rows: u64,
    losses: u64,
    pods_without_tap: u64,
    nodes: u64,
}

impl Completeness {
    pub(crate) async fn of(past: &Past<'_>, objects: &Objects, replay: &Replay) -> Result<Self> {
        let spans = past.range.to_sql().replace("first_ts", "from_ts").replace("last_ts", "to_ts");
        let sql = format!(
            "SELECT coalesce((SELECT sum(packets_fwd + packets_rev) FROM flows WHERE {flows}), 0) packets, \
             coalesce((SELECT sum(packets) FROM losses WHERE {spans}), 0) lost_packets, \
             coalesce((SELECT sum(rows) FROM losses WHERE {spans}), 0) lost_rows, \
             (SELECT count(*) FROM losses WHERE {spans}) losses, \
             (SELECT count(DISTINCT namespace || '/' || name) FROM coverage WHERE interface IS NULL AND {spans}) \
             pods_without_tap, \
             (SELECT count(DISTINCT node) FROM coverage WHERE {spans}) nodes",
            flows = past.range.to_sql(),
        );
        let found: Vec<Sums> =
            rows(&answer(past.source.server, past.source.lake, &sql).await.context("reading losses and coverage")?)?;
        let sums = found.into_iter().next().context("no sums")?;
        let span = replay.first_seen.zip(replay.last_seen).map_or(0, |(first, last)| last.since(first));
        let known = objects.changes.known_since();
        Ok(Self {
            connections: replay.connections,
            first_seen: replay.first_seen,
            last_seen: replay.last_seen,
            span_s: u64::try_from(span / 1_000_000_000).unwrap_or_default(),
            objects_since: known.filter(|since| *since > Timestamp(i64::MIN)),
            objects_known: known.is_some(),
            epochs: replay.epochs,
            undecided: replay.reasons.clone(),
            no_policy_matter: replay.aside,
            stored_otherwise: replay.stored_otherwise,
            packets: sums.packets,
            lost_packets: sums.lost_packets,
            lost_rows: sums.lost_rows,
            losses: sums.losses,
            pods_without_tap: sums.pods_without_tap,
            nodes: sums.nodes,
        })
    }

    /// In sentences, what is to be known first.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        match (self.first_seen, self.last_seen) {
            (Some(first), Some(last)) => said.push(format!(
                "{} connections from {} to {} ({}), seen by agents of {} nodes",
                self.connections,
                first.rfc3339(),
                last.rfc3339(),
                span(self.span_s),
                self.nodes
            )),
            _ => said.push("no connections are stored in this time".to_owned()),
        }
        said.push(match (self.objects_known, self.objects_since) {
            (false, _) => "no objects of the cluster are stored: nothing can be judged".to_owned(),
            (true, None) => "the cluster's objects are known for all of it".to_owned(),
            (true, Some(since)) => format!("the cluster's objects are known since {}", since.rfc3339()),
        });
        let undecided: u64 = self.undecided.values().sum();
        if undecided > 0 {
            let reasons: Vec<String> = self.undecided.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
            said.push(format!("{undecided} connections were undecided then: {}", reasons.join(", ")));
        }
        if self.losses > 0 {
            said.push(format!(
                "lost: {} packets and {} rows in {} spans, as far as that is known",
                self.lost_packets, self.lost_rows, self.losses
            ));
        }
        if self.pods_without_tap > 0 {
            said.push(format!("{} pods had no tap at some time: what they did may be missing", self.pods_without_tap));
        }
        if self.stored_otherwise > 0 {
            said.push(format!(
                "{} connections are stored with another verdict than the stored objects give",
                self.stored_otherwise
            ));
        }
        said
    }
}

/// Seconds in words.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
