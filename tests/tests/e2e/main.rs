//! Whole programs on real data.

mod captures;
mod cluster;
mod crash;
mod gateways;
mod metrics;
mod objects;
mod order;
mod policy;
mod readers;
mod requests;
mod routes;
mod truth;
mod verdicts;
