//! One kind, followed for good: list, watch from there, pause after failures, list anew where the place is lost.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use ::kube::Client;
use serde::Deserialize;

use super::KubeOptions;
use super::backoff::Backoff;
use super::error::{Cause, WatchError};
use super::held::{Arrival, Held, News, is_after};
use crate::{Change, Closed, Kind, Known, Outlet, Presence, State};

/// Watches from one place that may fail without a word before it is listed anew.
const MAX_FRUITLESS: u32 = 3;

pub(super) struct Follower<O, R> {
    pub(super) client: Client,
    pub(super) kind: Kind,
    pub(super) options: KubeOptions,
    read: Arc<R>,
    out: Outlet<O>,
    held: Held,
    /// Where to watch from; `None` = list first.
    pub(super) position: Option<String>,
    backoff: Backoff,
    fruitless: u32,
}

/// Why a list or watch ended early.
pub(super) enum End {
    /// Nobody listens.
    Closed(Closed),
    /// It failed.
    Failed(WatchError),
}

impl From<Closed> for End {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

impl From<WatchError> for End {
    fn from(error: WatchError) -> Self {
        Self::Failed(error)
    }
}

/// Whether something came of a list or watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Yield {
    /// It brought something, or ended when it should.
    Fruitful,
    /// The server ended it at once: asking again at once would go round in circles.
    Fruitless,
}

/// Where an object came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    List,
    Event,
}

/// An object, as far as it says which one it is.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(default)]
    namespace: Option<Cow<'a, str>>,
    #[serde(default)]
    name: Option<Cow<'a, str>>,
    #[serde(default)]
    uid: Option<Cow<'a, str>>,
    #[serde(default)]
    resource_version: Option<Cow<'a, str>>,
}

impl<O, R: Fn(Kind, &str) -> Result<O, String>> Follower<O, R> {
    pub(super) fn new(client: Client, kind: Kind, options: KubeOptions, read: Arc<R>, out: Outlet<O>) -> Self {
        let backoff = Backoff::new(options.first_pause, options.longest_pause);
        Self { client, kind, options, read, out, held: Held::default(), position: None, backoff, fruitless: 0 }
    }

    pub(super) async fn run(mut self) -> Closed {
        loop {
            let ended = match self.position.clone() {
                None => self.list().await,
                Some(position) => self.watch(&position).await,
            };
            let asked = match ended {
                Ok(Yield::Fruitful) => continue,
                Ok(Yield::Fruitless) => None,
                Err(End::Closed(closed)) => return closed,
                Err(End::Failed(error)) => match self.failed(error).await {
                    Ok(asked) => asked,
                    Err(closed) => return closed,
                },
            };
            let pause = if self.is_absent() {
                self.options.absent_pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)
            } else {
                self.backoff.pause(rand::random(), asked)
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Notes a failure and decides where to go on. Returns the pause that the server asks for.
    async fn failed(&mut self, error: WatchError) -> Result<Option<Duration>, Closed> {
        if self.position.is_some() {
            self.fruitless += 1;
        }
        let lost =
            matches!(error.cause, Cause::Expired | Cause::NotServed | Cause::TooLarge { .. } | Cause::Content(_));
        let was_listing = self.position.is_none();
        if lost || self.fruitless >= MAX_FRUITLESS {
            (self.position, self.fruitless) = (None, 0);
        }
        if was_listing && matches!(error.cause, Cause::NotServed) && self.kind.presence() == Presence::Optional {
            self.absent().await?;
            return Ok(None);
        }
        let (expired, text) = (matches!(error.cause, Cause::Expired), Arc::from(error.to_string()));
        if !expired {
            tracing::debug!(%error, "an API server was asked in vain");
        }
        self.note(|known| {
            if expired {
                known.counts.expired += 1;
            } else {
                known.counts.failures += 1;
            }
            known.error = Some(text);
            if known.state == State::Current {
                known.state = State::Stale;
            }
        });
        Ok(error.cause.retry_after())
    }

    /// The server has no such kind: then there is no such object.
    async fn absent(&mut self) -> Result<(), Closed> {
        let news = !self.is_absent();
        for id in self.held.clear(self.kind) {
            self.out.tell(Change::Deleted { id }).await?;
        }
        self.note(|known| {
            known.state = State::Absent;
            known.objects = 0;
            known.error = None;
            known.heard = Some(tokio::time::Instant::now());
        });
        if news {
            self.out.tell(Change::Complete { kind: self.kind }).await?;
        }
        Ok(())
    }

    fn is_absent(&self) -> bool {
        self.out.knowledge().of_kind(self.kind).is_some_and(|known| known.state == State::Absent)
    }

    /// A list begins.
    pub(super) fn begin_list(&mut self) {
        self.held.begin_list();
    }

    /// A list has ended: what it did not show is gone.
    pub(super) async fn end_list(&mut self, position: String) -> Result<(), Closed> {
        for id in self.held.end_list(self.kind) {
            self.out.tell(Change::Deleted { id }).await?;
        }
        self.position = Some(position);
        self.note(|known| {
            known.counts.lists += 1;
            // Current once the watch behind it is open.
            known.state = State::Stale;
        });
        self.out.tell(Change::Complete { kind: self.kind }).await
    }

    /// The watch has come to a place. It never goes back, even where a late event names an earlier one.
    pub(super) fn advance(&mut self, place: String) {
        if self.position.as_ref().is_none_or(|position| is_after(&place, position)) {
            self.position = Some(place);
        }
    }

    /// A watch brings something.
    pub(super) fn bears_fruit(&mut self) {
        self.fruitless = 0;
        self.backoff.reset();
    }

    /// An object is there.
    pub(super) async fn apply(&mut self, json: &str, origin: Origin) -> Result<(), Closed> {
        let head = match Self::head(json) {
            Ok(head) => head,
            Err(reason) => {
                self.unreadable(&format!("{} of unknown name: {reason}", self.kind));
                return Ok(());
            }
        };
        let arrival = head.arrival();
        let news = match origin {
            Origin::List => self.held.listed(&arrival),
            Origin::Event => self.held.changed(&arrival),
        };
        if news == News::Known {
            self.note(|known| known.counts.repeated += u64::from(origin == Origin::Event));
            return Ok(());
        }
        let id = arrival.id(self.kind);
        if news == News::Anew {
            self.held.forget(&arrival);
            self.out.tell(Change::Deleted { id: id.clone() }).await?;
        }
        match (self.read)(self.kind, json) {
            Ok(object) => {
                self.held.put(&arrival);
                self.out.tell(Change::Applied { id, object }).await
            }
            Err(reason) => {
                self.unreadable(&format!("{id}: {reason}"));
                Ok(())
            }
        }
    }

    /// An object is gone.
    pub(super) async fn delete(&mut self, json: &str) -> Result<(), Closed> {
        let head = match Self::head(json) {
            Ok(head) => head,
            Err(reason) => {
                self.unreadable(&format!("{} of unknown name: {reason}", self.kind));
                return Ok(());
            }
        };
        if self.held.remove(&head.arrival()) {
            return self.out.tell(Change::Deleted { id: head.arrival().id(self.kind) }).await;
        }
        self.note(|known| known.counts.repeated += 1);
        Ok(())
    }

    fn head(json: &str) -> Result<Metadata<'_>, String> {
        let head: Head<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        if head.metadata.name.as_ref().is_none_or(|name| name.is_empty()) {
            return Err("metadata.name is missing".to_owned());
        }
        Ok(head.metadata)
    }

    fn unreadable(&self, what: &str) {
        self.note(|known| {
            known.counts.unreadable += 1;
            known.unreadable = Some(Arc::from(what));
        });
    }

    /// Notes something; the number of objects with it.
    pub(super) fn note(&self, note: impl FnOnce(&mut Known)) {
        let objects = self.held.len() as u64;
        self.out.knowledge().note(self.kind, |known| {
            known.objects = objects;
            note(known);
        });
    }
}

impl Metadata<'_> {
    fn arrival(&self) -> Arrival<'_> {
        Arrival {
            namespace: self.namespace.as_deref().unwrap_or_default(),
            name: self.name.as_deref().unwrap_or_default(),
            uid: self.uid.as_deref().unwrap_or_default(),
            version: self.resource_version.as_deref().unwrap_or_default(),
        }
    }
}
