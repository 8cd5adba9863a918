//! The two-node lab of network namespaces (`tests/lab`), put up by a test and taken down after it.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::examples::{in_ci, workspace};
use crate::truth::Truth;

/// How a lab is set up.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// What it is called in messages.
    pub name: &'static str,
    /// Options of `lab up`.
    pub options: &'static [&'static str],
}

/// Pods have routes of their own.
pub const ROUTED: Setup = Setup { name: "routed", options: &["--mode", "routed"] };
/// Pods are behind a bridge.
pub const BRIDGE: Setup = Setup { name: "bridge", options: &["--mode", "bridge"] };
/// Nodes reach each other's pods through a tunnel.
pub const VXLAN: Setup = Setup { name: "vxlan", options: &["--mode", "routed", "--overlay", "vxlan"] };

/// The address of the switch between the nodes, which every node reaches.
pub const FABRIC: &str = "172.31.250.1";

/// A lab that is up. Taken down when dropped.
pub struct Lab {
    prefix: String,
    folder: tempfile::TempDir,
}

impl Lab {
    /// Puts a lab up, under names of its own. `None` where that needs a right or a program that is missing, which is
    /// said; with `CI=true` that is a failure.
    pub fn up(setup: Setup) -> Option<Self> {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        if !is_root {
            assert!(!in_ci(), "the lab needs root");
            eprintln!("not run: the lab needs root");
            return None;
        }
        let prefix = format!("weir-{}-{}", setup.name, std::process::id());
        let lab = Self { prefix, folder: tempfile::tempdir().expect("a folder") };
        let args: Vec<&str> = std::iter::once("up").chain(setup.options.iter().copied()).collect();
        let output = lab.run(&args);
        if output.status.success() {
            return Some(lab);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!in_ci() && said.contains("not installed"), "lab up: {said}");
        eprintln!("not run: {said}");
        None
    }

    /// The network namespace of a node, of a short pod's name, `ext` or `fabric`.
    pub fn netns(&self, who: &str) -> String {
        format!("{}-{who}", self.prefix)
    }

    /// The interface in its node's namespace that leads to a pod, by the pod's short name.
    pub fn host_end(&self, pod: &str) -> String {
        let status = self.status();
        status["pods"][pod]["host_if"].as_str().unwrap_or_else(|| panic!("no pod {pod}: {status:#}")).to_owned()
    }

    /// Whether a pod, `namespace/name`, is on a node and has an address of its own.
    pub fn is_on(&self, node: &str, pod: &str) -> bool {
        let status = self.status();
        let pods = status["pods"].as_object().into_iter().flat_map(|pods| pods.values());
        let named = |entry: &Value| {
            let part = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", part("ns"), part("name"))
        };
        let mut fitting = pods.filter(|entry| named(entry) == pod);
        fitting.any(|entry| entry["node"] == node && entry["host_if"].is_string())
    }

    fn status(&self) -> Value {
        serde_json::from_slice(&self.must(&["status", "--json"])).expect("the lab prints JSON")
    }

    /// Where the cluster's objects are, as programs are told: written first.
    pub fn cluster(&self) -> String {
        let folder = self.folder.path().join("manifests").display().to_string();
        self.must(&["manifests", &folder]);
        format!("manifests:{folder}")
    }

    /// Runs scenarios, all where none is named, and says what really happened.
    pub fn traffic(&self, scenarios: &[&str]) -> Truth {
        let file = self.truth();
        let path = file.display().to_string();
        let args: Vec<&str> = ["traffic", "--truth", &path].into_iter().chain(scenarios.iter().copied()).collect();
        self.must(&args);
        Truth::read(&file).unwrap_or_else(|error| panic!("{error}"))
    }

    fn truth(&self) -> PathBuf {
        self.folder.path().join("truth.json")
    }

    fn must(&self, args: &[&str]) -> Vec<u8> {
        let output = self.run(args);
        let said = [&*output.stdout, &output.stderr].concat();
        assert!(output.status.success(), "lab {args:?}: {}", String::from_utf8_lossy(&said));
        output.stdout
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new("python3");
        command.arg(workspace().join("tests/lab/lab")).args(args).env("LAB_PREFIX", &self.prefix).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("python3 runs the lab: {error}"))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What cannot be taken down says so itself; the next test has names of its own.
        drop(self.run(&["down"]));
    }
}
