//! What is done with one link: opened, looked at, named, left alone or closed.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use tracing::{debug, info, warn};
use weir_model::{Tap, TapRole, Timestamp};

use super::Follower;
use super::roster::TapState;
use crate::live::{Capture, LiveSource};
use crate::taps::netns::{Owner, Routes, Sight};

impl Follower {
    /// Opens a tap on a link that should have one.
    pub(super) fn consider(&mut self, index: u32) {
        let Some(entry) = self.roster.links.get_mut(&index) else { return };
        let is_uplink = self.uplinks.contains(&index);
        let is_wanted = match entry.tap {
            TapState::None => is_uplink || self.follow.pods && entry.link.peer.is_some(),
            TapState::Left => is_uplink,
            TapState::Held(..) | TapState::Open(..) => false,
        };
        if !is_wanted || !entry.link.is_up || self.taken.contains(&entry.link.name) {
            return;
        }
        match Capture::open(&entry.link.name, &self.follow.options, &self.follow.rings) {
            Ok(capture) => entry.tap = TapState::Held(Box::new(capture), Timestamp(self.follow.clock.now_ns())),
            // Gone again, which is told next, or tried again at the next tick.
            Err(error) => return debug!("{:#}", anyhow::Error::new(error)),
        }
        self.look(index);
        self.settle(index);
    }

    /// Asks the kernel what is behind a link.
    pub(super) fn look(&mut self, index: u32) {
        self.renew_routes();
        let Some(entry) = self.roster.links.get_mut(&index) else { return };
        let Some(namespace) = entry.link.peer else { return entry.sight = Some(Sight::Own) };
        match Sight::behind(&mut self.kernel, index, namespace, &self.routes) {
            Ok(sight) => entry.sight = Some(sight),
            // It is gone, or tried again at the next tick.
            Err(error) => debug!(interface = &*entry.link.name, "{:#}", anyhow::Error::new(error)),
        }
    }

    /// Does what follows from whose a link is: watches it under its name, or leaves it alone.
    pub(super) fn settle(&mut self, index: u32) {
        let snapshot = self.follow.snapshots.borrow().clone();
        let owner = self.roster.owner(index, &snapshot, &self.follow.node, Instant::now());
        let is_uplink = self.uplinks.contains(&index);
        let Some(entry) = self.roster.links.get_mut(&index) else { return };
        let role = match owner {
            Some(Owner::Node) if is_uplink => TapRole::Uplink,
            Some(Owner::Node) => return self.leave(index),
            Some(Owner::Pod(pod)) => {
                entry.pod = Some(pod);
                TapRole::Pod
            }
            // A pod keeps its veth when the cluster forgets it first.
            Some(Owner::UnknownPod(_)) | None => TapRole::Pod,
        };
        let (interface, pod) = (Arc::clone(&entry.link.name), entry.pod.clone());
        self.watch(index, Tap { interface, role, pod, sampling: 1 });
    }

    /// Looks every name up again: the cluster has changed.
    pub(super) fn name_all(&mut self) {
        let unnamed = self.roster.unnamed();
        for index in unnamed {
            self.look(index);
        }
        let looked_at = self.roster.links.values().filter(|entry| entry.sight.is_some());
        let looked_at: Vec<u32> = looked_at.map(|entry| entry.link.index).collect();
        for index in looked_at {
            self.settle(index);
        }
    }

    /// Watches the interfaces that default routes leave by now, and no others.
    pub(super) fn follow_uplinks(&mut self) {
        if !self.follow.uplink {
            return;
        }
        self.renew_routes();
        let now = self.routes.uplinks().collect();
        let before = mem::replace(&mut self.uplinks, now);
        let changed: Vec<u32> = before.symmetric_difference(&self.uplinks).copied().collect();
        for index in changed {
            self.consider(index);
            self.settle(index);
        }
    }

    /// Ends a tap, if it is one.
    pub(super) fn close(&mut self, tap: TapState) {
        if let TapState::Open(id, tap, _) = tap {
            info!(interface = &*tap.interface, "tap closed");
            self.group.end(id);
        }
    }

    fn renew_routes(&mut self) {
        if !self.routes_changed {
            return;
        }
        match Routes::list(&mut self.kernel) {
            Ok(routes) => (self.routes, self.routes_changed) = (routes, false),
            Err(error) => warn!("{:#}", anyhow::Error::new(error)),
        }
    }

    fn leave(&mut self, index: u32) {
        if let Some(entry) = self.roster.links.get_mut(&index) {
            let tap = mem::replace(&mut entry.tap, TapState::Left);
            self.close(tap);
        }
    }

    /// Has an open tap watched, and known as `tap`.
    fn watch(&mut self, index: u32, tap: Tap) {
        let Some(entry) = self.roster.links.get_mut(&index) else { return };
        let (role, tap) = (tap.role.name(), Arc::new(tap));
        let pod = tap.pod.as_ref().map(ToString::to_string);
        entry.tap = match mem::replace(&mut entry.tap, TapState::None) {
            // Now it is wanted: it is opened at the next tick.
            TapState::None | TapState::Left => TapState::None,
            TapState::Held(capture, since) => {
                info!(interface = &*tap.interface, role, pod, "tap");
                let id = self.group.watch(LiveSource { capture: *capture, tap: Arc::clone(&tap), since });
                TapState::Open(id, tap, since)
            }
            TapState::Open(id, known, since) => {
                if known != tap {
                    info!(interface = &*tap.interface, role, pod, "tap is known");
                    self.group.rename(id, Arc::clone(&tap));
                }
                TapState::Open(id, tap, since)
            }
        };
    }
}
