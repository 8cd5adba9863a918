//! Objects from a Kubernetes API server: list in pages, then watch, for as long as somebody listens.
//!
//! Each kind is followed on its own, so a kind that fails holds up no other. What the server sends is read in place: of
//! an object only its metadata and what the caller's reader takes is ever a value, `managedFields` never are. No
//! streaming lists: they fail on servers whose etcd cannot report progress.

mod access;
mod backoff;
mod body;
mod error;
mod follow;
mod held;
mod list;
mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;
use futures::future::{self, Either};

use crate::{Closed, Kind, Outlet, Source, View};
pub use access::{Access, AccessError, connect};
pub use error::{Cause, Operation, WatchError};
use follow::Follower;

/// How the API server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KubeOptions {
    /// Objects in one page of a list. Default: 100 (500 pods are 20 MB).
    pub page_objects: u32,
    /// How long the server is asked to keep a watch open; up to a fifth more, so that watches do not end together.
    /// Default: 240 s.
    pub watch_for: Duration,
    /// How long a silent answer is waited for; a watch gets this much over its time. Default: 30 s.
    pub patience: Duration,
    /// The first pause after a failure; each one after is twice as long, half of it at random. Default: 500 ms.
    pub first_pause: Duration,
    /// The longest pause. Default: 30 s.
    pub longest_pause: Duration,
    /// How often a kind that the server does not have is asked for again. Default: 30 s.
    pub absent_pause: Duration,
}

impl Default for KubeOptions {
    fn default() -> Self {
        Self {
            page_objects: 100,
            watch_for: Duration::from_mins(4),
            patience: Duration::from_secs(30),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            absent_pause: Duration::from_secs(30),
        }
    }
}

/// An API server as a [`Source`]. `R` makes an object of its JSON text, or says what is wrong with it.
pub struct KubeSource<R> {
    client: Client,
    kinds: Vec<Kind>,
    options: KubeOptions,
    read: R,
}

impl<O, R: Fn(Kind, &str) -> Result<O, String>> KubeSource<R> {
    /// Follows `kinds` of all namespaces. List entries carry no `kind:` of their own: `read` is told.
    pub const fn new(client: Client, kinds: Vec<Kind>, options: KubeOptions, read: R) -> Self {
        Self { client, kinds, options, read }
    }
}

impl<O, R> Source for KubeSource<R>
where
    O: Send + 'static,
    R: Fn(Kind, &str) -> Result<O, String> + Send + Sync + 'static,
{
    type Object = O;

    fn kinds(&self) -> Vec<Kind> {
        self.kinds.clone()
    }

    fn view(&self) -> View {
        View::Whole
    }

    fn run(self, out: Outlet<O>) -> impl Future<Output = Closed> + Send {
        let read = Arc::new(self.read);
        let follow = move |kind| {
            let (client, read, out) = (self.client.clone(), Arc::clone(&read), out.clone());
            async move {
                let closed = out.clone();
                let following = Follower::new(client, kind, self.options, read, out).run();
                // Also between two changes: a quiet cluster would keep the stream open for long.
                match future::select(std::pin::pin!(following), std::pin::pin!(closed.closed())).await {
                    Either::Left((end, _)) | Either::Right((end, _)) => end,
                }
            }
        };
        async move {
            future::join_all(self.kinds.iter().copied().map(follow)).await;
            Closed
        }
    }
}
