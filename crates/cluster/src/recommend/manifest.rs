//! Proposed policies as text: manifests for `kubectl apply`, with the flows behind each rule as comments.

use std::fmt::{self, Write};
use std::sync::Arc;

use super::{Peer, Ports, Proposed, Rule};
use crate::backtest::Stats;

impl Proposed {
    /// The name of the policy.
    pub fn name(&self) -> String {
        format!("{}-seen", self.workload.1)
    }

    /// How many rules it has.
    pub fn rules(&self) -> usize {
        self.ingress.len() + self.egress.len()
    }
}

/// The manifest.
impl fmt::Display for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (namespace, workload) = &self.workload;
        writeln!(f, "# {namespace}/{workload}: {} pods, selected exactly", self.pods)?;
        writeln!(f, "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:")?;
        writeln!(f, "  name: {}\n  namespace: {}", text(&self.name()), text(namespace))?;
        writeln!(f, "  labels:\n    app.kubernetes.io/managed-by: weir\nspec:\n  podSelector:")?;
        labels(f, &self.selector, 4)?;
        writeln!(f, "  policyTypes:\n    - Ingress\n    - Egress")?;
        rules(f, "ingress", "from", &self.ingress)?;
        rules(f, "egress", "to", &self.egress)
    }
}

fn rules(f: &mut fmt::Formatter<'_>, way: &str, peers: &str, rules: &[Rule]) -> fmt::Result {
    if rules.is_empty() {
        return writeln!(f, "  {way}: []");
    }
    writeln!(f, "  {way}:")?;
    for rule in rules {
        if let Some(note) = &rule.note {
            writeln!(f, "    # {note}")?;
        }
        writeln!(f, "    - {peers}:")?;
        rule.peers.iter().try_for_each(|one| peer(f, one))?;
        writeln!(f, "      ports:")?;
        rule.ports.iter().try_for_each(|one| ports(f, one))?;
    }
    Ok(())
}

fn peer(f: &mut fmt::Formatter<'_>, peer: &Peer) -> fmt::Result {
    match peer {
        Peer::Pods { namespace, labels: wanted, name } => {
            writeln!(f, "        # {name}")?;
            if let Some(namespace) = namespace {
                writeln!(f, "        - namespaceSelector:\n            matchLabels:")?;
                writeln!(f, "              kubernetes.io/metadata.name: {}", text(namespace))?;
                writeln!(f, "          podSelector:")?;
            } else {
                writeln!(f, "        - podSelector:")?;
            }
            labels(f, wanted, 12)
        }
        Peer::Block { cidr, except } => {
            writeln!(f, "        - ipBlock:\n            cidr: {}", text(&cidr.to_string()))?;
            if except.is_empty() {
                return Ok(());
            }
            writeln!(f, "            except:")?;
            except.iter().try_for_each(|net| writeln!(f, "              - {}", text(&net.to_string())))
        }
    }
}

fn labels(
    f: &mut fmt::Formatter<'_>,
    labels: &std::collections::BTreeMap<Arc<str>, Arc<str>>,
    indent: usize,
) -> fmt::Result {
    writeln!(f, "{:indent$}matchLabels:", "")?;
    labels.iter().try_for_each(|(key, value)| writeln!(f, "{:indent$}  {}: {}", "", text(key), text(value)))
}

fn ports(f: &mut fmt::Formatter<'_>, ports: &Ports) -> fmt::Result {
    match &ports.stats {
        Some(stats) => writeln!(f, "        # {}", cited(stats))?,
        None => writeln!(f, "        # not seen: names are looked up by everybody")?,
    }
    writeln!(f, "        - protocol: {}", ports.protocol.to_string().to_ascii_uppercase())?;
    writeln!(f, "          port: {}", ports.port)?;
    ports.end.map_or(Ok(()), |end| writeln!(f, "          endPort: {end}"))
}

/// The flows behind a rule.
fn cited(stats: &Stats) -> String {
    let flows: Vec<String> = stats.flows.iter().map(ToString::to_string).collect();
    format!(
        "{} connections, {} to {}, flow {}",
        stats.connections,
        stats.first_seen.rfc3339(),
        stats.last_seen.rfc3339(),
        flows.first().map_or("?", String::as_str)
    )
}

/// A scalar that stays text, whatever it looks like.
fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for letter in value.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            letter if letter.is_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    out
}
