//! The nouns of Weir: frames, flows, endpoints, legs, batches, table columns and the filter language.
//!
//! Everything here is plain data. This crate opens no file, reads no clock and knows no other crate of Weir; every
//! other crate speaks to its neighbours in these types.

mod attributed;
mod batch;
mod column;
mod community;
mod endpoint;
pub mod filter;
mod flow;
mod frame;
mod json;
mod judgement;
mod net;
mod policy;
mod policy_log;
mod request;
mod routed;
mod row;
pub mod tables;
mod time;
mod translation;
mod value;

pub use attributed::{AttributedFlow, AttributedRequest, Leg, Tap, TapRole};
pub use batch::{Batch, Coverage, Input, Loss, LossStage, RunId};
pub use column::{Column, ColumnGroup, ColumnType, Record, Table};
pub use community::{community_id, community_id_of};
pub use endpoint::{Endpoint, EndpointKind, PodRef, Service, ServiceMethod, ServiceRef, ServiceType};
pub use flow::{Counters, EndReason, Flow, FlowId, InitiatorBy, Outcome, PerDirection, Report, Tcp, TcpState};
pub use frame::{Frame, LinkType};
pub use judgement::{Audit, Cause, Evidence, Judgement, SideJudgement};
pub use net::{Icmp, Protocol, TcpFlags, Tunnel, TunnelKind, Tuple};
pub use policy::{Reason, Tier, Verdict};
pub use policy_log::PolicyLog;
pub use request::{
    Dns, DnsKind, Exchange, Http, HttpMarks, HttpVersion, L7, Request, Tls, TlsKind, TlsVersion, parse_qtype,
    qtype_name,
};
pub use routed::{Front, FrontMethod, RouteLeg, RouteMethod, RouteService, Routed, RulePlace, Split};
pub use row::{ConnectionId, FlowRow, Nat};
pub use time::{ParseTimeError, Timestamp, parse_duration_ns};
pub use translation::Translation;
pub use value::Value;
