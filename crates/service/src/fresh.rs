//! Values that are made of files, and made again while the process runs: every ten seconds, and at once on SIGHUP.
//!
//! What cannot be made leaves the value as it was; that is logged and counted.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tracing::{info, warn};

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A value as it was made last. Clones are the same value.
#[derive(Debug)]
pub struct Fresh<T> {
    value: watch::Receiver<Arc<T>>,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    changes: AtomicU64,
    failures: AtomicU64,
}

impl<T> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), counts: Arc::clone(&self.counts) }
    }
}

impl<T: PartialEq + Send + Sync + 'static> Fresh<T> {
    /// Makes `what` for the first time; from then on again and again until nobody has it any more. Must be called within a
    /// tokio runtime. `make` reads small files, and two values that are equal are one.
    pub fn keep<E>(what: &'static str, make: impl Fn() -> Result<T, E> + Send + 'static) -> Result<Self, E>
    where
        E: Error + Send + Sync + 'static,
    {
        let (changed, value) = watch::channel(Arc::new(make()?));
        let fresh = Self { value, counts: Arc::default() };
        let counts = Arc::clone(&fresh.counts);
        tokio::spawn(async move {
            let mut maker = Maker { what, make, changed, counts, complained: None };
            maker.run(Hangups::hear()).await;
        });
        Ok(fresh)
    }

    /// The value as it is now.
    pub fn now(&self) -> Arc<T> {
        Arc::clone(&self.value.borrow())
    }

    /// How often it was made anew from files that had changed.
    pub fn changes(&self) -> u64 {
        self.counts.changes.load(Ordering::Relaxed)
    }

    /// How often it could not be made.
    pub fn failures(&self) -> u64 {
        self.counts.failures.load(Ordering::Relaxed)
    }
}

/// The signals SIGHUP of this process. Once they are heard they do not end it.
#[derive(Debug)]
pub struct Hangups(Option<Signal>);

impl Hangups {
    /// Hears of those from now on. Must be called within a tokio runtime.
    pub fn hear() -> Self {
        let signal = signal(SignalKind::hangup());
        Self(signal.inspect_err(|error| warn!("SIGHUP is not heard: {error}")).ok())
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        let heard = match &mut self.0 {
            Some(signal) => signal.recv().await,
            None => None,
        };
        // None will come.
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Who makes the value.
struct Maker<T, F> {
    what: &'static str,
    make: F,
    changed: watch::Sender<Arc<T>>,
    counts: Arc<Counts>,
    /// What was said last about files that cannot be used: the same is not said every ten seconds.
    complained: Option<String>,
}

impl<T: PartialEq, F> Maker<T, F> {
    async fn run<E>(&mut self, mut hangups: Hangups)
    where
        F: Fn() -> Result<T, E>,
        E: Error + Send + Sync + 'static,
    {
        let mut looks = interval_at(Instant::now() + LOOK, LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.changed.closed() => return,
                _ = looks.tick() => {}
                () = hangups.next() => self.complained = None,
            }
            self.look();
        }
    }

    fn look<E>(&mut self)
    where
        F: Fn() -> Result<T, E>,
        E: Error + Send + Sync + 'static,
    {
        match (self.make)() {
            Ok(value) if value == **self.changed.borrow() => self.complained = None,
            Ok(value) => {
                self.changed.send_replace(Arc::new(value));
                self.counts.changes.fetch_add(1, Ordering::Relaxed);
                self.complained = None;
                info!("{} read again", self.what);
            }
            Err(error) => {
                self.counts.failures.fetch_add(1, Ordering::Relaxed);
                let text = format!("{:#}", anyhow::Error::new(error));
                if self.complained.as_ref() != Some(&text) {
                    warn!("{} cannot be read again and stay as they were: {text}", self.what);
                    self.complained = Some(text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn files_are_read_again_and_what_cannot_be_read_leaves_the_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("value");
        fs::write(&path, "one").expect("written");
        let make = {
            let path = path.clone();
            move || fs::read_to_string(&path)
        };
        let fresh = Fresh::keep("words", make).expect("readable");
        let mut seen = fresh.value.clone();
        assert_eq!(*fresh.now(), "one");

        fs::write(&path, "two").expect("written");
        seen.changed().await.expect("kept");
        assert_eq!((fresh.now().as_str(), fresh.changes(), fresh.failures()), ("two", 1, 0));

        fs::remove_file(&path).expect("removed");
        tokio::time::advance(LOOK * 2).await;
        while fresh.failures() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*fresh.now(), "two");

        fs::write(&path, "three").expect("written");
        seen.changed().await.expect("kept");
        assert_eq!((fresh.now().as_str(), fresh.changes()), ("three", 2));
    }

    #[tokio::test]
    async fn what_cannot_be_made_at_first_is_an_error() {
        let made = Fresh::<String>::keep("words", || Err(io::Error::from(io::ErrorKind::NotFound)));
        assert_eq!(made.expect_err("no file").kind(), io::ErrorKind::NotFound);
    }
}
