//! What this process may do, and what the kernel offers.

use std::fs;
use std::io;

use rustix::thread::{CapabilitySet, capabilities};
use weir_capture::{LiveOptions, LiveTap};

use super::check::{Check, Grade};
use crate::privileges::NEEDED;

/// The connections that are tracked in this network namespace.
const TRACKED: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
/// The groups of the packet filter's log that somebody reads.
const LOG_GROUPS: &str = "/proc/net/netfilter/nfnetlink_log";

/// Everything about the kernel.
pub(super) fn checks() -> Vec<Check> {
    let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.effective);
    vec![
        held_capabilities(held),
        capture(held),
        conntrack(fs::read_to_string(TRACKED)),
        filter_log(&fs::read_to_string(LOG_GROUPS)),
    ]
}

fn held_capabilities(held: CapabilitySet) -> Check {
    let name = "capabilities";
    let advice = "start the agent as root, or with NET_RAW and NET_ADMIN as ambient capabilities";
    match (held.contains(CapabilitySet::NET_RAW), held.contains(CapabilitySet::NET_ADMIN)) {
        (true, true) if held == NEEDED => Check::new(name, Grade::Ok, "NET_RAW and NET_ADMIN, and no other"),
        (true, true) => Check::new(name, Grade::Ok, "NET_RAW and NET_ADMIN, among others"),
        (true, false) => Check::new(
            name,
            Grade::Warn,
            "NET_ADMIN is missing: pods are told by their routes alone, so not behind a bridge, and connection tracking and \
             the packet filter's log are not read",
        )
        .advise(advice),
        (false, _) => Check::new(name, Grade::Fail, "NET_RAW is missing: no live tap can be opened").advise(advice),
    }
}

fn capture(held: CapabilitySet) -> Check {
    let name = "capture";
    if !held.contains(CapabilitySet::NET_RAW) {
        return Check::new(name, Grade::Fail, "not tried without NET_RAW");
    }
    let options = LiveOptions { ring_bytes: 1 << 20, ..LiveOptions::default() };
    match LiveTap::open("lo", &options) {
        Ok(_) => Check::new(name, Grade::Ok, "a packet socket with a ring and a filter opens on lo"),
        Err(error) => Check::new(name, Grade::Fail, format!("{:#}", anyhow::Error::new(error))).advise(
            "the kernel needs AF_PACKET with TPACKET_V3 (CONFIG_PACKET), and seccomp must let its sockets pass",
        ),
    }
}

fn conntrack(count: io::Result<String>) -> Check {
    let name = "conntrack";
    let count = count.map(|text| text.trim().parse::<u64>());
    match count {
        Ok(Ok(0)) => Check::new(
            name,
            Grade::Warn,
            "the kernel tracks no connection in this network namespace: either no rule asks for it, or a CNI translates \
             without it, and then clients and backends behind NAT are those that taps see",
        )
        .advise("nothing, where the CNI replaces kube-proxy; else see that the agent is on the host network"),
        Ok(Ok(count)) => Check::new(name, Grade::Ok, format!("{count} connections are tracked")),
        Ok(Err(_)) | Err(_) => {
            Check::new(name, Grade::Warn, "the kernel has no connection tracking: NAT is not undone")
                .advise("modprobe nf_conntrack, where Services are translated by kube-proxy")
        }
    }
}

fn filter_log(groups: &io::Result<String>) -> Check {
    let name = "packet filter log";
    match groups {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::new(name, Grade::Warn, "the kernel has no NFLOG: what policies dropped is told by outcomes alone")
                .advise("modprobe nfnetlink_log, where the CNI logs its decisions there")
        }
        Err(error) => Check::new(name, Grade::Warn, format!("whether its groups are taken cannot be told: {error}"))
            .advise("look as root, where the CNI logs its decisions there"),
        Ok(text) => {
            let taken: Vec<_> = text.lines().filter_map(group).collect();
            if taken.is_empty() {
                return Check::new(name, Grade::Ok, "no group is taken");
            }
            let taken: Vec<_> = taken.iter().map(|(group, by)| format!("{group} by {by}")).collect();
            Check::new(
                name,
                Grade::Warn,
                format!("taken groups, by netlink port (mostly the process): {}", taken.join(", ")),
            )
            .advise("one program can read a group: have the CNI log to another one for the agent, where it reads one")
        }
    }
}

/// A group and the netlink port that reads it: the first columns of the kernel's table.
fn group(line: &str) -> Option<(u32, u32)> {
    let mut columns = line.split_whitespace();
    Some((columns.next()?.parse().ok()?, columns.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_a_warning_and_capture_is_a_must() {
        let raw = CapabilitySet::NET_RAW;
        assert_eq!(held_capabilities(NEEDED).grade, Grade::Ok);
        assert_eq!(held_capabilities(raw).grade, Grade::Warn);
        assert_eq!(held_capabilities(CapabilitySet::NET_ADMIN).grade, Grade::Fail);
        assert_eq!(capture(CapabilitySet::empty()).grade, Grade::Fail);
        for nothing in [Ok("0\n".to_owned()), Err(io::ErrorKind::NotFound.into())] {
            assert_eq!(conntrack(nothing).grade, Grade::Warn);
        }
        assert_eq!(conntrack(Ok("17\n".to_owned())).found, "17 connections are tracked");
    }

    #[test]
    fn taken_groups_are_named_with_who_reads_them() {
        assert_eq!(filter_log(&Ok(String::new())).grade, Grade::Ok);
        let table = "    5  24186     0 2 65535    100  1\n   12 4123456789     0 2 65535    100  1\n";
        let check = filter_log(&Ok(table.to_owned()));
        assert_eq!(check.grade, Grade::Warn);
        assert!(check.found.ends_with(": 5 by 24186, 12 by 4123456789"), "{}", check.found);
        assert_eq!(filter_log(&Err(io::ErrorKind::NotFound.into())).grade, Grade::Warn);
    }
}
