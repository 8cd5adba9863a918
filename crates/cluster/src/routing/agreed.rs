//! What the requests of a flow have in common: rules that requests met come in, the one rule of a flow's row goes out,
//! where all of its requests met the same.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use weir_model::{FlowId, FlowRow, Routed, Service, Timestamp};

use super::Met;

/// Most different rules that are remembered of one flow; one with more has no rule of its own.
const MAX_RULES: usize = 8;

/// A flow of one node's agent.
type FlowKey = (Option<Arc<str>>, FlowId);

/// Rules of flows. Key: the flow. Cap: as many flows as it is made for; the flow that was heard of first goes first.
#[derive(Debug)]
pub(super) struct Agreed {
    flows: HashMap<FlowKey, Heard, foldhash::fast::RandomState>,
    order: VecDeque<FlowKey>,
    max_flows: usize,
}

#[derive(Debug, Default)]
struct Heard {
    rules: Vec<Span>,
    /// Requests that are not settled yet, by their time.
    open: BTreeMap<Timestamp, Met>,
    has_more: bool,
}

/// From when to when a rule was met.
#[derive(Debug)]
struct Span {
    met: Met,
    from: Timestamp,
    to: Timestamp,
}

impl Agreed {
    pub(super) fn new(max_flows: usize) -> Self {
        Self { flows: HashMap::default(), order: VecDeque::new(), max_flows }
    }

    /// A request met a rule, for good or as things stand.
    pub(super) fn hear(&mut self, carrier: &FlowRow, ts: Timestamp, met: &Met, is_final: bool) {
        let key = key(carrier);
        if !self.flows.contains_key(&key) {
            self.order.push_back(key.clone());
            while self.order.len() > self.max_flows {
                if let Some(first) = self.order.pop_front() {
                    self.flows.remove(&first);
                }
            }
        }
        let heard = self.flows.entry(key).or_default();
        if !is_final {
            heard.open.insert(ts, met.clone());
            return;
        }
        heard.open.remove(&ts);
        if let Some(span) = heard.rules.iter_mut().find(|span| span.met.routed.agrees(&met.routed)) {
            span.from = span.from.min(ts);
            span.to = span.to.max(ts);
        } else if heard.rules.len() < MAX_RULES {
            heard.rules.push(Span { met: met.clone(), from: ts, to: ts });
        } else {
            heard.has_more = true;
        }
    }

    /// The rule that all requests of a row met.
    pub(super) fn of(&self, row: &FlowRow) -> Option<(&Arc<Routed>, Option<&Arc<Service>>)> {
        let heard = self.flows.get(&key(row)).filter(|heard| !heard.has_more)?;
        let (first, last) = (row.seen.flow.first_ts, row.seen.flow.last_ts);
        let settled = heard.rules.iter().filter(|span| span.from <= last && first <= span.to).map(|span| &span.met);
        let mut met = settled.chain(heard.open.range(first..=last.max(first)).map(|(_, met)| met));
        let one = met.next()?;
        let is_agreed = met.all(|other| other.routed.agrees(&one.routed));
        is_agreed.then_some((&one.routed, one.service.as_ref()))
    }
}

fn key(row: &FlowRow) -> FlowKey {
    (row.node.clone(), row.seen.flow.id)
}
