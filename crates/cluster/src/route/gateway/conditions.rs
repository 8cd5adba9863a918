//! What a match asks of a request beside host and path: method, headers, query.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::objects::ValueMatch;
use crate::route::pattern::{Pattern, Patterns};
use crate::route::request::{Parts, RouteRequest};

/// Conditions that must all hold.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Conditions {
    /// The last element of a gRPC path, where the service may be any.
    pub(super) grpc_method: Option<Arc<str>>,
    pub(super) method: Option<Arc<str>>,
    pub(super) headers: Vec<Condition>,
    pub(super) query: Vec<Condition>,
}

/// A condition on one value.
#[derive(Debug, PartialEq)]
pub(super) struct Condition {
    name: Arc<str>,
    value: Wanted,
}

#[derive(Debug, PartialEq)]
enum Wanted {
    Exact(Arc<str>),
    Pattern(Pattern),
}

impl Wanted {
    fn takes(&self, value: &str) -> bool {
        match self {
            Self::Exact(wanted) => **wanted == *value,
            Self::Pattern(pattern) => pattern.is_match(value),
        }
    }
}

impl Conditions {
    /// Precedence among matches of one path, the smallest first (Gateway API, `HTTPRouteRule`, `matches`).
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let grpc = self.grpc_method.as_ref().map_or(0, |method| method.len());
        let (headers, query) = (self.headers.len(), self.query.len());
        (Reverse(grpc), Reverse(self.method.is_some()), Reverse(headers), Reverse(query))
    }

    /// Whether a regular expression is among them.
    pub(super) fn have_pattern(&self) -> bool {
        self.headers.iter().chain(&self.query).any(|condition| matches!(condition.value, Wanted::Pattern(_)))
    }

    pub(super) fn take(&self, request: &RouteRequest<'_>, parts: &Parts<'_>) -> bool {
        self.method.as_deref().is_none_or(|method| method == request.method)
            && self.grpc_method.as_deref().is_none_or(|method| is_call_of(parts.path, method))
            && self.headers.iter().all(|condition| condition.takes_header(request.headers))
            && self
                .query
                .iter()
                .all(|condition| parts.parameter(&condition.name).is_some_and(|value| condition.value.takes(&value)))
    }
}

fn is_call_of(path: &str, method: &str) -> bool {
    let call = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    call.is_some_and(|(service, called)| !service.is_empty() && called == method)
}

impl Condition {
    /// Reads conditions; of several with one name the first counts. `same` compares names. The error says what is
    /// wrong with the condition of an index.
    pub(super) fn compile(
        written: &[ValueMatch],
        same: impl Fn(&str, &str) -> bool,
        patterns: &mut Patterns,
    ) -> Result<Vec<Self>, (usize, String)> {
        let mut made: Vec<Self> = Vec::with_capacity(written.len());
        for (index, condition) in written.iter().enumerate() {
            if made.iter().any(|other| same(&other.name, &condition.name)) {
                continue;
            }
            let value = match condition.match_type.as_deref() {
                None | Some("Exact") => Wanted::Exact(Arc::clone(&condition.value)),
                Some("RegularExpression") => {
                    let reason = |reason| format!("not a regular expression: {} ({reason})", condition.value);
                    Wanted::Pattern(patterns.compile(&condition.value).map_err(|error| (index, reason(error)))?)
                }
                Some(other) => return Err((index, format!("not a type of match: {other}"))),
            };
            made.push(Self { name: Arc::clone(&condition.name), value });
        }
        Ok(made)
    }

    /// A header that comes more than once has its values joined (RFC 9110, 5.3).
    fn takes_header(&self, headers: &[(&str, &str)]) -> bool {
        let mut values = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&self.name)).map(|(_, v)| *v);
        let Some(first) = values.next() else { return false };
        let Some(second) = values.next() else { return self.value.takes(first) };
        let joined = values.fold(format!("{first},{second}"), |joined, value| joined + "," + value);
        self.value.takes(&joined)
    }
}
