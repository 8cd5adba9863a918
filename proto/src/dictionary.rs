//! The names of a stream: sent once, named by number from then on, bounded.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use weir_model::{Batch, Endpoint, Service, Tap};

use crate::names::{
    Malformed, endpoint_from_wire, endpoint_to_wire, service_from_wire, service_to_wire, tap_from_wire, tap_to_wire,
};
use crate::v1;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Name {
    Tap(Arc<Tap>),
    Endpoint(Arc<Endpoint>),
    Service(Arc<Service>),
}

/// There is no room for another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the dictionary is full: {cap} entries")]
pub struct DictionaryFull {
    /// The cap.
    pub cap: usize,
}

/// The writing side: gives each name a number, and keeps what has to be sent.
///
/// Key: the name itself. Cap: `cap` names, then [`DictionaryFull`]. Freshness: until [`DictionaryEncoder::reset`].
#[derive(Debug)]
pub struct DictionaryEncoder {
    ids: HashMap<Name, u32>,
    fresh: Vec<v1::Entry>,
    cap: usize,
    epoch: u32,
}

impl DictionaryEncoder {
    /// An empty dictionary that holds up to `cap` names.
    pub fn new(cap: usize) -> Self {
        Self { ids: HashMap::new(), fresh: Vec::new(), cap, epoch: 0 }
    }

    /// The most names it holds.
    pub const fn cap(&self) -> usize {
        self.cap
    }

    /// How often it was started again.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Forgets all names and starts the next epoch.
    pub fn reset(&mut self) {
        self.ids = HashMap::new();
        self.fresh = Vec::new();
        self.epoch += 1;
    }

    /// The entries that were not sent yet.
    pub(crate) fn take_fresh(&mut self) -> Vec<v1::Entry> {
        std::mem::take(&mut self.fresh)
    }

    pub(crate) fn tap(&mut self, tap: &Arc<Tap>) -> Result<u32, DictionaryFull> {
        self.id(Name::Tap(Arc::clone(tap)), || v1::entry::Name::Tap(tap_to_wire(tap)))
    }

    pub(crate) fn endpoint(&mut self, endpoint: &Arc<Endpoint>) -> Result<u32, DictionaryFull> {
        self.id(Name::Endpoint(Arc::clone(endpoint)), || v1::entry::Name::Endpoint(endpoint_to_wire(endpoint)))
    }

    pub(crate) fn service(&mut self, service: &Arc<Service>) -> Result<u32, DictionaryFull> {
        self.id(Name::Service(Arc::clone(service)), || v1::entry::Name::Service(service_to_wire(service)))
    }

    fn id(&mut self, name: Name, message: impl FnOnce() -> v1::entry::Name) -> Result<u32, DictionaryFull> {
        if let Some(id) = self.ids.get(&name) {
            return Ok(*id);
        }
        if self.ids.len() >= self.cap {
            return Err(DictionaryFull { cap: self.cap });
        }
        let id = self.ids.len() as u32 + 1;
        self.ids.insert(name, id);
        self.fresh.push(v1::Entry { id, name: Some(message()) });
        Ok(id)
    }
}

/// The reading side: what each number stands for.
///
/// Key: the number. Cap: `cap` entries, more are refused. Freshness: until the writer's next epoch.
#[derive(Debug)]
pub struct DictionaryDecoder {
    names: HashMap<u32, Name>,
    cap: usize,
    epoch: u32,
}

impl DictionaryDecoder {
    /// An empty dictionary that takes up to `cap` entries.
    pub fn new(cap: usize) -> Self {
        Self { names: HashMap::new(), cap, epoch: 0 }
    }

    /// Reads the entries of a batch, also of one that is refused afterwards. One that cannot be read hinders no other:
    /// the writer takes all of them as known. The first problem is returned.
    pub(crate) fn read(&mut self, epoch: u32, entries: Vec<v1::Entry>) -> Result<(), EntryError> {
        if epoch < self.epoch {
            return Err(Malformed::new("epoch", &format_args!("{epoch} after {}", self.epoch)).into());
        }
        if epoch > self.epoch {
            self.names = HashMap::new();
            self.epoch = epoch;
        }
        let mut first = Ok(());
        for entry in entries {
            first = first.and(self.enter(entry));
        }
        first
    }

    fn enter(&mut self, entry: v1::Entry) -> Result<(), EntryError> {
        let name = match entry.name {
            Some(v1::entry::Name::Tap(tap)) => Name::Tap(Arc::new(tap_from_wire(tap)?)),
            Some(v1::entry::Name::Endpoint(e)) => Name::Endpoint(Arc::new(endpoint_from_wire(e)?)),
            Some(v1::entry::Name::Service(s)) => Name::Service(Arc::new(service_from_wire(s)?)),
            None => return Err(Malformed::new("entry.name", &"absent").into()),
        };
        if entry.id == 0 {
            return Err(Malformed::new("entry.id", &"0").into());
        }
        if self.names.len() >= self.cap && !self.names.contains_key(&entry.id) {
            return Err(DictionaryFull { cap: self.cap }.into());
        }
        self.names.insert(entry.id, name);
        Ok(())
    }

    pub(crate) fn tap(&self, id: u32) -> Option<Arc<Tap>> {
        match self.names.get(&id) {
            Some(Name::Tap(tap)) => Some(Arc::clone(tap)),
            _ => None,
        }
    }

    pub(crate) fn endpoint(&self, id: u32) -> Option<Arc<Endpoint>> {
        match self.names.get(&id) {
            Some(Name::Endpoint(endpoint)) => Some(Arc::clone(endpoint)),
            _ => None,
        }
    }

    pub(crate) fn service(&self, id: u32) -> Option<Arc<Service>> {
        match self.names.get(&id) {
            Some(Name::Service(service)) => Some(Arc::clone(service)),
            _ => None,
        }
    }
}

/// Why a batch's entries were not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntryError {
    #[error(transparent)]
    Full(#[from] DictionaryFull),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// How many different names a batch uses: what a dictionary must have room for to hold it.
pub fn names_in(batch: &Batch) -> usize {
    let mut names = HashSet::new();
    let carriers = batch.requests.iter().map(|request| &*request.flow);
    for flow in batch.flows.iter().chain(carriers) {
        names.insert(Name::Tap(Arc::clone(&flow.tap)));
        names.insert(Name::Endpoint(Arc::clone(&flow.src)));
        names.insert(Name::Endpoint(Arc::clone(&flow.dst)));
        if let Some(service) = &flow.service {
            names.insert(Name::Service(Arc::clone(service)));
        }
    }
    names.len()
}
