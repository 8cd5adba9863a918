//! `weir get`: what is known of the cluster's Services, pods, nodes, namespaces and gateways, and what was seen lately.
//!
//! Everything but gateways comes out of the lake's tables: objects from `objects`, traffic from `flows`, taps from `coverage`. So a
//! lake's folder answers as a collector does, also as of an earlier time.

mod gateways;
mod lines;
mod namespaces;
mod nodes;
mod objects;
mod pods;
mod seen;
mod services;

use std::path::Path;

use anyhow::{Context as _, Result};
use arrow::record_batch::RecordBatch;
use weir_model::Timestamp;
use weir_model::filter::{TimeBound, TimeRange};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use crate::args::{GetCommand, KnownArgs};
use crate::progress::spinner;
use crate::query::answer;
use crate::server::Contact;
pub(crate) use gateways::{load, options, routes};
use lines::written;

/// What is asked, and where.
struct Asked<'a> {
    server: &'a Contact,
    lake: Option<&'a Path>,
    namespace: Option<&'a str>,
    name: Option<&'a str>,
    /// As of when; `None` = now.
    at: Option<Timestamp>,
    /// Traffic of this time counts.
    range: TimeRange,
}

/// How much traffic is shown, unless somebody says otherwise.
const HOUR_NS: i64 = 3_600_000_000_000;

/// Asks, and prints the answer.
pub(crate) async fn get(server: &Contact, command: &GetCommand) -> Result<()> {
    let waiting = spinner("asking");
    let lines = match command {
        GetCommand::Services(args) => written(&services::read(&Asked::read(server, args)?).await?, args.output),
        GetCommand::Pods(args) => written(&pods::read(&Asked::read(server, args)?).await?, args.output),
        GetCommand::Nodes(args) => written(&nodes::read(&Asked::read(server, args)?).await?, args.output),
        GetCommand::Namespaces(args) => written(&namespaces::read(&Asked::read(server, args)?).await?, args.output),
        GetCommand::Gateways(args) => {
            drop(waiting);
            return gateways::gateways(server, args).await;
        }
    };
    drop(waiting);
    lines::print(&lines?)
}

impl<'a> Asked<'a> {
    fn read(server: &'a Contact, args: &'a KnownArgs) -> Result<Self, Usage> {
        let now = Timestamp(SystemClock.now_ns());
        let at = args.at.map(|at| at.resolve(now));
        let an_hour_ago = TimeBound::At(at.unwrap_or(now).plus_ns(-HOUR_NS));
        let range = TimeRange::resolve(args.since.or(Some(an_hour_ago)), args.at, now);
        Ok(Self {
            server,
            lake: args.lake.as_deref(),
            namespace: args.namespace.as_deref(),
            name: args.name.as_deref(),
            at,
            range: range.map_err(|error| Usage(error.to_string()))?,
        })
    }

    async fn ask(&self, sql: &str, what: &str) -> Result<Vec<RecordBatch>> {
        answer(self.server, self.lake, sql).await.with_context(|| format!("asking for {what}"))
    }

    /// Whether an object is one of those that are asked for.
    fn is_wanted(&self, namespace: &str, name: &str) -> bool {
        self.namespace.is_none_or(|wanted| wanted == namespace) && self.name.is_none_or(|wanted| wanted == name)
    }
}
