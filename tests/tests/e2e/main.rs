//! Whole programs on real data.

mod backtest;
mod captures;
mod cluster;
mod crash;
mod deploy;
mod gateway_lab;
mod gateways;
mod get;
mod metrics;
mod objects;
mod order;
mod policy;
mod readers;
mod reattribute;
mod recommend;
mod requests;
mod routes;
mod secure;
mod truth;
mod unenforced;
mod verdicts;
