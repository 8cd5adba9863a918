//! Losses as the parts of a tap count them.

use std::sync::Arc;

use weir_capture::LiveStats;
use weir_flow::Tracker;
use weir_model::{Loss, LossStage, Timestamp};

use crate::event::{Event, TapQueue};

/// Closed flows and requests that found no room in the queue since this was last asked; `None` = there were none.
pub(crate) fn of_table(tracker: &mut Tracker, interface: &Arc<str>) -> Option<Loss> {
    let lost = tracker.take_lost();
    let (from_ts, to_ts) = lost.from.zip(lost.to)?;
    Some(Loss {
        stage: LossStage::Queue,
        interface: Some(Arc::clone(interface)),
        from_ts,
        to_ts,
        packets: Some(lost.packets),
        bytes: Some(lost.bytes),
        rows: Some(lost.rows),
    })
}

/// What a live tap dropped between two readings of its counters.
pub(crate) fn of_ring(
    before: LiveStats,
    now: LiveStats,
    interface: &Arc<str>,
    from_ts: Timestamp,
    to_ts: Timestamp,
) -> Vec<Loss> {
    let stages = [
        (LossStage::Kernel, before.kernel_dropped, now.kernel_dropped),
        (LossStage::Interface, before.interface_dropped, now.interface_dropped),
    ];
    stages
        .into_iter()
        .filter(|(_, before, now)| now > before)
        .map(|(stage, before, now)| Loss {
            stage,
            interface: Some(Arc::clone(interface)),
            from_ts,
            to_ts,
            packets: Some(now - before),
            bytes: None,
            rows: None,
        })
        .collect()
}

/// Losses of one tap that found no room in the queue themselves: one for each stage, which grows until there is room.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    losses: Vec<Loss>,
}

impl Untold {
    /// Takes another one.
    pub(crate) fn add(&mut self, loss: Loss) {
        match self.losses.iter_mut().find(|untold| untold.stage == loss.stage) {
            Some(untold) => untold.add(&loss),
            None => self.losses.push(loss),
        }
    }

    /// Tells those that there is room for.
    pub(crate) fn tell(&mut self, queue: &TapQueue) {
        self.losses.retain(|loss| !queue.tell(Event::Loss(loss.clone())));
    }
}
