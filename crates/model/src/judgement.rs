//! What is said about a connection: what the policies say, how that is known, and whether it is what happened.
//!
//! Plain names; who decides is `weir-cluster`.

use std::sync::Arc;

use crate::flow::names;
use crate::{Reason, Tier, Timestamp, Verdict};

/// What the policies say about a connection, as of its first packet. Shared by all rows of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// May the opener connect to the other side?
    pub egress: SideJudgement,
    /// May the other side be connected to by the opener?
    pub ingress: SideJudgement,
    /// How it is known.
    pub evidence: Evidence,
    /// The versions of the policies that both sides name, `namespace/name@version`, where objects have one.
    pub versions: Vec<Arc<str>>,
    /// Since when the policies were as they were judged by; `None` = for as long as anything is known.
    pub since: Option<Timestamp>,
}

impl Judgement {
    /// Both directions together.
    pub const fn verdict(&self) -> Verdict {
        self.egress.verdict.and(self.ingress.verdict)
    }
}

/// What the policies say about one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideJudgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The tier that decided; `None` = none did.
    pub tier: Option<Tier>,
    /// The policies behind it, `namespace/name`, or the name alone where the kind has no namespace.
    pub policies: Vec<Arc<str>>,
    /// The position of the rule that decided, in its policy's list for this direction.
    pub rule: Option<u32>,
}

/// How a verdict is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The cluster's own enforcement said so.
    Enforced,
    /// The policies were evaluated as they were then.
    Inferred,
    /// Policies were evaluated that were not in force.
    Simulated,
}

/// The verdict beside what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audit {
    /// What happened is what the policies ask for.
    Consistent,
    /// Allowed, and it did not reach the other side, though that was watched.
    AllowedButBlocked,
    /// Denied, and it reached the other side or was answered.
    DeniedButPassed,
    /// There is no verdict, or nothing that it could be compared with.
    Undecided,
}

/// Why a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A policy denies it.
    Policy,
    /// The Service has no endpoint.
    NoEndpoints,
    /// The Service has no endpoint on the node where it takes local ones only.
    NoLocalEndpoint,
    /// It reached the other side, where nobody listens.
    ClosedPort,
    /// It reached the other side, which did not answer.
    ServerSilent,
    /// It left, and never reached the other side.
    NotDelivered,
    /// It did not leave the node of its opener.
    DroppedHere,
    /// A router or host said that it is prohibited.
    Prohibited,
    /// A router or host said that there is no way.
    Unreachable,
}

names!(Evidence { Enforced = "enforced", Inferred = "inferred", Simulated = "simulated" });
names!(Audit {
    Consistent = "consistent", AllowedButBlocked = "allowed-but-blocked", DeniedButPassed = "denied-but-passed",
    Undecided = "undecided",
});
names!(Cause {
    Policy = "policy", NoEndpoints = "no-endpoints", NoLocalEndpoint = "no-local-endpoint",
    ClosedPort = "closed-port", ServerSilent = "server-silent", NotDelivered = "not-delivered",
    DroppedHere = "dropped-here", Prohibited = "prohibited", Unreachable = "unreachable",
});
