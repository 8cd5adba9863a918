//! What each long-running process needs around its work: configuration, logs, an orderly stop, the clock, exit codes, metrics and
//! health, TLS, tokens.
//!
//! Nothing here knows what a flow is. A `main` reads top to bottom as: parse the configuration, start telemetry, build,
//! run until [`shutdown::Shutdown`] starts, drain, and hand the result to [`exit::code`].

pub mod clock;
pub mod config;
pub mod exit;
pub mod fresh;
pub mod operations;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod tokens;
