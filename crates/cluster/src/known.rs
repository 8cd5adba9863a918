//! What is known of the cluster when connections are settled, in one handle.

use crate::policy::PolicySet;
use crate::{Snapshot, Timeline};

/// The newest snapshot, and what was compiled of the objects, as of every time that is remembered.
///
/// What else is to be judged as of a connection's start gets a timeline here, a field beside `policies`.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Who has which address.
    pub snapshot: &'a Snapshot,
    /// What the policies say. Empty = no policies are known, so there are no verdicts.
    pub policies: &'a Timeline<PolicySet>,
}
