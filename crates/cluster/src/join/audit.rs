//! The verdict beside what happened, and why a connection failed. Both from what all its legs show together.
//!
//! "It did not get there" needs somebody who watched there and has told: where nobody did, nothing is said.

use weir_model::{Audit, Cause, Icmp, Leg, Outcome, Protocol, Verdict};

use super::connection::Connection;
use super::coverage::CoverageIndex;
use super::ends::Missing;
use super::judge::Judged;
use super::settle::told_by_another_leg;

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// It was seen at the other pod, or that pod answered.
    There,
    /// The other pod was watched, and it was not seen there.
    NotThere,
    /// Nothing says.
    Unclear,
}

/// What came back, as far as it says how the connection fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    Reset,
    Icmp,
    /// Nothing, and it was waited for.
    Silence,
    /// Nothing yet, or nothing that needs to be answered.
    Open,
}

/// Compares a connection with what was judged.
pub(super) fn compare(connection: &Connection, judged: &Judged, coverage: &CoverageIndex) -> (Audit, Option<Cause>) {
    let answer = answer(outcome(connection), connection);
    let here = connection.was_dropped_here() && answer != Answer::Yes;
    let reach = if here { Reach::NotThere } else { reach(connection, judged, answer, coverage) };
    match judged.judgement.verdict() {
        Verdict::Undecided if here && judged.missing.is_none() => (Audit::Undecided, Some(cause_here(connection))),
        Verdict::Undecided => (Audit::Undecided, undecided_cause(judged, answer, reach, connection)),
        Verdict::Denied => denied(connection, judged, answer, reach),
        Verdict::Allowed if judged.dropped && answer != Answer::Yes => (Audit::AllowedButBlocked, Some(Cause::Policy)),
        Verdict::Allowed if here => (Audit::AllowedButBlocked, Some(cause_here(connection))),
        Verdict::Allowed => allowed(connection, answer, reach),
    }
}

/// As the leg that is nearest to the opener has it.
fn outcome(connection: &Connection) -> Outcome {
    let best = connection.best(|_| true);
    let own = best.map_or(Outcome::HalfSeen, |leg| leg.outcome);
    told_by_another_leg(own, best.is_some_and(|leg| leg.sight.is_one_way), connection).unwrap_or(own)
}

fn answer(outcome: Outcome, connection: &Connection) -> Answer {
    match outcome {
        Outcome::Established | Outcome::HalfSeen => Answer::Yes,
        Outcome::Refused => Answer::Reset,
        Outcome::Rejected => Answer::Icmp,
        Outcome::Unanswered if connection.legs.iter().any(|leg| leg.asked_again) => Answer::Silence,
        Outcome::Unanswered | Outcome::OneWay => Answer::Open,
    }
}

fn reach(connection: &Connection, judged: &Judged, answer: Answer, coverage: &CoverageIndex) -> Reach {
    if answer == Answer::Yes || connection.leg(Leg::Server).is_some() {
        return Reach::There;
    }
    let told = |pod| coverage.was_told(pod, &connection.legs);
    // Legs of TCP are found whatever is translated. Others are only where every leg has the same addresses, or conntrack told.
    let would_join = connection.way.is_some()
        || connection.legs.iter().all(|leg| leg.key.tuple.protocol == Protocol::TCP || !leg.shows_service());
    if would_join && !judged.targets.is_empty() && judged.targets.iter().all(told) {
        return Reach::NotThere;
    }
    Reach::Unclear
}

fn denied(connection: &Connection, judged: &Judged, answer: Answer, reach: Reach) -> (Audit, Option<Cause>) {
    let left_its_node = judged.judgement.egress.verdict == Verdict::Denied
        && connection.leg(Leg::Client).is_some()
        && connection.leg(Leg::Transit).is_some();
    match (answer, reach) {
        (Answer::Yes, _) | (_, Reach::There) => (Audit::DeniedButPassed, failure(connection, answer)),
        _ if left_its_node => (Audit::DeniedButPassed, failure(connection, answer)),
        // A reset may be the way in which the policy is enforced, or the word of the pod itself.
        (Answer::Reset, Reach::Unclear) => (Audit::Undecided, None),
        _ => (Audit::Consistent, Some(Cause::Policy)),
    }
}

fn allowed(connection: &Connection, answer: Answer, reach: Reach) -> (Audit, Option<Cause>) {
    let cause = failure(connection, answer);
    match (answer, reach) {
        (Answer::Silence, Reach::NotThere) => (Audit::AllowedButBlocked, Some(Cause::NotDelivered)),
        (Answer::Reset | Answer::Icmp, Reach::NotThere) => (Audit::AllowedButBlocked, cause_on_the_way(cause)),
        (Answer::Silence | Answer::Open, Reach::Unclear) | (Answer::Open, Reach::NotThere) => (Audit::Undecided, None),
        (Answer::Icmp, Reach::Unclear) if cause == Some(Cause::Prohibited) => (Audit::AllowedButBlocked, cause),
        _ => (Audit::Consistent, cause),
    }
}

fn undecided_cause(judged: &Judged, answer: Answer, reach: Reach, connection: &Connection) -> Option<Cause> {
    let failed = !matches!(answer, Answer::Yes);
    match judged.missing {
        Some(Missing::Endpoints) if failed => Some(Cause::NoEndpoints),
        Some(Missing::LocalEndpoint) if failed => Some(Cause::NoLocalEndpoint),
        _ => match (answer, reach) {
            (Answer::Silence, Reach::NotThere) => Some(Cause::NotDelivered),
            (Answer::Reset | Answer::Icmp, _) | (_, Reach::There) => failure(connection, answer),
            _ => None,
        },
    }
}

/// Why it failed, where it came as far as it should.
fn failure(connection: &Connection, answer: Answer) -> Option<Cause> {
    match answer {
        Answer::Yes | Answer::Open => None,
        Answer::Reset => Some(Cause::ClosedPort),
        Answer::Silence => connection.leg(Leg::Server).is_some().then_some(Cause::ServerSilent),
        Answer::Icmp => connection.legs.iter().flat_map(|leg| &leg.icmp).copied().find_map(told_by_icmp),
    }
}

/// Of what did not leave its node: what the node said, where it said why.
fn cause_here(connection: &Connection) -> Cause {
    match failure(connection, Answer::Icmp) {
        Some(Cause::Prohibited) => Cause::Prohibited,
        _ => Cause::DroppedHere,
    }
}

/// A reset from where nobody saw the connection is not the pod's.
fn cause_on_the_way(cause: Option<Cause>) -> Option<Cause> {
    if cause == Some(Cause::ClosedPort) { Some(Cause::NotDelivered) } else { cause }
}

/// Types and codes of RFC 792, RFC 1812 (section 5.2.7.1) and RFC 4443; they do not overlap between the two versions where they
/// say that something is unreachable (3 and 1).
const fn told_by_icmp(icmp: Icmp) -> Option<Cause> {
    match (icmp.kind, icmp.code) {
        (3, 9 | 10 | 13) | (1, 1 | 5) => Some(Cause::Prohibited),
        (3, 3) | (1, 4) => Some(Cause::ClosedPort),
        (3 | 1, _) => Some(Cause::Unreachable),
        _ => None,
    }
}
