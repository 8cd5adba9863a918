//! What one asker was told: for each address the names that led to it, in order of time.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_model::Timestamp;

use super::names::Names;
use crate::snapshot::{HashMap, Ip};

/// An address, its place in the tables and in the order of use, about.
const ADDRESS_BYTES: usize = 160;
/// An asker that was told any, about.
const ASKER_BYTES: usize = 160;

/// One asker's addresses.
#[derive(Debug, Default)]
pub(super) struct Asker {
    addresses: HashMap<Ip, Address>,
    /// Each address once, with the number that it had when it was put there: the ones used longest ago come first, but for
    /// those that were used since.
    order: VecDeque<(u64, Ip)>,
    uses: u64,
    bytes: usize,
}

/// An address that was told.
#[derive(Debug)]
struct Address {
    /// By their start. Never empty.
    spans: Vec<Span>,
    /// The number of its last use.
    used: u64,
    /// Until when it is of use: when the last of its names stops to count, or later flows that began before.
    until: Timestamp,
}

/// A time in which the same names led to an address, answer after answer.
#[derive(Debug)]
struct Span {
    names: Arc<Names>,
    from: Timestamp,
    until: Timestamp,
    /// The last answer.
    last: Timestamp,
}

impl Span {
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.names.bytes()
    }
}

impl Asker {
    pub(super) fn addresses(&self) -> usize {
        self.addresses.len()
    }

    pub(super) fn bytes(&self) -> usize {
        if self.addresses.is_empty() { 0 } else { ASKER_BYTES + self.bytes }
    }

    /// The names lead to the address, from an answer until it is too old.
    pub(super) fn learn(
        &mut self,
        ip: Ip,
        names: &Arc<Names>,
        (from, until): (Timestamp, Timestamp),
        max_spans: usize,
    ) {
        self.uses += 1;
        let used = self.uses;
        let address = self.addresses.entry(ip).or_insert_with(|| {
            self.order.push_back((used, ip));
            self.bytes += ADDRESS_BYTES;
            Address { spans: Vec::new(), used, until }
        });
        address.used = used;
        address.until = address.until.max(until);
        let behind = address.spans.partition_point(|span| span.from <= from);
        let before = behind.checked_sub(1).and_then(|at| address.spans.get_mut(at));
        if let Some(span) = before.filter(|span| span.until >= from && *span.names == **names) {
            (span.last, span.until) = (span.last.max(from), span.until.max(until));
            return;
        }
        let span = Span { names: Arc::clone(names), from, until, last: from };
        self.bytes += span.bytes();
        address.spans.insert(behind, span);
        if address.spans.len() > max_spans {
            self.bytes -= address.spans.remove(0).bytes();
        }
    }

    /// The names that led to the address at a time, each with its last answer before that. The flow that asks for them
    /// goes on until `last`.
    pub(super) fn names(&mut self, ip: Ip, at: Timestamp, last: Timestamp, found: &mut Vec<(Timestamp, Arc<Names>)>) {
        let Some(address) = self.addresses.get_mut(&ip) else { return };
        let then = address.spans.iter().filter(|span| span.from <= at && at <= span.until);
        let before = found.len();
        found.extend(then.map(|span| (span.last.min(at), Arc::clone(&span.names))));
        if found.len() > before {
            self.uses += 1;
            address.used = self.uses;
            address.until = address.until.max(last);
        }
    }

    /// Gives up what was used longest ago until both caps are kept.
    pub(super) fn keep_within(&mut self, max_addresses: usize, max_bytes: usize) {
        while self.addresses.len() > max_addresses || self.bytes() > max_bytes {
            self.give_up(1);
        }
    }

    /// Gives up `count` addresses, those that were used longest ago.
    pub(super) fn give_up(&mut self, count: usize) {
        let mut left = count.min(self.addresses.len());
        while left > 0 {
            let Some((number, ip)) = self.order.pop_front() else { return };
            match self.addresses.get(&ip) {
                Some(address) if address.used > number => self.order.push_back((address.used, ip)),
                _ => {
                    self.remove(ip);
                    left -= 1;
                }
            }
        }
    }

    /// Drops what was of no use any more before a time.
    pub(super) fn forget(&mut self, before: Timestamp) {
        let old: Vec<Ip> =
            self.addresses.iter().filter(|(_, address)| address.until < before).map(|(ip, _)| *ip).collect();
        if old.is_empty() {
            return;
        }
        for ip in old {
            self.remove(ip);
        }
        self.order.retain(|(_, ip)| self.addresses.contains_key(ip));
        self.addresses.shrink_to_fit();
        self.order.shrink_to_fit();
    }

    fn remove(&mut self, ip: Ip) {
        if let Some(address) = self.addresses.remove(&ip) {
            self.bytes -= ADDRESS_BYTES + address.spans.iter().map(Span::bytes).sum::<usize>();
        }
    }
}
