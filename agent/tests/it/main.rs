//! The agent against a real kernel: network namespaces with a veth between them, live taps, a collector in the test.

mod agent;
mod collector;
mod doctor;
mod lab;
mod live;
mod overload;
mod owner;
mod pods;
mod privileges;
