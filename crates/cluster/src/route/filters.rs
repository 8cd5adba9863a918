//! What a rule or a backend does to requests, checked: filters as written come in, at most one redirect, one rewrite
//! and lists of the others go out.

use std::sync::Arc;

use super::backend::BackendPort;
use crate::objects::{Fraction, HeaderModifier, Part, PathModifier, Redirect, Rewrite, RouteFilter};

/// Filters of one rule or one backend, in their order for each kind.
#[derive(Debug, Default)]
pub(super) struct Filters {
    pub(super) request_headers: Vec<HeaderModifier>,
    pub(super) response_headers: Vec<HeaderModifier>,
    pub(super) redirect: Option<Redirect>,
    pub(super) rewrite: Option<Rewrite>,
    pub(super) mirrors: Vec<Mirrored>,
    /// A mirror cannot be used.
    pub(super) refused_mirror: bool,
    /// One of them cannot be done, so every request fails (Gateway API, `HTTPRouteFilter`).
    broken: bool,
}

/// A Service that gets copies of requests; its answers are thrown away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub service: Arc<str>,
    /// Its port.
    pub port: Option<BackendPort>,
    /// The share of requests, as a fraction.
    pub share: (u32, u32),
}

impl Filters {
    /// Checks filters. `mirror` resolves a receiver, `None` where it cannot be used: then nothing is mirrored and
    /// requests are served all the same. `problem` is told what is wrong with the filter of an index.
    pub(super) fn compile(
        filters: &[Part<RouteFilter>],
        mut mirror: impl FnMut(usize, &crate::objects::Mirror) -> Option<Mirrored>,
        mut problem: impl FnMut(usize, String),
    ) -> Self {
        let mut made = Self::default();
        for (index, filter) in filters.iter().enumerate() {
            let filter = match filter {
                Part::Read(filter) => filter,
                Part::Wrong(fault) => {
                    made.broken = true;
                    problem(index, fault.to_string());
                    continue;
                }
            };
            let refused = match &*filter.filter_type {
                "RequestHeaderModifier" => keep(&mut made.request_headers, filter.request_header_modifier.as_ref()),
                "ResponseHeaderModifier" => keep(&mut made.response_headers, filter.response_header_modifier.as_ref()),
                "RequestRedirect" => made.take_redirect(filter.request_redirect.as_ref()),
                "URLRewrite" => made.take_rewrite(filter.url_rewrite.as_ref()),
                "RequestMirror" => match &filter.request_mirror {
                    Some(written) => {
                        let mirrored = mirror(index, written);
                        made.refused_mirror |= mirrored.is_none();
                        made.mirrors.extend(mirrored);
                        Ok(())
                    }
                    None => Err("the filter's field is missing"),
                },
                // These say who may ask, not where requests go.
                "CORS" | "ExternalAuth" => Ok(()),
                _ => Err("a filter that is not known here"),
            };
            if let Err(reason) = refused {
                made.broken = true;
                problem(index, format!("{reason}: {}", filter.filter_type));
            }
        }
        if made.redirect.is_some() && made.rewrite.is_some() {
            made.broken = true;
            problem(0, "RequestRedirect and URLRewrite exclude each other".to_owned());
        }
        made
    }

    /// Whether they can be done for a request that was matched by a prefix or not.
    pub(super) fn are_usable(&self, by_prefix: bool) -> bool {
        !self.broken && (by_prefix || !self.need_prefix())
    }

    /// Whether a path is changed by the prefix that was matched.
    pub(super) fn need_prefix(&self) -> bool {
        let redirect = self.redirect.as_ref().and_then(|redirect| redirect.path.as_ref());
        let rewrite = self.rewrite.as_ref().and_then(|rewrite| rewrite.path.as_ref());
        redirect.into_iter().chain(rewrite).any(|path| path.replace_prefix_match.is_some())
    }

    /// The status of the redirect, if there is one.
    pub(super) fn redirect_status(&self) -> Option<u16> {
        self.redirect.as_ref().map(|redirect| redirect.status_code.unwrap_or(302))
    }

    fn take_redirect(&mut self, redirect: Option<&Redirect>) -> Result<(), &'static str> {
        let redirect = redirect.ok_or("the filter's field is missing")?;
        if !matches!(redirect.status_code, None | Some(301 | 302 | 303 | 307 | 308)) {
            return Err("no status of a redirect");
        }
        if self.redirect.is_some() {
            return Err("more than one");
        }
        self.redirect = Some(Redirect { path: checked(redirect.path.as_ref())?, ..redirect.clone() });
        Ok(())
    }

    fn take_rewrite(&mut self, rewrite: Option<&Rewrite>) -> Result<(), &'static str> {
        let rewrite = rewrite.ok_or("the filter's field is missing")?;
        if self.rewrite.is_some() {
            return Err("more than one");
        }
        self.rewrite = Some(Rewrite { path: checked(rewrite.path.as_ref())?, ..rewrite.clone() });
        Ok(())
    }
}

impl Mirrored {
    /// The share of a mirror as written.
    pub(super) fn share(percent: Option<u32>, fraction: Option<Fraction>) -> (u32, u32) {
        let whole = (percent.unwrap_or(100), 100);
        fraction.map_or(whole, |fraction| (fraction.numerator, fraction.denominator.unwrap_or(100).max(1)))
    }
}

fn keep(list: &mut Vec<HeaderModifier>, modifier: Option<&HeaderModifier>) -> Result<(), &'static str> {
    list.push(modifier.ok_or("the filter's field is missing")?.clone());
    Ok(())
}

/// Keeps of a path's change the field that its type names.
fn checked(path: Option<&PathModifier>) -> Result<Option<PathModifier>, &'static str> {
    let Some(path) = path else { return Ok(None) };
    let (mut full, mut prefix) = (None, None);
    match &*path.modifier_type {
        "ReplaceFullPath" => full = Some(path.replace_full_path.clone().ok_or("replaceFullPath is missing")?),
        "ReplacePrefixMatch" => {
            prefix = Some(path.replace_prefix_match.clone().ok_or("replacePrefixMatch is missing")?);
        }
        _ => return Err("an unknown change of a path"),
    }
    let modifier_type = Arc::clone(&path.modifier_type);
    Ok(Some(PathModifier { modifier_type, replace_full_path: full, replace_prefix_match: prefix }))
}
