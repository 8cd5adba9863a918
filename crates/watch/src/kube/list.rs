//! All objects of a kind, page by page: each page is read and told before the next is asked for.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::body::{Answer, MAX_PAGE_BYTES};
use super::error::{Cause, Operation};
use super::follow::{End, Follower, Origin, Yield};
use crate::Kind;

/// A page of a list.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    metadata: PageMetadata,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    #[serde(default)]
    resource_version: String,
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl<O, R: Fn(Kind, &str) -> Result<O, String>> Follower<O, R> {
    /// Lists everything anew. A page whose place was forgotten meanwhile (410) fails the list; the next one starts at
    /// its beginning.
    pub(super) async fn list(&mut self) -> Result<Yield, End> {
        self.begin_list();
        let mut next = String::new();
        loop {
            let body = self.page(&next).await.map_err(|cause| cause.during(Operation::List, self.kind))?;
            let page = read(&body).map_err(|cause| cause.during(Operation::List, self.kind))?;
            self.note(|known| {
                known.counts.pages += 1;
                known.heard = Some(Instant::now());
            });
            for item in page.items.unwrap_or_default() {
                self.apply(item.get(), Origin::List).await?;
            }
            next = page.metadata.next.unwrap_or_default();
            if next.is_empty() {
                self.end_list(page.metadata.resource_version).await?;
                return Ok(Yield::Fruitful);
            }
        }
    }

    async fn page(&self, next: &str) -> Result<Vec<u8>, Cause> {
        let mut path = format!("{}?limit={}", self.kind.path(), self.options.page_objects);
        if !next.is_empty() {
            path.push_str("&continue=");
            path.push_str(&encoded(next));
        }
        Answer::get(&self.client, path, self.options.patience).await?.all(MAX_PAGE_BYTES).await
    }
}

fn read(body: &[u8]) -> Result<Page<'_>, Cause> {
    let wrong = |error: serde_json::Error| {
        let cause = if error.is_eof() { Cause::Broken } else { Cause::Content };
        cause(error.to_string())
    };
    let page: Page<'_> = serde_json::from_slice(body).map_err(wrong)?;
    if let Some(kind) = page.kind.as_ref().filter(|kind| !kind.ends_with("List")) {
        return Err(Cause::Content(format!("a {kind} instead of a list")));
    }
    if page.metadata.resource_version.is_empty() {
        return Err(Cause::Content("a list without resourceVersion".to_owned()));
    }
    Ok(page)
}

/// Percent-encoded for a query.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("text takes everything");
        }
    }
    encoded
}
