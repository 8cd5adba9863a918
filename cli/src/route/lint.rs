//! `weir route lint`: what is wrong with Ingress and Gateway rules, one finding a line.

use std::io::{self, BufWriter, Write as _};

use anyhow::{Result, bail};
use serde_json::json;
use weir_cluster::manifests::Salvage;
use weir_cluster::route::{RouteOptions, Routes, Severity};

use super::{is_unread, load};
use crate::args::{LineFormat, RouteLintArgs};

/// Prints findings; an error where one of them is.
pub(crate) fn lint(args: &RouteLintArgs) -> Result<()> {
    let Salvage { loaded, problems } = load(&args.rules.cluster)?;
    let objects = &loaded.objects;
    if !objects.iter().any(|(key, _)| key.kind.is_routing())
        && problems.is_empty()
        && loaded.notes.iter().all(|note| !is_unread(note))
    {
        bail!("no Ingress, Gateway or route among the objects of {}", args.rules.cluster.display());
    }
    let routes = Routes::build(objects, &RouteOptions { ingress_class: args.rules.class.clone() });
    let mut out = BufWriter::new(io::stdout().lock());
    let mut errors = 0_usize;
    let (unread, others): (Vec<_>, Vec<_>) = loaded.notes.iter().partition(|note| is_unread(note));
    for note in others {
        eprintln!("note: {note}");
    }
    let left_out = problems.iter().map(|problem| format!("left out: {problem}"));
    for text in unread.iter().map(ToString::to_string).chain(left_out) {
        errors += 1;
        match args.output {
            LineFormat::Text => writeln!(out, "error: {text} [unreadable]")?,
            LineFormat::Json => {
                writeln!(out, "{}", json!({"severity": "error", "check": "unreadable", "message": text}))?;
            }
        }
    }
    for finding in routes.findings() {
        let severity = finding.check.severity();
        errors += usize::from(severity == Severity::Error);
        match args.output {
            LineFormat::Text => writeln!(out, "{finding}")?,
            LineFormat::Json => {
                let line = json!({
                    "severity": severity.name(),
                    "check": finding.check.name(),
                    "kind": finding.object.kind.name(),
                    "namespace": &*finding.object.namespace,
                    "name": &*finding.object.name,
                    "field": finding.field,
                    "message": finding.message,
                });
                writeln!(out, "{line}")?;
            }
        }
    }
    out.flush()?;
    if errors > 0 {
        bail!("{errors} errors in the rules");
    }
    Ok(())
}
