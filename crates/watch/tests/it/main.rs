//! What the crate promises, against an API server of its own and against folders.

mod api_server;
mod api_server_answers;
mod failures;
mod following;
mod manifests;
mod pauses;
mod roles;
mod world;
