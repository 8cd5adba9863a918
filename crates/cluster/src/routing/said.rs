//! Answers about rules, as columns say them: what all of them have in common, and where they differ the candidates.

use std::sync::Arc;

use weir_model::{RouteLeg, RouteMethod, RouteService, Routed, RulePlace};

use crate::route::{Answer, Backend, PathType, RouteKind, RuleHit};

/// Most candidates that are named.
const MAX_CANDIDATES: usize = 16;

/// What answers say together; `by` is how they were found.
pub(super) fn said(leg: RouteLeg, answers: &[Answer<'_>], by: RouteMethod) -> Routed {
    let Some(first) = answers.first() else { return Routed::unknown(leg) };
    // A host may have thousands of paths: of those behind the first ones only other rules than the first one's count.
    let rule = |answer: &Answer<'_>| answer.rule.map(|hit| (hit.route.clone(), hit.rule_index));
    let own = rule(first);
    let (near, far) = answers.split_at(answers.len().min(2 * MAX_CANDIDATES));
    let far = far.iter().filter(|answer| rule(answer) != own).take(1);
    let each: Vec<Routed> = near.iter().chain(far).map(|answer| routed(leg, answer)).collect();
    let mut made = common(leg, &each, by);
    if matches!(by, RouteMethod::Host | RouteMethod::Sni) {
        // Also where the host has one path: nothing says that the request is below it.
        (made.path, made.path_type) = (None, None);
        made.place = made.place.map(|place| RulePlace { matched: None, ..place });
    }
    made
}

/// What several possible rules have in common. Each is one rule, or none.
pub(super) fn common(leg: RouteLeg, each: &[Routed], by: RouteMethod) -> Routed {
    let Some((first, others)) = each.split_first() else { return Routed::unknown(leg) };
    if others.iter().all(|other| other.place == first.place) {
        return Routed { method: first.place.as_ref().map(|_| by), ..first.clone() };
    }
    let mut made = Routed { path: None, path_type: None, service: None, reason: None, ..first.clone() };
    for other in others {
        made.place = made.place.zip(other.place.as_ref()).and_then(|(mut place, other)| {
            let is_one = (place.kind, &place.namespace, &place.name) == (other.kind, &other.namespace, &other.name);
            place.rule = place.rule.filter(|rule| other.rule == Some(*rule));
            place.matched = place.matched.filter(|matched| place.rule.is_some() && other.matched == Some(*matched));
            is_one.then_some(place)
        });
        made.host = made.host.filter(|host| other.host.as_ref() == Some(host));
        made.flags.retain(|flag| other.flags.contains(flag));
    }
    if each.iter().all(|one| one.service == first.service) {
        made.service.clone_from(&first.service);
    }
    made.method = made.place.as_ref().map(|_| by);
    let mut candidates: Vec<Arc<str>> = each.iter().filter_map(|one| Some(one.place.as_ref()?.text().into())).collect();
    candidates.sort();
    candidates.dedup();
    candidates.truncate(MAX_CANDIDATES);
    made.candidates = candidates;
    made
}

/// One answer as columns say it.
pub fn routed(leg: RouteLeg, answer: &Answer<'_>) -> Routed {
    let mut made = Routed::unknown(leg);
    made.reason = answer.reason.map(crate::route::Reason::name);
    made.flags = answer.flags.iter().map(crate::route::Flag::name).collect();
    let Some(hit) = answer.rule else { return made };
    made.place = Some(place(&hit));
    made.host = hit.host.map(Arc::from);
    made.path = hit.path.map(Arc::from);
    made.path_type = hit.path_type.map(|path_type| written(hit.route.kind, path_type));
    made.service = service(answer.backends());
    made
}

fn place(hit: &RuleHit<'_>) -> RulePlace {
    let number = |index: Option<usize>| index.and_then(|index| u32::try_from(index).ok());
    RulePlace {
        kind: hit.route.kind.name(),
        namespace: Arc::clone(&hit.route.namespace),
        name: Arc::clone(&hit.route.name),
        rule: number(hit.rule_index),
        matched: number(hit.match_index),
    }
}

/// The way of comparing, as the object has it.
const fn written(kind: RouteKind, path_type: PathType) -> &'static str {
    match (kind, path_type) {
        (_, PathType::Exact) => "Exact",
        (RouteKind::Ingress, PathType::Prefix) => "Prefix",
        (_, PathType::Prefix) => "PathPrefix",
        (_, PathType::ImplementationSpecific) => "ImplementationSpecific",
        (_, PathType::RegularExpression) => "RegularExpression",
    }
}

/// Where a rule leads, if that is one Service.
fn service(backends: &[Backend]) -> Option<RouteService> {
    let mut used = backends.iter().filter(|backend| backend.weight > 0);
    let only = used.next()?;
    let port = only.port.as_ref().map(|port| Arc::from(port.to_string()));
    let name = only.service.clone().filter(|_| used.next().is_none())?;
    Some(RouteService { namespace: Arc::clone(&only.namespace), name, port })
}
