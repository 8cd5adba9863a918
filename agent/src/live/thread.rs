//! One capture thread: waits for frames of its taps and for orders, reads, and looks after each tap every second.
//!
//! It waits for nothing but those, except that what must not be lost waits for room in the queue.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use tokio::sync::mpsc;
use weir_flow::TrackerConfig;
use weir_model::{EndReason, Tap, Timestamp};
use weir_service::clock::Clock;

use super::group::{Said, TapId};
use super::watched::{LiveSource, Watched};
use crate::event::Event;

/// How often counters are read and idle flows looked for.
const TICK: Duration = Duration::from_secs(1);

/// How long a block of the ring that is not full may stay with the kernel, twice.
const LAST_BLOCK: Duration = Duration::from_millis(200);

/// Taps that are ready at once and are told of at once; more are told of in the next turn.
const READY: usize = 64;

/// Stands for orders among the numbers of taps, which begin with 1.
const ORDERS: u64 = 0;

/// What a thread is to do.
pub(super) enum Order {
    /// Watch a tap.
    Watch(TapId, Box<LiveSource>),
    /// A tap has another name or owner.
    Rename(TapId, Arc<Tap>),
    /// End a tap.
    End(TapId),
    /// End all taps, and with them the thread.
    Stop,
}

/// What all taps of a thread have in common.
pub(super) struct Lane {
    /// How their flows are tracked, and the number of the first.
    pub(super) tracker: TrackerConfig,
    /// The wall clock: packet times of live frames come from the kernel's, which is the same.
    pub(super) clock: Arc<dyn Clock>,
    /// Where flows go.
    pub(super) events: mpsc::Sender<Event>,
    /// Where news of taps go.
    pub(super) say: mpsc::Sender<Said>,
}

/// A capture thread.
pub(super) struct Thread {
    lane: Lane,
    orders: Receiver<Order>,
    wake: Arc<OwnedFd>,
    epoll: OwnedFd,
    taps: HashMap<u64, (TapId, Watched)>,
    /// Taps whose interface is gone: what is in their rings comes within [`LAST_BLOCK`].
    ending: Vec<(Instant, Watched)>,
    /// Taps whose rings are being exchanged, and when to go on with that.
    exchanges: Vec<(Instant, u64)>,
    /// News that found no room yet; one for each tap at most.
    unsaid: Vec<Said>,
    next_flow: u64,
    next_tick: Instant,
    stop_at: Option<(Instant, EndReason)>,
}

impl Thread {
    pub(super) fn new(lane: Lane, orders: Receiver<Order>, wake: Arc<OwnedFd>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(ORDERS), epoll::EventFlags::IN)?;
        Ok(Self {
            next_flow: lane.tracker.first_flow,
            lane,
            orders,
            wake,
            epoll,
            taps: HashMap::new(),
            ending: Vec::new(),
            exchanges: Vec::new(),
            unsaid: Vec::new(),
            next_tick: Instant::now() + TICK,
            stop_at: None,
        })
    }

    /// Works until it is told to stop, or until nobody can give orders any more.
    pub(super) fn run(mut self) {
        let mut ready = Vec::with_capacity(READY);
        let reason = loop {
            self.wait(&mut ready);
            for event in ready.drain(..) {
                match event.data.u64() {
                    ORDERS => self.take_orders(),
                    number => self.read(number),
                }
            }
            let now = Instant::now();
            self.bury(now);
            self.exchange(now);
            if now >= self.next_tick {
                self.next_tick = now + TICK;
                self.tick();
            }
            self.unsaid.retain(|said| self.lane.say.try_send(*said).is_err() && !self.lane.say.is_closed());
            match self.stop_at {
                Some((at, reason)) if now >= at => break reason,
                _ => {}
            }
        };
        let time = self.now();
        for (_, mut tap) in mem::take(&mut self.taps).into_values() {
            self.read_the_rest(&mut tap);
            tap.finish(reason, time);
        }
        self.bury(Instant::now() + LAST_BLOCK);
    }

    fn now(&self) -> Timestamp {
        Timestamp(self.lane.clock.now_ns())
    }

    fn wait(&self, ready: &mut Vec<epoll::Event>) {
        let rings = self.exchanges.iter().map(|(at, _)| *at);
        let deadlines = self.ending.iter().map(|(at, _)| *at).chain(self.stop_at.map(|(at, _)| at)).chain(rings);
        let next = deadlines.fold(self.next_tick, Instant::min);
        let left = next.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        // An interrupted wait only means that nothing is ready.
        let _ = epoll::wait(&self.epoll, spare_capacity(ready), Some(&left));
    }

    fn take_orders(&mut self) {
        // Read before the orders, so that one which comes now wakes again.
        let _ = rustix::io::read(&*self.wake, &mut [0_u8; 8]);
        loop {
            match self.orders.try_recv() {
                Ok(Order::Watch(id, source)) => self.watch(id, *source),
                Ok(Order::Rename(id, tap)) => {
                    let time = self.now();
                    if let Some((_, watched)) = self.taps.get_mut(&id.number) {
                        watched.rename(tap, time);
                    }
                }
                Ok(Order::End(id)) => drop(self.end(id.number)),
                Ok(Order::Stop) => return self.stop(EndReason::AgentStop),
                Err(TryRecvError::Disconnected) => return self.stop(EndReason::CaptureEnd),
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn stop(&mut self, reason: EndReason) {
        // Nothing waits for those that have no taps.
        let wait = if self.taps.is_empty() { Duration::ZERO } else { LAST_BLOCK };
        self.stop_at.get_or_insert((Instant::now() + wait, reason));
    }

    fn watch(&mut self, id: TapId, source: LiveSource) {
        let watched = Watched::new(source, &self.lane);
        let data = epoll::EventData::new_u64(id.number);
        match epoll::add(&self.epoll, watched.capture(), data, epoll::EventFlags::IN) {
            Ok(()) => drop(self.taps.insert(id.number, (id, watched))),
            Err(error) => {
                watched.complain(&error.into());
                watched.finish(EndReason::CaptureEnd, self.now());
                self.unsaid.push(Said::Ended(id));
            }
        }
    }

    fn read(&mut self, number: u64) {
        let Some((_, tap)) = self.taps.get_mut(&number) else { return };
        if let Err(error) = tap.read(&mut self.next_flow) {
            tap.complain(&error.into());
            if let Some(id) = self.end(number) {
                self.unsaid.push(Said::Ended(id));
            }
            return;
        }
        let pause = tap.suit_ring();
        self.exchanges.extend(pause.map(|pause| (Instant::now() + pause, number)));
    }

    /// Goes on with the exchanges of rings that are due.
    fn exchange(&mut self, now: Instant) {
        while let Some(at) = self.exchanges.iter().position(|(due, _)| *due <= now) {
            let (_, number) = self.exchanges.swap_remove(at);
            let Some((_, tap)) = self.taps.get_mut(&number) else { continue };
            let _ = epoll::delete(&self.epoll, tap.capture());
            let pause = tap.go_on(&mut self.next_flow);
            let data = epoll::EventData::new_u64(number);
            if let Err(error) = epoll::add(&self.epoll, tap.capture(), data, epoll::EventFlags::IN) {
                tap.complain(&error.into());
                if let Some(id) = self.end(number) {
                    self.unsaid.push(Said::Ended(id));
                }
                continue;
            }
            self.exchanges.extend(pause.map(|pause| (now + pause, number)));
        }
    }

    /// Polls a tap no longer: one whose interface is gone would always be ready.
    fn end(&mut self, number: u64) -> Option<TapId> {
        let (id, tap) = self.taps.remove(&number)?;
        let _ = epoll::delete(&self.epoll, tap.capture());
        self.ending.push((Instant::now() + LAST_BLOCK, tap));
        Some(id)
    }

    /// Reads what is left of taps that have ended, and closes their flows.
    fn bury(&mut self, now: Instant) {
        while let Some(at) = self.ending.iter().position(|(until, _)| *until <= now) {
            let (_, mut tap) = self.ending.swap_remove(at);
            self.read_the_rest(&mut tap);
            tap.finish(EndReason::CaptureEnd, self.now());
        }
    }

    /// Reads what is in the ring now. That the interface is gone is no news here.
    fn read_the_rest(&mut self, tap: &mut Watched) {
        let until = Instant::now() + LAST_BLOCK;
        while tap.read(&mut self.next_flow).is_ok_and(|frames| frames > 0) && Instant::now() < until {}
    }

    fn tick(&mut self) {
        let now = self.now();
        for (number, (_, tap)) in &mut self.taps {
            tap.tick(now);
            let pause = tap.suit_ring();
            self.exchanges.extend(pause.map(|pause| (Instant::now() + pause, *number)));
        }
    }
}
