//! Where the reports of flows go: a queue, a writer, or a list.

use weir_model::Flow;

/// Takes reports. A sink with a bound refuses what it has no room for, and the tracker decides what that means: a
/// window stays in its flow and grows, a flow's end is lost and counted, a start is forgotten.
pub trait FlowSink {
    /// Takes a report, or gives it back when there is no room.
    #[expect(clippy::result_large_err, reason = "the report itself comes back, rarely")]
    fn offer(&mut self, flow: Flow) -> Result<(), Flow>;
}

/// Takes everything.
impl FlowSink for Vec<Flow> {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.push(flow);
        Ok(())
    }
}
