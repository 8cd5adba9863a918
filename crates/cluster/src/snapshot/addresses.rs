//! Who has an address at a time: a node, a pod or a Service; and what an address is that nobody has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixSet;
use weir_model::{Endpoint, Timestamp};

use super::Few;
use super::life::{Life, OPEN, PodEntry};

/// In which order claims to an address count. Pods come behind nodes and before Services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A node by its own object.
    Node,
    /// A node as a pod on it names it.
    Told,
    /// A Service, at whatever port.
    Service,
    /// A node's bridge or tunnel device.
    Bridge,
}

/// A claim of a node or Service, in a span of time.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) rank: Rank,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Claimed {
    fn holds(&self, time: Timestamp) -> bool {
        self.from <= time && (time < self.to || self.to == OPEN)
    }
}

/// Everybody who had, has or may have one address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Holders {
    /// Nodes and Services, by rank and name.
    pub(crate) claimed: Few<Arc<Claimed>>,
    /// Pods, in the order they were seen in.
    pub(crate) lives: Few<Arc<Life>>,
}

/// Who has an address.
#[derive(Debug)]
pub(crate) enum Holder<'a> {
    /// A node, for itself, for its pods of the host's network or for its bridge.
    Node(&'a Arc<Endpoint>),
    /// A pod.
    Pod(&'a PodEntry),
    /// One of these pods; there is no telling which.
    PodOf(Vec<&'a PodEntry>),
    /// A Service, at whatever port.
    Service(&'a Arc<Endpoint>),
    /// Several Services.
    Services,
}

impl Holders {
    pub(crate) fn at(&self, time: Timestamp) -> Option<Holder<'_>> {
        let Some(claimed) = self.claimed.iter().find(|claimed| claimed.holds(time)) else {
            return self.pod_at(time);
        };
        match claimed.rank {
            Rank::Node | Rank::Told => Some(Holder::Node(&claimed.endpoint)),
            Rank::Service | Rank::Bridge => Some(self.pod_at(time).unwrap_or_else(|| {
                let same = |other: &Arc<Claimed>| other.endpoint == claimed.endpoint;
                let mut others = self.claimed.iter().filter(|other| other.rank == Rank::Service && other.holds(time));
                match claimed.rank {
                    Rank::Service if others.all(same) => Holder::Service(&claimed.endpoint),
                    Rank::Service => Holder::Services,
                    _ => Holder::Node(&claimed.endpoint),
                }
            })),
        }
    }

    /// Of the pods that may have had the address: the one that started last, once it surely had it; before that any.
    fn pod_at(&self, time: Timestamp) -> Option<Holder<'_>> {
        let mut may = self.lives.iter().filter(|life| life.may_hold(time));
        let first = may.next()?;
        let Some(second) = may.next() else { return first.at(time).map(Holder::Pod) };
        let mut all = vec![first, second];
        all.extend(may);
        all.sort_by_key(|life| std::cmp::Reverse(life.claim()));
        match *all.as_slice() {
            [last, next, ..] if last.claim() > next.claim() && last.sure_from <= time => last.at(time).map(Holder::Pod),
            _ => Some(Holder::PodOf(all.iter().filter_map(|life| life.at(time)).collect())),
        }
    }

    /// A node or Service has the address from a time on, or is now like this.
    pub(crate) fn claim(&mut self, rank: Rank, endpoint: &Arc<Endpoint>, from: Timestamp) {
        if let Some(open) = self.open(rank, endpoint) {
            open.endpoint = Arc::clone(endpoint);
            return;
        }
        self.claimed.push(Arc::new(Claimed { rank, endpoint: Arc::clone(endpoint), from, to: OPEN }));
        self.claimed.sort_by(|a, b| (a.rank, &a.endpoint.name).cmp(&(b.rank, &b.endpoint.name)));
    }

    /// A node or Service has it no longer.
    pub(crate) fn release(&mut self, rank: Rank, endpoint: &Endpoint, to: Timestamp) {
        if let Some(open) = self.open(rank, endpoint) {
            open.to = to.max(open.from);
        }
    }

    fn open(&mut self, rank: Rank, endpoint: &Endpoint) -> Option<&mut Claimed> {
        let open = self.claimed.iter_mut().find(|claimed| {
            let (name, namespace) = (&claimed.endpoint.name, &claimed.endpoint.namespace);
            claimed.to == OPEN && claimed.rank == rank && *name == endpoint.name && *namespace == endpoint.namespace
        });
        open.map(Arc::make_mut)
    }

    /// A life begins, ends, or is now known better.
    pub(crate) fn live(&mut self, life: &Arc<Life>) {
        life.put_in(&mut self.lives);
    }

    /// Drops what ended before a time.
    pub(crate) fn forget(&mut self, before: Timestamp) {
        self.claimed.retain(|claimed| claimed.to >= before);
        self.lives.retain(|life| life.to >= before);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.claimed.is_empty() && self.lives.is_empty()
    }
}

/// The ranges that pods get addresses from. Only the latest: they do not move while nodes live.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    v4: PrefixSet<Ipv4Net>,
    v6: PrefixSet<Ipv6Net>,
}

impl Ranges {
    pub(crate) fn insert(&mut self, cidr: IpNet) {
        match cidr {
            IpNet::V4(cidr) => self.v4.insert(cidr),
            IpNet::V6(cidr) => self.v6.insert(cidr),
        };
    }

    /// Whether an address that nobody has may be outside the cluster.
    pub(crate) fn may_be_outside(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(v4) => leaves_the_link_v4(v4) && self.v4.get_lpm(&Ipv4Net::from(v4)).is_none(),
            IpAddr::V6(v6) => leaves_the_link_v6(v6) && self.v6.get_lpm(&Ipv6Net::from(v6)).is_none(),
        }
    }
}

/// Whether an address may be that of something in the network, near or far: it leaves the link.
pub(crate) const fn leaves_the_link(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => leaves_the_link_v4(v4),
        IpAddr::V6(v6) => leaves_the_link_v6(v6),
    }
}

const fn leaves_the_link_v4(ip: Ipv4Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast() || ip.is_broadcast())
}

const fn leaves_the_link_v6(ip: Ipv6Addr) -> bool {
    !(ip.is_unspecified() || ip.is_loopback() || ip.is_unicast_link_local() || ip.is_multicast())
}

/// The addresses of a node's bridge or tunnel device: the network address of its pods' range, and the one after. A range
/// of one address has none.
pub(crate) fn bridges(cidr: IpNet) -> impl Iterator<Item = IpAddr> {
    let network = cidr.network();
    let after = match network {
        IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from(u32::from(v4).saturating_add(1))),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6).saturating_add(1))),
    };
    [network, after].into_iter().filter(move |_| cidr.prefix_len() < cidr.max_prefix_len())
}
