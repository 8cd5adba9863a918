//! Addresses outside the cluster as blocks: each by itself while they are few, then their networks, then everything that is
//! not the cluster's own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::Peer;
use crate::objects::{Node, Objects};

/// Blocks of one rule at most, before they are made larger.
const MAX_BLOCKS: usize = 16;

/// The blocks of some addresses, and what people have to know of them.
pub(super) fn of(ips: &BTreeSet<IpAddr>, objects: &Objects) -> (Vec<Peer>, Option<String>) {
    let plain = |blocks: BTreeSet<IpNet>| -> Vec<Peer> {
        blocks.into_iter().map(|cidr| Peer::Block { cidr, except: Vec::new() }).collect()
    };
    if ips.len() <= MAX_BLOCKS {
        return (plain(ips.iter().copied().map(IpNet::from).collect()), None);
    }
    let networks: BTreeSet<IpNet> = ips.iter().map(|ip| network(*ip)).collect();
    if networks.len() <= MAX_BLOCKS {
        let note = format!("{} addresses, as networks of /24 and /64", ips.len());
        return (plain(networks), Some(note));
    }
    let own: BTreeSet<IpNet> = objects.nodes().flat_map(Node::pod_cidrs).collect();
    let mut peers = Vec::new();
    for (is_v4, everything) in [(true, IpAddr::from([0; 4])), (false, IpAddr::from([0_u16; 8]))] {
        if ips.iter().any(|ip| ip.is_ipv4() == is_v4)
            && let Ok(cidr) = IpNet::new(everything, 0)
        {
            let except = own.iter().copied().filter(|net| net.addr().is_ipv4() == is_v4).collect();
            peers.push(Peer::Block { cidr, except });
        }
    }
    (peers, Some(format!("{} addresses of {} networks: everything outside the cluster", ips.len(), networks.len())))
}

fn network(ip: IpAddr) -> IpNet {
    let length = if ip.is_ipv4() { 24 } else { 64 };
    IpNet::new(ip, length).map_or_else(|_| IpNet::from(ip), |net| net.trunc())
}
