//! An open capture and its part of the memory of rings: frames out, and a larger ring when this one fills.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use weir_capture::{ExchangeStep, LiveError, LiveOptions, LiveStats, LiveTap};
use weir_model::Frame;

use super::rings::{Lease, Rings};

/// So many seconds without a ring half full, and it may be made smaller.
const CALM_TICKS: u32 = 60;

/// An open tap and the lease of its ring.
pub(crate) struct Capture {
    tap: LiveTap,
    lease: Lease,
    /// Of the ring that is to take over.
    next: Option<Lease>,
    dropped: u64,
    /// The ring was half full, or frames were dropped, and nothing was done about it yet.
    is_pressed: bool,
    calm_ticks: u32,
}

impl Capture {
    /// Opens a tap with as large a ring as there is room for.
    pub(crate) fn open(interface: &str, options: &LiveOptions, rings: &Arc<Rings>) -> Result<Self, LiveError> {
        let lease = rings.open();
        let tap = LiveTap::open(interface, &LiveOptions { ring_bytes: lease.bytes(), ..options.clone() })?;
        Ok(Self { tap, lease, next: None, dropped: 0, is_pressed: false, calm_ticks: 0 })
    }

    /// Gives `each` the frames that are there; returns how many.
    pub(super) fn read(&mut self, each: impl FnMut(&Frame<'_>)) -> Result<usize, LiveError> {
        let frames = self.tap.read(each)?;
        self.is_pressed |= 2 * self.tap.filled_bytes() >= self.tap.ring_bytes();
        Ok(frames)
    }

    /// The kernel's counters.
    pub(super) fn stats(&mut self) -> Result<LiveStats, LiveError> {
        let stats = self.tap.stats()?;
        self.is_pressed |= stats.kernel_dropped > self.dropped;
        self.dropped = stats.kernel_dropped;
        Ok(stats)
    }

    /// A second is over.
    pub(super) const fn tick(&mut self) {
        self.calm_ticks = if self.is_pressed { 0 } else { self.calm_ticks.saturating_add(1) };
    }

    /// Begins to exchange the ring if it needs another one: larger if it fills, smaller if it does not and others need the
    /// memory. Returns when to go on with that.
    pub(super) fn suit(&mut self) -> Result<Option<Duration>, LiveError> {
        if self.next.is_some() {
            return Ok(None);
        }
        let is_pressed = std::mem::take(&mut self.is_pressed);
        let next = if is_pressed {
            self.lease.larger()
        } else if self.calm_ticks >= CALM_TICKS {
            self.lease.smaller()
        } else {
            None
        };
        let Some(next) = next else { return Ok(None) };
        self.tap.exchange_ring(next.bytes())?;
        self.next = Some(next);
        Ok(Some(self.tap.exchange_pause()))
    }

    /// Goes on with the exchange. Returns when to do so again; the descriptor to be polled may be another one now.
    pub(super) fn go_on(&mut self, each: impl FnMut(&Frame<'_>)) -> Result<Option<Duration>, LiveError> {
        let step = self.tap.go_on(each);
        if !matches!(step, Ok(ExchangeStep::Polled)) {
            // Where it failed the ring is the one that it was, or its last frames are lost with the interface.
            if let Some(next) = self.next.take().filter(|next| next.bytes() == self.tap.ring_bytes()) {
                self.lease = next;
            }
        }
        step.map(|step| (step == ExchangeStep::Polled).then(|| self.tap.exchange_pause()))
    }
}

/// To be polled for reading.
impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tap.as_fd()
    }
}
