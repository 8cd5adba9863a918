//! What the agent's program keeps of what it is started with.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use rustix::process::Pid;
use tokio::time::timeout;

use crate::agent::{Agent, DEADLINE, Start};
use crate::collector::{self, Said};
use crate::lab::{Lab, VETH};

/// `CAP_NET_ADMIN` (12) and `CAP_NET_RAW` (13).
const TWO: &str = "0000000000003000";
const NONE: &str = "0000000000000000";

/// What every thread of a process may do: all must be the same.
fn rights(pid: Pid) -> BTreeSet<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).expect("a process");
    let texts =
        tasks.map(|task| fs::read_to_string(task.expect("a thread").path().join("status")).expect("its status"));
    let wanted = ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:"];
    let told = |text: String| -> Vec<String> {
        let lines = text.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    texts.flat_map(told).collect()
}

async fn running(lab: &Lab, start: Start) -> (Agent, BTreeSet<String>) {
    lab.give_address(crate::lab::POD_IP.into());
    lab.route(crate::lab::POD_IP.into());
    lab.manifests();
    let ear = lab.in_node(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let port = ear.local_addr().expect("bound").port();
    let mut heard = collector::serve(ear);
    let agent = Agent::start_as(lab, port, &format!("iface:{VETH}"), start);
    let Ok(Some(Said::Hello { taps, .. })) = timeout(DEADLINE, heard.recv()).await else {
        panic!("no Hello: {}", agent.log())
    };
    assert_eq!(taps.len(), 1, "it captures: {}", agent.log());
    let rights = rights(agent.pid());
    (agent, rights)
}

fn expected(bounding: &str) -> BTreeSet<String> {
    let lines = [
        format!("CapInh: {NONE}"),
        format!("CapPrm: {TWO}"),
        format!("CapEff: {TWO}"),
        format!("CapBnd: {bounding}"),
        format!("CapAmb: {NONE}"),
        "NoNewPrivs: 1".to_owned(),
    ];
    lines.into_iter().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_keeps_two_capabilities_and_can_have_no_other_again() {
    let Some(lab) = Lab::up() else { return };
    let (_agent, rights) = running(&lab, Start::Root).await;
    assert_eq!(rights, expected(TWO));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_the_two_passes_them_on_to_nobody() {
    let Some(lab) = Lab::up() else { return };
    let (_agent, rights) = running(&lab, Start::User).await;
    let bounding = rights.iter().find_map(|line| line.strip_prefix("CapBnd: ")).expect("a line").to_owned();
    assert_eq!(rights, expected(&bounding), "only who may change the bounding set does");
}
