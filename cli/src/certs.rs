//! `weir certs`: a CA of one's own, and certificates from it for the collector, the agents and people.
//!
//! A folder holds `ca.crt` and `ca.key`, and a folder for each party with `tls.crt`, `tls.key` and `ca.crt`: what Secrets
//! of Kubernetes and cert-manager call them. `client/token` is a token for people, `collector/tokens` lets them in with it.

mod authority;
mod folder;
mod show;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::{HintExt as _, Usage};
use weir_service::tls::{AGENT, CLIENT};

use crate::args::{CertsCommand, CertsInitArgs, CertsRenewArgs};
use authority::{Authority, Party, Purpose};
use folder::Folder;

/// Does what is asked.
pub(crate) fn certs(command: &CertsCommand) -> Result<()> {
    match command {
        CertsCommand::Init(args) => init(args),
        CertsCommand::Renew(args) => renew(args),
        CertsCommand::Show(args) => show::show(args, now_s()),
    }
}

fn init(args: &CertsInitArgs) -> Result<()> {
    let parties = parties(&args.collector, &args.node)?;
    let folder = Folder::new(&args.dir);
    if let Some(taken) = folder.first_taken(&parties) {
        return Err(anyhow::anyhow!("{} is there already: nothing was written", taken.display()))
            .hint(format!("`weir certs renew {}` makes new certificates from the same CA", args.dir.display()));
    }
    let authority = Authority::new(now_s(), args.ca_valid)?;
    folder.keep_authority(&authority)?;
    for party in &parties {
        folder.keep(party, &authority.issue(party, now_s(), args.valid)?, &authority)?;
    }
    folder.keep_token()?;
    show::show_folder(&folder, now_s())?;
    println!("client/token is good in place of the client's certificate, by collector/tokens");
    println!("{} makes certificates that are believed: keep it where nobody else reads it", folder.ca_key().display());
    Ok(())
}

fn renew(args: &CertsRenewArgs) -> Result<()> {
    let folder = Folder::new(&args.dir);
    let authority = folder.authority()?;
    let parties = folder.parties()?;
    if parties.is_empty() {
        bail!("no certificates in {}", args.dir.display());
    }
    for (party, lasted) in &parties {
        let valid = args.valid.unwrap_or(*lasted);
        folder.keep(party, &authority.issue(party, now_s(), valid)?, &authority)?;
    }
    show::show_folder(&folder, now_s())
}

/// Who gets a certificate.
fn parties(collector: &[String], nodes: &[String]) -> Result<Vec<Party>> {
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut names = collector.to_vec();
    names.extend(local.into_iter().filter(|name| !collector.contains(name)));
    let mut parties = vec![
        Party::new("collector", names, Purpose::Server),
        Party::new("agent", vec![AGENT.to_owned()], Purpose::Client),
        Party::new("client", vec![CLIENT.to_owned()], Purpose::Client),
    ];
    let of_node =
        |node: &String| Party::new(&format!("agent-{node}"), vec![format!("{node}.{AGENT}")], Purpose::Client);
    parties.extend(nodes.iter().map(of_node));
    for name in parties.iter().flat_map(|party| &party.names) {
        if !authority::is_name(name) {
            return Err(Usage(format!("neither a DNS name nor an address: {name}")).into());
        }
    }
    Ok(parties)
}

fn now_s() -> i64 {
    SystemClock.now_ns() / 1_000_000_000
}

/// A path that is made from it is one below the folder.
fn is_plain(name: &str) -> bool {
    Path::new(name).components().count() == 1 && !name.starts_with('.')
}

/// The span between two times.
fn span(from_s: i64, to_s: i64) -> Duration {
    Duration::from_secs(u64::try_from(to_s.saturating_sub(from_s)).unwrap_or_default())
}
