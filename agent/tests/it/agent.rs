//! A running agent in the lab's node, as an ordinary user with two capabilities.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Gid, Pid, Signal, Uid, kill_process};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities, set_keep_capabilities,
    set_thread_gid, set_thread_groups, set_thread_uid,
};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::lab::{Lab, NODE};

/// How long anything may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
/// Nobody in particular.
const USER: u32 = 1_000;

/// As whom an agent starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// With everything.
    Root,
    /// An ordinary user with two ambient capabilities.
    User,
}

/// A running agent. It is killed when this is dropped before it has ended.
pub(crate) struct Agent {
    pid: Pid,
    exit: JoinHandle<ExitStatus>,
    has_ended: bool,
    log: PathBuf,
}

impl Agent {
    /// Starts an agent in the lab's node, with the two capabilities that it needs and no other.
    pub(crate) fn start(lab: &Lab, collector_port: u16, tap: &str) -> Self {
        Self::start_with(lab, collector_port, tap, Start::User, &[])
    }

    /// Starts an agent in the lab's node.
    pub(crate) fn start_as(lab: &Lab, collector_port: u16, tap: &str, as_whom: Start) -> Self {
        Self::start_with(lab, collector_port, tap, as_whom, &[])
    }

    /// Starts an agent in the lab's node, with further flags.
    pub(crate) fn start_with(lab: &Lab, collector_port: u16, tap: &str, as_whom: Start, flags: &[&str]) -> Self {
        let manifests = lab.folder();
        let log = manifests.join("agent.log");
        let mut command = Command::new(lab.program(env!("CARGO_BIN_EXE_weir-agent")));
        command.env_clear().args(["--node-name", NODE]).args(["--tap", tap]);
        command.args(["--cluster", &format!("manifests:{}", manifests.display())]);
        command.arg("--report-start").args(flags);
        command.args(["--collector", &format!("http://127.0.0.1:{collector_port}")]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).expect("a log"));
        let start = || {
            if as_whom == Start::User {
                give_up_root();
            }
            command.spawn()
        };
        let mut child = lab.in_node(start).expect("the agent starts");
        let pid = Pid::from_child(&child);
        let exit = tokio::task::spawn_blocking(move || child.wait().expect("waited for"));
        Self { pid, exit, has_ended: false, log }
    }

    /// The number of its process.
    pub(crate) const fn pid(&self) -> Pid {
        self.pid
    }

    pub(crate) fn terminate(&self) {
        kill_process(self.pid, Signal::TERM).expect("told to stop");
    }

    /// Has it do nothing for as long as `work` takes.
    pub(crate) fn frozen<T>(&self, work: impl FnOnce() -> T) -> T {
        kill_process(self.pid, Signal::STOP).expect("told to stand still");
        let done = work();
        kill_process(self.pid, Signal::CONT).expect("told to go on");
        done
    }

    /// Waits for the end.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let ended = timeout(DEADLINE, &mut self.exit).await;
        let Ok(status) = ended else { panic!("the agent goes on: {}", self.log()) };
        self.has_ended = true;
        status.expect("waited for")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if !self.has_ended {
            // Not waited for yet, so the number is still its own.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// Makes this thread, and what it starts, an ordinary user that may capture and ask the kernel about networks.
fn give_up_root() {
    become_user(CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN);
}

/// Makes this thread, and what it starts, an ordinary user with these capabilities.
pub(crate) fn become_user(kept: CapabilitySet) {
    set_keep_capabilities(true).expect("kept");
    set_thread_groups(&[]).expect("no groups");
    set_thread_gid(Gid::from_raw(USER)).expect("another group");
    set_thread_uid(Uid::from_raw(USER)).expect("another user");
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: kept }).expect("no more");
    for capability in kept.iter() {
        configure_capability_in_ambient_set(capability, true).expect("for programs too");
    }
}
