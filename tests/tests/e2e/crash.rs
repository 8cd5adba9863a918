//! Programs that die at any moment, links that break, peers that talk nonsense: every acked row stays, once.

mod absent;
mod kills;
mod links;
mod nonsense;
mod spool;
