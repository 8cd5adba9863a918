//! The `coverage` table.

use std::sync::Arc;

use crate::{Coverage, RunId};

/// One row of `coverage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoverageRow {
    /// The node.
    pub node: Arc<str>,
    /// The run of its agent.
    pub run: RunId,
    /// The span; its end is known.
    pub coverage: Coverage,
}

super::define_table! {
    COVERAGE: CoverageRow, "coverage", "A span of packet time in which a tap was watching, or a pod had no tap; the spans of one tap follow each other.";
    node: Text, Tap, "Node of the agent.",
        |r| (&r.node).into();
    run: Text, Coverage, "Run of the agent, 32 hexadecimal digits.",
        |r| r.run.to_string().into();
    interface: Text, Tap, "Interface of the tap. Null = the pod had none.",
        |r| r.coverage.interface.as_ref().into();
    role: Text, Coverage, "What the tap watches: pod (a pod's veth), uplink, other.",
        |r| r.coverage.role.name().into();
    namespace: Text, Coverage, "Namespace of the pod. Null = not a pod's tap, or not known whose.",
        |r| r.coverage.pod.as_ref().map(|pod| &pod.namespace).into();
    name: Text, Coverage, "Name of the pod. Null as namespace.",
        |r| r.coverage.pod.as_ref().map(|pod| &pod.name).into();
    from_ts: Time, Time, "Start of the span.",
        |r| r.coverage.from_ts.into();
    to_ts: Time, Time, "End of the span.",
        |r| r.coverage.to_ts.into();
    reason: Text, Coverage, "Why the pod has no tap. Null = it has one.",
        |r| r.coverage.reason.as_ref().into();
}
