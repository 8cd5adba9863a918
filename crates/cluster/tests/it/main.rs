//! What the crate promises, behaviour by behaviour.

mod addresses;
mod attribution;
mod churn;
mod gateway_rules;
mod given;
mod history;
mod ingress_rules;
mod lab;
mod late;
mod manifests;
mod objects;
mod owners;
mod policy_naive;
mod policy_rules;
mod policy_tables;
mod recorded;
mod resolved;
mod resolved_lab;
mod route_forward;
mod route_given;
mod route_properties;
mod routes;
mod services;
mod verdicts;
