//! The kernel's connection tracking, followed for as long as the agent runs: a dump of the table first and now and then,
//! and what is made and removed meanwhile.
//!
//! Entries are only known completely from a dump on, and until the kernel had no room for news: then there is a new one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};
use weir_cluster::conntrack::{Entries, Event as Entry, Happened};
use weir_model::{LossStage, Translation};
use weir_service::clock::Clock;

use super::entry::{GROUPS, event, list};
use super::socket::{Netfilter, Read};
use super::standing::{STANDING, Standing};
use crate::event::{Event, Heard, Span};
use crate::readable::readable;

/// Room for news in the kernel: 2 s of 3,000 connections a second.
const ROOM_BYTES: usize = 8 << 20;

/// Translations that go through the queue together.
const AT_ONCE: usize = 256;

/// How often it is said until when everything was heard, where nothing happens.
const TICK: Duration = Duration::from_secs(1);

/// The most entries that are remembered, some 200 bytes each.
pub(crate) const ENTRIES: usize = 65_536;

/// The input's name.
const NAME: &str = "conntrack";

/// What is lost without.
const LOST: &str = "UDP and answers that come from elsewhere are not joined through NAT, clients behind SNAT are not \
    known, and nothing says that this node dropped a packet";

/// Follows the kernel's connection tracking.
pub(crate) struct Conntrack {
    /// How often the table is dumped; zero = once.
    dump: Duration,
    entries: Entries,
    standing: Standing,
}

/// An open socket, and what is complete of what it tells.
struct Listening {
    news: Netfilter,
    complete: Span,
}

impl Conntrack {
    /// Not heard yet.
    pub(crate) fn new(queue: Sender<Event>, clock: Arc<dyn Clock>, dump: Duration) -> Self {
        Self { dump, entries: Entries::new(ENTRIES), standing: Standing::new(NAME, queue, clock) }
    }

    /// Follows until `stop`. What is not to be had is said once, and tried again.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let Err(error) = self.follow(&stop).await else { return };
            self.standing.set(Some(format!("{}; {LOST}", why(&error)))).await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(STANDING) => {}
            }
        }
    }

    async fn follow(&mut self, stop: &CancellationToken) -> io::Result<()> {
        let news = Netfilter::open(ROOM_BYTES)?;
        // Heard before the table is read, so that nothing falls between.
        GROUPS.into_iter().try_for_each(|group| news.join(group))?;
        let now = self.standing.now();
        let mut heard = Listening { news, complete: Span { from: now, until: now } };
        let mut ready = readable(&heard.news)?;
        let entries = self.dump(&mut heard).await?;
        info!(entries, "connection tracking");
        self.standing.set(None).await;
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut dumped = Instant::now();
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.drain(&mut heard).await,
                ready = ready.readable_mut() => ready?.clear_ready(),
                _ = tick.tick() => {
                    if !self.dump.is_zero() && dumped.elapsed() >= self.dump {
                        self.drain(&mut heard).await?;
                        self.dump(&mut heard).await?;
                        dumped = Instant::now();
                    }
                    self.standing.repeat().await;
                }
            }
            self.drain(&mut heard).await?;
        }
    }

    /// Tells all news that there are, and until when they are all.
    async fn drain(&mut self, heard: &mut Listening) -> io::Result<()> {
        let mut told = Vec::new();
        loop {
            // Before the read that finds nothing: what happened by then is told by then.
            let now = self.standing.now();
            let read = heard.news.read(|message| {
                told.extend(event(message, Some(now)).and_then(|entry| self.entries.learn(&entry)));
            })?;
            match read {
                Read::Some if told.len() < AT_ONCE => {}
                Read::Some => self.tell_all(&mut told, None).await,
                Read::Nothing => {
                    heard.complete.until = now;
                    self.tell_all(&mut told, Some(heard.complete)).await;
                    return Ok(());
                }
                Read::Lost => {
                    self.tell_all(&mut told, Some(heard.complete)).await;
                    self.lost(heard).await?;
                }
            }
        }
    }

    /// News were lost: everything is as if it had just begun.
    async fn lost(&mut self, heard: &mut Listening) -> io::Result<()> {
        debug!("the kernel had no room for news of connection tracking: reading the table anew");
        self.standing.lose(LossStage::Conntrack, heard.complete.until, None).await;
        // What was told before the loss ends before the dump, what comes later is behind it.
        while heard.news.read(|_| {})? != Read::Nothing {}
        let now = self.standing.now();
        heard.complete = Span { from: now, until: now };
        self.dump(heard).await.map(drop)
    }

    /// Reads the table, on a socket of its own: its length must not cost news.
    async fn dump(&mut self, heard: &mut Listening) -> io::Result<usize> {
        let mut table = Netfilter::open(ROOM_BYTES)?;
        let mut there: Vec<Entry> = Vec::new();
        table.list(&list(), |message| there.extend(event(message, None)))?;
        self.entries.begin_dump();
        let mut told = Vec::new();
        for entry in &there {
            told.extend(self.entries.learn(&Entry { happened: Happened::There, ..*entry }));
            if told.len() >= AT_ONCE {
                self.tell_all(&mut told, None).await;
            }
        }
        // A table that is larger than what is remembered would be told to end and to begin at every dump.
        if there.len() < ENTRIES {
            told.extend(self.entries.end_dump(heard.complete.until));
        }
        self.tell_all(&mut told, None).await;
        Ok(there.len())
    }

    async fn tell_all(&self, told: &mut Vec<Translation>, complete: Option<Span>) {
        if !told.is_empty() || complete.is_some() {
            let translations = std::mem::take(told);
            self.standing.tell(Event::Conntrack(Heard { translations, complete })).await;
        }
    }
}

/// Why, as a person would say it.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "it needs the capability NET_ADMIN".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::NotFound | io::ErrorKind::Unsupported => {
            format!("the kernel has no nf_conntrack_netlink ({error})")
        }
        _ => error.to_string(),
    }
}
