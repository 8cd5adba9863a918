//! Rules of the project that no compiler checks.

mod columns;
mod documentation;
mod filters;
mod graph;
mod lake;
mod source;
