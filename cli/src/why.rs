//! `weir why`: may one reach the other, which rule says so or comes nearest to it, and what came of it lately.
//!
//! Policies and Services come from a folder of objects, what happened from a collector or a lake.

mod place;
mod walk;

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use weir_cluster::manifests;
use weir_model::Protocol;
use weir_model::filter::{Clause, Filter, Operator};
use weir_service::exit::Usage;

use crate::args::{StatusFormat, WhyArgs};
use crate::query::{answer, rows};
use crate::server::Contact;
use place::{Place, PlaceKind, ends};
use walk::{Cluster, Side, Walk};

/// How many connections are shown.
const SHOWN: usize = 5;

/// A connection that was seen.
#[derive(Debug, Deserialize, Serialize)]
struct Seen {
    start_ts: String,
    flow_id: i64,
    dst: Option<String>,
    outcome: String,
    cause: Option<String>,
    verdict: Option<String>,
    audit: Option<String>,
}

/// Answers the question.
pub(crate) async fn why(server: &Contact, args: &WhyArgs) -> Result<()> {
    let (src, dst) = ends(&args.ends)?;
    let protocol = Protocol::parse(&args.protocol).ok_or_else(|| Usage(format!("no protocol: {}", args.protocol)))?;
    let walk = load(&args.cluster)?.walk(&src, &dst, protocol)?;
    let seen = match seen(server, args.lake.as_deref(), &src, &dst).await {
        Ok(seen) => Some(seen),
        Err(error) => {
            eprintln!("note: what happened is not shown: {error:#}");
            None
        }
    };
    let mut out = io::BufWriter::new(anstream::stdout());
    match args.output {
        StatusFormat::Text => write_text(&mut out, &walk, seen.as_deref())?,
        StatusFormat::Json => write_json(&mut out, &walk, seen.as_deref())?,
    }
    out.flush().context("writing to stdout")
}

fn load(dir: &Path) -> Result<Cluster> {
    // The same spelling as the programs' is understood too.
    let plain = dir.to_str().and_then(|text| text.strip_prefix("manifests:")).map_or(dir, Path::new);
    let loaded =
        manifests::load(plain).with_context(|| format!("reading the cluster's objects from {}", plain.display()))?;
    for note in &loaded.notes {
        eprintln!("note: {note}");
    }
    Ok(Cluster::new(loaded.objects))
}

/// The last connections between the two ends, the newest first.
async fn seen(server: &Contact, lake: Option<&Path>, src: &Place, dst: &Place) -> Result<Vec<Seen>> {
    let filter = Filter::default().and_all(of(src, "from")?).and_all(of(dst, "to")?);
    let sql = format!(
        "SELECT start_ts, flow_id, dst_namespace || '/' || dst_name dst, outcome, cause, verdict, audit FROM flows \
         WHERE is_primary AND is_first AND {} ORDER BY start_ts DESC LIMIT {SHOWN}",
        filter.to_sql()
    );
    rows(&answer(server, lake, &sql).await?)
}

/// The flows of one end.
fn of(place: &Place, side: &str) -> Result<Filter> {
    let clause = |field: &str, value: &str| Clause::new(&format!("{side}.{field}"), Operator::Equals, &[value]);
    let clause = match &place.kind {
        PlaceKind::Pod { namespace, name } => {
            // A workload's name is the beginning of its pods' names.
            let pods = [format!("{namespace}/{name}"), format!("{namespace}/{name}-*")];
            Clause::new(&format!("{side}.pod"), Operator::Equals, &pods)?
        }
        PlaceKind::Service { namespace, name } => clause("service", &format!("{namespace}/{name}"))?,
        PlaceKind::Node(name) => clause("node", name)?,
        PlaceKind::Address(ip) => clause("ip", &ip.to_string())?,
    };
    Ok(Filter::new(vec![clause]))
}

fn write_text(out: &mut impl Write, walk: &Walk, seen: Option<&[Seen]>) -> io::Result<()> {
    if let Some(service) = &walk.service {
        writeln!(
            out,
            "Service {}:{}: {} endpoints ready, {} not",
            service.name, service.port, service.ready, service.not_ready
        )?;
    }
    for way in &walk.ways {
        writeln!(out, "{} -> {}:{}  {}  {}", way.src, way.dst, way.port, way.protocol, way.verdict)?;
        write_side(out, "egress", &way.egress)?;
        write_side(out, "ingress", &way.ingress)?;
    }
    let end = if walk.ways.is_empty() { "undecided: nobody takes what is sent there" } else { walk.verdict };
    writeln!(out, "{end}")?;
    let Some(seen) = seen else { return Ok(()) };
    if seen.is_empty() {
        return writeln!(out, "no such connection was seen");
    }
    writeln!(out, "seen, the newest first:")?;
    for seen in seen {
        let word = |word: &Option<String>| word.clone().unwrap_or_else(|| "-".to_owned());
        let cause = seen.cause.as_ref().map(|cause| format!(" ({cause})")).unwrap_or_default();
        let (dst, verdict, audit) = (word(&seen.dst), word(&seen.verdict), word(&seen.audit));
        writeln!(
            out,
            "  {}  {dst}  {}{cause}  {verdict}, {audit}  flow {}",
            seen.start_ts, seen.outcome, seen.flow_id
        )?;
    }
    Ok(())
}

fn write_side(out: &mut impl Write, name: &str, side: &Side) -> io::Result<()> {
    let policies = if side.policies.is_empty() { String::new() } else { format!(": {}", side.policies.join(", ")) };
    let rule = side.rule.map(|rule| format!(" rule {rule}")).unwrap_or_default();
    writeln!(out, "  {name:<8} {}, {}{policies}{rule}", side.verdict, side.reason)?;
    match &side.nearest {
        Some(nearest) => writeln!(out, "           {nearest}"),
        None => Ok(()),
    }
}

fn write_json(out: &mut impl Write, walk: &Walk, seen: Option<&[Seen]>) -> Result<()> {
    #[derive(Serialize)]
    struct Answer<'a> {
        #[serde(flatten)]
        walk: &'a Walk,
        seen: Option<&'a [Seen]>,
    }
    serde_json::to_writer(&mut *out, &Answer { walk, seen })?;
    Ok(writeln!(out)?)
}
