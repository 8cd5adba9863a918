//! `weir-agent doctor`: settings in, what stands between them and whole answers out.
//!
//! It looks at the node as the agent would, with the same capabilities, and changes nothing: it takes no node's name at the
//! collector and joins no group of the packet filter's log, so it may run beside the agent.

mod check;
mod collector;
mod kernel;
mod pods;

use std::sync::Arc;

use anyhow::{Result, bail};
use clap::ValueEnum;
use weir_service::clock::{Clock, SystemClock};
use weir_service::exit::Usage;
use weir_service::tls;

use crate::AgentSettings;
use crate::cluster::follow;
use crate::run::whole_or_late;
use check::{Check, Grade};

/// How checks are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Checks this node and prints what is found. An error where a check fails.
pub fn doctor(settings: &AgentSettings, format: DoctorFormat) -> Result<()> {
    tls::choose_provider();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checks = runtime.block_on(examine(settings))?;
    for check in &checks {
        match format {
            DoctorFormat::Text => println!("{}", check.text()),
            DoctorFormat::Json => println!("{}", check.json()),
        }
    }
    match checks.iter().filter(|check| check.grade == Grade::Fail).count() {
        0 => Ok(()),
        1 => bail!("a check failed"),
        failed => bail!("{failed} checks failed"),
    }
}

async fn examine(settings: &AgentSettings) -> Result<Vec<Check>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut checks = kernel::checks();
    let options = settings.snapshot_options().map_err(|error| Usage(format!("cidr_name: {error}")))?;
    match follow(settings.cluster.as_deref(), options, Arc::clone(&clock)).await {
        Ok(cluster) => {
            let snapshot = whole_or_late(cluster.snapshots.clone()).await;
            checks.push(pods::cluster(settings.cluster.as_deref(), &snapshot, &settings.node_name));
            checks.extend(pods::checks(&snapshot, &settings.node_name));
        }
        Err(error) => checks.push(Check::new("cluster", Grade::Fail, format!("{error:#}"))),
    }
    checks.extend(collector::checks(settings, &*clock).await);
    Ok(checks)
}
