//! Taps that follow pods: news of links, routes and the cluster's objects in; taps opened, named and ended out.
//!
//! Runs on a thread of its own, because opening a tap takes a millisecond or two and the kernel is asked in turn. A link
//! is opened the moment it is up, before anything is asked about it: its frames wait in the kernel meanwhile.

mod roster;
mod settle;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use weir_capture::LiveOptions;
use weir_model::Coverage;
use weir_service::clock::Clock;

use super::netns::{Link, Links, Netlink, NetlinkError, News, Routes};
use crate::cluster::Snapshots;
use crate::live::{Group, LiveSource, Rings, Said, TapId, watching};
use crate::readable::readable;
use roster::{Entry, Roster, TapState};

/// How often what is not known yet is asked for again.
const TICK: Duration = Duration::from_secs(1);

/// No sooner than this after the last time are names looked up again because the cluster has changed.
const NAMING: Duration = Duration::from_millis(100);

/// Links whose pods are asked for in one tick.
const AT_ONCE: usize = 64;

/// What is to be followed.
pub(crate) struct Follow {
    /// The host ends of pods' veths.
    pub(crate) pods: bool,
    /// The interfaces of default routes.
    pub(crate) uplink: bool,
    /// This node, as the cluster calls it.
    pub(crate) node: Arc<str>,
    /// The cluster.
    pub(crate) snapshots: Snapshots,
    /// How taps are opened.
    pub(crate) options: LiveOptions,
    /// The memory of their rings.
    pub(crate) rings: Arc<Rings>,
    /// The wall clock.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Follows links for as long as the agent runs.
pub(crate) struct Follower {
    follow: Follow,
    group: Group,
    said: mpsc::Receiver<Said>,
    kernel: Netlink,
    links: Links,
    routes: Routes,
    routes_changed: bool,
    uplinks: BTreeSet<u32>,
    roster: Roster,
    /// Taps that were asked for by name, as long as they last.
    fixed: Vec<(TapId, Coverage)>,
    /// The names of those: they are not opened twice.
    taken: BTreeSet<Arc<str>>,
    others: Vec<Coverage>,
    /// What the collector is told when a stream begins.
    open: watch::Sender<Vec<Coverage>>,
}

impl Follower {
    /// Hands `fixed` taps to the capture threads, and opens all there are to follow now. `open` is told of both, and
    /// of `others` that are watched elsewhere.
    pub(crate) fn open(
        follow: Follow,
        (mut group, said): (Group, mpsc::Receiver<Said>),
        fixed: Vec<LiveSource>,
        others: Vec<Coverage>,
        open: watch::Sender<Vec<Coverage>>,
    ) -> Result<Self> {
        let mut kernel = Netlink::open()?;
        // Heard before it is asked, so that nothing falls between.
        let links = Links::follow()?;
        let routes = Routes::list(&mut kernel)?;
        let taken = fixed.iter().map(|source| Arc::clone(&source.tap.interface)).collect();
        let watch = |source: LiveSource| {
            let coverage = watching(&source.tap, source.since);
            info!(interface = &*source.tap.interface, role = source.tap.role.name(), "tap");
            (group.watch(source), coverage)
        };
        let fixed = fixed.into_iter().map(watch).collect();
        let mut follower = Self {
            uplinks: if follow.uplink { routes.uplinks().collect() } else { BTreeSet::new() },
            follow,
            group,
            said,
            kernel,
            links,
            routes,
            routes_changed: false,
            roster: Roster::default(),
            fixed,
            taken,
            others,
            open,
        };
        follower.list()?;
        follower.publish();
        Ok(follower)
    }

    /// Follows until `stop`, or until the last tap is gone where no other can come.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let mut heard = readable(&self.links).context("waiting for news of interfaces")?;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut snapshots = self.follow.snapshots.clone();
        let (mut is_followed, mut name_at) = (true, None::<tokio::time::Instant>);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                ready = heard.readable_mut() => {
                    ready?.clear_ready();
                    self.hear();
                }
                Some(said) = self.said.recv() => self.note(said),
                changed = snapshots.changed(), if is_followed && name_at.is_none() => {
                    is_followed = changed.is_ok();
                    name_at = is_followed.then(|| tokio::time::Instant::now() + NAMING);
                }
                () = until(name_at) => {
                    name_at = None;
                    self.name_all();
                }
                _ = tick.tick() => self.tick(),
            }
            if !(self.follow.pods || self.follow.uplink) && self.fixed.is_empty() {
                return Ok(());
            }
            self.publish();
        }
        self.group.stop();
        Ok(())
    }

    /// Takes in all news there are.
    fn hear(&mut self) {
        let mut routed = BTreeSet::new();
        loop {
            let mut news = Vec::new();
            let more = self.links.read(|one| news.push(one));
            for one in news {
                match one {
                    News::Link(link) => self.put(link),
                    News::Gone(index) => self.remove(index),
                    News::Route(index) => drop(routed.insert(index)),
                    News::Missed => self.list_again(),
                }
            }
            match more {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    warn!("news of interfaces cannot be read: {error}");
                    break;
                }
            }
        }
        if !routed.is_empty() {
            self.routes_changed = true;
            self.follow_uplinks();
            for index in self.roster.unnamed().into_iter().filter(|index| routed.contains(index)) {
                self.look(index);
                self.settle(index);
            }
        }
    }

    /// All links, where some news were lost or none were heard yet.
    fn list(&mut self) -> Result<(), NetlinkError> {
        let links = Links::list(&mut self.kernel)?;
        let there: BTreeSet<u32> = links.iter().map(|link| link.index).collect();
        let gone: Vec<u32> = self.roster.links.keys().filter(|index| !there.contains(index)).copied().collect();
        for index in gone {
            self.remove(index);
        }
        for link in links {
            self.put(link);
        }
        Ok(())
    }

    fn list_again(&mut self) {
        debug!("the kernel had no room for news of interfaces: listing all");
        self.routes_changed = true;
        if let Err(error) = self.list() {
            warn!("the interfaces cannot be listed: {:#}", anyhow::Error::new(error));
        }
        self.follow_uplinks();
    }

    fn put(&mut self, link: Link) {
        let index = link.index;
        self.roster.put(link);
        self.consider(index);
        self.settle(index);
    }

    fn remove(&mut self, index: u32) {
        if let Some(entry) = self.roster.remove(index, Instant::now()) {
            self.close(entry.tap);
        }
    }

    /// A thread could not read a tap any more.
    fn note(&mut self, Said::Ended(id): Said) {
        self.group.forget(id);
        self.fixed.retain(|(fixed, _)| *fixed != id);
        let is_it = |entry: &&mut Entry| matches!(entry.tap, TapState::Open(open, ..) if open == id);
        if let Some(entry) = self.roster.links.values_mut().find(is_it) {
            // Where the link is still there it is opened again at the next tick.
            entry.tap = TapState::None;
        }
    }

    /// Does again what may have failed or come too early, for as many links as one tick may take.
    fn tick(&mut self) {
        self.hear();
        let closed = self.roster.links.values().filter(|entry| matches!(entry.tap, TapState::None));
        let closed: Vec<u32> = closed.map(|entry| entry.link.index).collect();
        for index in closed {
            self.consider(index);
        }
        for index in self.roster.unnamed().into_iter().take(AT_ONCE) {
            self.look(index);
            self.settle(index);
        }
    }

    /// Tells the sender which taps are open.
    fn publish(&self) {
        let fixed = self.others.iter().chain(self.fixed.iter().map(|(_, coverage)| coverage)).cloned();
        let followed = self.roster.links.values().filter_map(|entry| match &entry.tap {
            TapState::Open(_, tap, since) => Some(watching(tap, *since)),
            TapState::None | TapState::Held(..) | TapState::Left => None,
        });
        let open: Vec<Coverage> = fixed.chain(followed).collect();
        self.open.send_if_modified(|known| {
            let is_new = *known != open;
            *known = open;
            is_new
        });
    }
}

/// Waits for a time that may never come.
async fn until(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
