//! The way to the collector: contents in, batches on a stream, acks back; reconnects for as long as it takes.

mod backoff;
mod link;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_model::{Coverage, RunId};
use weir_service::clock::Clock;

use crate::contents::Contents;
use crate::outbox::Outbox;
use crate::tally::Tally;
use backoff::Backoff;
use link::{Ended, Link};

/// Who sends, where to, and within which bounds.
#[derive(Clone)]
pub(crate) struct SenderOptions {
    /// The collector's address, `http://host:port`.
    pub(crate) collector: tonic::transport::Endpoint,
    /// The node's name.
    pub(crate) node: Arc<str>,
    /// This run.
    pub(crate) run: RunId,
    /// The most dictionary entries on a stream.
    pub(crate) dictionary_cap: usize,
    /// The most bytes of unacked batches.
    pub(crate) unacked_bytes: usize,
    /// What happens to new contents when that is reached: wait (files do), or drop the oldest batches (live taps).
    pub(crate) wait_when_full: bool,
    /// Taps that are open now, and the spans of files: what a stream begins with.
    pub(crate) coverage: watch::Receiver<Vec<Coverage>>,
    /// The wall clock, to measure offsets between nodes.
    pub(crate) clock: Arc<dyn Clock>,
    /// Told how it goes.
    pub(crate) tally: Arc<Tally>,
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Rows that no collector has acked.
    pub(crate) unsent_rows: usize,
}

/// Sends until the contents end and everything is acked, or until `give_up`.
pub(crate) async fn send(options: SenderOptions, contents: Receiver<Contents>, give_up: CancellationToken) -> Sent {
    let outbox = Outbox::new(Arc::clone(&options.node), options.run, options.unacked_bytes, Arc::clone(&options.tally));
    let mut sender = Sender { outbox, contents, contents_ended: false, options };
    tokio::select! {
        () = sender.run() => {}
        () = give_up.cancelled() => {}
    }
    Sent { unsent_rows: sender.outbox.rows() }
}

struct Sender {
    options: SenderOptions,
    outbox: Outbox,
    contents: Receiver<Contents>,
    contents_ended: bool,
}

impl Sender {
    async fn run(&mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
        while !self.is_done() {
            match Link::open(&self.options).await {
                Ok(mut link) => {
                    info!(collector = %self.options.collector.uri(), "connected");
                    backoff.reset();
                    self.options.tally.connected();
                    let ended = link.carry(self).await;
                    self.options.tally.disconnected();
                    match ended {
                        Ended::Done => return,
                        Ended::Broken(status) => warn!("lost the collector: {status}"),
                    }
                }
                Err(error) => {
                    warn!(
                        collector = %self.options.collector.uri(),
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
        !(self.contents_ended || self.options.wait_when_full && self.outbox.is_full())
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
            let takes = self.takes_contents();
            tokio::select! {
                () = tokio::time::sleep_until(until) => return,
                contents = self.contents.recv(), if takes => self.take(contents),
            }
        }
    }
}
