//! The cluster's objects as they come and go, kept as an index that answers for any remembered time.
//!
//! Objects come in one by one with the time they were seen at; snapshots as of a time go out. A change touches what it is
//! about: nothing is ever built anew. What ended is remembered for a bounded time and a bounded number of things.

mod names;
mod nodes;
mod owners;
mod pods;
mod services;
mod slices;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{PodRef, ServiceRef, ServiceType, Timestamp};

use crate::objects::{Object, ObjectKey, ObjectKind};
use crate::snapshot::{At, Claim, HashMap, Holders, Index, Ip, Naming, News, OPEN, Port, PortName, Socket, Steps};
use crate::{Snapshot, SnapshotOptions};
use names::Held;
use nodes::NodeFacts;
use owners::{Owned, Owners};
use pods::{PodFacts, Told};
use services::{Claimant, ServiceFacts};
use slices::SliceFacts;

const SECOND_NS: i64 = 1_000_000_000;

/// The kinds without which nobody can say that an address is outside the cluster.
const ADDRESSED: [ObjectKind; 4] = [ObjectKind::Node, ObjectKind::Pod, ObjectKind::Service, ObjectKind::EndpointSlice];

/// How much of the past is kept, and how late news may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// How long what has ended is remembered, in nanoseconds. Default: 1 hour.
    pub keep_ns: i64,
    /// How many things that have ended are remembered; then the first ones are forgotten. Default: 100,000.
    pub max_ended: usize,
    /// How late the news of a Service or endpoint may be, in nanoseconds: it counts from that much before it was seen,
    /// where nobody else had its place. Default: 2 s.
    pub lateness_ns: i64,
}

impl Default for Memory {
    fn default() -> Self {
        Self { keep_ns: 3_600 * SECOND_NS, max_ended: 100_000, lateness_ns: 2 * SECOND_NS }
    }
}

/// Objects in, snapshots as of a time out.
///
/// A pod had its addresses from its start (which the API tells to the second) to its end: when its containers had
/// finished, or when its deletion was seen. Where the next pod of an address may have started before the one before it
/// ended, snapshots of the time between name neither, until it is sure that the later one had the address: its
/// containers ran, or the address was seen with it. Services, endpoints and nodes hold from when they were seen (or made)
/// to when they were seen to be gone. What is told before every kind is [`complete`](History::complete) adds to what was
/// told before, as one list: it has been so as long as that.
#[derive(Debug)]
pub struct History {
    options: SnapshotOptions,
    memory: Memory,
    index: Index,
    names: Held<str>,
    claims: Held<Claim>,
    tellings: Held<Told>,
    ownings: Held<Owned>,
    owners: Owners,
    pods: HashMap<PodRef, PodFacts>,
    next_life: u64,
    nodes: HashMap<Arc<str>, NodeFacts>,
    /// Addresses of nodes as pods tell them, and how many do.
    told: HashMap<Arc<str>, BTreeMap<IpAddr, u32>>,
    services: HashMap<Name, ServiceFacts>,
    claimants: HashMap<Socket, Vec<Claimant>>,
    node_port_claimants: HashMap<Port, Vec<Claimant>>,
    slices: HashMap<Name, SliceFacts>,
    /// The slices of a Service.
    slices_of: HashMap<Name, Vec<Name>>,
    /// The Service ports that an address and port is an endpoint of, once for each slice that says so.
    members: HashMap<Socket, Vec<Arc<PortName>>>,
    /// Endpoints of the same Services share what they are named.
    namings: HashMap<TypedPorts, Arc<Naming>>,
    /// When the unused ones among them are dropped.
    namings_watermark: usize,
    ended: VecDeque<(Timestamp, Ended)>,
    seen: Option<Timestamp>,
    /// Kinds of which every object was told.
    complete: BTreeSet<ObjectKind>,
}

/// Service ports, each with the type of its Service where that is known.
type TypedPorts = Box<[(Arc<PortName>, Option<ServiceType>)]>;

/// A namespace and a name in it.
type Name = (Arc<str>, Arc<str>);

/// Something that has ended and will be forgotten.
#[derive(Clone, Debug)]
enum Ended {
    Address(Ip),
    Pod(PodRef),
    Socket(Socket),
    NodePort(Port),
    Name(Arc<str>),
}

impl History {
    /// Knows nothing yet.
    pub fn new(options: SnapshotOptions) -> Self {
        Self::remembering(options, Memory::default())
    }

    /// Knows nothing yet, and will remember so much.
    pub fn remembering(options: SnapshotOptions, memory: Memory) -> Self {
        Self {
            index: Index::new(&options),
            options,
            memory,
            names: Held::default(),
            claims: Held::default(),
            tellings: Held::default(),
            ownings: Held::default(),
            owners: Owners::default(),
            pods: HashMap::default(),
            next_life: 0,
            nodes: HashMap::default(),
            told: HashMap::default(),
            services: HashMap::default(),
            claimants: HashMap::default(),
            node_port_claimants: HashMap::default(),
            slices: HashMap::default(),
            slices_of: HashMap::default(),
            members: HashMap::default(),
            namings: HashMap::default(),
            namings_watermark: 1_024,
            ended: VecDeque::new(),
            seen: None,
            complete: BTreeSet::new(),
        }
    }

    /// An object is there, or is now like this; seen at a time of the caller's clock, the one that flows have. Kinds that
    /// say nothing about addresses are passed over.
    pub fn apply(&mut self, object: &Object, seen: Timestamp) {
        self.advance(seen);
        let key = object.key();
        match object {
            Object::Pod(pod) => self.put_pod(pod, &key, seen),
            Object::Node(node) => self.put_node(node, seen),
            Object::Service(service) => self.put_service(service, &key, seen),
            Object::EndpointSlice(slice) => self.put_slice(slice, &key, seen),
            other if owners::is_owner(other.kind()) => self.put_owner(&key, other.metadata().controller()),
            _ => {}
        }
    }

    /// An object is gone. One that was not there changes nothing.
    pub fn remove(&mut self, key: &ObjectKey, seen: Timestamp) {
        self.advance(seen);
        match key.kind {
            ObjectKind::Pod => self.remove_pod(key, seen),
            ObjectKind::Node => self.remove_node(&key.name, seen),
            ObjectKind::Service => self.remove_service(key, seen),
            ObjectKind::EndpointSlice => self.remove_slice(key, seen),
            kind if owners::is_owner(kind) => self.remove_owner(key),
            _ => {}
        }
    }

    /// Every object of a kind has been told. Once that is so of nodes, pods, Services and EndpointSlices, a history that
    /// began as a partial one is that no longer: what nobody has is outside the cluster. A kind that only gives names, such
    /// as `ReplicaSet`, is not waited for: it may be one that nobody is allowed to list.
    pub fn complete(&mut self, kind: ObjectKind) {
        self.complete.insert(kind);
        if ADDRESSED.iter().all(|kind| self.complete.contains(kind)) {
            self.index.partial = false;
            self.sweep_namings();
        }
    }

    /// What is known as of a time. Costs a handful of pointers; later changes do not show in it.
    pub fn snapshot(&self, at: Timestamp) -> Snapshot {
        Snapshot::new(self.index.clone(), at)
    }

    /// What is known now.
    pub fn latest(&self) -> Snapshot {
        self.snapshot(OPEN)
    }

    /// Time passes: what ended long ago is forgotten.
    pub fn advance(&mut self, now: Timestamp) {
        let seen = *self.seen.get_or_insert_with(|| {
            // What ended before the start was never seen. A minute of that is taken for nothing.
            self.index.remembered_from = now.plus_ns(-60 * SECOND_NS);
            now
        });
        self.seen = Some(seen.max(now));
        let horizon = seen.max(now).plus_ns(-self.memory.keep_ns);
        while let Some((ended, what)) = self.ended.front() {
            if *ended >= horizon && self.ended.len() <= self.memory.max_ended {
                break;
            }
            let (before, what) = (ended.plus_ns(1), what.clone());
            self.ended.pop_front();
            self.index.remembered_from = self.index.remembered_from.max(before);
            self.forget(&what, before);
        }
    }

    /// How many things that have ended are remembered.
    pub fn remembered(&self) -> usize {
        self.ended.len()
    }

    fn forget(&mut self, what: &Ended, before: Timestamp) {
        match what {
            Ended::Address(ip) => {
                self.index.holders.update(ip, |holders| holders.forget(before), Holders::is_empty);
            }
            Ended::Pod(pod) => self.forget_pod(pod, before),
            Ended::Socket(socket) => self.index.sockets.update(
                socket,
                |at| {
                    at.claim.forget(before);
                    at.naming.forget(before);
                },
                At::is_empty,
            ),
            Ended::NodePort(port) => {
                self.index.node_ports.update(port, |steps| steps.forget(before), Steps::is_empty);
            }
            Ended::Name(name) => self.index.named.update(name, |steps| steps.forget(before), Steps::is_empty),
        }
    }

    /// When something counts from that was seen at a time.
    fn news(&self, seen: Timestamp, made: Option<Timestamp>) -> News {
        News { seen, early: self.early(seen, made), is_listed: self.index.partial }
    }

    /// From when on something counts that was seen at a time, where nobody had its place before.
    fn early(&self, seen: Timestamp, made: Option<Timestamp>) -> Timestamp {
        made.map_or(seen, |made| made.min(seen)).plus_ns(-self.memory.lateness_ns)
    }
}

fn name_of(key: &ObjectKey) -> Name {
    (Arc::clone(&key.namespace), Arc::clone(&key.name))
}

fn is_of(service: &ServiceRef, name: &Name) -> bool {
    service.namespace == name.0 && service.name == name.1
}
