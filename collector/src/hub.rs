//! Live tails: rows as they arrive, to every reader, each with a bounded buffer of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use weir_model::FlowRow;
use weir_model::tables::RequestRow;
use weir_proto::v1;

/// Something a tail is told.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A row of `flows`.
    Row(Arc<FlowRow>),
    /// A row of `requests`.
    Request(Arc<RequestRow>),
    /// A flow has begun: its counters come again in a row.
    Started(Arc<FlowRow>),
    /// An agent came or went.
    Node(Box<v1::NodeStatus>),
    /// The reader was too slow for so many rows.
    Missed(u64),
}

/// How many pieces of news wait for a slow reader before it misses some.
const BUFFER: usize = 8_192;

/// The readers of live tails. One task owns it.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    readers: Vec<Reader>,
    counts: Arc<HubCounts>,
}

/// What the hub counts.
#[derive(Debug, Default)]
pub(crate) struct HubCounts {
    /// Readers there are.
    pub readers: AtomicU64,
    /// Rows that readers were too slow for.
    pub missed: AtomicU64,
}

/// What a tail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Rows of `flows`.
    Flows,
    /// Rows of `requests`.
    Requests,
}

impl Subject {
    /// Whether a tail about this is told such news.
    const fn is_about(self, news: &News) -> bool {
        match news {
            News::Row(_) | News::Started(_) => matches!(self, Self::Flows),
            News::Request(_) => matches!(self, Self::Requests),
            News::Node(_) | News::Missed(_) => true,
        }
    }
}

#[derive(Debug)]
struct Reader {
    about: Subject,
    news: Sender<News>,
    missed: u64,
}

impl Hub {
    /// What it counts.
    pub(crate) fn counts(&self) -> Arc<HubCounts> {
        Arc::clone(&self.counts)
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&mut self) -> bool {
        self.readers.retain(|reader| !reader.news.is_closed());
        self.counts.readers.store(self.readers.len() as u64, Ordering::Relaxed);
        !self.readers.is_empty()
    }

    /// A new reader. It hears what comes from now on.
    pub(crate) fn subscribe(&mut self, about: Subject) -> Receiver<News> {
        let (news, receiver) = channel(BUFFER);
        self.readers.push(Reader { about, news, missed: 0 });
        self.counts.readers.store(self.readers.len() as u64, Ordering::Relaxed);
        receiver
    }

    /// Tells everybody. A reader without room misses it, and is told how much it missed when there is room again.
    pub(crate) fn publish(&mut self, news: &News) {
        for reader in self.readers.iter_mut().filter(|reader| reader.about.is_about(news)) {
            if reader.missed > 0 && reader.news.try_send(News::Missed(reader.missed)).is_ok() {
                reader.missed = 0;
            }
            let lost = reader.missed > 0 || matches!(reader.news.try_send(news.clone()), Err(TrySendError::Full(_)));
            if lost {
                reader.missed += 1;
                self.counts.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_is_told_how_much_it_missed() {
        let mut hub = Hub::default();
        let mut slow = hub.subscribe(Subject::Flows);
        let news = News::Node(Box::default());
        for _ in 0..BUFFER + 10 {
            hub.publish(&news);
        }
        for _ in 0..2 {
            assert!(matches!(slow.try_recv(), Ok(News::Node(_))));
        }
        hub.publish(&news);
        let rest: Vec<News> = std::iter::from_fn(|| slow.try_recv().ok()).collect();
        assert!(rest.iter().any(|news| matches!(news, News::Missed(10))));
        assert!(matches!(rest.last(), Some(News::Node(_))));
        drop(slow);
        assert!(!hub.is_heard());
    }
}
