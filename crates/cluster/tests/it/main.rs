//! What the crate promises, behaviour by behaviour.

mod addresses;
mod attribution;
mod given;
mod lab;
mod late;
mod manifests;
mod objects;
mod owners;
mod services;
