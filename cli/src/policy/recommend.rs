//! `weir policy recommend`: the least network policies for what was seen to work in a namespace, and the proof that they let
//! through all of it and nothing that was denied.
//!
//! Manifests go to stdout, ready for `kubectl apply`; what they leave out, and the proof, to stderr.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use weir_cluster::backtest::Candidate;
use weir_cluster::manifests;
use weir_cluster::objects::{ObjectKind, Objects as ClusterObjects};
use weir_cluster::recommend::{Observed, Recommendation, Seen};
use weir_model::{Timestamp, Verdict};
use weir_service::exit::HintExt as _;

use super::backtest::range;
use super::completeness::{Completeness, span};
use super::past::Past;
use super::replay::{Judged, Objects, Replay};
use crate::args::{ManifestFormat, RecommendArgs};
use crate::progress::spinner;
use crate::server::Contact;
use crate::stored_objects::Source;

/// Left-out edges that are named one by one.
const SHOWN: usize = 50;

/// What the recommended policies would have done to what was seen.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
struct Proof {
    /// Connections that were allowed and worked, and would be.
    still_allowed: u64,
    /// Connections that were allowed and worked, and would be denied or undecided.
    lost: u64,
    /// Connections that were denied, and would be.
    still_denied: u64,
    /// Connections that were denied, and would be let through.
    opened: u64,
    /// Connections that were allowed and failed for other reasons, or that nobody can judge: not let through.
    others: u64,
}

/// Looks, proposes, proves.
pub(crate) async fn recommend(server: &Contact, args: &RecommendArgs) -> Result<()> {
    let (range, bounds) = range(&args.past)?;
    let source = Source { server, lake: args.past.lake.as_deref() };
    let reading = spinner("reading objects");
    let objects = Objects::read(source).await?;
    drop(reading);
    let past = Past { source, range, namespace: Some(&args.namespace) };
    let mut seen = Seen::new(&args.namespace);
    let look = |judged: &Judged<'_>| seen.see(&observed(judged));
    let replay = Replay::run(&past, &objects, &Candidate::default(), bounds, look).await?;
    let history = Completeness::of(&past, &objects, &replay).await?;
    trusted(&history, args)?;

    let now = at_end(&objects, bounds);
    let made = seen.recommend(&now, &objects.history.latest(), args.include_silent);
    let (text, candidate) = candidate(&made, &now, &args.namespace)?;
    let mut proof = Proof::default();
    Replay::run(&past, &objects, &candidate, bounds, |judged| proof.count(judged)).await?;

    let replaced: Vec<String> = candidate.removed.iter().map(|key| key.name.to_string()).collect();
    let told = told(&seen, &made, &history, &proof, &replaced, &args.namespace);
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.output {
        ManifestFormat::Yaml => {
            told.lines().try_for_each(|line| writeln!(out, "# {line}"))?;
            out.write_all(text.as_bytes())?;
        }
        ManifestFormat::Json => writeln!(out, "{}", as_json(&seen, &made, &history, &proof, &candidate)?)?,
    }
    out.flush().context("writing to stdout")?;
    eprint!("{told}");
    if proof.lost > 0 || proof.opened > 0 {
        bail!(
            "the proof fails: {} connections that worked would be denied, {} that were denied let through",
            proof.lost,
            proof.opened
        );
    }
    Ok(())
}

fn observed<'a>(judged: &'a Judged<'_>) -> Observed<'a> {
    Observed {
        conversation: &judged.group.conversation,
        stats: &judged.group.stats,
        outcome: judged.group.outcome,
        judgement: &judged.before,
        snapshot: &judged.snapshot,
    }
}

impl Proof {
    fn count(&mut self, judged: &Judged<'_>) {
        let connections = judged.group.stats.connections;
        let (before, after) = (judged.before.verdict(), judged.after.verdict());
        // Of other protocols than those with ports a NetworkPolicy says nothing, so nothing is promised.
        let worked = observed(judged).worked() && judged.group.conversation.protocol.has_ports();
        let count = match (before, after) {
            (Verdict::Allowed, Verdict::Allowed) if worked => &mut self.still_allowed,
            (Verdict::Allowed, _) if worked => &mut self.lost,
            (Verdict::Denied, Verdict::Allowed) => &mut self.opened,
            (Verdict::Denied, Verdict::Denied) => &mut self.still_denied,
            _ => &mut self.others,
        };
        *count += connections;
    }
}

/// Whether there is enough to conclude from.
fn trusted(history: &Completeness, args: &RecommendArgs) -> Result<()> {
    let mut doubts = Vec::new();
    if history.connections == 0 {
        bail!("no connections of namespace {} are stored in this time", args.namespace);
    }
    if !history.objects_known {
        bail!("no objects of the cluster are stored: nobody can say whose policies these would be");
    }
    if history.span_s < args.min_history.as_secs() {
        doubts.push(format!(
            "the history is short: {} of {} asked for (--min-history)",
            span(history.span_s),
            span(args.min_history.as_secs())
        ));
    }
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let lost = history.lost_packets as f64 * 100.0 / (history.packets + history.lost_packets).max(1) as f64;
    if lost > args.max_loss {
        doubts.push(format!("{lost:.2} % of packets were lost, {} % at most are accepted (--max-loss)", args.max_loss));
    }
    if history.lost_rows > 0 {
        doubts.push(format!("{} rows were lost", history.lost_rows));
    }
    if let Some(since) = history.objects_since
        && history.first_seen.is_some_and(|first| first < since)
    {
        doubts.push(format!("the cluster's objects are known only since {}", since.rfc3339()));
    }
    if doubts.is_empty() {
        return Ok(());
    }
    if args.force {
        for doubt in &doubts {
            eprintln!("warning: {doubt}");
        }
        return Ok(());
    }
    Err(anyhow!("{}", doubts.join("; ")))
        .context("too little is known to recommend policies")
        .hint("wait, look further back with --since, or take the risk with --force")
}

/// The objects of the last epoch.
fn at_end(objects: &Objects, (since, until): (Timestamp, Timestamp)) -> ClusterObjects {
    let mut epochs = objects.changes.epochs(since, until);
    let mut last = ClusterObjects::default();
    let count = epochs.starts().len();
    for number in 1..=count {
        if let Some(objects) = epochs.advance()
            && number == count
        {
            last = objects.clone();
        }
    }
    last
}

/// The manifests, and the same as a change that takes the place of the namespace's policies.
fn candidate(made: &Recommendation, now: &ClusterObjects, namespace: &str) -> Result<(String, Candidate)> {
    let texts: Vec<String> = made.policies.iter().map(ToString::to_string).collect();
    let text = texts.join("---\n");
    let loaded = manifests::parse(&text, "recommendation.yaml").context("reading what was recommended")?;
    let put: Vec<_> = loaded.objects.policies().map(|(_, object)| object.clone()).collect();
    let here = now.policies().map(|(key, _)| key);
    let here = here.filter(|key| key.kind == ObjectKind::NetworkPolicy && *key.namespace == *namespace);
    let removed = here.filter(|key| put.iter().all(|object| object.key() != **key)).cloned().collect();
    Ok((text, Candidate { put, removed }))
}

fn told(
    seen: &Seen,
    made: &Recommendation,
    history: &Completeness,
    proof: &Proof,
    replaced: &[String],
    namespace: &str,
) -> String {
    let mut told = String::new();
    let rules: usize = made.policies.iter().map(weir_cluster::recommend::Proposed::rules).sum();
    let mut say = |line: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(told, "{line}");
    };
    say(format!("{} NetworkPolicies with {rules} rules for namespace {namespace}", made.policies.len()));
    for said in history.sentences() {
        say(format!("history: {said}"));
    }
    say(format!(
        "proof: {} connections that worked stay allowed, {} would not; {} that were denied stay denied, {} would not",
        proof.still_allowed, proof.lost, proof.still_denied, proof.opened
    ));
    if !replaced.is_empty() {
        say(format!(
            "proved in the place of the policies that are there, which apply beside these until they are deleted: {}",
            replaced.join(", ")
        ));
    }
    say("probes: a node always reaches its own pods, so kubelets need no rule".to_owned());
    for note in &made.notes {
        say(format!("note: {note}"));
    }
    let left_out: Vec<_> = seen.left_out().collect();
    for (edge, connections) in left_out.iter().take(SHOWN) {
        let port = edge.port.map(|port| format!(":{port}")).unwrap_or_default();
        say(format!(
            "left out: {} -> {}{port} {}, {connections} connections: {}",
            edge.src, edge.dst, edge.protocol, edge.why
        ));
    }
    if left_out.len() > SHOWN {
        say(format!("left out: {} more edges", left_out.len() - SHOWN));
    }
    told
}

fn as_json(
    seen: &Seen,
    made: &Recommendation,
    history: &Completeness,
    proof: &Proof,
    candidate: &Candidate,
) -> Result<Value> {
    let policies = candidate.put.iter().map(serde_json::to_value).collect::<Result<Vec<_>, _>>()?;
    let left_out: Vec<Value> = seen
        .left_out()
        .map(|(edge, connections)| {
            json!({
                "src": edge.src.to_string(), "dst": edge.dst.to_string(), "protocol": edge.protocol, "port": edge.port,
                "why": edge.why, "connections": connections,
            })
        })
        .collect();
    Ok(json!({
        "apiVersion": "v1", "kind": "List", "items": policies, "proof": proof, "history": history,
        "left_out": left_out, "notes": made.notes,
        "replaces": candidate.removed.iter().map(ToString::to_string).collect::<Vec<_>>(),
    }))
}
