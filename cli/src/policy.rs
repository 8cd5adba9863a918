//! `weir policy`: what network policies say.

mod answer;
mod eval;
mod probe;

use anyhow::Result;

use crate::args::{PolicyArgs, PolicyCommand};

/// Runs one of the commands.
pub(crate) fn policy(args: &PolicyArgs) -> Result<()> {
    match &args.command {
        PolicyCommand::Eval(eval) => eval::eval(eval),
    }
}
