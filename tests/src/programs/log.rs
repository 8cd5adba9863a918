//! What a program says on stderr, line by line, for tests that wait for a line. Bounded by nothing but the test's length.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::LIMIT;

/// The lines so far. Clones are the same log.
#[derive(Clone)]
pub struct Log {
    name: &'static str,
    said: Arc<(Mutex<Said>, Condvar)>,
}

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

impl Said {
    /// The last lines, for a message.
    fn end(&self) -> String {
        self.lines.get(self.lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
    }
}

impl Log {
    /// Reads `stderr` to its end, in a thread of its own.
    pub(super) fn follow(name: &'static str, stderr: impl Read + Send + 'static) -> Self {
        let log = Self { name, said: Arc::default() };
        let writer = log.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                writer.change(|said| said.lines.push(line));
            }
            writer.change(|said| said.ended = true);
        });
        log
    }

    /// Waits for a line that holds `part`. Panics where the program ends or takes too long without.
    pub fn wait_for(&self, part: &str) -> String {
        let line = |said: &Said| said.lines.iter().find(|line| line.contains(part)).cloned();
        let said = self.wait(|said| said.ended || line(said).is_some());
        line(&said).unwrap_or_else(|| panic!("{} never said '{part}':\n{}", self.name, said.end()))
    }

    /// Waits for the program to close its stderr, which is its end.
    pub fn wait_for_end(&self) {
        let said = self.wait(|said| said.ended);
        assert!(said.ended, "{} does not end:\n{}", self.name, said.end());
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.lock().lines.join("\n")
    }

    fn wait(&self, done: impl Fn(&Said) -> bool) -> MutexGuard<'_, Said> {
        let waited = self.said.1.wait_timeout_while(self.lock(), LIMIT, |said| !done(said));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn change(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.lock());
        self.said.1.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Said> {
        self.said.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
