//! Chains of the agent's own around everybody's filters: new connections logged before and after, what was logged before and
//! not after was dropped on this node. Works with any CNI that forwards through netfilter.
//!
//! One table, which is deleted with all that is in it when the agent stops, and replaced where a former run left it.

use std::collections::VecDeque;
use std::io::Write as _;
use std::process::{Command, Stdio};

use weir_model::{PolicyLog, Timestamp};

/// The group that the chains log to.
pub(super) const GROUP: u16 = 77;

/// The table.
const TABLE: &str = "inet weir-observer";

const BEFORE: &str = "weir-pre";
const AFTER: &str = "weir-post";

/// As what a drop is told; see `enforced.rs` of the cluster's crate.
const DROPPED: &str = "weir-drop";

/// How long after the first chain the second one may log, in nanoseconds: it does within microseconds.
const WAIT_NS: i64 = 500_000_000;

/// The most packets that are between the chains at once; of more nothing is said.
const BETWEEN: usize = 4_096;

/// The chains while they are there.
pub(super) struct Chains;

impl Chains {
    /// Puts them up; the error is for people.
    pub(super) fn put_up() -> Result<Self, String> {
        // The table is added first, so that deleting it never fails.
        nft(&format!(
            "add table {TABLE}\ndelete table {TABLE}\nadd table {TABLE}\n\
             add chain {TABLE} before {{ type filter hook forward priority -200; policy accept; }}\n\
             add chain {TABLE} after {{ type filter hook forward priority 200; policy accept; }}\n\
             add rule {TABLE} before ct state new log prefix \"{BEFORE}\" group {GROUP} snaplen 128\n\
             add rule {TABLE} after ct state new log prefix \"{AFTER}\" group {GROUP} snaplen 128\n"
        ))
        .map(|()| Self)
    }
}

impl Drop for Chains {
    fn drop(&mut self) {
        if let Err(problem) = nft(&format!("delete table {TABLE}\n")) {
            tracing::warn!("the observer's table {TABLE} was not removed: {problem}");
        }
    }
}

/// Runs `nft`, which knows the kernel's forms of rules.
fn nft(rules: &str) -> Result<(), String> {
    let child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("the program nft cannot be run: {error}"))?;
    let written = child.stdin.take().map(|mut input| input.write_all(rules.as_bytes()));
    let output = child.wait_with_output().map_err(|error| format!("nft: {error}"))?;
    if output.status.success() && written.is_some_and(|written| written.is_ok()) {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("nft: {}", said.lines().next().unwrap_or("no rules were taken")))
}

/// Packets between the two chains.
#[derive(Debug, Default)]
pub(super) struct Between {
    packets: VecDeque<PolicyLog>,
}

impl Between {
    /// Takes in a record of the chains; what is not theirs is given back.
    pub(super) fn take(&mut self, log: PolicyLog) -> Option<PolicyLog> {
        match &*log.prefix {
            BEFORE => {
                if self.packets.len() >= BETWEEN {
                    self.forget();
                }
                self.packets.push_back(log);
                None
            }
            AFTER => {
                let same = |packet: &PolicyLog| packet.tuple == log.tuple && packet.isn == log.isn;
                if let Some(at) = self.packets.iter().position(same) {
                    self.packets.remove(at);
                }
                None
            }
            _ => Some(log),
        }
    }

    /// Records were lost: nothing that is between can be said to be dropped.
    pub(super) fn forget(&mut self) {
        self.packets.clear();
    }

    /// What came in so long ago that it does not come out any more.
    pub(super) fn dropped(&mut self, now: Timestamp) -> Vec<PolicyLog> {
        let is_late = |packet: &PolicyLog| now.since(packet.ts) > WAIT_NS;
        let late = self.packets.iter().take_while(|packet| is_late(packet)).count();
        self.packets.drain(..late).map(|packet| PolicyLog { prefix: DROPPED.into(), ..packet }).collect()
    }
}

#[cfg(test)]
mod tests {
    use weir_model::{Protocol, Tuple};

    use super::*;

    fn log(prefix: &str, port: u16, isn: u32, ms: i64) -> PolicyLog {
        let ip = [10, 0, 0, 1].into();
        let tuple = Tuple { protocol: Protocol::TCP, src_ip: ip, src_port: port, dst_ip: ip, dst_port: 80 };
        PolicyLog { ts: Timestamp(ms * 1_000_000), tuple, isn: Some(isn), group: GROUP, prefix: prefix.into() }
    }

    #[test]
    fn what_goes_in_and_does_not_come_out_was_dropped() {
        let mut between = Between::default();
        for record in [log(BEFORE, 1, 7, 0), log(BEFORE, 2, 8, 1), log(AFTER, 1, 7, 1), log(BEFORE, 3, 9, 400)] {
            assert_eq!(between.take(record), None);
        }
        assert_eq!(between.dropped(Timestamp(400_000_000)), []);
        let dropped = between.dropped(Timestamp(600_000_000));
        assert_eq!(dropped, [log(DROPPED, 2, 8, 1)]);
        let other = log("API0|shop/x", 1, 1, 0);
        assert_eq!(between.take(other.clone()), Some(other));
        between.forget();
        assert_eq!(between.dropped(Timestamp(9_000_000_000)), []);
    }

    #[test]
    fn what_is_between_is_bounded() {
        let mut between = Between::default();
        for port in 0..10_000 {
            between.take(log(BEFORE, port, 1, 0));
        }
        assert!(between.packets.len() <= BETWEEN);
    }
}
