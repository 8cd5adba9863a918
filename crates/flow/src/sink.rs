//! Where the reports of flows and their requests go: a queue, a writer, or a list.

use weir_model::{Flow, Request};

/// Takes reports. A sink with a bound refuses what it has no room for, and the tracker decides what that means: a
/// window stays in its flow and grows, a flow's end is lost and counted, a start is forgotten.
pub trait FlowSink {
    /// Takes a report, or gives it back when there is no room.
    #[expect(clippy::result_large_err, reason = "the report itself comes back, rarely")]
    fn offer(&mut self, flow: Flow) -> Result<(), Flow>;

    /// Takes a request and its flow as it stands ([`weir_model::Report::Start`]), or says that there is no room: then the
    /// request is lost and counted.
    fn request(&mut self, flow: Flow, request: Request) -> Result<(), NoRoom>;
}

/// The sink has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// Takes every report, and no interest in requests.
impl FlowSink for Vec<Flow> {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.push(flow);
        Ok(())
    }

    fn request(&mut self, _: Flow, _: Request) -> Result<(), NoRoom> {
        Ok(())
    }
}
