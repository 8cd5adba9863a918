//! `weir policy`: what network policies say, and whether the cluster does it.

mod answer;
mod audit;
mod eval;
mod likely;
mod notes;
mod probe;

pub(crate) use audit::audit;
pub(crate) use eval::eval;
