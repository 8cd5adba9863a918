//! The built programs, run by tests as anyone would run them: started, listened to, asked, killed.
//!
//! Every wait has a limit, and what a program said is part of the message when a test gives up on it.

mod api_server;
mod collector;
mod dice;
mod kept;
mod log;
mod pages;
mod raw_agent;
mod relay;
mod traffic;

pub use api_server::ApiServer;
pub use collector::{BUSY, Collector};
pub use dice::Dice;
pub use kept::{Kept, Rows, number, text};
pub use log::Log;
pub use pages::{ANY_PORT, Pages, metric};
pub use raw_agent::{Answer, Frame, RawAgent, Unanswered, hello};
pub use relay::Relay;
pub use traffic::{BEGIN, Traffic};

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a test waits for something that should happen soon.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Where a program was built: beside the running test. Panics where it was not.
pub fn path_of(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let folder = test.ancestors().find(|folder| folder.ends_with("deps")).and_then(Path::parent);
    let path = folder.unwrap_or(&test).join(name);
    assert!(path.is_file(), "{} is missing: run `make test`, or `cargo build` first", path.display());
    path
}

/// A running program. Killed when dropped.
pub struct Program {
    name: &'static str,
    child: Child,
    log: Log,
}

impl Program {
    /// Starts it; what it says on stderr is kept.
    pub fn start(name: &'static str, args: &[&str]) -> Self {
        Self::launch(name, &mut Command::new(path_of(name)), args)
    }

    /// Starts it in a network namespace.
    pub fn start_in(netns: &str, name: &'static str, args: &[&str]) -> Self {
        Self::launch(name, &mut within(netns, name), args)
    }

    /// Starts `tcpdump` in a network namespace, and waits until it captures.
    pub fn capture(netns: &str, interface: &str, file: &Path) -> Self {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns, "tcpdump", "-i", interface, "-U", "-s", "256", "-Z", "root"]);
        let program = Self::launch("tcpdump", &mut command, &["--immediate-mode", "-w", &file.display().to_string()]);
        program.log().wait_for("listening on");
        program
    }

    fn launch(name: &'static str, command: &mut Command, args: &[&str]) -> Self {
        let mut child = command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let stderr = child.stderr.take().expect("stderr is piped");
        Self { name, child, log: Log::follow(name, stderr) }
    }

    /// What it says.
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// SIGKILL: no goodbye.
    pub fn kill_9(mut self) {
        self.kill();
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Sends a signal, named without its SIG.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} cannot be signalled", self.name);
    }

    /// Waits for its end.
    pub fn ended(mut self) -> ExitStatus {
        self.log.wait_for_end();
        self.child.wait().unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }

    fn kill(&mut self) {
        // Fails only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A built program, run in a network namespace.
pub fn within(netns: &str, name: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", netns]).arg(path_of(name));
    command
}

/// What `weir sql` reads.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A collector's address.
    Server(&'a str),
    /// A lake's folder, without a collector.
    Lake(&'a Path),
}

/// Asks with `weir sql`. The error is what it said on stderr.
pub fn try_sql(source: Source<'_>, statement: &str) -> Result<Vec<Value>, String> {
    let mut args = vec!["sql", statement, "-o", "json"];
    let folder;
    match source {
        Source::Server(url) => args.extend(["--server", url]),
        Source::Lake(path) => {
            folder = path.display().to_string();
            args.extend(["--lake", &folder]);
        }
    }
    weir(&args)
}

/// Asks with `weir sql`; one object for each row, null columns left out.
pub fn sql(source: Source<'_>, statement: &str) -> Vec<Value> {
    try_sql(source, statement).unwrap_or_else(|said| panic!("weir sql \"{statement}\": {said}"))
}

/// `weir status`.
pub fn status(server: &str) -> Value {
    let lines =
        weir(&["status", "-o", "json", "--server", server]).unwrap_or_else(|said| panic!("weir status: {said}"));
    lines.into_iter().next().expect("weir status prints one object")
}

/// Asks for the status until it is as wanted.
pub fn wait_for_status(server: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let start = Instant::now();
    loop {
        let now = status(server);
        if wanted(&now) {
            return now;
        }
        assert!(start.elapsed() < LIMIT, "never came to be: {what}; it is {now:#}");
    }
}

/// Asks until the answer is as wanted.
pub fn wait_for_sql(source: Source<'_>, statement: &str, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let now = sql(source, statement);
        if wanted(&now) {
            return now;
        }
        assert!(start.elapsed() < LIMIT, "{statement} never answers as wanted, but {now:#?}");
    }
}

/// Runs `weir`, and reads the lines of JSON that it prints. The error is what it said on stderr.
pub fn weir(args: &[&str]) -> Result<Vec<Value>, String> {
    let (code, lines, said) = try_weir(args);
    if code == Some(0) { Ok(lines) } else { Err(said) }
}

/// Runs a program that ends by itself: its exit code, what it prints, and what it says on stderr.
pub fn run(name: &str, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(path_of(name)).args(args).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {name}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Runs `weir`: its exit code, the lines of JSON that it prints, and what it says on stderr.
pub fn try_weir(args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let (code, text, said) = run("weir", args);
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
    (code, text.lines().map(parse).collect(), said)
}
