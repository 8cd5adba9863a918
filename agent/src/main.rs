//! `weir-agent`: watches the pods of one node and streams their flows to the collector.

use std::process::ExitCode;

use weir_agent::AgentSettings;
use weir_service::config::{self, Asked, ProcessEnvironment};
use weir_service::{exit, telemetry};

fn main() -> ExitCode {
    exit::code(run())
}

fn run() -> anyhow::Result<()> {
    let about = "Watches the pods of one node and streams their flows to the collector.";
    let command = config::command::<AgentSettings>("weir-agent", env!("CARGO_PKG_VERSION"), about);
    match config::parse::<AgentSettings>(command, std::env::args_os(), &ProcessEnvironment)? {
        Asked::Show(text) => {
            print!("{text}");
            Ok(())
        }
        Asked::Run(settings) => {
            telemetry::init(settings.log_format, settings.log_level.clone())?;
            weir_agent::run(settings)
        }
    }
}
