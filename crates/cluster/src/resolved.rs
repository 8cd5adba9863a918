//! The names that pods resolved, and what that says of the flows that they open then.
//!
//! DNS answers come in as taps see them, flows come in after them, and go out with the names of outside addresses and with
//! the Services that only a name leads to. Time is packet time. What was not seen to be resolved has no name: nothing is
//! ever looked up.

mod asker;
mod names;
mod service;

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{AttributedFlow, Dns, DnsKind, Endpoint, EndpointKind, Leg, PodRef, Request, Tap, TapRole, Timestamp};

use crate::Snapshot;
use crate::snapshot::{HashMap, Ip};
use asker::Asker;
use names::Names;
use service::used;

const SECOND_NS: i64 = 1_000_000_000;
/// How often what nobody needs any more is looked for.
const SWEEP_NS: i64 = 60 * SECOND_NS;
/// Answers are never good for longer, whatever they say.
const MAX_TTL_S: u32 = 86_400;

/// How much is remembered, and for how long. Of the caps the one that is reached first counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedLimits {
    /// Most addresses, of all that ask. Default: 32,768.
    pub max_addresses: usize,
    /// Most bytes, of all that ask. Default: 8 MiB.
    pub max_bytes: usize,
    /// Most addresses that one asker has resolved. Default: 4,096.
    pub max_addresses_each: usize,
    /// Most bytes for what one asker has resolved. Default: 1 MiB.
    pub max_bytes_each: usize,
    /// Most spans of time that are kept of an address, each with the names that led there then. Default: 8.
    pub max_spans: usize,
    /// How much longer than an answer says its names count, because clients keep addresses and reopen connections, in
    /// nanoseconds. Default: 5 minutes.
    pub grace_ns: i64,
    /// How long what counts no longer is kept for flows that began while it did, in nanoseconds from its last use.
    /// Default: 1 hour.
    pub keep_ns: i64,
}

impl Default for ResolvedLimits {
    fn default() -> Self {
        Self {
            max_addresses: 32_768,
            max_bytes: 8 << 20,
            max_addresses_each: 4_096,
            max_bytes_each: 1 << 20,
            max_spans: 8,
            grace_ns: 300 * SECOND_NS,
            keep_ns: 3_600 * SECOND_NS,
        }
    }
}

impl ResolvedLimits {
    /// No caps: for captures that are read once.
    pub fn unbounded() -> Self {
        Self {
            max_addresses: usize::MAX,
            max_bytes: usize::MAX,
            max_addresses_each: usize::MAX,
            max_bytes_each: usize::MAX,
            max_spans: 1_024,
            keep_ns: i64::MAX,
            ..Self::default()
        }
    }
}

/// What was resolved at the taps of a node.
///
/// Key: the tap, the address that asks, and the address that it was told. Caps: [`ResolvedLimits`]; over its own cap an
/// asker gives up what it used longest ago; over that of all, the one that holds most gives up a sixteenth. Freshness: from the
/// answer until its time to live and a grace are over; then it is kept for flows that began before.
#[derive(Debug)]
pub struct Resolved {
    limits: ResolvedLimits,
    askers: HashMap<AskerKey, Asker>,
    addresses: usize,
    bytes: usize,
    newest: Timestamp,
    swept: Timestamp,
}

/// Who asks: an address at a tap.
type AskerKey = (Arc<Tap>, Ip);

impl Resolved {
    /// Nothing was resolved yet.
    pub fn new(limits: ResolvedLimits) -> Self {
        let never = Timestamp(i64::MIN);
        Self { limits, askers: HashMap::default(), addresses: 0, bytes: 0, newest: never, swept: never }
    }

    /// How many addresses are known, counted for each asker.
    pub const fn addresses(&self) -> usize {
        self.addresses
    }

    /// Bytes of memory for them, about.
    pub const fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// Takes in what a flow asked, if it is a DNS query that was answered with addresses. Only what the pod behind the tap
    /// itself asks counts there, and nothing that comes from a node's address, which pods share.
    pub fn learn(&mut self, seen: &AttributedFlow, request: &Request) {
        let Some(dns) = request.exchange.dns().filter(|_| may_ask(seen)) else { return };
        let Some(span) = self.span(request, dns) else { return };
        let Some(names) = Names::of(dns).map(Arc::new) else { return };
        self.newest = self.newest.max(span.0);
        let key = (Arc::clone(&seen.tap), Ip::from(seen.flow.tuple.src_ip));
        let asker = self.askers.entry(key).or_default();
        let before = (asker.addresses(), asker.bytes());
        for ip in dns.addresses() {
            asker.learn(ip.into(), &names, span, self.limits.max_spans);
            asker.keep_within(self.limits.max_addresses_each, self.limits.max_bytes_each);
        }
        let after = (asker.addresses(), asker.bytes());
        self.addresses = self.addresses - before.0 + after.0;
        self.bytes = self.bytes - before.1 + after.1;
        self.keep_within();
        self.sweep();
    }

    /// Names an attributed flow by what its ends had resolved when it began: an outside address by its name, and on the
    /// opener's own leg the Service that it was led to by a name.
    pub fn name(&mut self, snapshot: &Snapshot, mut seen: AttributedFlow) -> AttributedFlow {
        if self.askers.is_empty() {
            return seen;
        }
        let (src_ip, dst_ip) = (seen.flow.tuple.src_ip, seen.flow.tuple.dst_ip);
        if is_nobodys(&seen.src)
            && let Some(told) = self.told(snapshot, &seen, dst_ip, src_ip)
        {
            seen.src = with_name(&seen.src, &told);
        }
        let may_be_led = seen.leg == Some(Leg::Client)
            && seen.dst.kind != EndpointKind::Service
            && seen.service.as_ref().is_none_or(|service| service.used.is_none());
        if !is_nobodys(&seen.dst) && !may_be_led {
            return seen;
        }
        let led_by = self.names(snapshot, &seen, src_ip, dst_ip);
        if may_be_led {
            seen.service = used(snapshot, &seen, &led_by);
        }
        if let Some(names) = led_by.first().filter(|_| is_nobodys(&seen.dst)) {
            seen.dst = with_name(&seen.dst, names.told(snapshot));
        }
        seen
    }

    fn told(&mut self, snapshot: &Snapshot, seen: &AttributedFlow, asker: IpAddr, ip: IpAddr) -> Option<Arc<str>> {
        let names = self.names(snapshot, seen, asker, ip);
        names.first().map(|names| Arc::clone(names.told(snapshot)))
    }

    /// The names by which an asker knew an address when a flow began, the last one first. The pod behind the tap may have
    /// asked from any of its addresses.
    fn names(&mut self, snapshot: &Snapshot, seen: &AttributedFlow, asker: IpAddr, ip: IpAddr) -> Vec<Arc<Names>> {
        let (start, last) = (seen.flow.start_ts, seen.flow.last_ts);
        let mut found = Vec::new();
        let mut look = |asker: IpAddr| {
            let key = (Arc::clone(&seen.tap), Ip::from(asker));
            if let Some(asker) = self.askers.get_mut(&key) {
                asker.names(ip.into(), start, last, &mut found);
            }
        };
        look(asker);
        let pod = seen.tap.pod.as_ref().and_then(|pod| snapshot.pod_named(pod));
        let own = pod.map_or(&[][..], |pod| &pod.ips);
        if own.contains(&asker.to_canonical()) {
            own.iter().copied().filter(|other| *other != asker.to_canonical()).for_each(look);
        }
        found.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        found.into_iter().map(|(_, names)| names).collect()
    }

    /// From when to when an answer counts; `None` = it is none, or it was not seen to be asked for.
    fn span(&self, request: &Request, dns: &Dns) -> Option<(Timestamp, Timestamp)> {
        let is_answer = dns.kind == DnsKind::Dns && dns.rcode == Some(0);
        let took_ns = i64::from(request.latency_us.filter(|_| is_answer)?) * 1_000;
        let from = request.ts.plus_ns(took_ns);
        let ttl_ns = i64::from(dns.ttl_s?.min(MAX_TTL_S)) * SECOND_NS;
        Some((from, from.plus_ns(ttl_ns).plus_ns(self.limits.grace_ns)))
    }

    fn keep_within(&mut self) {
        while self.addresses > self.limits.max_addresses || self.bytes > self.limits.max_bytes {
            let Some((key, asker)) = self.askers.iter_mut().max_by_key(|(_, asker)| asker.bytes()) else { return };
            let before = (asker.addresses(), asker.bytes());
            asker.give_up(asker.addresses().div_ceil(16));
            self.addresses -= before.0 - asker.addresses();
            self.bytes -= before.1 - asker.bytes();
            if asker.addresses() == 0 {
                let key = key.clone();
                self.askers.remove(&key);
            }
        }
    }

    /// Drops what no flow that is still going on can have begun with.
    fn sweep(&mut self) {
        if self.newest.since(self.swept) < SWEEP_NS {
            return;
        }
        self.swept = self.newest;
        let before = self.newest.plus_ns(self.limits.keep_ns.saturating_neg());
        self.askers.retain(|_, asker| {
            asker.forget(before);
            asker.addresses() > 0
        });
        self.addresses = self.askers.values().map(Asker::addresses).sum();
        self.bytes = self.askers.values().map(Asker::bytes).sum();
    }
}

/// Whether what this flow asks is asked by who is at its source.
fn may_ask(seen: &AttributedFlow) -> bool {
    let is_others = seen.tap.role == TapRole::Pod && matches!(seen.leg, Some(Leg::Server | Leg::Transit));
    !is_others && seen.src.kind != EndpointKind::Node
}

/// Whether no object has the endpoint's address.
fn is_nobodys(endpoint: &Endpoint) -> bool {
    matches!(endpoint.kind, EndpointKind::External | EndpointKind::Unknown)
}

fn with_name(endpoint: &Endpoint, name: &Arc<str>) -> Arc<Endpoint> {
    Arc::new(Endpoint { dns_name: Some(Arc::clone(name)), ..endpoint.clone() })
}

/// The namespace that names of one label are in for the pod behind a tap.
fn namespace(tap: &Tap) -> Option<&str> {
    tap.pod.as_ref().map(|PodRef { namespace, .. }| &**namespace)
}
