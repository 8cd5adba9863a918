//! Rules one after the other, with where they lead: what the backends of live requests are compared with, and what is
//! told of rules that nobody used.

use super::Routes;
use super::answer::Answer;

/// One rule at one place that serves it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The rule as an answer to a request that it takes.
    pub answer: Answer<'a>,
    /// Namespace and name of the Gateway; `None` = an Ingress controller.
    pub gateway: Option<(&'a str, &'a str)>,
}

impl Routes {
    /// Every rule that is served. One of a Gateway comes once for each listener and host that it is attached to.
    pub fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        self.ingresses.listed().chain(self.gateways.listed())
    }
}
