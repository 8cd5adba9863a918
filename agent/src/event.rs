//! What capture threads hand to the rest of the agent, through one bounded queue.

use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use weir_flow::{FlowSink, NoRoom};
use weir_model::{Coverage, Flow, Input, Loss, PolicyLog, Request, Tap, Timestamp, Translation};

/// Something a tap has to report.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "flows are most of what there is")]
pub(crate) enum Event {
    /// A flow's report.
    Flow(Arc<Tap>, Flow),
    /// A request, and its flow as it stands.
    Request(Arc<Tap>, Box<(Flow, Request)>),
    /// A span in which the tap watched.
    Coverage(Coverage),
    /// Something the tap missed.
    Loss(Loss),
    /// Something that the packet filter logged.
    PolicyLog(Box<PolicyLog>),
    /// What this node's connection tracking tells.
    Conntrack(Heard),
    /// How an input beside the taps stands.
    Input(Input),
}

/// News of connection tracking.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// What is new.
    pub(crate) translations: Vec<Translation>,
    /// The time of which every entry has been told by now; `None` = nothing is said of that.
    pub(crate) complete: Option<Span>,
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Its beginning.
    pub(crate) from: Timestamp,
    /// Its end.
    pub(crate) until: Timestamp,
}

/// The end of the queue that one tap writes to.
#[derive(Clone, Debug)]
pub(crate) struct TapQueue {
    tap: Arc<Tap>,
    queue: Sender<Event>,
    when_full: WhenFull,
}

/// What happens where the queue has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    /// The reader of a file waits.
    Wait,
    /// Live packets do not wait: the report goes back to the flow table.
    GiveBack,
}

impl TapQueue {
    /// For reports of `tap`.
    pub(crate) const fn new(tap: Arc<Tap>, queue: Sender<Event>, when_full: WhenFull) -> Self {
        Self { tap, queue, when_full }
    }

    /// The tap.
    pub(crate) const fn tap(&self) -> &Arc<Tap> {
        &self.tap
    }

    /// More is known of the tap: what is reported from now on is of it as `tap` says.
    pub(crate) fn rename(&mut self, tap: Arc<Tap>) {
        self.tap = tap;
    }

    /// From now on there is time to wait for room.
    pub(crate) const fn wait_when_full(&mut self) {
        self.when_full = WhenFull::Wait;
    }

    /// Hands over something rare that must not be dropped; waits for room. False where the agent has stopped.
    pub(crate) fn insist(&self, event: Event) -> bool {
        self.queue.blocking_send(event).is_ok()
    }

    /// Hands over what comes again where there is no room for it now; false = it has to.
    pub(crate) fn tell(&self, event: Event) -> bool {
        self.hand_over(event).is_ok()
    }

    /// Hands over what may be dropped; gives it back where there is no room for it.
    #[expect(clippy::result_large_err, reason = "the event itself comes back, rarely")]
    fn hand_over(&self, event: Event) -> Result<(), Event> {
        match self.when_full {
            WhenFull::Wait => self.queue.blocking_send(event).map_err(|closed| closed.0),
            WhenFull::GiveBack => self.queue.try_send(event).map_err(|error| match error {
                TrySendError::Full(event) | TrySendError::Closed(event) => event,
            }),
        }
    }

    /// Whether nobody reads the queue any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }
}

impl FlowSink for TapQueue {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.hand_over(Event::Flow(Arc::clone(&self.tap), flow)).map_err(|event| match event {
            Event::Flow(_, flow) => flow,
            _ => unreachable!("the same event comes back"),
        })
    }

    fn request(&mut self, flow: Flow, request: Request) -> Result<(), NoRoom> {
        let event = Event::Request(Arc::clone(&self.tap), Box::new((flow, request)));
        self.hand_over(event).map_err(|_| NoRoom)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::mpsc;
    use weir_model::FlowId;

    use super::*;
    use crate::sample;

    fn number(event: Option<Event>) -> FlowId {
        match event {
            Some(Event::Flow(_, flow)) => flow.id,
            other => panic!("no flow: {other:?}"),
        }
    }

    #[test]
    fn a_full_queue_gives_a_live_report_back() {
        let (send, mut queue) = mpsc::channel(1);
        let mut tap = TapQueue::new(sample::tap(), send, WhenFull::GiveBack);
        assert_eq!(tap.offer(sample::flow(1)), Ok(()));
        assert_eq!(tap.offer(sample::flow(2)), Err(sample::flow(2)));
        assert_eq!(number(queue.blocking_recv()), FlowId(1));
        assert_eq!(tap.offer(sample::flow(3)), Ok(()));
        assert_eq!(number(queue.blocking_recv()), FlowId(3));
    }

    #[test]
    fn the_reader_of_a_file_waits_for_room() {
        for started_live in [false, true] {
            let (send, mut queue) = mpsc::channel(1);
            let when_full = if started_live { WhenFull::GiveBack } else { WhenFull::Wait };
            let mut tap = TapQueue::new(sample::tap(), send, when_full);
            if started_live {
                tap.wait_when_full();
            }
            let offering = thread::spawn(move || (1..=50).all(|count| tap.offer(sample::flow(count)).is_ok()));
            for count in 1..=50 {
                assert_eq!(number(queue.blocking_recv()), FlowId(count));
            }
            assert!(offering.join().expect("no panic"));
        }
    }

    #[test]
    fn a_queue_that_nobody_reads_gives_every_report_back() {
        for when_full in [WhenFull::GiveBack, WhenFull::Wait] {
            let (send, queue) = mpsc::channel(1);
            let mut tap = TapQueue::new(sample::tap(), send, when_full);
            drop(queue);
            assert!(tap.is_closed());
            assert_eq!(tap.offer(sample::flow(1)), Err(sample::flow(1)));
            assert!(!tap.insist(Event::Flow(sample::tap(), sample::flow(2))));
        }
    }
}
