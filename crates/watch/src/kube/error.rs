//! What can go wrong between a follower and the API server: an operation, a kind and a cause.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use crate::Kind;

/// What was being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Listing in pages.
    List,
    /// Following changes.
    Watch,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list",
            Self::Watch => "watch",
        })
    }
}

/// A failure; the follower tries again.
#[derive(Debug, thiserror::Error)]
#[error("{operation} {}: {cause}", kind.plural())]
pub struct WatchError {
    /// What was being done.
    pub operation: Operation,
    /// Of which kind.
    pub kind: Kind,
    /// Why not.
    pub cause: Cause,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// No answer: refused, unreachable, TLS, credentials.
    #[error("{0}")]
    Unreachable(String),
    /// The server says no.
    #[error("{status}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused {
        /// The status of HTTP, or the code within an event.
        status: StatusCode,
        /// What it says, cut at 300 bytes.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// The server has forgotten the place to go on from (410): list again.
    #[error("the server has forgotten the place to go on from")]
    Expired,
    /// The server does not have the kind (404).
    #[error("the server does not have this kind")]
    NotServed,
    /// Nothing came for too long.
    #[error("nothing came for {} s", after.as_secs())]
    Silent {
        /// For how long.
        after: Duration,
    },
    /// The answer ended or broke within an object or page.
    #[error("the answer broke off: {0}")]
    Broken(String),
    /// A page or an event is larger than one can be.
    #[error("more than {max} bytes at once")]
    TooLarge {
        /// The cap.
        max: usize,
    },
    /// The answer is not what the API sends there.
    #[error("no such answer as the API gives: {0}")]
    Content(String),
}

/// Bytes of a server's message that are kept.
const MAX_MESSAGE_BYTES: usize = 300;

/// A `Status` object, as far as it says why.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    message: Option<String>,
    code: Option<u16>,
}

impl Cause {
    /// The cause behind a status and the text that came with it.
    pub(super) fn refused(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Self {
        match status {
            StatusCode::GONE => Self::Expired,
            StatusCode::NOT_FOUND => Self::NotServed,
            status => {
                let said: Status = serde_json::from_slice(body).unwrap_or_default();
                Self::Refused { status, message: cut(said.message.unwrap_or_default()), retry_after }
            }
        }
    }

    /// The cause behind an event of type `ERROR`.
    pub(super) fn in_event(status: &str) -> Self {
        let said: Status = match serde_json::from_str(status) {
            Ok(said) => said,
            Err(error) => return Self::Content(error.to_string()),
        };
        let code = said.code.and_then(|code| StatusCode::from_u16(code).ok());
        match code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR) {
            StatusCode::GONE => Self::Expired,
            status => Self::Refused { status, message: cut(said.message.unwrap_or_default()), retry_after: None },
        }
    }

    /// How long the server asks to be left alone.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) const fn during(self, operation: Operation, kind: Kind) -> WatchError {
        WatchError { operation, kind, cause: self }
    }
}

fn cut(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES).rev().find(|end| message.is_char_boundary(*end)).unwrap_or_default();
        message.truncate(end);
        message.push_str("...");
    }
    message
}
