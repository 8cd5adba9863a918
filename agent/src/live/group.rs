//! The capture threads as their owner sees them: orders in, news of taps out.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use rustix::event::{EventfdFlags, eventfd};
use tokio::sync::mpsc;
use weir_flow::TrackerConfig;
use weir_model::Tap;
use weir_service::clock::Clock;

use super::thread::{Lane, Order, Thread};
use super::watched::LiveSource;
use crate::event::Event;

/// Orders that wait for a thread, which takes them between two reads.
const ORDERS: usize = 1_024;
/// What threads have to say, for all of them; a thread keeps what finds no room.
const SAID: usize = 1_024;

/// A live tap: unique within the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TapId {
    thread: usize,
    pub(super) number: u64,
}

/// What a thread says of a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It could not be read any more; its flows are over.
    Ended(TapId),
}

/// The capture threads. They end, and with them their taps, when this is dropped.
pub(crate) struct Group {
    threads: Vec<Handle>,
    taps: u64,
}

struct Handle {
    orders: SyncSender<Order>,
    wake: Arc<OwnedFd>,
    taps: usize,
}

impl Group {
    /// Starts `threads` threads. Their flows are numbered from `tracker.first_flow` on, a lane each, with the stride of
    /// `tracker`.
    pub(crate) fn start(
        threads: usize,
        tracker: &TrackerConfig,
        clock: &Arc<dyn Clock>,
        events: &mpsc::Sender<Event>,
    ) -> io::Result<(Self, mpsc::Receiver<Said>)> {
        let (say, said) = mpsc::channel(SAID);
        let start = |at: usize| {
            let (orders, taken) = sync_channel(ORDERS);
            let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
            let tracker = TrackerConfig { first_flow: tracker.first_flow + at as u64, ..tracker.clone() };
            let lane = Lane { tracker, clock: Arc::clone(clock), events: events.clone(), say: say.clone() };
            let thread = Thread::new(lane, taken, Arc::clone(&wake))?;
            thread::Builder::new().name(format!("capture {at}")).spawn(move || thread.run())?;
            Ok(Handle { orders, wake, taps: 0 })
        };
        let threads = (0..threads.max(1)).map(start).collect::<io::Result<_>>()?;
        Ok((Self { threads, taps: 0 }, said))
    }

    /// Gives a tap to the thread that has the fewest.
    pub(crate) fn watch(&mut self, source: LiveSource) -> TapId {
        self.taps += 1;
        let thread = (0..self.threads.len()).min_by_key(|at| self.threads[*at].taps).unwrap_or_default();
        let id = TapId { thread, number: self.taps };
        self.threads[thread].taps += 1;
        self.threads[thread].order(Order::Watch(id, Box::new(source)));
        id
    }

    /// More is known of a tap.
    pub(crate) fn rename(&self, id: TapId, tap: Arc<Tap>) {
        self.threads[id.thread].order(Order::Rename(id, tap));
    }

    /// The tap's interface is gone, or not to be watched any more. Nothing more is said of it.
    pub(crate) fn end(&mut self, id: TapId) {
        self.threads[id.thread].order(Order::End(id));
        self.forget(id);
    }

    /// A tap that has ended by itself takes no thread's time any more.
    pub(crate) fn forget(&mut self, id: TapId) {
        let taps = &mut self.threads[id.thread].taps;
        *taps = taps.saturating_sub(1);
    }

    /// Has every flow end because the agent stops.
    pub(crate) fn stop(self) {
        for thread in &self.threads {
            thread.order(Order::Stop);
        }
    }
}

impl Handle {
    fn order(&self, order: Order) {
        // A thread that is gone has no taps.
        if self.orders.send(order).is_ok() {
            self.wake();
        }
    }

    fn wake(&self) {
        // Full means that it is woken already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

/// A thread notices that nobody orders any more when it is woken.
impl Drop for Handle {
    fn drop(&mut self) {
        let (nobody, _) = sync_channel(1);
        self.orders = nobody;
        self.wake();
    }
}
