//! The environment as something that is asked for one variable at a time, so that tests bring their own.

/// Where variables come from.
pub trait Environment {
    /// The variable's value; `None` where it is not set.
    fn get(&self, name: &str) -> Option<String>;
}

/// The environment of this process. Bytes that are not UTF-8 are replaced, so that the value is refused where it is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }
}

impl<F: Fn(&str) -> Option<String>> Environment for F {
    fn get(&self, name: &str) -> Option<String> {
        self(name)
    }
}
