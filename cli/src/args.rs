//! The command line as it is typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::filter_args::{FilterArgs, TimeArgs};

/// Flow observability for Kubernetes: who talked to whom, through which Service, and what came of it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub(crate) struct Args {
    /// Address of the collector
    #[arg(long, global = true, env = "WEIR_SERVER", default_value = "http://127.0.0.1:4317", value_name = "URL")]
    pub(crate) server: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show flows from the collector: stored ones, live ones, or both
    Observe(ObserveArgs),
    /// Read flows from capture files, without a collector
    Read(ReadArgs),
    /// Ask the lake in SQL: tables flows, losses, coverage
    Sql(SqlArgs),
    /// Show agents, rates, losses and the size of the lake
    Status(StatusArgs),
}

/// Without -f, --since, --until, --first or --last: the last 20 flows.
#[derive(Debug, clap::Args)]
pub(crate) struct ObserveArgs {
    /// Go on with flows as they arrive
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show every leg, not only the one that stands for its connection
    #[arg(long)]
    pub(crate) legs: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// How rows look
    #[arg(short, long, value_enum, default_value_t = FlowFormat::Compact)]
    pub(crate) output: FlowFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReadArgs {
    /// Capture files (pcap or pcapng); - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Folder with the cluster's objects (YAML or JSON), to name endpoints and Services
    #[arg(long, value_name = "DIR")]
    pub(crate) cluster: Option<PathBuf>,
    /// Show every leg, not only the one that stands for its connection (with --cluster)
    #[arg(long)]
    pub(crate) legs: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// How rows look; none = totals on stderr only
    #[arg(short, long, value_enum, default_value_t = FlowFormat::Compact)]
    pub(crate) output: FlowFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SqlArgs {
    /// One read-only statement
    pub(crate) statement: String,
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// How rows look
    #[arg(short, long, value_enum, default_value_t = TableFormat::Table)]
    pub(crate) output: TableFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) output: StatusFormat,
}

/// How flows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowFormat {
    /// One line a flow, for people
    Compact,
    /// Aligned columns
    Table,
    /// One line a column
    Dict,
    /// One JSON object a line, with every column
    Json,
    /// Nothing
    None,
}

/// How SQL answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Aligned columns
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// How the status is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
