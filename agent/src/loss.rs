//! Losses as the parts of a tap count them.

use std::sync::Arc;

use weir_capture::LiveStats;
use weir_flow::Tracker;
use weir_model::{Loss, LossStage, Timestamp};

/// Closed flows that found no room in the queue, over the life of a flow table; `None` = there were none.
pub(crate) fn of_table(tracker: &Tracker, interface: &Arc<str>) -> Option<Loss> {
    let lost = &tracker.counts().lost;
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
