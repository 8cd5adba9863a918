//! Changes of a kind from a place on: events and bookmarks, one a line, until the server ends the stream.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::body::{Answer, Lines, MAX_EVENT_BYTES};
use super::error::{Cause, Operation};
use super::follow::{End, Follower, Origin, Yield};
use super::list::encoded;
use crate::{Kind, State};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    event: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// Where an event leaves the watch.
#[derive(Deserialize)]
struct Place {
    metadata: PlaceMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlaceMetadata {
    #[serde(default)]
    resource_version: String,
}

impl<O, R: Fn(Kind, &str) -> Result<O, String>> Follower<O, R> {
    /// Watches from a place. The place moves with each event, so whatever breaks the stream, nothing before it is told
    /// again and nothing behind it is missed.
    pub(super) async fn watch(&mut self, position: &str) -> Result<Yield, End> {
        let spread = Duration::from_secs_f64(self.options.watch_for.as_secs_f64() * rand::random::<f64>() / 5.0);
        let seconds = (self.options.watch_for + spread).as_secs().max(1);
        let path = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={seconds}",
            self.kind.path(),
            encoded(position)
        );
        let opened = Answer::get(&self.client, path, self.options.patience).await;
        let answer = opened.map_err(|cause| cause.during(Operation::Watch, self.kind))?;
        let mut answer = answer.with_patience(Duration::from_secs(seconds) + self.options.patience);
        let since = Instant::now();
        self.note(|known| {
            known.counts.watches += 1;
            known.state = State::Current;
            known.error = None;
            known.heard = Some(Instant::now());
        });
        let (mut lines, mut brought) = (Lines::default(), false);
        loop {
            let bytes = answer.next().await.map_err(|cause| cause.during(Operation::Watch, self.kind))?;
            let Some(bytes) = bytes else { break };
            lines.push(&bytes);
            while let Some(line) =
                lines.next(MAX_EVENT_BYTES).map_err(|cause| cause.during(Operation::Watch, self.kind))?
            {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                self.event(line).await?;
                brought = true;
            }
        }
        match lines.open_bytes() {
            0 if brought || since.elapsed() >= self.options.first_pause => Ok(Yield::Fruitful),
            0 => Ok(Yield::Fruitless),
            open => {
                Err(Cause::Broken(format!("{open} bytes into an event")).during(Operation::Watch, self.kind).into())
            }
        }
    }

    async fn event(&mut self, line: &[u8]) -> Result<(), End> {
        let content = |error: serde_json::Error| Cause::Content(error.to_string()).during(Operation::Watch, self.kind);
        let event: Event<'_> = serde_json::from_slice(line).map_err(content)?;
        let object = event.object.get();
        match &*event.event {
            "ADDED" | "MODIFIED" => self.apply(object, Origin::Event).await?,
            "DELETED" => self.delete(object).await?,
            "BOOKMARK" => {}
            "ERROR" => return Err(Cause::in_event(object).during(Operation::Watch, self.kind).into()),
            other => {
                let cause = Cause::Content(format!("an event of type {}", other.escape_debug()));
                return Err(cause.during(Operation::Watch, self.kind).into());
            }
        }
        self.bears_fruit();
        // An object that could not be read has been counted; the stream goes on behind it where it says where.
        if let Ok(place) = serde_json::from_str::<Place>(object)
            && !place.metadata.resource_version.is_empty()
        {
            self.advance(place.metadata.resource_version);
        }
        let bookmark = event.event == "BOOKMARK";
        self.note(|known| {
            known.counts.events += u64::from(!bookmark);
            known.counts.bookmarks += u64::from(bookmark);
            known.heard = Some(Instant::now());
        });
        Ok(())
    }
}
