//! What an answer lacks: losses in its span of time, nodes without an agent, pods without a tap. One line for people, on
//! stderr, beneath the answer.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use weir_model::Timestamp;
use weir_proto::v1;
use weir_proto::v1::node_status::State;

use crate::query::{answer, rows};
use crate::server::{Contact, connect, refused};

/// A tap that is open is told of once a window: so long before the answer's span the word on it may lie, in nanoseconds.
const TOLD_WITHIN_NS: i64 = 300_000_000_000;

/// What was lost at one stage of one node's agent.
#[derive(Debug, Deserialize)]
struct Lost {
    node: Option<String>,
    stage: String,
    packets: Option<i64>,
    rows: Option<i64>,
    /// Losses whose amount nobody knows.
    unknown: i64,
}

/// Pods of a node that had no tap.
#[derive(Debug, Deserialize)]
struct Untapped {
    node: String,
    pods: i64,
}

#[derive(Debug, Deserialize)]
struct Unwatched {
    name: String,
}

/// What is missing between two times.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    lost: Vec<Lost>,
    untapped: Vec<Untapped>,
    nodes: BTreeSet<String>,
}

impl Missing {
    /// Asks the collector, or the lake in a folder.
    pub(crate) async fn read(server: &Contact, lake: Option<&Path>, from: Timestamp, to: Timestamp) -> Result<Self> {
        let ask = async |statement: String| answer(server, lake, &statement).await.context("asking what is missing");
        let (since, until) = (from.as_micros(), to.as_micros());
        let span = format!("cast(from_ts AS bigint) <= {until} AND cast(to_ts AS bigint) >= {since}");
        let lost = ask(format!(
            "SELECT node, stage, sum(packets) AS packets, sum(rows) AS rows, \
             count(*) FILTER (WHERE packets IS NULL AND rows IS NULL) AS unknown \
             FROM losses WHERE {span} GROUP BY node, stage ORDER BY node, stage"
        ));
        let untapped = ask(format!(
            "SELECT node, count(DISTINCT namespace || '/' || name) AS pods FROM coverage \
             WHERE interface IS NULL AND name IS NOT NULL AND {span} GROUP BY node ORDER BY node"
        ));
        let told = from.plus_ns(-TOLD_WITHIN_NS).as_micros();
        let unwatched = ask(format!(
            "WITH known AS (SELECT name, event, row_number() OVER (PARTITION BY name ORDER BY seen_ts DESC) AS age \
                 FROM objects WHERE kind = 'Node' AND (since_ts IS NULL OR cast(since_ts AS bigint) <= {until})) \
             SELECT name FROM known WHERE age = 1 AND event = 'applied' AND name NOT IN \
                 (SELECT node FROM coverage WHERE node IS NOT NULL AND cast(from_ts AS bigint) <= {until} \
                  AND cast(to_ts AS bigint) >= {told})"
        ));
        let (lost, untapped, unwatched) = (rows(&lost.await?)?, rows(&untapped.await?)?, unwatched.await?);
        let mut nodes: BTreeSet<String> = rows(&unwatched)?.into_iter().map(|node: Unwatched| node.name).collect();
        if lake.is_none() && !nodes.is_empty() {
            // Of an agent that has just come no span is over yet.
            for connected in connected(server).await? {
                nodes.remove(&connected);
            }
        }
        Ok(Self { lost, untapped, nodes })
    }

    /// Says it.
    pub(crate) fn tell(&self) {
        eprintln!("{}", self.text());
    }

    /// In words.
    pub(crate) fn text(&self) -> String {
        let lost = self.lost.iter().map(Lost::text);
        let nodes = self.nodes.iter().map(|node| format!("{node} has no agent"));
        let untapped =
            self.untapped.iter().map(|Untapped { node, pods }| format!("{node} has {pods} pods without a tap"));
        let parts: Vec<String> = lost.chain(nodes).chain(untapped).collect();
        if parts.is_empty() { "complete".to_owned() } else { format!("incomplete: {}", parts.join("; ")) }
    }
}

impl Lost {
    fn text(&self) -> String {
        let counts = [("packets", self.packets), ("rows", self.rows)];
        let known =
            counts.iter().filter_map(|(what, count)| count.filter(|count| *count > 0).map(|n| format!("{n} {what}")));
        let unknown = (self.unknown > 0).then(|| "an unknown amount".to_owned());
        let amounts: Vec<String> = known.chain(unknown).collect();
        format!("{} lost {} at {}", self.node.as_deref().unwrap_or("the collector"), amounts.join(", "), self.stage)
    }
}

/// Nodes whose agents are connected.
async fn connected(server: &Contact) -> Result<Vec<String>> {
    let mut client = connect(server).await?;
    let nodes = client.get_nodes(v1::GetNodesRequest {}).await.map_err(|status| refused(&status))?.into_inner().nodes;
    let is_here = |node: &v1::NodeStatus| node.state() == State::Connected;
    Ok(nodes.into_iter().filter(is_here).map(|node| node.node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_gaps_is_complete_and_any_other_names_them() {
        assert_eq!(Missing::default().text(), "complete");
        let lost =
            |packets, rows, unknown| Lost { node: Some("a".into()), stage: "spool".into(), packets, rows, unknown };
        let missing = Missing {
            lost: vec![lost(Some(7), Some(2), 0), lost(None, None, 1)],
            untapped: vec![Untapped { node: "a".into(), pods: 3 }],
            nodes: ["b".to_owned()].into(),
        };
        assert_eq!(
            missing.text(),
            "incomplete: a lost 7 packets, 2 rows at spool; a lost an unknown amount at spool; b has no agent; \
             a has 3 pods without a tap"
        );
    }
}
