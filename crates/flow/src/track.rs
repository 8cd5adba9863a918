//! Tracking: packets into flows, flows into reports.
//!
//! [`Tracker`] owns one table of flows. Every packet of a frame that has one counts in exactly one flow; an ICMP error
//! counts in the ICMP flow between its sender and its receiver, and the flow it quotes only learns its type and code
//! (one of ICMP lists its own messages alone, and is marked as rejected).
//! The work for one packet is bounded: what time makes due is done a few flows at a time.

mod entry;
mod index;
mod listen;
mod report;
mod rows;
mod sequence;
mod shared;
mod slots;
mod table;
mod tcp;
mod wheel;

use weir_model::{EndReason, Frame, Icmp, Protocol, Report, Timestamp};

use crate::config::TrackerConfig;
use crate::counts::{Counts, Lost};
use crate::decode::Decoder;
use crate::l7::Talks;
use crate::packet::{Detail, IcmpMessage, Packet, Path};
use crate::sink::FlowSink;
use entry::Entry;
use report::Reporter;
use rows::Rows;
use shared::{IcmpKinds, Shared};
use table::FlowTable;
use wheel::Wheel;

/// Packets this much older than the newest came in another order than they were sent; older ones mean that the clock
/// was set back.
const REORDER_NS: i64 = 10_000_000_000;
/// What is due is looked for this often (packet time), this many flows at most.
const SERVICE_NS: i64 = 16_000_000;
const SERVICE_FLOWS: usize = 64;
/// And at every packet this many, while some are left.
const BACKLOG_FLOWS: usize = 8;
/// A row whose flow will be over this soon waits for its end, instead of two reports.
const DEFER_NS: i64 = 6_000_000_000;
/// A sink that refused a row is asked again after this time.
const RETRY_NS: i64 = 50_000_000;
/// Flows looked at for the best one to evict.
const EVICTION_TRIES: usize = 8;

/// The flows of one tap.
pub struct Tracker {
    config: TrackerConfig,
    decoder: Decoder,
    table: FlowTable,
    wheel: Wheel,
    rows: Rows,
    paths: Shared<Path>,
    kinds: Shared<IcmpKinds>,
    talks: Talks,
    counts: Counts,
    next_number: u64,
    clock: Clock,
    /// Something was left undone.
    backlog: bool,
}

/// Packet time as the tracker follows it.
#[derive(Default)]
struct Clock {
    /// The newest packet's time; `None` before the first.
    now: Option<Timestamp>,
    next_service: i64,
    next_offer: i64,
}

impl Tracker {
    /// An empty tracker.
    pub fn new(config: TrackerConfig) -> Self {
        Self {
            decoder: Decoder::new(config.vxlan_ports.clone()),
            table: FlowTable::default(),
            wheel: Wheel::new(),
            rows: Rows::new(config.window_ns),
            paths: Shared::new(),
            kinds: Shared::new(),
            talks: Talks::new(config.l7),
            counts: Counts::default(),
            next_number: config.first_flow,
            clock: Clock::default(),
            backlog: false,
            config,
        }
    }

    /// Takes in a frame: decodes it, counts it, and does some of what its time makes due.
    pub fn observe(&mut self, frame: &Frame<'_>, sink: &mut impl FlowSink) {
        self.counts.frames += 1;
        self.counts.wire_bytes += u64::from(frame.wire_len);
        self.pass_time(frame.time, sink);
        match self.decoder.decode(frame) {
            Ok(packet) => {
                self.counts.take(frame.wire_len, packet.ip_bytes);
                self.track(&packet, packet.payload.of(frame.bytes), sink);
            }
            Err(reason) => self.counts.skip(reason, frame.wire_len),
        }
    }

    /// Time passes without packets: everything that is due by `now` is done.
    pub fn advance(&mut self, now: Timestamp, sink: &mut impl FlowSink) {
        self.pass_time(now, sink);
        self.backlog = self.service(usize::MAX, sink);
    }

    /// Ends all flows: with `reason`, where they were not over already.
    pub fn finish(&mut self, reason: EndReason, sink: &mut impl FlowSink) {
        while let Some(place) = self.wheel.nearest() {
            self.close(place, reason, sink);
        }
    }

    /// The number that the next new flow gets.
    pub const fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Goes on numbering new flows from here: trackers that come and go on one thread share its numbers.
    pub const fn number_from(&mut self, next: u64) {
        self.next_number = next;
    }

    /// What found no room since this was last asked.
    pub const fn take_lost(&mut self) -> Lost {
        std::mem::replace(&mut self.counts.lost, Lost::NONE)
    }

    /// What was seen, skipped and lost so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many flows are in the table.
    pub const fn open_flows(&self) -> usize {
        self.table.len()
    }

    /// Bytes of memory held by the table and what belongs to it, and by what flows say.
    pub fn memory_bytes(&self) -> usize {
        self.table_bytes() + self.talks.memory_bytes()
    }

    fn table_bytes(&self) -> usize {
        self.table.memory_bytes()
            + self.wheel.memory_bytes()
            + self.paths.memory_bytes()
            + self.kinds.memory_bytes()
            + self.decoder.memory_bytes()
    }

    #[inline]
    fn pass_time(&mut self, time: Timestamp, sink: &mut impl FlowSink) {
        match self.clock.now {
            Some(now) if time >= now => self.clock.now = Some(time),
            Some(now) if now.since(time) <= REORDER_NS => {}
            // The first packet, or the clock was set back.
            _ => {
                self.clock = Clock { now: Some(time), next_service: i64::MIN, next_offer: i64::MIN };
                self.wheel.rewind(time.0);
            }
        }
        if time.0 >= self.clock.next_service {
            self.clock.next_service = time.0.saturating_add(SERVICE_NS);
            self.backlog = self.service(SERVICE_FLOWS, sink);
        } else if self.backlog {
            self.backlog = self.service(BACKLOG_FLOWS, sink);
        }
    }

    /// Does what is due for at most `budget` flows; whether some are left.
    fn service(&mut self, budget: usize, sink: &mut impl FlowSink) -> bool {
        let Some(now) = self.clock.now else { return false };
        self.rows.turn(now);
        for _ in 0..budget {
            if let Some(place) = self.wheel.take(&mut self.table.slots, now.0) {
                self.expire(place, now, sink);
            } else if let Some(place) = self.rows.next(&self.table.slots, now) {
                if !self.flush(place, now, sink) {
                    return false;
                }
            } else {
                return false;
            }
        }
        true
    }

    /// The timer of `place` has come: its flow is over, or gets its real deadline.
    fn expire(&mut self, place: u32, now: Timestamp, sink: &mut impl FlowSink) {
        let entry = &self.table.slots[place];
        let deadline = entry.deadline(&self.config.idle);
        // A flow from before the clock was set back would never be over.
        let is_ahead = entry.last.since(now) > REORDER_NS;
        self.wheel.set(&mut self.table.slots, place, deadline);
        if deadline <= now.0 || is_ahead {
            self.close(place, EndReason::Idle, sink);
        }
    }

    /// Sends the due row of `place`; false = there was no room for it.
    fn flush(&mut self, place: u32, now: Timestamp, sink: &mut impl FlowSink) -> bool {
        let is_over_soon = self.table.slots[place].deadline(&self.config.idle) <= now.0.saturating_add(DEFER_NS);
        if is_over_soon {
            self.rows.end(&mut self.table.slots, place);
            return true;
        }
        self.send_row(place, sink)
    }

    /// Offers the row of `place`; false = it stays and grows.
    fn send_row(&mut self, place: u32, sink: &mut impl FlowSink) -> bool {
        let now = self.clock.now.map_or(0, |now| now.0);
        if now < self.clock.next_offer {
            return false;
        }
        let flow = self.reporter().report(&self.table.slots[place], Report::Window, None);
        if sink.offer(flow).is_err() {
            self.clock.next_offer = now.saturating_add(RETRY_NS);
            return false;
        }
        self.table.slots[place].clear_row();
        self.rows.end(&mut self.table.slots, place);
        true
    }

    /// Ends the flow at `place` with its last report.
    fn close(&mut self, place: u32, reason: EndReason, sink: &mut impl FlowSink) {
        self.wheel.clear(&mut self.table.slots, place);
        self.rows.end(&mut self.table.slots, place);
        self.close_talk(place, sink);
        let entry = &mut self.table.slots[place];
        let is_tcp = entry.speakers.protocol == Protocol::TCP;
        if is_tcp {
            entry.tcp.finish();
        }
        let entry = &self.table.slots[place];
        let by_itself = if is_tcp { entry.tcp.end() } else { None };
        let flow = self.reporter().report(entry, Report::End, Some(by_itself.unwrap_or(reason)));
        if let Err(flow) = sink.offer(flow) {
            self.counts.lost.add(&flow);
        }
        self.paths.release(entry.path);
        self.kinds.release(entry.icmp);
        self.table.remove(place);
    }

    const fn reporter(&self) -> Reporter<'_> {
        Reporter { run: self.config.run, rows: &self.rows, paths: &self.paths, kinds: &self.kinds }
    }

    #[inline]
    fn track(&mut self, packet: &Packet, payload: &[u8], sink: &mut impl FlowSink) {
        let hash = self.table.hash(&packet.speakers);
        let known = self.table.find(hash, &packet.speakers);
        let (place, is_new) = match known {
            Some(place) => match self.break_before(place, packet) {
                Some(reason) => {
                    self.close(place, reason, sink);
                    (self.open(hash, packet, sink), true)
                }
                None => (place, false),
            },
            None => (self.open(hash, packet, sink), true),
        };
        self.count(place, packet, sink);
        if is_new && self.config.report_start {
            let start = self.reporter().report(&self.table.slots[place], Report::Start, None);
            // A live tail that has no room misses it: the row follows all the same.
            drop(sink.offer(start));
        }
        match &packet.detail {
            Detail::Icmp(message) => self.learn_icmp(place, message),
            detail => self.listen(place, packet, detail, payload, sink),
        }
    }

    /// Why `packet` begins another flow than the one at `place`, which has its tuple.
    #[inline]
    fn break_before(&self, place: u32, packet: &Packet) -> Option<EndReason> {
        let entry = &self.table.slots[place];
        if packet.time.0 > entry.deadline(&self.config.idle) {
            return Some(EndReason::Idle);
        }
        match &packet.detail {
            Detail::Tcp(segment) if entry.tcp.is_reopened_by(segment, entry.is_from_opener(packet)) => {
                Some(EndReason::Reused)
            }
            _ => None,
        }
    }

    /// Counts `packet` in the flow at `place`, in a row of its window.
    #[inline]
    fn count(&mut self, place: u32, packet: &Packet, sink: &mut impl FlowSink) {
        let entry = &self.table.slots[place];
        if !entry.row_is_empty() && !self.rows.is_same(entry.first, packet.time) {
            self.send_row(place, sink);
        }
        let entry = &mut self.table.slots[place];
        let state = entry.tcp.state();
        entry.count(packet);
        if entry.tcp.state() != state && entry.tcp.is_closing() {
            let deadline = entry.deadline(&self.config.idle);
            self.wheel.clear(&mut self.table.slots, place);
            self.wheel.set(&mut self.table.slots, place, deadline);
        }
        self.rows.begin(&mut self.table.slots, place);
        if !packet.path.is_plain() {
            self.learn_path(place, &packet.path);
        }
    }

    /// Tunnels have ids for each direction: the flow lists both.
    fn learn_path(&mut self, place: u32, path: &Path) {
        let number = self.table.slots[place].path;
        let known = self.paths.value(number);
        if known == *path {
            return;
        }
        let joined = if number == 0 { *path } else { known.joined(path) };
        if joined != known {
            self.table.slots[place].path = self.paths.hold(joined);
            self.paths.release(number);
        }
    }

    /// Makes a flow for `packet`, and room for it.
    fn open(&mut self, hash: u64, packet: &Packet, sink: &mut impl FlowSink) -> u32 {
        while self.is_full(packet) && self.evict(sink) {}
        let entry = Entry::new(packet, self.next_number);
        self.next_number = self.next_number.wrapping_add(self.config.flow_stride);
        self.counts.flows += 1;
        let deadline = entry.deadline(&self.config.idle);
        let place = self.table.insert(hash, entry);
        self.wheel.set(&mut self.table.slots, place, deadline);
        place
    }

    /// Whether a flow of `packet` has no room.
    fn is_full(&self, packet: &Packet) -> bool {
        if self.table.len() >= self.config.max_flows {
            return true;
        }
        let path = if packet.path.is_plain() { 0 } else { self.paths.growth_bytes() };
        let growth = self.table.growth_bytes() + path;
        growth > 0 && self.table_bytes().saturating_add(growth) > self.config.max_bytes
    }

    /// Ends the flow that is nearest to its end anyway, or about; false = there is none.
    fn evict(&mut self, sink: &mut impl FlowSink) -> bool {
        for attempt in 1..=EVICTION_TRIES {
            let Some(place) = self.wheel.nearest() else { return false };
            let deadline = self.table.slots[place].deadline(&self.config.idle);
            if attempt < EVICTION_TRIES && !self.wheel.is_at(&self.table.slots, place, deadline) {
                self.wheel.clear(&mut self.table.slots, place);
                self.wheel.set(&mut self.table.slots, place, deadline);
                continue;
            }
            self.counts.evicted += 1;
            self.close(place, EndReason::Evicted, sink);
            break;
        }
        true
    }

    fn learn_icmp(&mut self, place: u32, message: &IcmpMessage) {
        self.note_icmp(place, message.icmp);
        let Some(quoted) = &message.quoted else { return };
        let hash = self.table.hash(quoted);
        let Some(place) = self.table.find(hash, quoted) else { return };
        if !quoted.protocol.is_icmp() {
            self.note_icmp(place, message.icmp);
        }
        if is_rejection(message.icmp, quoted.v6) {
            self.table.slots[place].mark(Entry::REJECTED);
        }
    }

    fn note_icmp(&mut self, place: u32, icmp: Icmp) {
        let number = self.table.slots[place].icmp;
        let kinds = self.kinds.value(number);
        if !kinds.contains(icmp) {
            self.table.slots[place].icmp = self.kinds.hold(kinds.with(icmp));
            self.kinds.release(number);
        }
    }
}

/// Whether an ICMP error says that a packet did not get through, and not only to send smaller ones or elsewhere.
const fn is_rejection(icmp: Icmp, v6: bool) -> bool {
    match (v6, icmp.kind) {
        (false, 3) => icmp.code != 4,
        (false, 11 | 12) | (true, 1 | 3 | 4) => true,
        _ => false,
    }
}
