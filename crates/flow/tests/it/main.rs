//! Behaviour of the engine: hand-built packets, public captures with expected results, recordings of the lab.

mod captures;
mod decode;
mod icmp;
mod lab;
mod packets;
mod properties;
mod table;
mod tcp;
mod windows;
