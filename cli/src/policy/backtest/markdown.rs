//! A backtest as a comment below a pull request.

use std::io::{self, Write};

use weir_cluster::backtest::Effect;

use super::report::Report;

/// Rows of one table at most: a comment has a limit.
const SHOWN: usize = 50;

pub(super) fn write(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let summary = &report.summary;
    writeln!(out, "### Network policy backtest\n")?;
    writeln!(out, "| | edges | connections |\n|---|---:|---:|")?;
    for (what, count) in [
        ("**newly denied**", &summary.newly_denied),
        ("**newly allowed**", &summary.newly_allowed),
        ("undecided", &summary.undecided),
        ("unchanged", &summary.unchanged),
    ] {
        writeln!(out, "| {what} | {} | {} |", count.edges, count.connections)?;
    }
    for (effect, title) in [
        (Effect::NewlyDenied, "Newly denied"),
        (Effect::NewlyAllowed, "Newly allowed"),
        (Effect::Undecided, "Undecided"),
    ] {
        let edges = report.of(effect);
        if edges.is_empty() {
            continue;
        }
        writeln!(out, "\n#### {title}\n\n| edge | connections | bytes | last seen | without | with | flow |")?;
        writeln!(out, "|---|---:|---:|---|---|---|---|")?;
        for edge in edges.iter().take(SHOWN) {
            let flow = edge.flows.first().map(ToString::to_string).unwrap_or_default();
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} | {flow} |",
                cell(&edge.name()),
                edge.connections,
                edge.bytes,
                edge.last_seen.rfc3339(),
                cell(&edge.decided_before),
                cell(&edge.decided_after)
            )?;
        }
        if edges.len() > SHOWN {
            writeln!(out, "\n{} more are not shown.", edges.len() - SHOWN)?;
        }
    }
    writeln!(out, "\n#### Candidate\n")?;
    for policy in &report.candidate {
        let decided = policy.rules.iter().filter(|rule| rule.decided > 0).count();
        let is_new = if policy.replaces { "replaces the stored one" } else { "new" };
        let rules = policy.rules.len();
        writeln!(out, "- `{}`: {is_new}, {decided} of {rules} rules decided something", policy.policy)?;
        for rule in policy.rules.iter().filter(|rule| rule.decided == 0) {
            writeln!(out, "  - {} rule {} (line {}) never did", rule.direction, rule.rule, rule.line)?;
        }
    }
    report.removed.iter().try_for_each(|removed| writeln!(out, "- without `{removed}`"))?;
    writeln!(out, "\n#### History\n")?;
    report.history.sentences().into_iter().try_for_each(|said| writeln!(out, "- {}", cell(&said)))
}

/// Text that stays within its cell, and is no markup.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', letter]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}
