//! A collector on a data folder: on a free port unless told which.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::Value;

use super::{Log, Program};

/// Flags of a collector that commits and compacts all the time, so that whatever happens falls on every step of that. The
/// hour of [`super::Traffic`] is long over and must not be dropped for it.
pub const BUSY: &[&str] =
    &["--commit-interval=100ms", "--commit-rows=200", "--settle=50ms", "--maintenance=1s", "--retention-age=36500d"];

/// A collector that serves. Killed when dropped; its data stay.
pub struct Collector {
    program: Program,
    url: String,
    data: PathBuf,
}

impl Collector {
    /// Starts it on a free port and waits until it serves.
    pub fn start(data: &Path, flags: &[&str]) -> Self {
        Self::serving(Self::launch(data, flags), data)
    }

    /// Starts it in a network namespace, on a free port of an address there, and waits until it serves.
    pub fn start_in(netns: &str, address: &str, data: &Path, flags: &[&str]) -> Self {
        let (folder, listen) = (data.display().to_string(), format!("{address}:0"));
        let mut args = vec!["--data", &folder, "--log-format", "json", "--listen", &listen];
        args.extend(flags);
        Self::serving(Program::start_in(netns, "weir-collector", &args), data)
    }

    fn serving(program: Program, data: &Path) -> Self {
        let line = program.log().wait_for(r#""message":"serving""#);
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        let address = line.get("address").and_then(Value::as_str).expect("the line about serving names the address");
        let has_tls = line.get("tls").and_then(Value::as_bool).expect("it also says whether there is TLS");
        let scheme = if has_tls { "https" } else { "http" };
        Self { program, url: format!("{scheme}://{address}"), data: data.to_owned() }
    }

    /// Starts it and waits for nothing.
    pub fn launch(data: &Path, flags: &[&str]) -> Program {
        let folder = data.display().to_string();
        let mut args = vec!["--data", &folder, "--log-format", "json"];
        if !flags.contains(&"--listen") {
            args.extend(["--listen", "127.0.0.1:0"]);
        }
        args.extend(flags);
        Program::start("weir-collector", &args)
    }

    /// Its address, `http://127.0.0.1:PORT`, or https where it has TLS.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// What it says.
    pub const fn log(&self) -> &Log {
        self.program.log()
    }

    /// SIGHUP: read files again.
    pub fn hang_up(&self) {
        self.program.signal("HUP");
    }

    /// SIGKILL.
    pub fn kill_9(self) {
        self.program.kill_9();
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(self) -> ExitStatus {
        self.program.terminate()
    }
}
