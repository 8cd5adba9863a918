//! `weir policy`: what network policies say, and whether the cluster does it.

mod answer;
mod audit;
mod backtest;
mod completeness;
mod eval;
mod likely;
mod notes;
mod past;
mod probe;
mod recommend;
mod replay;

pub(crate) use audit::audit;
pub(crate) use backtest::test;
pub(crate) use eval::eval;
pub(crate) use recommend::recommend;
