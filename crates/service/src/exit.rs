//! How a program ends: its result goes in, one message on stderr and an exit code come out.
//!
//! 0 = ok, 1 = failed, 2 = bad usage or configuration. A reader that goes away early (`| head`) is no failure.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::config::ConfigError;

/// Everything worked.
pub const OK: u8 = 0;
/// The work failed.
pub const FAILED: u8 = 1;
/// The program was called or configured wrongly.
pub const USAGE: u8 = 2;

/// Prints what went wrong, if anything, and gives the exit code: the last line of every `main`.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::from(OK),
        Err(error) => ExitCode::from(report(&error, &mut io::stderr().lock())),
    }
}

/// Writes `error: ...`, a `caused by: ...` line for each cause and a `hint: ...` line for each hint to `out`, and gives the
/// exit code. Nothing is written for a broken pipe; `--help` and other answers of the flag parser are printed as they are.
pub fn report(error: &anyhow::Error, out: &mut impl Write) -> u8 {
    if error.chain().any(is_broken_pipe) {
        return OK;
    }
    if let Some(ConfigError::Usage(usage)) = error.chain().find_map(<dyn Error>::downcast_ref::<ConfigError>) {
        // Nothing is left to say where stderr is gone.
        let _ = usage.print();
        return u8::try_from(usage.exit_code()).unwrap_or(USAGE);
    }
    // For the same reason the result of writing is of no use here.
    let _ = write_chain(error, out);
    let usage = error.chain().any(|cause| cause.is::<ConfigError>() || cause.is::<Usage>());
    if usage { USAGE } else { FAILED }
}

fn write_chain(error: &anyhow::Error, out: &mut impl Write) -> io::Result<()> {
    let mut previous = String::new();
    let mut hints = Vec::new();
    for cause in error.chain() {
        if let Some(hinted) = cause.downcast_ref::<Hinted>() {
            hints.push(&hinted.hint);
        }
        let message = cause.to_string();
        // A wrapper that only passes its cause on says nothing new.
        if message != previous {
            let label = if previous.is_empty() { "error" } else { "  caused by" };
            writeln!(out, "{label}: {message}")?;
        }
        previous = message;
    }
    hints.iter().try_for_each(|hint| writeln!(out, "hint: {hint}"))
}

fn is_broken_pipe(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The program was asked for something that makes no sense: exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Usage {}

/// Adds what the user can do about an error.
pub trait HintExt<T> {
    /// On an error, a line `hint: ...` is printed below it.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> HintExt<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| hinted(error, hint))
    }
}

/// An error with what the user can do about it.
pub fn hinted(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Hinted { error: error.into(), hint: hint.into() })
}

/// An error with a hint; otherwise it says what the error says.
#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Hinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.error.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    fn reported(error: &anyhow::Error) -> (String, u8) {
        let mut out = Vec::new();
        let code = report(error, &mut out);
        (String::from_utf8(out).expect("messages are text"), code)
    }

    #[test]
    fn a_chain_is_printed_once_with_its_hints_last() {
        let result: anyhow::Result<()> = Err(anyhow!("permission denied"));
        let error = result.hint("run it as root").context("open veth1").context("start taps").expect_err("an error");
        let text = "error: start taps\n  caused by: open veth1\n  caused by: permission denied\nhint: run it as root\n";
        assert_eq!(reported(&error), (text.to_owned(), FAILED));
    }

    #[test]
    fn a_broken_pipe_is_success() {
        let error = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("print rows");
        assert_eq!(reported(&error), (String::new(), OK));
    }

    #[test]
    fn bad_usage_is_code_two_however_deep() {
        let error = anyhow::Error::new(Usage("no such node: x".to_owned())).context("list flows");
        assert_eq!(reported(&error), ("error: list flows\n  caused by: no such node: x\n".to_owned(), USAGE));
        let error = anyhow::Error::new(ConfigError::Problems(Vec::new()));
        assert_eq!(reported(&error).1, USAGE);
    }
}
