//! Which pods were watched when.

use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{Coverage, PodRef, RunId, Timestamp};

use super::clocks::Clocks;
use super::connection::LegSeen;

#[derive(Clone, Debug)]
struct Span {
    node: Arc<str>,
    run: RunId,
    interface: Arc<str>,
    from: Timestamp,
    /// `None` = still open.
    to: Option<Timestamp>,
    /// Until when it is known that everything was told.
    told: Timestamp,
}

/// Spans of packet time in which pods had a tap, each by the clock of the tap's node.
///
/// Key: the pod. Cap: [`MAX_PODS`], the one that was watched longest ago first, and [`MAX_SPANS`] for each pod, oldest
/// first; spans of one tap and run that touch are merged, so a pod that
/// is watched without a break needs one.
#[derive(Debug)]
pub(super) struct CoverageIndex {
    pods: HashMap<PodRef, Vec<Span>>,
    /// The newest packet time that each node told of. Cap: [`MAX_NODES`], then a node that is new is not noted.
    heard: HashMap<Arc<str>, Timestamp>,
    slack_ns: i64,
    pub(super) clocks: Clocks,
}

const MAX_SPANS: usize = 64;
const MAX_PODS: usize = 500_000;
const MAX_NODES: usize = 10_000;

/// No agent keeps a flow that was never answered for longer than this, in nanoseconds.
const HELD_NS: i64 = 90_000_000_000;

impl CoverageIndex {
    pub(super) fn new(slack_ns: i64) -> Self {
        Self { pods: HashMap::new(), heard: HashMap::new(), slack_ns, clocks: Clocks::default() }
    }

    pub(super) fn cover(&mut self, node: &Arc<str>, run: RunId, coverage: &Coverage) {
        let (Some(pod), Some(interface)) = (&coverage.pod, &coverage.interface) else { return };
        self.make_room(pod);
        let told = coverage.to_ts.unwrap_or(coverage.from_ts);
        let spans = self.pods.entry(pod.clone()).or_default();
        let touches = |span: &Span| {
            span.run == run
                && span.node == *node
                && span.interface == *interface
                && coverage.from_ts <= span.to.unwrap_or(Timestamp(i64::MAX)).plus_ns(self.slack_ns)
                && coverage.to_ts.unwrap_or(Timestamp(i64::MAX)).plus_ns(self.slack_ns) >= span.from
        };
        if let Some(span) = spans.iter_mut().find(|span| touches(span)) {
            span.from = span.from.min(coverage.from_ts);
            // A tap that goes on after a span says so at once, by an open one.
            span.to = coverage.to_ts.map(|to| span.to.map_or(to, |known| known.max(to)));
            span.told = span.told.max(told);
            return;
        }
        if spans.len() >= MAX_SPANS {
            spans.remove(0);
        }
        let (node, interface) = (Arc::clone(node), Arc::clone(interface));
        spans.push(Span { node, run, interface, from: coverage.from_ts, to: coverage.to_ts, told });
    }

    fn make_room(&mut self, pod: &PodRef) {
        if self.pods.len() < MAX_PODS || self.pods.contains_key(pod) {
            return;
        }
        let watched_until = |spans: &Vec<Span>| spans.iter().map(|span| span.to.unwrap_or(Timestamp(i64::MAX))).max();
        let oldest = self.pods.iter().min_by_key(|(_, spans)| watched_until(spans)).map(|(pod, _)| pod.clone());
        if let Some(oldest) = oldest {
            self.pods.remove(&oldest);
        }
    }

    pub(super) fn run_ended(&mut self, node: &str, run: RunId, at: Timestamp) {
        for span in self.pods.values_mut().flatten() {
            if span.run == run && *span.node == *node && span.to.is_none() {
                span.to = Some(at.max(span.from));
            }
        }
    }

    /// Whether the pod was watched when a node's clock said that it is `at`.
    pub(super) fn tapped(&self, pod: &PodRef, at: Timestamp, node: Option<&Arc<str>>) -> bool {
        self.pods.get(pod).is_some_and(|spans| {
            spans.iter().any(|span| {
                let at = self.clocks.told(at, node, &span.node);
                span.from.plus_ns(-self.slack_ns) <= at && span.to.is_none_or(|to| at <= to.plus_ns(self.slack_ns))
            })
        })
    }

    /// A node told of a packet.
    pub(super) fn hear(&mut self, node: &Arc<str>, time: Timestamp) {
        if let Some(heard) = self.heard.get_mut(node) {
            *heard = (*heard).max(time);
        } else if self.heard.len() < MAX_NODES {
            self.heard.insert(Arc::clone(node), time);
        }
    }

    /// Whether the pod was watched all the time that legs were seen, and all that was seen there by then has been told: what
    /// is not known of that time did not happen.
    pub(super) fn was_told(&self, pod: &PodRef, legs: &[LegSeen]) -> bool {
        self.pods.get(pod).is_some_and(|spans| {
            spans.iter().any(|span| {
                let here = |time, leg: &LegSeen| self.clocks.told(time, leg.key.node.as_ref(), &span.node);
                let from = legs.iter().map(|leg| here(leg.start_ts, leg)).min();
                let to = legs.iter().map(|leg| here(leg.last_ts, leg)).max();
                let Some((from, to)) = from.zip(to) else { return false };
                let heard = self.heard.get(&span.node).is_some_and(|heard| *heard >= to.plus_ns(HELD_NS));
                let watched_to = if heard { span.to.unwrap_or(to) } else { span.told };
                span.from.plus_ns(-self.slack_ns) <= from && to <= watched_to.plus_ns(self.slack_ns)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use weir_model::TapRole;

    use super::*;

    fn span(interface: &str, from: i64, to: Option<i64>) -> Coverage {
        let pod = Some(PodRef { namespace: "shop".into(), name: "db-0".into() });
        let (from_ts, to_ts) = (Timestamp(from), to.map(Timestamp));
        Coverage { interface: Some(interface.into()), role: TapRole::Pod, pod, from_ts, to_ts, reason: None }
    }

    fn tapped(spans: &[Coverage], at: i64) -> bool {
        let mut index = CoverageIndex::new(0);
        for span in spans {
            index.cover(&"node-a".into(), RunId(1), span);
        }
        index.tapped(spans[0].pod.as_ref().expect("a pod"), Timestamp(at), None)
    }

    #[test]
    fn a_tap_that_ends_watches_no_longer() {
        let open = [span("a", 10, None), span("a", 10, Some(60)), span("a", 60, None)];
        assert!(tapped(&open, 5_000), "a window was over, not the tap");
        let ended = [&open[..], &[span("a", 60, Some(70))]].concat();
        assert!(!tapped(&ended, 71));
        assert!(tapped(&ended, 65));
        let two = [&ended[..], &[span("b", 50, None)]].concat();
        assert!(tapped(&two, 71), "another tap of the pod goes on");
        assert!(tapped(&[&two[..], &ended[..]].concat(), 71), "whatever comes again after a reconnect");
    }
}
