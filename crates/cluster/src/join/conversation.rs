//! A connection as the lake keeps it, without its legs: what it takes to judge it anew by other policies.
//!
//! Who talked to whom comes in by name and address; what a set of policies says of it goes out, by the code that judged it
//! when it was new. Nothing here knows where it was stored.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, Judgement, Protocol, ServiceRef};

use super::ends::{End, Ends, Missing, Targets, masqueraded};
use super::judge;
use crate::owners::is_link_scoped;
use crate::policy::PolicySet;
use crate::{Backend, Snapshot};

/// What connections that no policy can tell apart have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The protocol.
    pub protocol: Protocol,
    /// Who opened it.
    pub opener: Talker,
    /// As whom the opener arrives at the other side.
    pub arrival: Arriving,
    /// Who was connected to.
    pub target: Talker,
    /// The port there, after translation; 0 = the protocol has none.
    pub port: u16,
    /// The Service that was dialled, where nobody saw which endpoint it led to.
    pub service: Option<ServiceRef>,
    /// The opener's port, where nothing says for sure that it is the opener.
    pub unsure_port: Option<u16>,
    /// The opener is the node that the other side runs on.
    pub is_at_home: bool,
}

/// One side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talker {
    /// Who it is.
    pub endpoint: Arc<Endpoint>,
    /// Its address, after NAT is undone.
    pub ip: IpAddr,
}

/// As whom an opener arrives, once its address is translated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arriving {
    /// As itself.
    AsItself,
    /// With this address.
    As(IpAddr),
    /// As itself or as this node: nobody saw it.
    MaybeAs(Arc<str>),
}

/// A conversation with its ends as they were at its time.
#[derive(Debug)]
pub struct Replayed {
    ends: Ends,
    unsure_port: Option<u16>,
}

impl Conversation {
    /// Looks its ends up in the snapshot of its time. `None` where policies cannot be about it.
    pub fn replay(&self, snapshot: &Snapshot) -> Option<Replayed> {
        let (src, dst) = (self.opener.ip, self.target.ip);
        let is_to_many = dst.is_multicast() || dst == IpAddr::from([255; 4]) || dst.is_unspecified();
        if is_to_many || ((is_link_scoped(src) || is_link_scoped(dst)) && !self.protocol.has_ports()) {
            return None;
        }
        let opener = End::of(&self.opener.endpoint, src, 0);
        let targets = self.targets(snapshot);
        let arriving = match &self.arrival {
            Arriving::AsItself => vec![opener.clone()],
            Arriving::As(ip) => vec![End::of(&snapshot.opener(*ip, 0, self.protocol), *ip, 0)],
            Arriving::MaybeAs(node) => vec![opener.clone(), End::node(node)],
        };
        let is_sure = self.is_at_home || targets == Targets::Nobody(Missing::Endpoints);
        let openers = if is_sure { vec![opener] } else { masqueraded(opener, snapshot) };
        let ends = Ends { protocol: self.protocol, openers, arriving, targets };
        Some(Replayed { ends, unsure_port: self.unsure_port })
    }

    /// Who was connected to; behind a Service every endpoint that took connections then.
    fn targets(&self, snapshot: &Snapshot) -> Targets {
        let as_stored = || Targets::Some(vec![End::of(&self.target.endpoint, self.target.ip, self.port)]);
        let Some(service) = &self.service else { return as_stored() };
        let (ip, family) = (self.target.ip, self.target.ip.is_ipv4());
        let hit = snapshot.service_at(ip, self.port, self.protocol);
        // From inside the cluster an outside address is as good as the cluster's own.
        let at = snapshot.node_of(ip);
        let is_outside = self.opener.endpoint.kind != EndpointKind::Pod || at.is_some();
        let is_local = hit.is_some_and(|hit| hit.local_only) && is_outside;
        let is_here = |backend: &&Backend| !is_local || at.is_none() || backend.node == at;
        let all = snapshot.backends(service).iter().filter(|backend| backend.ip.is_ipv4() == family);
        let backends: Vec<&Backend> = all.filter(is_here).collect();
        let is_ready = backends.iter().any(|backend| backend.ready);
        let taken = backends.iter().filter(|backend| if is_ready { backend.ready } else { backend.serving });
        let ends: Vec<End> = taken.map(|backend| End::backend(backend, self.protocol, snapshot)).collect();
        match (ends.is_empty(), snapshot.is_whole()) {
            (false, _) => Targets::Some(ends),
            (true, true) if is_local => Targets::Nobody(Missing::LocalEndpoint),
            (true, true) => Targets::Nobody(Missing::Endpoints),
            (true, false) => as_stored(),
        }
    }
}

impl Replayed {
    /// What a set of policies says of it.
    pub fn judge(&self, set: &PolicySet) -> Judgement {
        judge::judge(&self.ends, self.unsure_port, set)
    }
}
