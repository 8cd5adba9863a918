//! Rules seen from behind: whether a request at a backend may have come through a rule, its rewrite undone.
//!
//! A rule comes in as an answer; later the host and path that a backend was asked for, and whether the rule makes such
//! requests goes out. What a controller does beside its rule (another `Host`, say) never speaks against the rule.

use std::sync::Arc;

use super::answer::{Answer, Flag, RouteKind};
use super::host::{self, HostPattern};
use super::path::PathType;
use crate::objects::PathModifier;

/// A request as a backend got it.
#[derive(Clone, Copy, Debug, Default)]
pub struct AtBackend<'a> {
    /// The path, without its query; `None` = not known.
    pub path: Option<&'a str>,
    /// The host, as sent.
    pub host: Option<&'a str>,
}

/// How a request at a backend fits a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// The rule makes no such request.
    No,
    /// The rule passes requests on as they are, and this may be one of them.
    AsIs,
    /// The rule rewrites requests, and this may be one of them.
    Rewritten,
}

/// What a rule makes of the requests that it takes, as far as their host and path go.
#[derive(Clone, Debug)]
pub struct Undo {
    /// The hosts that it takes.
    hosts: HostPattern,
    /// An Ingress's wildcard covers one label.
    one_label: bool,
    /// The paths that it takes; `None` = all.
    takes: Option<(PathType, Arc<str>)>,
    /// The host that it sets.
    sets_host: Option<Arc<str>>,
    path: Change,
}

/// What becomes of a path.
#[derive(Clone, Debug)]
enum Change {
    None,
    To(PathModifier),
    /// By a regular expression of the controller's own kind.
    Unknown,
}

impl Undo {
    /// What the rule of an answer does.
    pub fn of(answer: &Answer<'_>) -> Option<Self> {
        let rule = answer.rule?;
        let backend = answer.chosen().and_then(|backend| backend.filters.as_deref());
        let rewrites = answer.filters.into_iter().chain(backend).filter_map(|filters| filters.rewrite.as_ref());
        let change = rewrites.clone().filter_map(|rewrite| rewrite.path.clone()).next_back();
        Some(Self {
            hosts: HostPattern::parse(rule.host).unwrap_or(HostPattern::Any),
            one_label: rule.route.kind == RouteKind::Ingress,
            takes: rule.path_type.zip(rule.path.map(Arc::from)),
            sets_host: rewrites.filter_map(|rewrite| rewrite.hostname.clone()).next_back(),
            path: match change {
                Some(change) => Change::To(change),
                None if answer.flags.contains(Flag::NginxRewrite) => Change::Unknown,
                None => Change::None,
            },
        })
    }

    /// Whether the rule makes such requests. The host is only compared where the rule itself sets one.
    pub fn fits(&self, request: &AtBackend<'_>) -> Fit {
        if self.sets_host.is_some() && !self.makes_host(request.host) {
            return Fit::No;
        }
        let fits = match (request.path, &self.path) {
            (None, _) | (_, Change::Unknown) => true,
            (Some(path), Change::None) => self.takes_path(path),
            (Some(path), Change::To(change)) => self.makes_path(change, path),
        };
        match (fits, &self.path, &self.sets_host) {
            (false, ..) => Fit::No,
            (true, Change::None, None) => Fit::AsIs,
            (true, ..) => Fit::Rewritten,
        }
    }

    /// Whether requests for a host may come out of the rule: the one that it sets, else those that it takes.
    pub fn makes_host(&self, host: Option<&str>) -> bool {
        let name = host.and_then(host::of_request);
        if let Some(set) = &self.sets_host {
            return name.is_some_and(|name| name.eq_ignore_ascii_case(set));
        }
        match (&self.hosts, name) {
            (HostPattern::Any, _) => true,
            (_, None) => false,
            (HostPattern::Exact(wanted), Some(name)) => **wanted == *name,
            (HostPattern::Wildcard(base), Some(name)) => {
                let front = name.strip_suffix(&**base).and_then(|front| front.strip_suffix('.'));
                front.is_some_and(|front| !front.is_empty() && (!self.one_label || !front.contains('.')))
            }
        }
    }

    fn makes_path(&self, change: &PathModifier, path: &str) -> bool {
        match (change.replace_full_path.as_deref(), change.replace_prefix_match.as_deref()) {
            (Some(full), _) => path == full || path.strip_prefix('/') == Some(full),
            (None, Some(prefix)) => begins(path, prefix),
            (None, None) => self.takes_path(path),
        }
    }

    fn takes_path(&self, path: &str) -> bool {
        match &self.takes {
            Some((PathType::Exact, wanted)) => path == &**wanted,
            Some((PathType::Prefix | PathType::ImplementationSpecific, wanted)) => begins(path, wanted),
            // Regular expressions are for the way in; here they speak against nothing.
            Some((PathType::RegularExpression, _)) | None => true,
        }
    }
}

/// Whether a path begins with the elements of a prefix.
fn begins(path: &str, prefix: &str) -> bool {
    let bare = |text: &'_ str| text.strip_prefix('/').unwrap_or(text).to_owned();
    let (path, prefix) = (bare(path), bare(prefix.strip_suffix('/').unwrap_or(prefix)));
    prefix.is_empty() || path.strip_prefix(&*prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
