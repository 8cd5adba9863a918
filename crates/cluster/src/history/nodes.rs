//! Nodes: their addresses, as they say themselves and as their pods do, their bridges and their zones.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use weir_model::{Endpoint, EndpointKind, Timestamp};

use super::pods::Told;
use super::{Ended, History};
use crate::objects::Node;
use crate::snapshot::{Holders, Ranges, Rank, bridges};

/// What is kept of a node that is there.
#[derive(Debug)]
pub(super) struct NodeFacts {
    endpoint: Arc<Endpoint>,
    ips: Vec<IpAddr>,
    cidrs: Vec<IpNet>,
}

impl NodeFacts {
    pub(super) fn zone(&self) -> Option<&Arc<str>> {
        self.endpoint.zone.as_ref()
    }

    fn addresses(&self) -> impl Iterator<Item = (Rank, IpAddr)> {
        let own = self.ips.iter().map(|ip| (Rank::Node, *ip));
        own.chain(self.cidrs.iter().flat_map(|cidr| bridges(*cidr)).map(|ip| (Rank::Bridge, ip)))
    }
}

impl History {
    pub(super) fn put_node(&mut self, node: &Node, seen: Timestamp) {
        let name = self.names.name(&node.metadata.name);
        let zone = node.zone().map(|zone| self.names.name(zone));
        let facts = NodeFacts {
            endpoint: Arc::new(endpoint(&name, zone)),
            ips: node.ips().filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).collect(),
            cidrs: node.pod_cidrs().collect(),
        };
        let before = self.nodes.remove(&name);
        let from = self.early(seen, node.metadata.creation_timestamp);
        for (rank, ip) in facts.addresses() {
            self.index.holders.update(&ip.into(), |holders| holders.claim(rank, &facts.endpoint, from), |_| false);
        }
        for cidr in &facts.cidrs {
            if before.as_ref().is_none_or(|before| !before.cidrs.contains(cidr)) {
                Arc::make_mut(&mut self.index.ranges).insert(*cidr);
            }
        }
        let zone_is_news = before.as_ref().is_none_or(|before| before.zone() != facts.zone());
        let lost_range = before.as_ref().is_some_and(|before| before.cidrs.iter().any(|c| !facts.cidrs.contains(c)));
        if let Some(before) = before {
            let kept: Vec<(Rank, IpAddr)> = facts.addresses().collect();
            self.release(before.addresses().filter(|address| !kept.contains(address)), &before.endpoint, seen);
        }
        let endpoint = Arc::clone(&facts.endpoint);
        self.nodes.insert(Arc::clone(&name), facts);
        if lost_range {
            self.range_anew();
        }
        if zone_is_news {
            self.place_anew(&name, &endpoint);
        }
    }

    pub(super) fn remove_node(&mut self, name: &Arc<str>, seen: Timestamp) {
        let Some(facts) = self.nodes.remove(name) else { return };
        self.release(facts.addresses(), &facts.endpoint, seen);
        self.range_anew();
    }

    fn release(&mut self, addresses: impl Iterator<Item = (Rank, IpAddr)>, endpoint: &Endpoint, to: Timestamp) {
        for (rank, ip) in addresses {
            self.index.holders.update(&ip.into(), |holders| holders.release(rank, endpoint, to), |_| false);
            self.ended.push_back((to, Ended::Address(ip.into())));
        }
    }

    fn range_anew(&mut self) {
        let mut ranges = Ranges::default();
        for cidr in self.nodes.values().flat_map(|facts| &facts.cidrs) {
            ranges.insert(*cidr);
        }
        self.index.ranges = Arc::new(ranges);
    }

    /// Gives the node's zone to what is on it.
    fn place_anew(&mut self, name: &Arc<str>, endpoint: &Arc<Endpoint>) {
        for ip in self.told.get(name).into_iter().flat_map(|told| told.keys()) {
            let claim = |holders: &mut Holders| holders.claim(Rank::Told, endpoint, Timestamp(0));
            self.index.holders.update(&(*ip).into(), claim, |_| false);
        }
        let pods = self.index.on_node.get(name).cloned().unwrap_or_default();
        for pod in &*pods {
            self.amend_pod(pod);
        }
    }

    /// A pod tells addresses of its node.
    pub(super) fn tell_node(&mut self, told: Option<&Told>, seen: Timestamp) {
        let Some(Told { node, ips }) = told else { return };
        for ip in ips {
            let count = self.told.entry(Arc::clone(node)).or_default().entry(*ip).or_default();
            *count += 1;
            if *count == 1 {
                let known = self.nodes.get(node).map(|facts| Arc::clone(&facts.endpoint));
                let endpoint = known.unwrap_or_else(|| Arc::new(endpoint(node, None)));
                let from = self.early(seen, None);
                let claim = |holders: &mut Holders| holders.claim(Rank::Told, &endpoint, from);
                self.index.holders.update(&(*ip).into(), claim, |_| false);
            }
        }
    }

    /// A pod tells them no longer.
    pub(super) fn untell_node(&mut self, told: Option<&Told>, seen: Timestamp) {
        let Some(Told { node, ips }) = told else { return };
        for ip in ips {
            let Some(counts) = self.told.get_mut(node) else { return };
            let Some(count) = counts.get_mut(ip) else { continue };
            *count -= 1;
            if *count > 0 {
                continue;
            }
            counts.remove(ip);
            if counts.is_empty() {
                self.told.remove(node);
            }
            self.release([(Rank::Told, *ip)].into_iter(), &endpoint(node, None), seen);
        }
    }
}

fn endpoint(name: &Arc<str>, zone: Option<Arc<str>>) -> Endpoint {
    Endpoint {
        kind: EndpointKind::Node,
        name: Some(Arc::clone(name)),
        node: Some(Arc::clone(name)),
        zone,
        ..Endpoint::default()
    }
}
