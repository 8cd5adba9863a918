//! What the tests of the whole project share: where recordings lie, what really happened in them, generated pages.
//!
//! Nothing here is part of a program.

pub mod comparison;
pub mod examples;
pub mod flat_proto;
pub mod lab;
pub mod programs;
pub mod recorded;
pub mod tables_page;
pub mod truth;
