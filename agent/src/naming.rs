//! Flows and requests get their names: who had their addresses when they began, and what those had resolved.

use std::collections::HashMap;
use std::sync::Arc;

use weir_cluster::{Resolved, ResolvedLimits, TranslationOptions, Translations, attribute, is_telling, name_dialled};
use weir_model::{AttributedFlow, AttributedRequest, Exchange, Flow, FlowId, Leg, Request, Tap, Translation};

use crate::cluster::Snapshots;
use crate::event::Heard;
use crate::netfilter::ENTRIES;
use crate::tracked::Tracked;

/// Names what taps report, in the order in which they report it.
#[derive(Debug)]
pub(crate) struct Naming {
    node: Arc<str>,
    snapshots: Snapshots,
    resolved: Resolved,
    translations: Translations,
    tracked: Tracked,
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
        let (tracked, carriers) = (Tracked::new(ENTRIES), HashMap::new());
        Self { node, snapshots, resolved: Resolved::new(limits), translations, tracked, carriers }
    }

    /// The flow with names, by what is known now of who was who when it began. One that began before anything is
    /// remembered is still going on: then those count who have its addresses today.
    pub(crate) fn flow(&mut self, tap: &Arc<Tap>, flow: Flow) -> AttributedFlow {
        let newest = self.snapshots.borrow();
        let at = if newest.remembers(flow.start_ts) { flow.start_ts } else { flow.last_ts };
        let then = newest.as_of(at);
        let mut seen = self.resolved.name(&then, attribute(&then, tap, flow));
        name_dialled(&then, &mut seen, &self.node, &self.translations);
        if seen.leg == Some(Leg::Client) {
            seen.flow.tracked = self.tracked.of(&seen.flow);
        }
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

    /// The translations that tell something; flows that come after them are named by them.
    pub(crate) fn conntrack(&mut self, heard: Heard) -> Vec<Translation> {
        let newest = self.snapshots.borrow();
        let mut telling = heard.translations;
        for translation in &telling {
            self.tracked.learn(translation);
            let opener = || newest.pod(translation.original.src_ip);
            if translation.from_ts.is_some() && opener().is_some_and(|pod| pod.node() == Some(&self.node)) {
                self.tracked.note_pod();
            }
        }
        if let Some(span) = heard.complete {
            self.tracked.complete(span);
        }
        telling.retain(|translation| is_telling(&newest, &self.node, translation));
        for translation in &telling {
            self.translations.learn(Some(&self.node), translation, 0);
        }
        telling
    }

    /// A batch is cut.
    pub(crate) fn cut(&mut self) {
        self.carriers.clear();
    }
}
