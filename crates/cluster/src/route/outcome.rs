//! What becomes of every request that a rule takes: its filters and backends come in, once; a status, or why nobody
//! answers, goes out.

use super::answer::{Flag, Flags, Reason};
use super::backend::Backend;
use super::filters::Filters;

/// The same for each request of a rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome {
    pub(super) status: u16,
    pub(super) reason: Option<Reason>,
    pub(super) flags: Flags,
}

impl Outcome {
    /// Filters and backends say what comes of it; `failure` is the status where no backend can be reached.
    pub(super) fn of(backends: &[Backend], filters: Option<&Filters>, by_prefix: bool, failure: u16) -> Self {
        let mut made = Self { status: 200, reason: None, flags: Flags::default() };
        if let Some(filters) = filters {
            if !filters.are_usable(by_prefix) {
                return Self { status: 500, reason: Some(Reason::InvalidFilter), ..made };
            }
            if let Some(status) = filters.redirect_status() {
                return Self { status, ..made };
            }
        }
        let weighted = backends.iter().filter(|backend| backend.weight > 0);
        let Some(backend) = chosen(backends) else {
            let refusal = weighted.clone().find_map(|backend| backend.refusal);
            let none = if backends.is_empty() { Reason::NoBackend } else { Reason::ZeroWeight };
            return Self { status: failure, reason: Some(refusal.unwrap_or(none)), ..made };
        };
        made.flags.set_if(Flag::RefusedMirror, filters.is_some_and(|filters| filters.refused_mirror));
        made.flags.set_if(Flag::PartlyFailing, weighted.clone().any(|backend| backend.refusal.is_some()));
        let Some(filters) = &backend.filters else { return made };
        if !filters.are_usable(by_prefix) {
            (made.status, made.reason) = (500, Some(Reason::InvalidFilter));
        } else if let Some(status) = filters.redirect_status() {
            made.status = status;
        } else {
            made.flags.set_if(Flag::RefusedMirror, filters.refused_mirror);
        }
        made
    }
}

/// The backend whose filters count: the one with the largest share among those that work, the first of those.
pub(super) fn chosen(backends: &[Backend]) -> Option<&Backend> {
    let usable = backends.iter().filter(|backend| backend.weight > 0 && backend.refusal.is_none());
    usable.reduce(|best, backend| if backend.weight > best.weight { backend } else { best })
}
