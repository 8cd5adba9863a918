//! A run of the agent from settings to a clean stop.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};
use weir_capture::LiveOptions;
use weir_cluster::Snapshot;
use weir_flow::{L7Config, TrackerConfig};
use weir_model::{Coverage, RunId};
use weir_service::clock::{Clock, SystemClock};
use weir_service::exit::{HintExt as _, Usage};
use weir_service::operations;
use weir_service::shutdown::Shutdown;
use weir_service::tls::{self, Dial, DialError};

use crate::AgentSettings;
use crate::cluster::{Cluster, Snapshots, follow};
use crate::config::ConntrackUse;
use crate::conntrack::RecordedConntrack;
use crate::contents::{CutAt, cut};
use crate::event::{Event, TapQueue, WhenFull};
use crate::held::Held;
use crate::live::{Group, Rings};
use crate::logged;
use crate::naming::Naming;
use crate::netfilter::{Conntrack, Nflog};
use crate::operation::AgentOperation;
use crate::outbox::{Bounds, Overflow};
use crate::replay::replay;
use crate::sender::{SenderOptions, Sent, SpoolPlace, send};
use crate::tally::Tally;
use crate::taps::{
    FileTap, Follow, Follower, TapSource, TapSpec, find_file_taps, find_log_files, may_capture, open_interfaces,
};

/// Contents that wait for the sender; it takes them as fast as it can while it has room.
const CONTENTS: usize = 16;

/// A batch has less than 1 MiB, so that each of a smaller spool's files would hold less than one.
const MIN_SPOOL_BYTES: u64 = 1 << 20;

/// How long naming the taps waits for an API server to tell every object.
const CLUSTER_WAIT: Duration = Duration::from_secs(10);

/// Watches until a signal, or until every capture file is replayed and acked.
pub fn run(settings: AgentSettings) -> Result<()> {
    tls::choose_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async { Plan::of(&settings).await?.carry_out(settings).await })
}

/// What the settings come to, checked before anything is opened for good.
struct Plan {
    cluster: Cluster,
    files: Vec<FileTap>,
    logs: Vec<PathBuf>,
    live: Vec<TapSpec>,
    tracker: TrackerConfig,
    run: RunId,
    collector: Dial,
    clock: Arc<dyn Clock>,
}

impl Plan {
    async fn of(settings: &AgentSettings) -> Result<Self> {
        let specs = TapSpec::list(&settings.tap).map_err(|error| Usage(error.to_string()))?;
        check(settings)?;
        let collector = settings.dial().map_err(DialError::into_usage)?;
        // What cannot be read now is a mistake; later it may come right again.
        collector.endpoint().map_err(DialError::into_usage)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let options = settings.snapshot_options().map_err(|error| Usage(format!("cidr_name: {error}")))?;
        let cluster = follow(settings.cluster.as_deref(), options, Arc::clone(&clock)).await?;
        let is_named_once = |spec: &TapSpec| matches!(spec.source, TapSource::Interface(_) | TapSource::Files(_));
        let known = if specs.iter().any(is_named_once) {
            whole_or_late(cluster.snapshots.clone()).await
        } else {
            cluster.snapshots.borrow().clone()
        };
        let files = find_file_taps(&specs, &known, &settings.node_name).map_err(|problems| all(&problems))?;
        let logs = find_log_files(&settings.nflog).map_err(|problems| all(&problems))?;
        let run = RunId(uuid::Uuid::new_v4().as_u128());
        let live: Vec<TapSpec> = specs.into_iter().filter(|spec| !matches!(spec.source, TapSource::Files(_))).collect();
        // Each file and each capture thread numbers flows in its turn.
        let capture_threads = if live.is_empty() { 0 } else { settings.capture_threads };
        Ok(Self {
            cluster,
            logs,
            live,
            tracker: TrackerConfig {
                run: run.0,
                flow_stride: files.len() as u64 + capture_threads,
                window_ns: Some(settings.window.as_nanos() as i64),
                report_start: settings.report_start,
                max_flows: settings.max_flows as usize,
                max_bytes: settings.max_flow_bytes.0 as usize,
                vxlan_ports: settings.vxlan_ports.clone(),
                l7: L7Config {
                    level: settings.l7.0,
                    keep_queries: settings.keep_queries,
                    max_bytes: settings.l7_bytes.0 as usize,
                },
                ..TrackerConfig::default()
            },
            files,
            run,
            collector,
            clock,
        })
    }

    async fn carry_out(self, settings: AgentSettings) -> Result<()> {
        let shutdown = Shutdown::on_signals(settings.grace)?;
        let (events, queue) = mpsc::channel(settings.queue as usize);
        let files: Vec<Coverage> = self.files.iter().flat_map(FileTap::coverage).collect();
        for span in &files {
            let pod = span.pod.as_ref().map(ToString::to_string);
            info!(interface = span.interface.as_deref(), role = span.role.name(), pod, "tap");
        }
        let tally = Arc::new(Tally::default());
        let (open, coverage) = watch::channel(files.clone());
        let rings = Rings::new(settings.ring_bytes.0 as usize);
        let follower = self.follower(&settings, &events, open, files, &rings)?;
        let sender = SenderOptions {
            collector: self.collector.clone(),
            node: Arc::from(settings.node_name.as_str()),
            run: self.run,
            dictionary_cap: settings.dictionary_cap as usize,
            bounds: Bounds {
                memory_bytes: settings.unacked_bytes.0 as usize,
                overflow: if follower.is_some() { Overflow::DropOldest } else { Overflow::Wait },
            },
            spool: settings.spool_dir.clone().map(|dir| SpoolPlace { dir, max_bytes: settings.spool_bytes.0 }),
            coverage,
            clock: Arc::clone(&self.clock),
            tally: Arc::clone(&tally),
        };
        let at = CutAt { records: settings.batch_records as usize, age: settings.batch_age }
            .within_dictionary(sender.dictionary_cap);
        let (contents, cut_contents) = mpsc::channel(CONTENTS);
        if let Some(listen) = settings.metrics_listen {
            let (queue, knowledge) = (events.downgrade(), self.cluster.knowledge.clone());
            let operation = AgentOperation { tally, queue, rings, knowledge, shutdown: shutdown.clone() };
            let served = operations::serve(listen, Arc::new(operation), CancellationToken::new()).await;
            let (address, _) = served.with_context(|| format!("listening on {listen} for metrics"))?;
            info!(%address, "metrics");
        }
        self.start_threads(follower, &settings, &events, &shutdown.token())?;
        drop(events);
        let (node, snapshots) = (Arc::from(settings.node_name.as_str()), &self.cluster.snapshots);
        let held = Held::new(snapshots.clone(), Arc::clone(&self.clock), settings.hold());
        let naming = (Naming::new(node, snapshots.clone(), settings.resolved_limits()), held);
        tokio::spawn(cut(queue, naming, at, contents));
        let give_up = CancellationToken::new();
        let sending = tokio::spawn(send(sender, cut_contents, give_up.clone()));
        let sent = sending_or_deadline(sending, &shutdown, &give_up).await?;
        if sent.lost_rows > 0 {
            bail!("stopped with {} rows that no collector has acked: they are lost", sent.lost_rows);
        }
        if sent.spooled > 0 {
            info!(batches = sent.spooled, "stopped: the rest waits in the spool for the next start");
        } else {
            info!("everything sent and acked");
        }
        Ok(())
    }

    /// Opens every live tap; `None` where none is asked for. All that cannot be opened are reported at once.
    fn follower(
        &self,
        settings: &AgentSettings,
        events: &mpsc::Sender<Event>,
        open: watch::Sender<Vec<Coverage>>,
        files: Vec<Coverage>,
        rings: &Arc<Rings>,
    ) -> Result<Option<Follower>> {
        if self.live.is_empty() {
            return Ok(None);
        }
        let options = LiveOptions {
            snap_len: settings.snap_len.map_or(settings.l7.snap_len(), |bytes| bytes.0 as u32),
            ..LiveOptions::default()
        };
        let needs = "live taps need the capability NET_RAW";
        if !may_capture() {
            return Err(anyhow::anyhow!("cannot open live taps")).hint(needs);
        }
        let node: Arc<str> = Arc::from(settings.node_name.as_str());
        let fixed =
            open_interfaces(&self.live, &self.cluster.snapshots.borrow(), &node, (&options, rings), &self.clock);
        let fixed = fixed.map_err(|problems| all(&problems)).hint(needs)?;
        let has = |source: &TapSource| self.live.iter().any(|spec| spec.source == *source);
        let follow = Follow {
            pods: has(&TapSource::Pods),
            uplink: has(&TapSource::Uplink),
            node,
            snapshots: self.cluster.snapshots.clone(),
            options,
            rings: Arc::clone(rings),
            clock: Arc::clone(&self.clock),
        };
        let tracker = TrackerConfig { first_flow: self.files.len() as u64 + 1, ..self.tracker.clone() };
        let group = Group::start(settings.capture_threads as usize, &tracker, &self.clock, events)?;
        Follower::open(follow, group, fixed, files, open).map(Some)
    }

    /// One thread to follow live taps, one for all files.
    fn start_threads(
        &self,
        follower: Option<Follower>,
        settings: &AgentSettings,
        events: &mpsc::Sender<Event>,
        stop: &CancellationToken,
    ) -> Result<()> {
        if let Some(follower) = follower {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let stop = stop.clone();
            // What netfilter tells is heard for as long as there are taps.
            let taps_ended = CancellationToken::new();
            self.start_netfilter(settings, events, &taps_ended)?;
            thread::Builder::new().name("taps".to_owned()).spawn(move || {
                let _end = taps_ended.drop_guard();
                if let Err(error) = runtime.block_on(follower.run(stop)) {
                    error!("taps are not followed any more: {error:#}");
                }
            })?;
        }
        if !self.logs.is_empty() {
            let (logs, events, stop) = (self.logs.clone(), events.clone(), stop.clone());
            let name = "packet filter log".to_owned();
            thread::Builder::new().name(name).spawn(move || logged::replay(logs, &events, &stop))?;
        }
        if !self.files.is_empty() {
            let config = self.tracker.clone();
            let queued = |tap: &FileTap| TapQueue::new(Arc::clone(&tap.tap), events.clone(), WhenFull::Wait);
            let taps: Vec<_> = self.files.iter().map(|tap| (tap.clone(), queued(tap))).collect();
            let told = || RecordedConntrack::beside(&self.files, &settings.node_name, events.clone());
            let conntrack = (settings.conntrack == ConntrackUse::Auto).then(told);
            let stop = stop.clone();
            thread::Builder::new().name("replay".to_owned()).spawn(move || replay(taps, conntrack, &config, &stop))?;
        }
        Ok(())
    }

    /// One thread for what the kernel's netfilter tells beside packets.
    fn start_netfilter(
        &self,
        settings: &AgentSettings,
        events: &mpsc::Sender<Event>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let conntrack = (settings.conntrack == ConntrackUse::Auto)
            .then(|| Conntrack::new(events.clone(), Arc::clone(&self.clock), settings.conntrack_dump));
        let groups: BTreeSet<u16> = settings.nflog_group.iter().copied().collect();
        let logs = groups.into_iter().map(|group| Nflog::new(group, events.clone(), Arc::clone(&self.clock)));
        let observer = settings.observe_nft.then(|| Nflog::observer(events.clone(), Arc::clone(&self.clock)));
        let (logs, stop): (Vec<_>, _) = (logs.chain(observer).collect(), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name("netfilter".to_owned()).spawn(move || {
            runtime.block_on(async {
                let mut inputs = JoinSet::new();
                if let Some(conntrack) = conntrack {
                    inputs.spawn(conntrack.run(stop.clone()));
                }
                for log in logs {
                    inputs.spawn(log.run(stop.clone()));
                }
                inputs.join_all().await;
            });
        })?;
        Ok(())
    }
}

/// Waits until everything is sent; after a stop no longer than the grace allows. Returns what was not acked.
async fn sending_or_deadline(
    sending: tokio::task::JoinHandle<Sent>,
    shutdown: &Shutdown,
    give_up: &CancellationToken,
) -> Result<Sent> {
    let mut sending = sending;
    if let Ok(sent) = shutdown.drain(&mut sending).await {
        return Ok(sent?);
    }
    warn!("the collector did not take everything in time");
    give_up.cancel();
    Ok(sending.await?)
}

/// Taps are named once, so the cluster gets some time to become known; then capture goes on without.
pub(crate) async fn whole_or_late(mut snapshots: Snapshots) -> Snapshot {
    let is_late = tokio::time::timeout(CLUSTER_WAIT, snapshots.wait_for(Snapshot::is_whole)).await.is_err();
    if is_late {
        warn!("not every object of the cluster is known in time: taps are named by those that are");
    }
    snapshots.borrow().clone()
}

fn check(settings: &AgentSettings) -> Result<(), Usage> {
    let mut problems = Vec::new();
    if settings.node_name.is_empty() {
        problems.push("node_name is empty".to_owned());
    }
    let window = settings.window.as_secs();
    if window == 0 || settings.window.subsec_nanos() != 0 || 3_600 % window != 0 {
        problems.push(format!("window is no whole part of an hour: {:?}", settings.window));
    }
    if !(16..=65_536).contains(&settings.dictionary_cap) {
        problems.push(format!("dictionary_cap is not within 16 to 65536: {}", settings.dictionary_cap));
    }
    let counts = [
        ("queue", settings.queue),
        ("batch_records", settings.batch_records),
        ("capture_threads", settings.capture_threads),
    ];
    for (key, value) in counts {
        if value == 0 {
            problems.push(format!("{key} is 0"));
        }
    }
    if settings.spool_bytes.0 < MIN_SPOOL_BYTES {
        problems.push(format!("spool_bytes is less than 1MiB: {}", settings.spool_bytes.0));
    }
    if settings.cluster_domain.trim_matches('.').is_empty() {
        problems.push("cluster_domain is empty".to_owned());
    }
    if problems.is_empty() { Ok(()) } else { Err(Usage(problems.join("\n  "))) }
}

/// Several problems as one error, a line each.
fn all(problems: &[impl std::fmt::Display]) -> anyhow::Error {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(lines.join("\n"))
}
