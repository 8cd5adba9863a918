//! The way to the collector: contents in, batches on a stream, acks back; reconnects for as long as it takes.

mod backoff;
mod link;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use weir_model::{Coverage, RunId, Timestamp};
use weir_service::clock::Clock;
use weir_service::fresh::Hangups;
use weir_service::tls::Dial;

use crate::contents::Contents;
use crate::outbox::{Bounds, Outbox, Spool};
use crate::tally::Tally;
use backoff::Backoff;
use link::{Ended, Link};

/// Who sends, where to, and within which bounds.
#[derive(Clone)]
pub(crate) struct SenderOptions {
    /// The way to the collector.
    pub(crate) collector: Dial,
    /// The node's name.
    pub(crate) node: Arc<str>,
    /// This run.
    pub(crate) run: RunId,
    /// The most dictionary entries on a stream.
    pub(crate) dictionary_cap: usize,
    /// How much waits for an ack in memory.
    pub(crate) bounds: Bounds,
    /// Where more of it waits; `None` = nowhere.
    pub(crate) spool: Option<SpoolPlace>,
    /// Taps that are open now, and the spans of files: what a stream begins with.
    pub(crate) coverage: watch::Receiver<Vec<Coverage>>,
    /// The wall clock, to measure offsets between nodes.
    pub(crate) clock: Arc<dyn Clock>,
    /// Told how it goes.
    pub(crate) tally: Arc<Tally>,
}

/// A folder for unacked batches.
#[derive(Clone, Debug)]
pub(crate) struct SpoolPlace {
    /// The folder, of this agent alone.
    pub(crate) dir: PathBuf,
    /// The most bytes in it.
    pub(crate) max_bytes: u64,
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Rows that no collector has acked and no disk has.
    pub(crate) lost_rows: usize,
    /// Batches on disk, for the next start.
    pub(crate) spooled: u64,
}

/// Sends until the contents end and everything is acked, or until `give_up`; then what is not acked goes to disk.
pub(crate) async fn send(options: SenderOptions, contents: Receiver<Contents>, give_up: CancellationToken) -> Sent {
    let spool = open_spool(&options).await;
    let (node, tally) = (Arc::clone(&options.node), Arc::clone(&options.tally));
    let outbox = Outbox::new(node, options.run, options.bounds, spool, tally);
    let mut sender = Sender { outbox, contents, contents_ended: false, hangups: Hangups::hear(), options };
    tokio::select! {
        () = sender.run() => {}
        () = give_up.cancelled() => {}
    }
    sender.outbox.put_away();
    Sent { lost_rows: sender.outbox.rows(), spooled: sender.outbox.spooled() }
}

/// Opens the spool, which takes a while where there is much in it. An agent whose spool fails goes on without.
async fn open_spool(options: &SenderOptions) -> Option<Spool> {
    let SpoolPlace { dir, max_bytes } = options.spool.clone()?;
    let (now, path) = (Timestamp(options.clock.now_ns()), dir.display().to_string());
    match tokio::task::spawn_blocking(move || Spool::open(&dir, max_bytes, now)).await.ok()? {
        Ok(spool) => {
            info!(dir = path, batches = spool.len(), "spool");
            Some(spool)
        }
        Err(failed) => {
            error!("the spool cannot be used, batches wait in memory alone: {:#}", anyhow::Error::new(failed));
            options.tally.spool_failed();
            None
        }
    }
}

struct Sender {
    options: SenderOptions,
    outbox: Outbox,
    contents: Receiver<Contents>,
    contents_ended: bool,
    hangups: Hangups,
}

impl Sender {
    async fn run(&mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        while !self.is_done() {
            let run = self.outbox.sending();
            match Link::open(&self.options, run).await {
                Ok(mut link) => {
                    let former = (run != self.options.run).then_some(tracing::field::display(run));
                    info!(collector = %self.options.collector, former, "connected");
                    backoff.reset();
                    self.options.tally.connected();
                    let ended = link.carry(self).await;
                    self.options.tally.disconnected();
                    match ended {
                        Ended::Done => return,
                        Ended::RunDone => {
                            self.outbox.trim();
                            link.close().await;
                            continue;
                        }
                        Ended::Broken(status) => warn!("lost the collector: {status}"),
                    }
                }
                Err(error) => {
                    warn!(
                        collector = %self.options.collector,
                        unacked_batches = self.outbox.len(),
                        "no collector, trying again: {error}"
                    );
                }
            }
            self.collect_for(backoff.next()).await;
        }
    }

    fn is_done(&mut self) -> bool {
        if self.contents_ended {
            let losses = self.outbox.take_lost();
            if !losses.is_empty() {
                self.outbox.push(Contents { losses, ..Contents::default() });
            }
        }
        self.contents_ended && self.outbox.is_empty()
    }

    /// Whether new contents are taken now.
    fn takes_contents(&self) -> bool {
        !(self.contents_ended || self.outbox.must_wait())
    }

    fn take(&mut self, contents: Option<Contents>) {
        match contents {
            Some(contents) => {
                self.options.tally.count(&contents);
                self.outbox.push(contents);
            }
            None => self.contents_ended = true,
        }
    }

    /// Goes on taking contents while there is no collector.
    async fn collect_for(&mut self, pause: Duration) {
        let until = tokio::time::Instant::now() + pause;
        loop {
            let (takes, due) = (self.takes_contents(), self.outbox.due());
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                () = sleep_until(due), if due.is_some() => self.outbox.tend(),
                contents = self.contents.recv(), if takes => self.take(contents),
            }
        }
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
