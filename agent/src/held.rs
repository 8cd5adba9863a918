//! Reports of addresses that nobody is known to have, held for a moment: a pod's first packets are faster than its address.
//!
//! Young reports come in, and go out when the cluster has told who has their addresses, when the wait is over, or when
//! there is no room for more. Older ones never wait, and nothing is lost here. Packet time is compared with the program's
//! clock: both are the node's.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use weir_cluster::Snapshot;
use weir_model::{Exchange, Flow};
use weir_service::clock::Clock;

use crate::cluster::Snapshots;
use crate::event::Event;

/// Most reports that wait.
const MAX_REPORTS: usize = 4_096;
/// Most memory for them, about.
const MAX_BYTES: usize = 4 << 20;

/// Reports that wait.
///
/// Key: when the wait is over. Cap: [`MAX_REPORTS`] and [`MAX_BYTES`]; over it those go out as they are that would have
/// gone first.
pub(crate) struct Held {
    snapshots: Snapshots,
    clock: Arc<dyn Clock>,
    /// How old a flow is by then, at most.
    hold: Duration,
    waiting: BTreeMap<(Instant, u64), Event>,
    bytes: usize,
    count: u64,
    /// What waits no longer.
    ready: VecDeque<Event>,
}

impl Held {
    /// Holds reports of flows until they are `hold` old, at most; for no time = never.
    pub(crate) const fn new(snapshots: Snapshots, clock: Arc<dyn Clock>, hold: Duration) -> Self {
        let waiting = BTreeMap::new();
        Self { snapshots, clock, hold, waiting, bytes: 0, count: 0, ready: VecDeque::new() }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty()
    }

    /// How long a report has to wait; `None` = not at all.
    pub(crate) fn wait(&self, event: &Event) -> Option<Duration> {
        let flow = flow_of(event).filter(|_| !self.hold.is_zero())?;
        let age_ns = self.clock.now_ns().saturating_sub(flow.start_ts.0).max(0);
        let left = self.hold.checked_sub(Duration::from_nanos(age_ns.unsigned_abs())).filter(|left| !left.is_zero())?;
        is_unknown(&self.snapshots.borrow(), flow).then_some(left)
    }

    /// Takes in a report that has to wait for so long.
    pub(crate) fn hold(&mut self, event: Event, wait: Duration) {
        self.count += 1;
        self.bytes += bytes(&event);
        self.waiting.insert((Instant::now() + wait, self.count), event);
        while self.waiting.len() > MAX_REPORTS || self.bytes > MAX_BYTES {
            self.release_first();
        }
    }

    /// The next report that waits no longer. Pending for as long as all do; nothing is lost where nobody waits for it.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            self.release_due(Instant::now());
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            let first = self.waiting.keys().next().map(|(due, _)| *due);
            tokio::select! {
                () = sleep_until(first.unwrap_or_else(Instant::now)), if first.is_some() => {}
                Ok(()) = self.snapshots.changed() => self.release_known(),
                else => std::future::pending().await,
            }
        }
    }

    /// Takes out all that wait, in the order in which they would have gone.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.bytes = 0;
        self.ready.drain(..).chain(std::mem::take(&mut self.waiting).into_values()).collect()
    }

    fn release_due(&mut self, now: Instant) {
        while self.waiting.keys().next().is_some_and(|(due, _)| *due <= now) {
            self.release_first();
        }
    }

    fn release_first(&mut self) {
        if let Some((_, event)) = self.waiting.pop_first() {
            self.bytes -= bytes(&event);
            self.ready.push_back(event);
        }
    }

    /// The cluster has told something: who waits for just that waits no longer.
    fn release_known(&mut self) {
        let newest = self.snapshots.borrow().clone();
        let waiting = std::mem::take(&mut self.waiting);
        for (at, event) in waiting {
            if flow_of(&event).is_some_and(|flow| is_unknown(&newest, flow)) {
                self.waiting.insert(at, event);
            } else {
                self.bytes -= bytes(&event);
                self.ready.push_back(event);
            }
        }
    }
}

/// Whether somebody in the cluster may have an address of the flow, and it is not known who.
fn is_unknown(newest: &Snapshot, flow: &Flow) -> bool {
    let then = newest.as_of(flow.start_ts);
    let is_unknown = |ip: IpAddr| then.may_be_told(ip) && !then.is_known(ip);
    is_unknown(flow.tuple.src_ip) || is_unknown(flow.tuple.dst_ip)
}

fn flow_of(event: &Event) -> Option<&Flow> {
    match event {
        Event::Flow(_, flow) => Some(flow),
        Event::Request(_, heard) => Some(&heard.0),
        _ => None,
    }
}

/// Memory for a report, about.
fn bytes(event: &Event) -> usize {
    let told = match event {
        Event::Request(_, heard) => size_of_val(&**heard) + text_bytes(&heard.1.exchange),
        _ => 0,
    };
    size_of::<((Instant, u64), Event)>() + told
}

fn text_bytes(exchange: &Exchange) -> usize {
    let list = |texts: &[Box<str>]| texts.iter().map(|text| size_of::<Box<str>>() + text.len()).sum::<usize>();
    let texts =
        |texts: &[&Option<Box<str>>]| texts.iter().map(|text| text.as_deref().map_or(0, str::len)).sum::<usize>();
    match exchange {
        Exchange::Dns(dns) => texts(&[&dns.qname]) + list(&dns.answers) + list(&dns.additional),
        Exchange::Http(http) => texts(&[&http.method, &http.host, &http.path, &http.upgrade, &http.request_id]),
        Exchange::Tls(tls) => texts(&[&tls.sni, &tls.alpn_selected, &tls.ja4]) + list(&tls.alpn),
    }
}
