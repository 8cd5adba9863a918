//! What is said of a connection beside its outcome, in a few words: only where there is something to look at.

use weir_model::{Record, Value};

/// `denied by shop/db-allow-web`, `denied by shop/db-allow-web, but passed`, `no-endpoints`. Empty = it was allowed and went
/// through, or nothing is known.
pub(crate) fn verdict(row: &Record) -> String {
    let word = |column| row.get(column).as_text().unwrap_or_default();
    let cause = word("cause");
    match (word("verdict"), word("audit")) {
        ("denied", "denied-but-passed") => format!("denied{}, but passed", denying(row)),
        ("denied", _) => format!("denied{}", denying(row)),
        (_, "allowed-but-blocked") => format!("allowed, but blocked ({cause})"),
        _ => cause.to_owned(),
    }
}

/// ` by` the policies of the sides that deny it.
fn denying(row: &Record) -> String {
    let sides = [("egress_verdict", "egress_policies"), ("ingress_verdict", "ingress_policies")];
    let denying = sides.into_iter().filter(|(verdict, _)| row.get(verdict).as_text() == Some("denied"));
    let mut policies: Vec<&str> = denying
        .filter_map(|(_, policies)| if let Value::TextList(names) = row.get(policies) { Some(names) } else { None })
        .flat_map(|names| names.iter().map(|name| &**name))
        .collect();
    policies.dedup();
    if policies.is_empty() { String::new() } else { format!(" by {}", policies.join(", ")) }
}

/// The style of those words.
pub(crate) fn verdict_style(row: &Record) -> anstyle::Style {
    match row.get("audit").as_text() {
        Some("denied-but-passed" | "allowed-but-blocked") => anstyle::AnsiColor::Red.on_default(),
        _ => anstyle::Style::new(),
    }
}
