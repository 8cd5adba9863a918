//! `weir-collector`: takes batches from agents, keeps them as a lake, answers about them.

use std::process::ExitCode;

use weir_collector::CollectorSettings;
use weir_service::config::{self, Asked, ProcessEnvironment};
use weir_service::{exit, telemetry};

fn main() -> ExitCode {
    exit::code(run())
}

fn run() -> anyhow::Result<()> {
    let about = "Takes flows from agents, keeps them as Delta tables, answers people and programs.";
    let command = config::command::<CollectorSettings>("weir-collector", env!("CARGO_PKG_VERSION"), about);
    match config::parse::<CollectorSettings>(command, std::env::args_os(), &ProcessEnvironment)? {
        Asked::Show(text) => {
            print!("{text}");
            Ok(())
        }
        Asked::Other { .. } => Ok(()),
        Asked::Run(settings) => {
            telemetry::init(settings.log_format, settings.log_level.clone())?;
            weir_collector::run(settings)
        }
    }
}
