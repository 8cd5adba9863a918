//! Which leg stands for its connection: a rule, not a race.
//!
//! A leg is primary when no better one can exist. What can exist follows from coverage: a connection that a watched pod
//! opened has a client leg, a connection that reached a watched pod has a server leg, whether or not that agent's batches
//! are here yet. Only where nothing says so (an opener behind SNAT, an unanswered packet that may have been dropped on
//! the way) the best leg that has arrived by the time of the decision is taken.

use std::sync::Arc;

use weir_model::{EndpointKind, Leg, PodRef};

use super::Names;
use super::connection::{Connection, LegKey, LegSeen};
use super::coverage::CoverageIndex;

/// Whether a leg better than a given one exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Better {
    /// It does, here or on its way.
    Exists,
    /// There is none.
    None,
    /// Nothing says.
    Perhaps,
}

/// The primary leg as things stand; `None` where it is sure that a better leg than any that has arrived is on its way.
pub(super) fn decide(connection: &Connection, coverage: &CoverageIndex, names: &dyn Names) -> Option<LegKey> {
    if let Some(primary) = &connection.primary {
        return Some(primary.clone());
    }
    let verdict = |leg: &LegSeen| better_than(leg, connection, coverage, names);
    let best = connection.best_of_all(|leg| verdict(leg) != Better::Exists);
    best.map(|leg| leg.key.clone())
}

fn better_than(leg: &LegSeen, connection: &Connection, coverage: &CoverageIndex, names: &dyn Names) -> Better {
    let opener = opener_watched(leg, connection, coverage, names);
    match connection.part(leg) {
        Some(Leg::Client) => Better::None,
        Some(Leg::Server) => opener,
        Some(Leg::Transit) | None => match opener {
            Better::Exists => Better::Exists,
            unclear => match (unclear, other_side_watched(leg, connection, coverage, names)) {
                (_, Better::Exists) => Better::Exists,
                (Better::None, Better::None) => Better::None,
                _ => Better::Perhaps,
            },
        },
    }
}

/// Whether the opener is a pod with a tap, so that there is a client leg.
fn opener_watched(leg: &LegSeen, connection: &Connection, coverage: &CoverageIndex, names: &dyn Names) -> Better {
    let opener = match &connection.way {
        Some(way) if !matches!(connection.ends(leg).0.kind, EndpointKind::Pod | EndpointKind::External) => {
            names.opener(&way.first(), leg.start_ts)
        }
        _ => Arc::clone(connection.ends(leg).0),
    };
    match (opener.kind, opener.pod()) {
        (EndpointKind::Pod, Some(pod)) => watched(&pod, leg, coverage),
        (EndpointKind::External, _) => Better::None,
        // A node may stand for any pod it masquerades.
        _ => Better::Perhaps,
    }
}

/// Whether the other side is a pod with a tap that was reached, so that there is a server leg.
fn other_side_watched(leg: &LegSeen, connection: &Connection, coverage: &CoverageIndex, names: &dyn Names) -> Better {
    let other = connection.ends(leg).1;
    let all = match (other.kind, other.pod()) {
        (EndpointKind::Pod, Some(pod)) => watched(&pod, leg, coverage),
        (EndpointKind::External, _) => Better::None,
        (EndpointKind::Service, _) => {
            let pods = leg.service.as_ref().and_then(|s| s.used.as_ref()).and_then(|used| names.pods_behind(used));
            match pods {
                Some(pods) if !pods.is_empty() => {
                    let watched = pods.iter().filter(|pod| watched(pod, leg, coverage) == Better::Exists).count();
                    if watched == pods.len() { Better::Exists } else { Better::Perhaps }
                }
                Some(_) => Better::None,
                None => Better::Perhaps,
            }
        }
        _ => Better::Perhaps,
    };
    match all {
        // What never answered may have been dropped before it got there.
        Better::Exists if !connection.legs.iter().any(|leg| leg.reached) => Better::Perhaps,
        known => known,
    }
}

fn watched(pod: &PodRef, leg: &LegSeen, coverage: &CoverageIndex) -> Better {
    if coverage.tapped(pod, leg.start_ts, leg.key.node.as_ref()) { Better::Exists } else { Better::None }
}
