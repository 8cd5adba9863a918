//! The pods of this node and the interfaces that lead to them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use weir_cluster::Snapshot;
use weir_model::PodRef;

use super::check::{Check, Grade};
use crate::taps::{NetlinkError, Owner, Unnamed, Veth, veths};

/// Whether packets between ports of a bridge pass the packet filter.
const BRIDGE_FILTER: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// Names listed in one check.
const NAMED: usize = 10;

/// How well the cluster is known.
pub(super) fn cluster(source: Option<&str>, snapshot: &Snapshot, node: &str) -> Check {
    let name = "cluster";
    let here = snapshot.pods_on(node).count();
    match source {
        None => Check::new(name, Grade::Warn, "no source of its objects: every endpoint will be unknown")
            .advise("name one with --cluster"),
        Some(source) if !snapshot.is_whole() => {
            Check::new(name, Grade::Fail, format!("{source} has not told every object in time"))
                .advise("see that the API server can be reached, and that the role of docs/kubernetes.md is bound")
        }
        Some(source) if here == 0 => {
            Check::new(name, Grade::Warn, format!("{source} knows no pod with an address of its own on node {node}"))
                .advise("see that --node-name is the name that the cluster gives this node")
        }
        Some(source) => Check::new(name, Grade::Ok, format!("{source} knows {here} pods of node {node}")),
    }
}

/// Everything about taps.
pub(super) fn checks(snapshot: &Snapshot, node: &str) -> Vec<Check> {
    match veths(snapshot, node) {
        Ok(veths) => {
            let mut checks = vec![taps(&veths), without_tap(snapshot, node, &veths)];
            checks.extend(bridges(&veths, fs::read_to_string(BRIDGE_FILTER).ok().as_deref()));
            checks.extend(one_way(&veths));
            checks
        }
        Err(error) => vec![unreadable(error)],
    }
}

fn unreadable(error: NetlinkError) -> Check {
    Check::new("taps", Grade::Fail, format!("{:#}", anyhow::Error::new(error)))
}

fn taps(veths: &[Veth]) -> Check {
    let name = "taps";
    let of_pods = veths.iter().filter(|veth| matches!(veth.owner, Owner::Pod(_))).count();
    let unknown: Vec<String> = veths
        .iter()
        .filter_map(|veth| match &veth.owner {
            Owner::UnknownPod(why) => Some(format!("{} ({why})", veth.name)),
            _ => None,
        })
        .collect();
    if veths.is_empty() {
        return Check::new(
            name,
            Grade::Warn,
            "no interface leads into another network namespace: no pod can be watched",
        )
        .advise("see that the agent is on the host network");
    }
    let total = format!("{of_pods} of {} interfaces are known pods'", veths.len());
    if unknown.is_empty() {
        return Check::new(name, Grade::Ok, total);
    }
    let check = Check::new(name, Grade::Warn, format!("{total}; unknown: {}", listed(&unknown)));
    if veths.iter().any(|veth| veth.owner == Owner::UnknownPod(Unnamed::NoNetAdmin)) {
        check.advise("give the agent NET_ADMIN")
    } else {
        check.advise("their flows are counted all the same; see that the cluster's objects are known")
    }
}

fn without_tap(snapshot: &Snapshot, node: &str, veths: &[Veth]) -> Check {
    let name = "pods without a tap";
    let tapped: BTreeMap<&PodRef, &Veth> = veths
        .iter()
        .filter_map(|veth| match &veth.owner {
            Owner::Pod(pod) => Some((pod, veth)),
            _ => None,
        })
        .collect();
    let missing: Vec<String> = snapshot
        .pods_on(node)
        .filter_map(|entry| match tapped.get(&entry.pod) {
            Some(veth) if veth.is_up => None,
            Some(veth) => Some(format!("{} ({} is down)", entry.pod, veth.name)),
            None => Some(format!("{} (no interface has {} behind it)", entry.pod, addresses(&entry.ips))),
        })
        .collect();
    if missing.is_empty() {
        return Check::new(name, Grade::Ok, "none");
    }
    Check::new(name, Grade::Warn, listed(&missing))
        .advise("pods on macvlan, SR-IOV or in a sandbox have no host end: only the other pod's tap sees them")
}

fn bridges(veths: &[Veth], filtered: Option<&str>) -> Option<Check> {
    let name = "bridge";
    let bridges: BTreeSet<&str> = veths.iter().filter_map(|veth| veth.bridge.as_deref()).collect();
    if bridges.is_empty() {
        return None;
    }
    let ports = veths.iter().filter(|veth| veth.bridge.is_some()).count();
    let names: Vec<&str> = bridges.into_iter().collect();
    let found = format!("{ports} pods are on {}: packets between them pass no route of the node", names.join(", "));
    Some(match filtered.map(str::trim) {
        Some("1") => Check::new(name, Grade::Ok, format!("{found}, and the packet filter sees them")),
        _ => Check::new(name, Grade::Warn, format!("{found}, and the packet filter does not see them")).advise(
            "modprobe br_netfilter and set net.bridge.bridge-nf-call-iptables=1, or policies and Services do not \
                     apply between pods of one node",
        ),
    })
}

/// Whether packets may reach pods past the taps. Only traffic can tell for sure; coverage says so then.
fn one_way(veths: &[Veth]) -> Option<Check> {
    let past = veths.iter().filter(|veth| veth.is_passed_by).count();
    (past > 0).then(|| {
        let found = format!(
            "{past} interfaces are of a CNI (Cilium) that may deliver past them: taps see what pods send, and not what they get"
        );
        Check::new("one-way taps", Grade::Warn, found)
            .advise("nothing for pods that are both watched: the other pod's tap fills in; else a tap on the uplink")
    })
}

fn addresses(ips: &[std::net::IpAddr]) -> String {
    ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

fn listed(names: &[String]) -> String {
    let shown = names.get(..names.len().min(NAMED)).unwrap_or_default().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
