//! A run of the collector from settings to a clean stop.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tracing::{info, warn};
use weir_cluster::gateways::GatewayOptions;
use weir_cluster::routing::{Journeys, PairOptions};
use weir_journal::{Journal, JournalOptions, Recovered};
use weir_model::Timestamp;
use weir_proto::MAX_MESSAGE_BYTES;
use weir_proto::v1::ingest_server::IngestServer;
use weir_proto::v1::observer_server::ObserverServer;
use weir_service::clock::{Clock, SystemClock};
use weir_service::operations;
use weir_service::shutdown::Shutdown;
use weir_service::tls;
use weir_store::{Lake, LakeOptions, QueryLimits};

use crate::CollectorSettings;
use crate::cluster::Cluster;
use crate::door::Door;
use crate::history::joiner;
use crate::hub::{Hub, News};
use crate::ingest::IngestService;
use crate::keeper::{Keeper, Pace, maintain};
use crate::nodes::Nodes;
use crate::observer::ObserverService;
use crate::operation::CollectorOperation;
use crate::recorder::{self, Reach, record};
use crate::replay::replay;
use crate::settler::{self, Settler, Task};
use crate::writer::Writer;

/// Batches that wait between two stages.
const QUEUE: usize = 256;

/// Serves until a signal.
pub fn run(settings: CollectorSettings) -> Result<()> {
    // deltalake brings a second provider of cryptography, so the choice has to be said.
    tls::choose_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let shutdown = Shutdown::on_signals(settings.grace)?;
        let running = start(settings, Arc::new(SystemClock)).await?;
        shutdown.started().await;
        match shutdown.drain(running.stop()).await {
            Ok(stopped) => stopped,
            Err(passed) => {
                warn!("{passed}: the rest is in the journal and comes back at the next start");
                Ok(())
            }
        }
    })
}

/// A collector that is serving.
pub struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), tonic::transport::Error>>,
    settler: settler::Sender,
    recorder: tokio::task::JoinHandle<()>,
    keeper: tokio::task::JoinHandle<()>,
    stop_keeper: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Running {
    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more batches, settles and commits what there is, and ends.
    pub async fn stop(self) -> Result<()> {
        self.stop.cancel();
        self.server.await?.context("serving")?;
        self.recorder.await?;
        let (done, told) = oneshot::channel();
        if self.settler.send(Task::Finish(done)).await.is_ok() {
            let _ = told.await;
        }
        self.stop_keeper.cancel();
        self.keeper.await?;
        drop(self.settler);
        for thread in self.threads {
            if tokio::task::spawn_blocking(move || thread.join()).await?.is_err() {
                warn!("a thread ended in a panic");
            }
        }
        info!("stopped");
        Ok(())
    }
}

/// Opens lake and journal, brings back what the journal holds, and serves.
pub async fn start(settings: CollectorSettings, clock: Arc<dyn Clock>) -> Result<Running> {
    let door = Door::open(&settings)?;
    let (to_recorder, changes) = mpsc::channel(recorder::QUEUE);
    let (source, gateways) = (settings.cluster.as_deref(), gateways(&settings));
    let cluster = Cluster::follow(source, gateways, Arc::clone(&clock), to_recorder).await?;
    let lake = Arc::new(Lake::open(&settings.data, lake_options(&settings)).await.context("opening the lake")?);
    let (journal, recovered) = open_journal(&settings)?;
    let (settled, settled_by_now) = watch::channel(lake.positions().min());
    let (hub, audits) = (Hub::default(), Arc::default());
    let tails = hub.counts();
    let cluster_name: Option<Arc<str>> = settings.cluster_name.as_deref().map(Arc::from);
    let settling = Settler {
        lake: Arc::clone(&lake),
        joiner: joiner(&lake).await?,
        snapshots: cluster.snapshots.clone(),
        compiled: cluster.compiled.clone(),
        journeys: Journeys::new(PairOptions::default()),
        audits: Arc::clone(&audits),
        cluster: cluster_name.clone(),
        hub,
        clock: Arc::clone(&clock),
        wait: settings.settle,
        settled,
    };
    let (settler, tasks) = mpsc::channel(QUEUE);
    let settler_thread = spawn_settler(settling, tasks)?;
    let covered = lake.positions().min();
    let sequences = replay(&journal, recovered.checkpoint.as_ref(), covered, &settler).await?;
    let (writer, orders) = mpsc::channel(QUEUE);
    let writing = Writer::new(journal, sequences, settler.clone());
    let writer_thread = thread::Builder::new().name("journal".to_owned()).spawn(move || writing.run(orders))?;

    let (stop, stop_keeper) = (CancellationToken::new(), CancellationToken::new());
    let pace = Pace { interval: settings.commit_interval, rows: settings.commit_rows as usize };
    let keeper = Keeper { lake: Arc::clone(&lake), writer: writer.clone(), settled: settled_by_now, pace };
    let keeper = tokio::spawn(keeper.run(stop_keeper.clone()));
    let reach = Reach { lake: Arc::clone(&lake), settler: settler.clone(), writer: writer.clone() };
    let recorder = tokio::spawn(record(reach, cluster_name.clone(), changes, stop.clone()));
    tokio::spawn(maintain(Arc::clone(&lake), settings.maintenance, Arc::clone(&clock), stop.clone()));
    let nodes = Nodes::default();
    tokio::spawn(declare_gone(
        nodes.clone(),
        settings.node_gone_after,
        settler.clone(),
        Arc::clone(&clock),
        stop.clone(),
    ));
    let ingest = IngestService {
        nodes: nodes.clone(),
        door: door.clone(),
        writer: writer.clone(),
        settler: settler.clone(),
        clock: Arc::clone(&clock),
        dictionary_cap: settings.dictionary_cap as usize,
        stop: stop.clone(),
    };
    let observer = ObserverService {
        lake,
        nodes,
        settler: settler.clone(),
        writer,
        tails,
        limits: limits(&settings),
        snapshots: cluster.snapshots,
        compiled: cluster.compiled,
        started_at: Timestamp(clock.now_ns()),
        clock,
        cluster: cluster_name,
        cluster_source: cluster.source,
        stop: stop.clone(),
    };
    if let Some(listen) = settings.metrics_listen {
        let operation =
            CollectorOperation { observer: observer.clone(), audits, door: door.clone(), stop: stop.clone() };
        tell(listen, operation).await?;
    }
    let (address, server) = listen(settings.listen, door, ingest, observer, stop.clone()).await?;
    info!(%address, tls = settings.tls_cert.is_some(), data = %settings.data.display(), "serving");
    let threads = vec![settler_thread, writer_thread];
    Ok(Running { address, stop, server, settler, recorder, keeper, stop_keeper, threads })
}

/// Answers for metrics and health until it stops.
async fn tell(listen: SocketAddr, operation: CollectorOperation) -> Result<()> {
    let stop = operation.stop.clone();
    let served = operations::serve(listen, Arc::new(operation), stop).await;
    let (address, _) = served.with_context(|| format!("listening on {listen} for metrics"))?;
    info!(%address, "metrics");
    Ok(())
}

/// The settler has a thread and a small runtime of its own: joining is work, and must not wait behind queries.
fn spawn_settler(settler: Settler, tasks: mpsc::Receiver<Task>) -> Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(thread::Builder::new().name("settler".to_owned()).spawn(move || runtime.block_on(settler.run(tasks)))?)
}

/// Listens, and serves from then on.
async fn listen(
    at: SocketAddr,
    door: Door,
    ingest: IngestService,
    observer: ObserverService,
    stop: CancellationToken,
) -> Result<(SocketAddr, tokio::task::JoinHandle<Result<(), tonic::transport::Error>>)> {
    let listener = TcpListener::bind(at).await.with_context(|| format!("listening on {at}"))?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(serve(listener, door, ingest, observer, stop)?)))
}

fn serve(
    listener: TcpListener,
    door: Door,
    ingest: IngestService,
    observer: ObserverService,
    stop: CancellationToken,
) -> Result<impl Future<Output = Result<(), tonic::transport::Error>>> {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(weir_proto::v1::DESCRIPTORS)
        .build_v1()?;
    let ingest = IngestServer::new(ingest).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let observer = InterceptedService::new(ObserverServer::new(observer), door.clone());
    Ok(async move {
        let (reporter, health) = tonic_health::server::health_reporter();
        reporter.set_serving::<IngestServer<IngestService>>().await;
        reporter.set_serving::<ObserverServer<ObserverService>>().await;
        let server = Server::builder()
            .http2_keepalive_interval(Some(Duration::from_secs(10)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)))
            .add_service(health)
            .add_service(reflection)
            .add_service(ingest)
            .add_service(observer);
        if let Some((tls, handshakes)) = door.tls() {
            let incoming = tls::accept(listener, tls, handshakes);
            server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await
        } else {
            let incoming = TcpListenerStream::new(listener);
            server.serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await
        }
    })
}

/// Says of agents that have been silent for too long that they are gone.
async fn declare_gone(
    nodes: Nodes,
    limit: Duration,
    settler: settler::Sender,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) {
    let limit_ns = i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX);
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let now = Timestamp(clock.now_ns());
        for (node, run, at) in nodes.newly_gone(now, limit_ns) {
            warn!(%node, %run, "agent gone: what it had not sent is missing");
            let status = nodes.status_of(&node, now);
            let told = settler.send(Task::RunEnded { node, run, at }).await;
            if let (Ok(()), Some(status)) = (told, status) {
                let _ = settler.send(Task::Tell(News::Node(Box::new(status)))).await;
            }
        }
    }
}

fn limits(settings: &CollectorSettings) -> QueryLimits {
    QueryLimits {
        memory_bytes: settings.query_memory.0 as usize,
        time: settings.query_time,
        rows: settings.query_rows as usize,
    }
}

fn open_journal(settings: &CollectorSettings) -> Result<(Journal, Recovered)> {
    let options = JournalOptions { max_bytes: settings.journal_bytes.0, ..JournalOptions::default() };
    let opened = Journal::open(&settings.data.join("_journal"), &options).context("opening the journal")?;
    if let Some(torn) = &opened.1.torn {
        warn!(?torn, "the journal's end was torn: no acked batch was in it");
    }
    Ok(opened)
}

fn gateways(settings: &CollectorSettings) -> GatewayOptions {
    let names = settings.gateways.iter().map(|service| (Arc::clone(&service.namespace), Arc::clone(&service.name)));
    GatewayOptions { services: names.collect() }
}

fn lake_options(settings: &CollectorSettings) -> LakeOptions {
    LakeOptions {
        max_age: Some(settings.retention_age),
        max_bytes: Some(settings.retention_bytes.0),
        vacuum_after: settings.keep_replaced,
        ..LakeOptions::default()
    }
}
