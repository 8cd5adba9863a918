//! Whether the collector can be reached, takes this agent in, and has the same time.

use std::error::Error as _;
use std::time::Duration;

use tonic::Code;
use weir_model::Timestamp;
use weir_proto::v1::ingest_client::IngestClient;
use weir_proto::{PROTOCOL_VERSION, time_from_wire, v1};
use weir_service::clock::Clock;
use weir_service::tls::{Facts, read_certificates};

use super::check::{Check, Grade};
use crate::AgentSettings;

/// How long the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A certificate that ends sooner is due for renewal.
const DUE_S: i64 = 14 * 86_400;

/// What the clocks of two nodes may differ by where legs are joined by time.
const FAR: Duration = Duration::from_mins(2);

/// Worth knowing about.
const NEAR: Duration = Duration::from_secs(1);

/// Everything about the collector.
pub(super) async fn checks(settings: &AgentSettings, clock: &dyn Clock) -> Vec<Check> {
    let mut checks: Vec<Check> = certificate(settings, clock.now_ns() / 1_000_000_000).into_iter().collect();
    let before = clock.now_ns();
    let answer = ask(settings).await;
    let middle = before.midpoint(clock.now_ns());
    match answer {
        Ok(answer) => {
            checks.push(reached(settings, &answer));
            let theirs = answer.collector_time.as_ref().map(time_from_wire);
            checks.extend(theirs.map(|theirs| clocks(Timestamp(middle).since(theirs))));
        }
        Err(check) => checks.push(check),
    }
    checks
}

async fn ask(settings: &AgentSettings) -> Result<v1::ProbeResponse, Check> {
    let fail = |found: String| Check::new("collector", Grade::Fail, found);
    let dial = settings.dial().map_err(|error| match error.hint() {
        Some(hint) => fail(error.to_string()).advise(hint),
        None => fail(error.to_string()),
    })?;
    let endpoint = dial.endpoint().map_err(|error| fail(format!("{:#}", anyhow::Error::new(error))))?;
    let connected = endpoint.connect_timeout(PATIENCE).timeout(PATIENCE).connect().await;
    let channel = connected.map_err(|error| {
        fail(format!("{dial} cannot be reached: {:#}", anyhow::Error::new(error)))
            .advise("see that it runs, that a NetworkPolicy lets this node in, and that its certificate has this name")
    })?;
    let request = v1::ProbeRequest { node: settings.node_name.clone() };
    let answer = IngestClient::new(channel).probe(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| match status.code() {
        Code::Unimplemented => {
            Check::new("collector", Grade::Warn, "it is reached, and too old to say whether it would take this agent")
        }
        Code::Unauthenticated | Code::PermissionDenied => fail(status.message().to_owned())
            .advise("a certificate made out to weir-agent: `weir certs init` makes one"),
        // With TLS 1.3 a client hears only now that its certificate was refused.
        _ => {
            let cause = status.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
            fail(format!("it does not answer: {}{cause}", status.message()))
        }
    })
}

fn reached(settings: &AgentSettings, answer: &v1::ProbeResponse) -> Check {
    let name = "collector";
    let address = &settings.collector;
    if answer.protocol_version != PROTOCOL_VERSION {
        let theirs = answer.protocol_version;
        let found = format!("{address} speaks version {theirs} of the protocol, this agent {PROTOCOL_VERSION}");
        return Check::new(name, Grade::Fail, found).advise("run versions of agent and collector that are neighbours");
    }
    let found = format!("{address}, version {}, takes this agent in", answer.version);
    if settings.plaintext && !address.starts_with("https:") {
        return Check::new(name, Grade::Warn, format!("{found}, without TLS"))
            .advise("write https:// and name --tls-ca, --tls-cert and --tls-key (`weir certs init` makes them)");
    }
    Check::new(name, Grade::Ok, found)
}

/// How far this node's clock is ahead of the collector's.
fn clocks(ahead_ns: i64) -> Check {
    let apart = Duration::from_nanos(ahead_ns.unsigned_abs());
    let side = if ahead_ns < 0 { "behind" } else { "ahead of" };
    let found = format!("{:.3} s {side} the collector's", apart.as_secs_f64());
    let grade = match apart {
        far if far >= FAR => Grade::Fail,
        near if near >= NEAR => Grade::Warn,
        _ => Grade::Ok,
    };
    let check = Check::new("clock", grade, found);
    if grade == Grade::Ok { check } else { check.advise("have both follow the same time (chrony, systemd-timesyncd)") }
}

/// The agent's own certificate, where it has one.
fn certificate(settings: &AgentSettings, now_s: i64) -> Option<Check> {
    let path = settings.tls_cert.as_deref()?;
    let name = "certificate";
    let facts = match read_certificates(path) {
        Ok(certificates) => certificates.first().and_then(Facts::of)?,
        Err(error) => return Some(Check::new(name, Grade::Fail, format!("{:#}", anyhow::Error::new(error)))),
    };
    let left_s = facts.ends_at_s - now_s;
    let found = format!("made out to {}, {} days left", facts.names.join(", "), left_s.div_euclid(86_400));
    let advice = "`weir certs renew DIR`, or see why whoever issues it has not renewed it";
    Some(match left_s {
        ..0 => Check::new(name, Grade::Fail, format!("made out to {}, it has ended", facts.names.join(", ")))
            .advise(advice),
        0..DUE_S => Check::new(name, Grade::Warn, found).advise(advice),
        _ => Check::new(name, Grade::Ok, found),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_graded_by_how_far_they_are_apart() {
        let graded = |ahead_ms: i64| clocks(ahead_ms * 1_000_000);
        assert_eq!(graded(-20).grade, Grade::Ok);
        assert_eq!(graded(-1_500).grade, Grade::Warn);
        assert_eq!(graded(-1_500).found, "1.500 s behind the collector's");
        assert_eq!(graded(180_000).grade, Grade::Fail);
    }
}
