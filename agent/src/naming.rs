//! Flows and requests get their names: who had their addresses when they began, and what those had resolved.

use std::collections::HashMap;
use std::sync::Arc;

use weir_cluster::{Resolved, ResolvedLimits, attribute};
use weir_model::{AttributedFlow, AttributedRequest, Exchange, Flow, FlowId, Request, Tap};

use crate::cluster::Snapshots;

/// Names what taps report, in the order in which they report it.
#[derive(Debug)]
pub(crate) struct Naming {
    snapshots: Snapshots,
    resolved: Resolved,
    /// The flows of requests, until the batch is cut that shares them.
    carriers: HashMap<FlowId, Arc<AttributedFlow>>,
}

impl Naming {
    /// By what `snapshots` say of the cluster.
    pub(crate) fn new(snapshots: Snapshots, limits: ResolvedLimits) -> Self {
        Self { snapshots, resolved: Resolved::new(limits), carriers: HashMap::new() }
    }

    /// The flow with names, by what is known now of who was who when it began. One that began before anything is
    /// remembered is still going on: then those count who have its addresses today.
    pub(crate) fn flow(&mut self, tap: &Arc<Tap>, flow: Flow) -> AttributedFlow {
        let newest = self.snapshots.borrow();
        let at = if newest.remembers(flow.start_ts) { flow.start_ts } else { flow.last_ts };
        let then = newest.as_of(at);
        self.resolved.name(&then, attribute(&then, tap, flow))
    }

    /// The request with its flow; what it resolved names the flows that come after it.
    pub(crate) fn request(&mut self, tap: &Arc<Tap>, flow: Flow, request: Request) -> AttributedRequest {
        let id = flow.id;
        let known = self.carriers.get(&id).map(Arc::clone);
        let carrier = known.unwrap_or_else(|| Arc::new(self.flow(tap, flow)));
        self.carriers.insert(id, Arc::clone(&carrier));
        self.resolved.learn(&carrier, &request);
        AttributedRequest { flow: carrier, request }
    }

    /// A request that has to wait for its names; what it resolved counts at once.
    pub(crate) fn hear(&mut self, tap: &Arc<Tap>, flow: &Flow, request: &Request) {
        if matches!(request.exchange, Exchange::Dns(_)) {
            let then = self.snapshots.borrow().as_of(flow.start_ts);
            self.resolved.learn(&attribute(&then, tap, flow.clone()), request);
        }
    }

    /// A batch is cut.
    pub(crate) fn cut(&mut self) {
        self.carriers.clear();
    }
}
