//! `weir`: flows for people. Asks a collector, or reads capture files and lakes by itself.

mod args;
mod endpoint_text;
mod filter_args;
mod get;
mod latency;
mod observe;
mod output;
mod policy;
mod progress;
mod query;
mod read;
mod reattribute;
mod route;
mod server;
mod sql;
mod status;
mod top;
mod verdict_text;
mod why;

use std::process::ExitCode;

use clap::Parser as _;
use weir_service::exit;

use args::{Args, Command, PolicyCommand, RouteCommand, TopCommand};

fn main() -> ExitCode {
    exit::code(run(Args::parse()))
}

fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Read(read) => read::read(&read),
        Command::Latency(latency) => runtime()?.block_on(latency::latency(&args.server, &latency)),
        Command::Observe(observe) => runtime()?.block_on(observe::observe(&args.server, &observe)),
        Command::Sql(sql) => runtime()?.block_on(sql::sql(&args.server, &sql)),
        Command::Get(what) => runtime()?.block_on(get::get(&args.server, &what)),
        Command::Reattribute(what) => runtime()?.block_on(reattribute::reattribute(&args.server, &what)),
        Command::Route(RouteCommand::Eval(eval)) => route::eval(&eval),
        Command::Route(RouteCommand::Lint(lint)) => route::lint(&lint),
        Command::Top(TopCommand::Routes(routes)) => runtime()?.block_on(top::routes(&args.server, &routes)),
        Command::Policy(PolicyCommand::Eval(eval)) => policy::eval(&eval),
        Command::Policy(PolicyCommand::Audit(audit)) => runtime()?.block_on(policy::audit(&args.server, &audit)),
        Command::Why(why) => runtime()?.block_on(why::why(&args.server, &why)),
        Command::Status(status) => runtime()?.block_on(status::status(&args.server, &status)),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // deltalake brings a second provider of cryptography, so the choice has to be said.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
