//! Behaviour of the engine: hand-built packets, public captures with expected results, recordings of the lab.

mod accounting;
mod captures;
mod decode;
mod icmp;
mod lab;
mod losses;
mod mutated;
mod odd;
mod packets;
mod properties;
mod table;
mod talks;
mod tcp;
mod windows;
