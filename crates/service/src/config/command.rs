//! The command line of a program: a flag for each setting, `--config`, and `config show`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use super::setting::{flag, variable};
use super::{ConfigError, Environment, Form, Layers, Setting, Settings};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<S> {
    /// To run with these settings.
    Run(S),
    /// To print this on stdout and end: `config show`.
    Show(String),
    /// To do something else with these settings: a command that the program has added.
    Other {
        /// The settings.
        settings: S,
        /// What was given to that command.
        matches: ArgMatches,
    },
}

/// The flags of a program called `name`. A program may add flags and commands of its own before it calls [`parse`].
pub fn command<S: Settings>(name: &'static str, version: &'static str, about: &'static str) -> Command {
    let show = Command::new("show").about("Print each setting and where it came from, as a configuration file");
    let config = Command::new("config").about("Look at the configuration").subcommand_required(true).subcommand(show);
    Command::new(name).version(version).about(about).args(flags::<S>()).subcommand(config)
}

/// The flags alone, with `--config`, for a program that has its own commands. See [`read`].
pub fn flags<S: Settings>() -> impl Iterator<Item = Arg> {
    let file = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Read settings from this TOML file [env: WEIR_CONFIG]")
        .global(true);
    std::iter::once(file).chain(S::LIST.iter().map(arg))
}

/// Reads what was given to [`flags`], and the layers below them.
pub fn read<S: Settings>(matches: &ArgMatches, environment: &dyn Environment) -> Result<S, ConfigError> {
    Layers::open(innermost(matches), environment).finish().map(|(settings, _)| settings)
}

/// Reads `arguments` (the program's name first) with `command`, and the layers below them.
pub fn parse<S: Settings>(
    command: Command,
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    environment: &dyn Environment,
) -> Result<Asked<S>, ConfigError> {
    let mut matches = command.try_get_matches_from(arguments).map_err(ConfigError::Usage)?;
    let (settings, shown) = Layers::open(innermost(&matches), environment).finish()?;
    Ok(match matches.remove_subcommand() {
        Some((name, _)) if name == "config" => Asked::Show(shown),
        Some((_, matches)) => Asked::Other { settings, matches },
        None => Asked::Run(settings),
    })
}

/// Flags are global: those in front of `config show` arrive at the innermost command too.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    let mut innermost = matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    innermost
}

fn arg(setting: &Setting) -> Arg {
    let Setting { key, form, .. } = *setting;
    let mut notes = format!("[env: {}]", variable(key));
    if let Some(default) = setting.default {
        notes = format!("[default: {default}] {notes}");
    }
    let arg = Arg::new(key)
        .long(flag(key).trim_start_matches('-').to_owned())
        .value_name(key.to_ascii_uppercase())
        .help(format!("{} {notes}", setting.help.trim().trim_end_matches('.')))
        .global(true);
    match form {
        Form::One => arg.action(ArgAction::Set),
        Form::Switch => arg.action(ArgAction::Set).num_args(0..=1).default_missing_value("true").require_equals(true),
        Form::Many => arg.action(ArgAction::Append).value_delimiter(','),
    }
}
