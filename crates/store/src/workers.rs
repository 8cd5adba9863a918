//! Threads of the lake's own: a heavy query or commit never holds up the caller's runtime.

use std::future::Future;
use std::io;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::StoreError;

/// A small runtime. Dropping it stops its tasks at their next await, and does not wait for them.
#[derive(Debug)]
pub(crate) struct Workers(Option<Runtime>);

/// The stack of a thread. Plans are walked by recursion, a frame for each step of each column's way: over a hundred columns the
/// usual 2 MiB did not last in builds without optimisation. Only what is used takes memory.
const STACK_BYTES: usize = 16 << 20;

impl Workers {
    /// Starts `threads` threads called `name`.
    pub(crate) fn start(name: &str, threads: usize) -> io::Result<Self> {
        let threads = threads.max(1);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name(name)
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Runs `task` here; it goes on when the handle is dropped.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> Result<JoinHandle<T>, StoreError> {
        self.0.as_ref().map(|runtime| runtime.spawn(task)).ok_or(StoreError::Closing)
    }

    /// Runs `task` here and waits for it. It is carried through even if the caller stops waiting.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        task: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.spawn(task)?.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(StoreError::Closing),
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
