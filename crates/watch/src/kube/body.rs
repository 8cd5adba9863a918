//! A request goes out, the bytes of its answer come back: all at once for a page, line by line for a watch; never more
//! than a cap at once, and never waited for without end.

use std::time::Duration;

use ::kube::Client;
use ::kube::client::Body;
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::error::Cause;

/// Bytes of one page at most: 100 objects of 640 KiB.
pub(super) const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of one event at most; etcd takes objects of 1.5 MiB.
pub(super) const MAX_EVENT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a refusal that are read.
const MAX_REFUSAL_BYTES: usize = 64 * 1024;

/// The body of an answer that was no refusal.
pub(super) struct Answer {
    body: Body,
    patience: Duration,
}

impl Answer {
    /// Asks for a path. Each further wait for bytes is at most `patience`.
    pub(super) async fn get(client: &Client, path: String, patience: Duration) -> Result<Self, Cause> {
        let request = Request::get(path).body(Body::empty()).map_err(|error| Cause::Unreachable(error.to_string()))?;
        let sent = timeout(patience, client.send(request)).await.map_err(|_| Cause::Silent { after: patience })?;
        let (head, body) = sent.map_err(|error| Cause::Unreachable(chain(&error)))?.into_parts();
        let mut answer = Self { body, patience };
        if head.status.is_success() {
            return Ok(answer);
        }
        // What the server says besides its status is welcome, not needed.
        let said = answer.all(MAX_REFUSAL_BYTES).await.unwrap_or_default();
        Err(Cause::refused(head.status, &said, retry_after(&head.headers)))
    }

    /// Waits longer, or shorter, for further bytes.
    pub(super) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Cause> {
        loop {
            let frame = timeout(self.patience, self.body.frame());
            match frame.await.map_err(|_| Cause::Silent { after: self.patience })? {
                None => return Ok(None),
                Some(Err(error)) => return Err(Cause::Broken(chain(&error))),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Everything up to the end.
    pub(super) async fn all(&mut self, max: usize) -> Result<Vec<u8>, Cause> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > max {
                return Err(Cause::TooLarge { max });
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

/// Seconds that the server asks to be left alone. The form with a date is not used by API servers.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// An error with what is behind it, each part said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(error) = behind {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        behind = error.source();
    }
    text
}

/// Lines out of bytes as they come.
#[derive(Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line starts.
    start: usize,
    /// Up to where no line end was found.
    searched: usize,
}

impl Lines {
    /// Takes bytes in. Lines that were given out before make room.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole line without its end.
    pub(super) fn next(&mut self, max: usize) -> Result<Option<&[u8]>, Cause> {
        let from = self.searched.max(self.start);
        let found = self.buffer.get(from..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'));
        let end = found.map_or(self.buffer.len(), |offset| from + offset);
        if end - self.start > max {
            return Err(Cause::TooLarge { max });
        }
        self.searched = end;
        if found.is_none() {
            return Ok(None);
        }
        let line = self.buffer.get(self.start..end);
        (self.start, self.searched) = (end + 1, end + 1);
        Ok(line)
    }

    /// Bytes of a line that has not ended.
    pub(super) fn open_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> (Vec<Vec<u8>>, usize) {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for chunk in chunks {
            lines.push(chunk);
            while let Some(line) = lines.next(100).expect("short") {
                found.push(line.to_vec());
            }
        }
        (found, lines.open_bytes())
    }

    #[test]
    fn a_line_that_never_ends_is_refused_at_the_cap() {
        let mut lines = Lines::default();
        lines.push(&[b'x'; 100]);
        assert!(matches!(lines.next(100), Ok(None)));
        lines.push(b"x");
        assert!(matches!(lines.next(100), Err(Cause::TooLarge { max: 100 })));
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_arrive(text in "[ab\n]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            cuts.push(text.len());
            let mut from = 0;
            let chunks: Vec<&[u8]> = cuts.iter().map(|cut| &text.as_bytes()[std::mem::replace(&mut from, *cut)..*cut]).collect();
            let mut expected: Vec<Vec<u8>> = text.split('\n').map(|line| line.as_bytes().to_vec()).collect();
            let open = expected.pop().map_or(0, |rest| rest.len());
            prop_assert_eq!(lines(&chunks), (expected, open));
        }
    }
}
