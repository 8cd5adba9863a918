//! What flows said, until their rows are printed.
//!
//! Key: the flow. Cap: [`MAX_REQUESTS`] in all; what is over it is left out of the flows' lines, and counted.

use std::collections::HashMap;

use weir_model::{FlowId, Request};

/// About 400 MB.
const MAX_REQUESTS: usize = 1_000_000;

/// Requests by flow.
#[derive(Default)]
pub(super) struct Said {
    of_flows: HashMap<FlowId, Vec<Request>>,
    kept: usize,
    left_out: u64,
}

impl Said {
    pub(super) fn add(&mut self, flow: FlowId, request: Request) {
        if self.kept == MAX_REQUESTS {
            self.left_out += 1;
            return;
        }
        self.kept += 1;
        self.of_flows.entry(flow).or_default().push(request);
    }

    /// What a flow said; it is forgotten here.
    pub(super) fn take(&mut self, flow: FlowId) -> Vec<Request> {
        let said = self.of_flows.remove(&flow).unwrap_or_default();
        self.kept -= said.len();
        said
    }

    /// Says on stderr if something was left out.
    pub(super) fn warn(&self) {
        if self.left_out > 0 {
            eprintln!(
                "warning: {} requests are not in the lines of their flows; see them with --requests",
                self.left_out
            );
        }
    }
}
