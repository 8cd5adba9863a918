//! An orderly stop: SIGTERM or SIGINT goes in, a token that everything can wait for and a deadline come out. A second
//! signal ends the process at once.

use std::io;
use std::process;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The stop of a process. Clones are the same stop.
#[derive(Clone, Debug)]
pub struct Shutdown {
    token: CancellationToken,
    started_at: Arc<OnceLock<Instant>>,
    grace: Duration,
}

/// What was to be drained took longer than the time there was for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeadlinePassed {
    /// The time there was.
    pub grace: Duration,
}

impl std::fmt::Display for DeadlinePassed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not done within {:?} of the stop", self.grace)
    }
}

impl std::error::Error for DeadlinePassed {}

impl Shutdown {
    /// A stop that only [`Shutdown::start`] starts.
    pub fn new(grace: Duration) -> Self {
        Self { token: CancellationToken::new(), started_at: Arc::default(), grace }
    }

    /// A stop that the first SIGTERM or SIGINT starts; the second one exits with 128 + its number. What is to be finished
    /// has `grace` from the first on. Must be called within a tokio runtime; an error means that the handlers could not be
    /// installed.
    pub fn on_signals(grace: Duration) -> io::Result<Self> {
        let shutdown = Self::new(grace);
        let (send, signals) = mpsc::channel(1);
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let mut signal = signal(kind)?;
            let send = send.clone();
            tokio::spawn(async move { while signal.recv().await.is_some() && send.send(kind).await.is_ok() {} });
        }
        tokio::spawn(shutdown.clone().watch(signals, |code| process::exit(code)));
        Ok(shutdown)
    }

    /// Starts the stop. Later calls change nothing.
    pub fn start(&self) {
        self.started_at.get_or_init(Instant::now);
        self.token.cancel();
    }

    /// Whether the stop has started.
    pub fn has_started(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Waits until the stop starts.
    pub async fn started(&self) {
        self.token.cancelled().await;
    }

    /// The token that is cancelled when the stop starts.
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// Waits for `work`; once the stop has started, no longer than until the deadline.
    pub async fn drain<T>(&self, work: impl Future<Output = T>) -> Result<T, DeadlinePassed> {
        let deadline = async {
            self.token.cancelled().await;
            let started_at = *self.started_at.get_or_init(Instant::now);
            tokio::time::sleep_until(started_at + self.grace).await;
        };
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = deadline => Err(DeadlinePassed { grace: self.grace }),
        }
    }

    async fn watch(self, mut signals: mpsc::Receiver<SignalKind>, exit: impl FnOnce(i32)) {
        let Some(first) = signals.recv().await else { return };
        tracing::info!(signal = first.as_raw_value(), grace = ?self.grace, "stopping");
        self.start();
        let Some(second) = signals.recv().await else { return };
        tracing::warn!(signal = second.as_raw_value(), "stopping at once");
        exit(128 + second.as_raw_value());
    }
}

#[cfg(test)]
mod tests {
    use std::future;
    use std::sync::atomic::{AtomicI32, Ordering};

    use super::*;

    #[tokio::test]
    async fn the_first_signal_starts_the_stop_and_the_second_exits() {
        let shutdown = Shutdown::new(Duration::from_secs(1));
        let (send, signals) = mpsc::channel(1);
        let code = AtomicI32::new(0);
        let watch = shutdown.clone().watch(signals, |exit_code| code.store(exit_code, Ordering::Relaxed));
        let script = async {
            assert!(!shutdown.has_started());
            send.send(SignalKind::terminate()).await.expect("watched");
            shutdown.started().await;
            assert_eq!(code.load(Ordering::Relaxed), 0);
            send.send(SignalKind::interrupt()).await.expect("watched");
        };
        tokio::join!(watch, script);
        assert_eq!(code.load(Ordering::Relaxed), 130);
    }

    #[tokio::test(start_paused = true)]
    async fn work_has_until_the_deadline_counted_from_the_start() {
        let shutdown = Shutdown::new(Duration::from_secs(5));
        let late = tokio::time::sleep(Duration::from_secs(100));
        assert_eq!(shutdown.drain(late).await, Ok(()), "nothing is hurried before the stop");
        shutdown.start();
        let begun = Instant::now();
        assert_eq!(shutdown.drain(tokio::time::sleep(Duration::from_secs(3))).await, Ok(()));
        let passed = DeadlinePassed { grace: Duration::from_secs(5) };
        assert_eq!(shutdown.drain(future::pending::<()>()).await, Err(passed));
        assert_eq!(begun.elapsed(), Duration::from_secs(5), "both drains share one deadline");
    }
}
