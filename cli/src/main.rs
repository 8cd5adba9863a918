//! `weir`: flows for people. Asks a collector, or reads capture files and lakes by itself.

mod args;
mod certs;
mod endpoint_text;
mod filter_args;
mod get;
mod latency;
mod missing;
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
mod stored_objects;
mod top;
mod verdict_text;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};
use weir_service::config::{self, ConfigError, ProcessEnvironment};
use weir_service::exit;

use args::{Args, Command, PolicyCommand, RouteCommand, TopCommand};
use server::Contact;

fn main() -> ExitCode {
    exit::code(run())
}

fn run() -> anyhow::Result<()> {
    let command = Args::command().args(config::flags::<Contact>());
    let matches = command.try_get_matches().map_err(ConfigError::Usage)?;
    let args = Args::from_arg_matches(&matches).map_err(ConfigError::Usage)?;
    // Only commands that ask a collector need to know where it is.
    let server = || config::read::<Contact>(&matches, &ProcessEnvironment);
    match args.command {
        Command::Read(read) => read::read(&read),
        Command::Certs(command) => certs::certs(&command),
        Command::Latency(latency) => runtime()?.block_on(latency::latency(&server()?, &latency)),
        Command::Observe(observe) => runtime()?.block_on(observe::observe(&server()?, &observe)),
        Command::Sql(sql) => runtime()?.block_on(sql::sql(&server()?, &sql)),
        Command::Get(what) => runtime()?.block_on(get::get(&server()?, &what)),
        Command::Reattribute(what) => runtime()?.block_on(reattribute::reattribute(&server()?, &what)),
        Command::Route(RouteCommand::Eval(eval)) => route::eval(&eval),
        Command::Route(RouteCommand::Lint(lint)) => route::lint(&lint),
        Command::Top(TopCommand::Routes(routes)) => runtime()?.block_on(top::routes(&server()?, &routes)),
        Command::Policy(PolicyCommand::Eval(eval)) => policy::eval(&eval),
        Command::Policy(PolicyCommand::Audit(audit)) => runtime()?.block_on(policy::audit(&server()?, &audit)),
        Command::Policy(PolicyCommand::Recommend(what)) => runtime()?.block_on(policy::recommend(&server()?, &what)),
        Command::Policy(PolicyCommand::Test(test)) => runtime()?.block_on(policy::test(&server()?, &test)),
        Command::Why(why) => runtime()?.block_on(why::why(&server()?, &why)),
        Command::Status(status) => runtime()?.block_on(status::status(&server()?, &status)),
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // deltalake brings a second provider of cryptography, so the choice has to be said.
    weir_service::tls::choose_provider();
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
