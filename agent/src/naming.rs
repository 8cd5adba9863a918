//! Flows and requests get their names: who had their addresses when they began, and what those had resolved.

use std::collections::HashMap;
use std::sync::Arc;

use weir_cluster::{Resolved, ResolvedLimits, TranslationOptions, Translations, attribute, is_telling, name_dialled};
use weir_model::{AttributedFlow, AttributedRequest, Exchange, Flow, FlowId, Request, Tap, Translation};

use crate::cluster::Snapshots;

/// Names what taps report, in the order in which they report it.
#[derive(Debug)]
pub(crate) struct Naming {
    node: Arc<str>,
    snapshots: Snapshots,
    resolved: Resolved,
    translations: Translations,
    /// The flows of requests, until the batch is cut that shares them.
    carriers: HashMap<FlowId, Arc<AttributedFlow>>,
}

/// The most translations that flows are named by, some 400 bytes each.
const TRANSLATIONS: usize = 20_000;

impl Naming {
    /// Of a node, by what `snapshots` say of the cluster.
    pub(crate) fn new(node: Arc<str>, snapshots: Snapshots, limits: ResolvedLimits) -> Self {
        let options = TranslationOptions { max: TRANSLATIONS, ..TranslationOptions::default() };
        let translations = Translations::new(options);
        Self { node, snapshots, resolved: Resolved::new(limits), translations, carriers: HashMap::new() }
    }

    /// The flow with names, by what is known now of who was who when it began. One that began before anything is
    /// remembered is still going on: then those count who have its addresses today.
    pub(crate) fn flow(&mut self, tap: &Arc<Tap>, flow: Flow) -> AttributedFlow {
        let newest = self.snapshots.borrow();
        let at = if newest.remembers(flow.start_ts) { flow.start_ts } else { flow.last_ts };
        let then = newest.as_of(at);
        let mut seen = self.resolved.name(&then, attribute(&then, tap, flow));
        name_dialled(&then, &mut seen, &self.node, &self.translations);
        seen
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

    /// A translation that tells something; flows that come after it are named by it.
    pub(crate) fn translation(&mut self, translation: Translation) -> Option<Translation> {
        let tells = is_telling(&self.snapshots.borrow(), &self.node, &translation);
        if tells {
            self.translations.learn(Some(&self.node), &translation, 0);
        }
        tells.then_some(translation)
    }

    /// A batch is cut.
    pub(crate) fn cut(&mut self) {
        self.carriers.clear();
    }
}
