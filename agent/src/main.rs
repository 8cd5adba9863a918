//! `weir-agent`: watches the pods of one node and streams their flows to the collector.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, Command, value_parser};
use weir_agent::{AgentSettings, DoctorFormat, privileges};
use weir_service::config::{self, Asked, ProcessEnvironment};
use weir_service::{exit, telemetry};

fn main() -> ExitCode {
    exit::code(run())
}

fn run() -> anyhow::Result<()> {
    privileges::give_up().context("giving up the rights that an agent does not need")?;
    let about = "Watches the pods of one node and streams their flows to the collector.";
    let command = config::command::<AgentSettings>("weir-agent", env!("CARGO_PKG_VERSION"), about);
    match config::parse::<AgentSettings>(command.subcommand(doctor()), std::env::args_os(), &ProcessEnvironment)? {
        Asked::Show(text) => {
            print!("{text}");
            Ok(())
        }
        Asked::Other { settings, matches } => {
            let format = matches.get_one("output").copied().unwrap_or(DoctorFormat::Text);
            weir_agent::doctor(&settings, format)
        }
        Asked::Run(settings) => {
            telemetry::init(settings.log_format, settings.log_level.clone())?;
            weir_agent::run(settings)
        }
    }
}

fn doctor() -> Command {
    let output = Arg::new("output").short('o').long("output").value_name("OUTPUT");
    let output = output.value_parser(value_parser!(DoctorFormat)).default_value("text").help("How checks are printed");
    Command::new("doctor").about("Check this node, and say what to do; exit code 1 where a check fails").arg(output)
}
