//! Whether this node tracked a connection: news of its connection tracking in, a word for each flow out.
//!
//! A pod's packet is seen on its veth before netfilter sees it. Where netfilter lets it go the kernel tells of a new entry
//! within microseconds; where it drops or rejects it the kernel tells nothing. That nothing was told is evidence only where
//! everything would have been, so there is no word where news may be missing, or where traffic passes by netfilter.

use std::collections::{HashMap, VecDeque};

use tracing::info;
use weir_model::{Flow, InitiatorBy, Outcome, Protocol, Timestamp, Translation, Tuple};

use crate::event::Span;

/// How long before a flow's first packet and after its last one an entry still counts as its own, in nanoseconds: news have
/// the time at which they were read.
const NEAR_NS: i64 = 1_000_000_000;

/// Everything must have been told for so long after a flow's last packet, in nanoseconds.
const TOLD_NS: i64 = 100_000_000;

/// Entries that were opened by a tuple, as far as they are remembered.
///
/// Key: the opener's packets as they come to the node. Cap: as given; the one that was told first goes, and about flows that
/// are older than its end nothing is said any more.
#[derive(Debug)]
pub(crate) struct Tracked {
    entries: HashMap<Tuple, Life>,
    order: VecDeque<(u64, Tuple)>,
    told: u64,
    cap: usize,
    complete: Option<Span>,
    /// Entries that ended by then may be forgotten.
    forgotten_until: Timestamp,
    /// Some connection of a pod was tracked: the node does it at all.
    tracks: bool,
    /// Some flow was answered and not tracked.
    passed_by: bool,
}

#[derive(Clone, Copy, Debug)]
struct Life {
    number: u64,
    from: Timestamp,
    until: Timestamp,
}

impl Tracked {
    /// Nothing yet; at most `cap` entries, some 150 bytes each.
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: VecDeque::new(),
            told: 0,
            cap: cap.max(1),
            complete: None,
            forgotten_until: Timestamp(i64::MIN),
            tracks: false,
            passed_by: false,
        }
    }

    /// Takes in news of an entry. Of entries with one tuple the whole span of them all is remembered.
    pub(crate) fn learn(&mut self, translation: &Translation) {
        let from = translation.from_ts.unwrap_or(Timestamp(i64::MIN));
        let until = translation.to_ts.unwrap_or(Timestamp(i64::MAX));
        self.told += 1;
        let number = self.told;
        let life = self.entries.entry(translation.original).or_insert(Life { number, from, until });
        life.number = number;
        life.from = life.from.min(from);
        // The end of one that is known is its end, whatever was told before.
        life.until = until;
        self.order.push_back((number, translation.original));
        while self.entries.len() > self.cap || self.order.len() > 4 * self.cap {
            self.forget_first();
        }
    }

    /// An entry was made for what a pod of this node opened.
    pub(crate) const fn note_pod(&mut self) {
        self.tracks = true;
    }

    /// Everything of that time was told by now.
    pub(crate) const fn complete(&mut self, span: Span) {
        self.complete = Some(span);
    }

    /// Whether the node tracked a flow that it saw at the veth of the pod that opened it; `None` = nothing says.
    pub(crate) fn of(&mut self, flow: &Flow) -> Option<bool> {
        if flow.tuple.protocol != Protocol::TCP || flow.initiator_by != InitiatorBy::Syn {
            return None;
        }
        let (from, until) = (flow.start_ts.plus_ns(-NEAR_NS), flow.last_ts.plus_ns(NEAR_NS));
        let life = self.entries.get(&flow.tuple);
        if life.is_some_and(|life| life.from <= until && from <= life.until) {
            self.tracks = true;
            return Some(true);
        }
        let complete = self.complete.filter(|span| span.from <= from && flow.last_ts.plus_ns(TOLD_NS) <= span.until);
        if complete.is_none() || from <= self.forgotten_until {
            return None;
        }
        if flow.outcome == Outcome::Established && !self.passed_by {
            self.passed_by = true;
            info!("traffic of pods passes by connection tracking: nothing says which packets this node dropped");
        }
        (self.tracks && !self.passed_by).then_some(false)
    }

    fn forget_first(&mut self) {
        let Some((number, tuple)) = self.order.pop_front() else { return };
        let Some(life) = self.entries.get(&tuple).copied().filter(|life| life.number == number) else { return };
        if self.entries.len() <= self.cap {
            // The queue is long because of what was told again.
            return self.order.push_back((number, tuple));
        }
        self.forgotten_until = self.forgotten_until.max(life.until);
        self.entries.remove(&tuple);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    /// A flow of the sample that nobody answered, by its number and time.
    fn unanswered(count: u8, second: i64) -> Flow {
        let (start_ts, last_ts) = (at(second), at(second + 1));
        let (initiator_by, outcome) = (InitiatorBy::Syn, Outcome::Unanswered);
        let tuple = Tuple { protocol: Protocol::TCP, ..sample::flow(count).tuple };
        Flow { start_ts, last_ts, initiator_by, outcome, tuple, ..sample::flow(count) }
    }

    fn entry(count: u8, from: Option<i64>, to: Option<i64>) -> Translation {
        let original = unanswered(count, 0).tuple;
        let (from_ts, to_ts) = (from.map(at), to.map(at));
        Translation { original, reply: original.reversed(), from_ts, to_ts, zone: None }
    }

    /// Everything of seconds 10 to 100 was told, and flow 1 was tracked at second 20.
    fn tracked() -> Tracked {
        let mut tracked = Tracked::new(100);
        tracked.learn(&entry(1, Some(20), None));
        tracked.complete(Span { from: at(10), until: at(100) });
        assert_eq!(tracked.of(&unanswered(1, 20)), Some(true));
        tracked
    }

    #[test]
    fn a_connection_without_an_entry_was_dropped_here() {
        let mut tracked = tracked();
        assert_eq!(tracked.of(&unanswered(2, 30)), Some(false));
        tracked.learn(&entry(3, Some(30), Some(31)));
        assert_eq!(tracked.of(&unanswered(3, 30)), Some(true));
        assert_eq!(tracked.of(&unanswered(3, 40)), Some(false), "that entry was another connection's");
    }

    #[test]
    fn nothing_is_said_of_times_of_which_not_everything_was_told() {
        let mut tracked = tracked();
        assert_eq!(tracked.of(&unanswered(2, 9)), None, "before anybody listened");
        assert_eq!(tracked.of(&unanswered(2, 99)), None, "it may still be told");
        tracked.complete(Span { from: at(50), until: at(120) });
        assert_eq!(tracked.of(&unanswered(2, 30)), None, "news were lost at second 50");
        assert_eq!(tracked.of(&unanswered(2, 60)), Some(false));
        assert_eq!(Tracked::new(10).of(&unanswered(2, 60)), None);
    }

    #[test]
    fn an_entry_from_before_is_no_entry_that_is_missing() {
        let mut tracked = tracked();
        tracked.learn(&entry(2, None, None));
        assert_eq!(tracked.of(&unanswered(2, 60)), Some(true));
        tracked.learn(&entry(2, None, Some(70)));
        assert_eq!((tracked.of(&unanswered(2, 60)), tracked.of(&unanswered(2, 80))), (Some(true), Some(false)));
    }

    #[test]
    fn where_traffic_passes_by_netfilter_nothing_is_said() {
        let mut never = Tracked::new(10);
        never.complete(Span { from: at(10), until: at(100) });
        assert_eq!(never.of(&unanswered(2, 30)), None, "it may track nothing at all");
        let mut tracked = tracked();
        assert_eq!(tracked.of(&Flow { outcome: Outcome::Established, ..unanswered(4, 30) }), None);
        assert_eq!(tracked.of(&unanswered(2, 30)), None);
        assert_eq!(tracked.of(&unanswered(1, 20)), Some(true));
    }

    #[test]
    fn only_openings_of_tcp_are_told_from_their_first_packet_on() {
        let mut tracked = tracked();
        let half = Flow { initiator_by: InitiatorBy::FirstPacket, ..unanswered(2, 30) };
        assert_eq!(tracked.of(&half), None);
        let mut udp = unanswered(2, 30);
        udp.tuple.protocol = Protocol::UDP;
        assert_eq!(tracked.of(&udp), None);
    }

    #[test]
    fn what_is_forgotten_is_no_evidence() {
        let mut tracked = Tracked::new(3);
        tracked.complete(Span { from: at(0), until: at(1_000) });
        for count in 1..=9 {
            tracked.learn(&entry(count, Some(i64::from(count) * 10), Some(i64::from(count) * 10 + 1)));
        }
        assert_eq!(tracked.entries.len(), 3);
        assert_eq!(tracked.of(&unanswered(9, 90)), Some(true));
        assert_eq!((tracked.of(&unanswered(20, 50)), tracked.of(&unanswered(20, 70))), (None, Some(false)));
        for _ in 0..100 {
            tracked.learn(&entry(9, Some(90), None));
        }
        assert!(tracked.order.len() <= 12);
    }
}
