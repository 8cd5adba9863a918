//! A backtest for people.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use weir_cluster::backtest::Effect;

use super::report::{EdgeLine, Report};

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for (effect, style) in [
        (Effect::NewlyDenied, AnsiColor::Red.on_default()),
        (Effect::NewlyAllowed, AnsiColor::Yellow.on_default()),
        (Effect::Undecided, Style::new()),
    ] {
        report.of(effect).into_iter().try_for_each(|edge| write_edge(out, edge, style))?;
    }
    let summary = &report.summary;
    for (what, count) in [
        ("newly denied", &summary.newly_denied),
        ("newly allowed", &summary.newly_allowed),
        ("undecided", &summary.undecided),
        ("unchanged", &summary.unchanged),
    ] {
        writeln!(out, "{what}: {} edges, {} connections", count.edges, count.connections)?;
    }
    if summary.unlisted_connections > 0 {
        writeln!(out, "not listed: {} connections of further edges", summary.unlisted_connections)?;
    }
    write_candidate(out, report)?;
    report.history.sentences().into_iter().try_for_each(|said| writeln!(out, "history: {said}"))
}

fn write_edge(out: &mut impl Write, edge: &EdgeLine, style: Style) -> io::Result<()> {
    let plural = if edge.connections == 1 { "" } else { "s" };
    writeln!(
        out,
        "{style}{}{style:#}  {}  {} connection{plural}, {} bytes",
        edge.effect,
        edge.name(),
        edge.connections,
        edge.bytes
    )?;
    writeln!(out, "    without: {}, {}", edge.verdict_before, edge.decided_before)?;
    writeln!(out, "    with:    {}, {}", edge.verdict_after, edge.decided_after)?;
    let flows: Vec<String> = edge.flows.iter().map(ToString::to_string).collect();
    writeln!(
        out,
        "    from {} to {}, flows such as {}",
        edge.first_seen.rfc3339(),
        edge.last_seen.rfc3339(),
        flows.join(", ")
    )
}

fn write_candidate(out: &mut impl Write, report: &Report) -> io::Result<()> {
    for policy in &report.candidate {
        let is_new = if policy.replaces { "replaces the one that is stored" } else { "new" };
        writeln!(out, "candidate: {} ({}:{}), {is_new}", policy.policy, policy.file, policy.line)?;
        for rule in &policy.rules {
            let decided = match rule.decided {
                0 => "never decided".to_owned(),
                connections => format!("decided {connections} connections"),
            };
            writeln!(out, "    {} rule {}: {decided}", rule.direction, rule.rule)?;
        }
        if policy.denied_by_default > 0 {
            writeln!(out, "    no rule matched: {} connections denied", policy.denied_by_default)?;
        }
    }
    report.removed.iter().try_for_each(|removed| writeln!(out, "candidate: without {removed}"))
}
