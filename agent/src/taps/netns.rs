//! Whose an interface of this node is: its name in, a pod, the node itself, or an unknown pod out.
//!
//! The kernel says which network namespace the other end of a veth is in and which addresses are there; the snapshot
//! says which pod of this node has one of them. Enters no namespace, opens no tap and needs nobody's `/proc`.

mod links;
mod netlink;
mod sight;
mod veth;

use std::fmt;
use std::net::IpAddr;

use weir_cluster::{PodEntry, Snapshot};
use weir_model::PodRef;

pub(super) use links::{Link, Links, News};
pub(super) use netlink::Netlink;
pub use netlink::NetlinkError;
pub(super) use sight::{Routes, Sight};
pub(crate) use veth::{Veth, veths};

/// Whose an interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The node's own: an uplink.
    Node,
    /// The host end of this pod's veth.
    Pod(PodRef),
    /// The host end of a veth whose pod cannot be told.
    UnknownPod(Unnamed),
}

/// Why the pod behind a veth cannot be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unnamed {
    /// Only with `CAP_NET_ADMIN` does the kernel tell the addresses of another network namespace.
    NoNetAdmin,
    /// No address is there yet.
    NoAddress,
    /// No pod that is known on this node has any of these addresses.
    Strangers(Vec<IpAddr>),
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNetAdmin => f.write_str("the addresses behind it need the capability NET_ADMIN"),
            Self::NoAddress => f.write_str("there is no address behind it"),
            Self::Strangers(addresses) => {
                f.write_str("no known pod of this node has the address ")?;
                for (at, address) in addresses.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{address}")?;
                }
                Ok(())
            }
        }
    }
}

/// Whose `interface` of this network namespace is, by the pods of `node`.
///
/// In this order: a device without an end in another namespace is the node's. A veth is that of the pod which has an
/// address in that namespace (needs `CAP_NET_ADMIN`), else of the pod whose address is routed to it alone (needs
/// nothing). Else it is the node's where it leads to more than one address (a subnet or a default route: the uplink of
/// a node that is a container itself), and an unknown pod's where it does not.
pub fn owner_of(interface: &str, snapshot: &Snapshot, node: &str) -> Result<Owner, NetlinkError> {
    Ok(decide(&sight::of(interface)?, snapshot, node, |_, _| true))
}

/// The same from what was seen of an interface. Pods that are not `free` for an address are passed over.
pub(super) fn decide(sight: &Sight, snapshot: &Snapshot, node: &str, free: impl Fn(&PodRef, IpAddr) -> bool) -> Owner {
    let Sight::Veth { leads_out, sees_inside, .. } = sight else { return Owner::Node };
    if let Some(pod) = sight.addresses().find_map(|ip| pod_at(ip, snapshot, node, &free)) {
        return Owner::Pod(pod);
    }
    if *leads_out {
        return Owner::Node;
    }
    let mut strangers: Vec<IpAddr> = sight.addresses().collect();
    strangers.sort_unstable();
    strangers.dedup();
    Owner::UnknownPod(match (sees_inside, strangers.is_empty()) {
        (_, false) => Unnamed::Strangers(strangers),
        (false, true) => Unnamed::NoNetAdmin,
        (true, true) => Unnamed::NoAddress,
    })
}

/// The one pod of `node` that may have an address and is free.
fn pod_at(ip: IpAddr, snapshot: &Snapshot, node: &str, free: &impl Fn(&PodRef, IpAddr) -> bool) -> Option<PodRef> {
    let here = |entry: &&PodEntry| entry.node().is_some_and(|own| **own == *node) && free(&entry.pod, ip);
    let pods: Vec<_> = snapshot.pods_at(ip).into_iter().filter(here).collect();
    match pods[..] {
        [only] => Some(only.pod.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use weir_cluster::{SnapshotOptions, manifests};

    use super::*;

    const PODS: &str = r#"
{apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: shop},
 spec: {nodeName: node-a}, status: {phase: Running, podIP: 10.1.0.7, podIPs: [{ip: 10.1.0.7}, {ip: "fd00::7"}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-2, namespace: shop},
 spec: {nodeName: node-b}, status: {phase: Running, podIP: 10.1.1.7, podIPs: [{ip: 10.1.1.7}]}}
"#;

    fn snapshot() -> Snapshot {
        let loaded = manifests::parse(PODS, "pods.yaml").expect("valid");
        Snapshot::build(&loaded.objects, &SnapshotOptions::default())
    }

    fn veth(inside: &[&str], routed: &[&str]) -> Sight {
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
        Sight::Veth { inside: ips(inside), routed: ips(routed), leads_out: false, sees_inside: true }
    }

    fn decided(sight: &Sight) -> Owner {
        decide(sight, &snapshot(), "node-a", |_, _| true)
    }

    fn web_1() -> Owner {
        Owner::Pod(PodRef { namespace: "shop".into(), name: "web-1".into() })
    }

    #[test]
    fn a_veth_is_of_the_pod_that_has_an_address_behind_it() {
        assert_eq!(decided(&veth(&["127.0.0.1", "fe80::1", "10.1.0.7"], &[])), web_1());
        assert_eq!(decided(&veth(&["fd00::7"], &[])), web_1());
    }

    #[test]
    fn a_route_names_the_pod_where_the_addresses_are_not_to_be_had() {
        assert_eq!(decided(&veth(&[], &["10.1.0.7"])), web_1());
    }

    #[test]
    fn a_pod_of_another_node_is_never_named() {
        let unknown = Owner::UnknownPod(Unnamed::Strangers(vec!["10.1.1.7".parse().expect("an address")]));
        assert_eq!(decided(&veth(&["10.1.1.7"], &["10.1.1.7"])), unknown);
    }

    #[test]
    fn says_why_a_pod_is_unknown() {
        assert_eq!(decided(&veth(&[], &[])), Owner::UnknownPod(Unnamed::NoAddress));
        let blind = Sight::Veth { inside: vec![], routed: vec![], leads_out: false, sees_inside: false };
        assert_eq!(decided(&blind), Owner::UnknownPod(Unnamed::NoNetAdmin));
        let strangers = Unnamed::Strangers(["10.9.0.1", "10.9.0.2"].map(|ip| ip.parse().expect("an address")).into());
        assert!(strangers.to_string().ends_with("has the address 10.9.0.1, 10.9.0.2"));
    }

    #[test]
    fn what_leads_out_is_the_nodes_unless_a_pod_is_behind_it() {
        let out = |inside: &[&str]| match veth(inside, &[]) {
            Sight::Veth { inside, routed, sees_inside, .. } => {
                Sight::Veth { inside, routed, sees_inside, leads_out: true }
            }
            Sight::Own => Sight::Own,
        };
        assert_eq!(decided(&out(&["172.18.0.1"])), Owner::Node);
        assert_eq!(decided(&out(&["10.1.0.7"])), web_1());
        assert_eq!(decided(&Sight::Own), Owner::Node);
    }
}
