//! The least `NetworkPolicies` that let through what was seen to work: judged conversations come in, manifests go out.
//!
//! Each workload of a namespace that had traffic gets one policy for both directions. Only what was allowed and worked is
//! let through; all else is named. What is proposed is text for people to read first, each rule with the flows behind it.

mod blocks;
mod manifest;
mod seen;
mod selector;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use weir_model::Protocol;

use crate::Snapshot;
use crate::backtest::Stats;
use crate::objects::{Node, Objects};
pub use seen::{LeftOut, Observed, Seen};
use selector::{Chosen, Workloads};

/// What is proposed.
#[derive(Debug, Default)]
pub struct Recommendation {
    /// One for each workload, by name.
    pub policies: Vec<Proposed>,
    /// What people have to know.
    pub notes: Vec<String>,
}

/// The policy of one workload.
#[derive(Debug)]
pub struct Proposed {
    /// Namespace and name of the workload.
    pub workload: (Arc<str>, Arc<str>),
    /// Its pods now.
    pub pods: usize,
    selector: BTreeMap<Arc<str>, Arc<str>>,
    ingress: Vec<Rule>,
    egress: Vec<Rule>,
}

/// One rule.
#[derive(Debug)]
struct Rule {
    peers: Vec<Peer>,
    ports: Vec<Ports>,
    /// What people have to know of it.
    note: Option<String>,
}

/// Peers as manifests say them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Peer {
    Pods { namespace: Option<Arc<str>>, labels: BTreeMap<Arc<str>, Arc<str>>, name: String },
    Block { cidr: IpNet, except: Vec<IpNet> },
}

/// Ports of one protocol, with what was seen there.
#[derive(Clone, Debug)]
struct Ports {
    protocol: Protocol,
    port: u16,
    end: Option<u16>,
    stats: Option<Stats>,
}

/// Ports of one peer and protocol beyond this many become one range.
const MAX_PORTS: usize = 32;

impl Seen {
    /// Proposes policies for the objects of now. Workloads without traffic get one only where `silent_too`.
    pub fn recommend(&self, objects: &Objects, snapshot: &Snapshot, silent_too: bool) -> Recommendation {
        let workloads = Workloads::of(objects, snapshot);
        let mut made = Recommendation::default();
        let all: BTreeSet<&Arc<str>> = workloads.in_namespace(self.namespace()).chain(self.subjects()).collect();
        for name in all {
            let workload = (Arc::clone(self.namespace()), Arc::clone(name));
            let has_traffic = self.subjects().any(|subject| subject == name);
            if !has_traffic && !silent_too {
                made.notes.push(format!("{}/{name} had no traffic and gets no policy", workload.0));
                continue;
            }
            match workloads.choose(&workload) {
                Chosen::Exactly { labels, pods } => {
                    let rules = |way| self.rules(name, way, &workloads, objects, &mut made.notes);
                    let (ingress, egress) = both(rules);
                    made.policies.push(Proposed { workload, pods, selector: labels, ingress, egress });
                }
                Chosen::More { others, .. } => made.notes.push(format!(
                    "{}/{name} gets no policy: no stable labels select its pods alone, they are those of {} too",
                    workload.0,
                    others.join(", ")
                )),
                Chosen::Gone => {
                    made.notes.push(format!("{}/{name} has no pods any more and gets no policy", workload.0));
                }
            }
        }
        made
    }

    fn rules(
        &self,
        workload: &Arc<str>,
        way: Way,
        workloads: &Workloads<'_>,
        objects: &Objects,
        notes: &mut Vec<String>,
    ) -> Vec<Rule> {
        let mut talks = self.talks(workload, way);
        if way == Way::Egress {
            add_dns(&mut talks, workloads);
        }
        let mut rules = Vec::new();
        let mut outside: BTreeMap<Vec<(Protocol, u16)>, Outside> = BTreeMap::new();
        for (who, ports) in talks {
            match who {
                Talks::Workload(namespace, name) => {
                    let workload = (namespace, name);
                    rules.extend(of_workload(&workload, self.namespace(), ports, workloads, notes));
                }
                Talks::Nodes => {
                    let ips: BTreeSet<IpAddr> = objects.nodes().flat_map(Node::ips).collect();
                    let peers = ips.into_iter().map(|ip| Peer::Block { cidr: IpNet::from(ip), except: Vec::new() });
                    let note =
                        "nodes and pods of their network: told apart by nobody, so every node's address".to_owned();
                    rules.push(Rule { peers: peers.collect(), ports: port_list(ports), note: Some(note) });
                }
                Talks::Address(ip) => {
                    let key = ports.keys().copied().collect();
                    let outside = outside.entry(key).or_default();
                    outside.ips.insert(ip);
                    for (port, stats) in ports {
                        merge(outside.ports.entry(port).or_default(), stats);
                    }
                }
            }
        }
        for outside in outside.into_values() {
            let (peers, note) = blocks::of(&outside.ips, objects);
            rules.push(Rule { peers, ports: port_list(outside.ports), note });
        }
        // A list of nobody would mean everybody.
        rules.retain(|rule| !rule.peers.is_empty() && !rule.ports.is_empty());
        rules
    }
}

/// Which way a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Ingress,
    Egress,
}

fn both(mut rules: impl FnMut(Way) -> Vec<Rule>) -> (Vec<Rule>, Vec<Rule>) {
    (rules(Way::Ingress), rules(Way::Egress))
}

/// Who a workload talks with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Talks {
    Workload(Arc<str>, Arc<str>),
    Nodes,
    Address(IpAddr),
}

type PortStats = BTreeMap<(Protocol, u16), Option<Stats>>;

/// Addresses that talk on the same ports.
#[derive(Default)]
struct Outside {
    ips: BTreeSet<IpAddr>,
    ports: PortStats,
}

fn merge(into: &mut Option<Stats>, more: Option<Stats>) {
    match (into.as_mut(), more) {
        (Some(stats), Some(more)) => stats.add(&more),
        (None, more) => *into = more,
        (Some(_), None) => {}
    }
}

/// Names are looked up by everybody, if not in this time.
fn add_dns(talks: &mut BTreeMap<Talks, PortStats>, workloads: &Workloads<'_>) {
    for (namespace, name) in workloads.dns() {
        let ports = talks.entry(Talks::Workload(namespace, name)).or_default();
        for protocol in [Protocol::UDP, Protocol::TCP] {
            ports.entry((protocol, 53)).or_default();
        }
    }
}

fn of_workload(
    workload: &(Arc<str>, Arc<str>),
    own: &Arc<str>,
    ports: PortStats,
    workloads: &Workloads<'_>,
    notes: &mut Vec<String>,
) -> Option<Rule> {
    let name = format!("{}/{}", workload.0, workload.1);
    let (labels, note) = match workloads.choose(workload) {
        Chosen::Exactly { labels, .. } => (labels, None),
        Chosen::More { labels, others } => (labels, Some(format!("its labels are those of {} too", others.join(", ")))),
        Chosen::Gone => {
            notes.push(format!("{name} has no pods any more: what it talked about is left out"));
            return None;
        }
    };
    let namespace = (workload.0 != *own).then(|| Arc::clone(&workload.0));
    Some(Rule { peers: vec![Peer::Pods { namespace, labels, name }], ports: port_list(ports), note })
}

/// The ports in their order; many become one range for each protocol.
fn port_list(ports: PortStats) -> Vec<Ports> {
    let mut list: Vec<Ports> = Vec::new();
    let mut of_protocol: BTreeMap<Protocol, Vec<(u16, Option<Stats>)>> = BTreeMap::new();
    for ((protocol, port), stats) in ports {
        of_protocol.entry(protocol).or_default().push((port, stats));
    }
    for (protocol, ports) in of_protocol {
        if ports.len() <= MAX_PORTS {
            list.extend(ports.into_iter().map(|(port, stats)| Ports { protocol, port, end: None, stats }));
            continue;
        }
        let (first, last) = (ports.first().map_or(0, |(port, _)| *port), ports.last().map(|(port, _)| *port));
        let mut sum = None;
        for (_, stats) in ports {
            merge(&mut sum, stats);
        }
        list.push(Ports { protocol, port: first, end: last, stats: sum });
    }
    list
}
