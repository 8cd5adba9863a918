//! `weir-agent doctor` in namespaces that lack something.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use rustix::thread::CapabilitySet;
use serde_json::Value;

use crate::agent::become_user;
use crate::collector;
use crate::lab::{Lab, NODE, POD_IP, Wiring};

/// What the doctor says, and its exit code.
struct Said {
    checks: Vec<Value>,
    code: Option<i32>,
}

impl Said {
    fn of(lab: &Lab, capabilities: CapabilitySet, collector: &str) -> Self {
        Self::told(lab, collector, || become_user(capabilities))
    }

    fn of_root(lab: &Lab, collector: &str) -> Self {
        Self::told(lab, collector, || {})
    }

    fn told(lab: &Lab, collector: &str, before: impl FnOnce() + Send) -> Self {
        let mut command = Command::new(lab.program(env!("CARGO_BIN_EXE_weir-agent")));
        command.env_clear().args(["--node-name", NODE, "--collector", collector]);
        command.args(["--cluster", &format!("manifests:{}", lab.folder().display())]);
        command.args(["doctor", "-o", "json"]).stdin(Stdio::null());
        let output = lab.in_node(|| {
            before();
            command.output()
        });
        let output = output.expect("the doctor runs");
        let text = String::from_utf8(output.stdout).expect("text");
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        let checks: Vec<Value> = text.lines().map(read).collect();
        assert!(!checks.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { checks, code: output.status.code() }
    }

    /// Grade and finding of a check.
    fn check(&self, name: &str) -> (&str, &str) {
        let check = self.checks.iter().find(|check| check["check"] == name);
        let check = check.unwrap_or_else(|| panic!("no check of {name}: {:#?}", self.checks));
        (check["grade"].as_str().expect("a grade"), check["found"].as_str().expect("a finding"))
    }
}

/// A node with a pod, and a collector that takes anyone in.
fn node() -> Option<(Lab, String)> {
    let lab = Lab::up()?;
    lab.give_address(POD_IP.into());
    lab.route(POD_IP.into());
    lab.manifests();
    let ear = lab.in_node(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let url = format!("http://{}", ear.local_addr().expect("bound"));
    drop(collector::serve(ear));
    Some((lab, url))
}

const TWO: CapabilitySet = CapabilitySet::NET_RAW.union(CapabilitySet::NET_ADMIN);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_lacks_nothing_but_conntrack() {
    let Some((lab, url)) = node() else { return };
    let said = Said::of(&lab, TWO, &url);
    for good in ["capabilities", "capture", "cluster", "taps", "pods without a tap", "collector"] {
        assert_eq!(said.check(good).0, "ok", "{:#?}", said.checks);
    }
    let (grade, found) = said.check("conntrack");
    assert!(grade == "warn" && found.contains("tracks no connection in this network namespace"), "{found}");
    assert_eq!(said.check("taps").1, "1 of 1 interfaces are known pods'");
    assert_eq!(said.code, Some(0), "a warning is no failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_capabilities_and_what_comes_of_it() {
    let Some((lab, url)) = node() else { return };
    let _bridged = lab.bring("br-pod", Wiring::Bridged(Ipv4Addr::new(10, 99, 0, 9)));
    let said = Said::of(&lab, CapabilitySet::NET_RAW, &url);
    let (grade, found) = said.check("capabilities");
    assert!(grade == "warn" && found.starts_with("NET_ADMIN is missing"), "{found}");
    let (grade, found) = said.check("taps");
    assert!(
        grade == "warn" && found.contains("br-pod (the addresses behind it need the capability NET_ADMIN)"),
        "{found}"
    );
    assert_eq!((said.check("capture").0, said.code), ("ok", Some(0)));

    let said = Said::of(&lab, CapabilitySet::NET_ADMIN, &url);
    assert_eq!((said.check("capabilities").0, said.check("capture").0, said.code), ("fail", "fail", Some(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_and_pods_without_a_tap_are_told() {
    let Some((lab, url)) = node() else { return };
    let address = Ipv4Addr::new(10, 99, 0, 9);
    let bridged = lab.bring("br-pod", Wiring::Bridged(address));
    lab.tell(&[
        ("shop", "web-1", POD_IP),
        ("shop", "bridged", address),
        ("shop", "sriov", Ipv4Addr::new(10, 99, 3, 3)),
    ]);
    let said = Said::of(&lab, TWO, &url);
    let (_, found) = said.check("bridge");
    assert!(found.starts_with("1 pods are on br0"), "{found}");
    let (grade, found) = said.check("pods without a tap");
    assert_eq!((grade, found), ("warn", "shop/sriov (no interface has 10.99.3.3 behind it)"));
    assert_eq!(said.check("taps").1, "2 of 2 interfaces are known pods'");
    drop(bridged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_the_packet_filters_log_that_another_program_reads() {
    let Some((lab, url)) = node() else { return };
    let other = lab.in_node(|| take_group(77));
    let mut own = SocketAddr::new(0, 0);
    other.get_address(&mut own).expect("an address");
    // Only root may look at the kernel's table.
    let said = Said::of_root(&lab, &url);
    let (grade, found) = said.check("packet filter log");
    assert!(grade == "warn" && found.ends_with(&format!(": 77 by {}", own.port_number())), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_not_there_is_a_failure() {
    let Some((lab, _)) = node() else { return };
    let said = Said::of(&lab, TWO, "http://127.0.0.1:9");
    let (grade, found) = said.check("collector");
    assert!(grade == "fail" && found.contains("cannot be reached"), "{found}");
    assert_eq!(said.code, Some(1));
}

/// Reads a group, as another program would: `NFULNL_MSG_CONFIG` with `NFULNL_CFG_CMD_BIND` (`linux/netfilter/nfnetlink_log.h`).
fn take_group(group: u16) -> Socket {
    let mut socket = Socket::new(NETLINK_NETFILTER).expect("a socket");
    socket.bind_auto().expect("bound");
    let [high, low] = group.to_be_bytes();
    let mut message = Vec::new();
    message.extend(28_u32.to_ne_bytes());
    message.extend(0x0401_u16.to_ne_bytes());
    // A request that asks for an answer.
    message.extend(5_u16.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([0, 0, high, low]);
    message.extend(5_u16.to_ne_bytes());
    message.extend(1_u16.to_ne_bytes());
    message.extend([1, 0, 0, 0]);
    socket.send_to(&message, &SocketAddr::new(0, 0), 0).expect("sent");
    let (answer, _) = socket.recv_from_full().expect("an answer");
    assert_eq!(answer.get(16..20), Some(&[0; 4][..]), "the group was free");
    socket
}
