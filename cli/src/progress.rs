//! A spinner or a bar on stderr for work that takes a while; nothing where stderr is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Starts a spinner that says `what`. It is gone when it is dropped.
pub(crate) fn spinner(what: impl Into<String>) -> Spinner {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_message(what.into());
    bar.enable_steady_tick(Duration::from_millis(120));
    Spinner(bar)
}

/// Starts a bar of `steps` that says `what`. It is gone when it is dropped.
pub(crate) fn bar(what: impl Into<String>, steps: u64) -> Spinner {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent}% {msg} {elapsed}, {eta} left") {
        bar.set_style(style);
    }
    bar.set_message(what.into());
    bar.enable_steady_tick(Duration::from_millis(250));
    Spinner(bar)
}

/// A running spinner or bar.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    /// Says something else.
    pub(crate) fn say(&self, what: impl Into<String>) {
        self.0.set_message(what.into());
    }

    /// One more step is done.
    pub(crate) fn step(&self) {
        self.0.inc(1);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
