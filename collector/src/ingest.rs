//! The agents' door: streams of batches in, acks out. A batch is acked when it is durable, never before.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesOrdered;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::{info, warn};
use weir_model::{Batch, Coverage, RunId, Timestamp};
use weir_proto::v1::agent_message::Body as Up;
use weir_proto::v1::collector_message::Body as Down;
use weir_proto::v1::ingest_server::Ingest;
use weir_proto::v1::refused::Reason;
use weir_proto::{
    DecodeError, DictionaryDecoder, MAX_MESSAGE_BYTES, PROTOCOL_VERSION, coverage_from_wire, decode_batch,
    run_from_wire, time_from_wire, time_to_wire, v1,
};
use weir_service::clock::Clock;

use crate::door::Door;
use crate::hub::News;
use crate::nodes::{Caller, Claim, ClaimError, Nodes};
use crate::settler::{self, Task};
use crate::writer::{Order, Written};

/// Batches of one stream that may wait for the disk.
const IN_FLIGHT: usize = 64;

/// The service behind `weir.v1.Ingest`.
#[derive(Clone)]
pub(crate) struct IngestService {
    /// The agents.
    pub nodes: Nodes,
    /// Who may send.
    pub door: Door,
    /// The journal's writer.
    pub writer: mpsc::Sender<Order>,
    /// The settler.
    pub settler: settler::Sender,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The most dictionary entries a stream may use.
    pub dictionary_cap: usize,
    /// Ends every stream.
    pub stop: CancellationToken,
}

type Answers = mpsc::Sender<Result<v1::CollectorMessage, Status>>;

#[tonic::async_trait]
impl Ingest for IngestService {
    type StreamStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let peer = request.remote_addr().map_or_else(|| "unknown".to_owned(), |addr| addr.to_string());
        let refused = |status: Status| {
            warn!(%peer, "refused: {}", status.message());
            status
        };
        let badge = self.door.agent(&request).map_err(refused)?;
        let mut inbound = request.into_inner();
        let Some(v1::AgentMessage { body: Some(Up::Hello(hello)) }) = inbound.message().await.map_err(unreadable)?
        else {
            return Err(Status::invalid_argument("the first message of a stream is Hello"));
        };
        let (node, run, coverage) = self.read_hello(&hello)?;
        badge.check(&node).map_err(refused)?;
        let now = self.now();
        let caller = Caller {
            node: Arc::clone(&node),
            run,
            version: hello.version,
            peer: peer.clone(),
            clock_offset_us: hello.agent_time.map_or(0, |time| time_from_wire(&time).since(now) / 1_000),
        };
        let (claim, former) = self.nodes.claim(caller, now).map_err(|refused| {
            warn!(%peer, "{refused}");
            match refused {
                ClaimError::NameTaken { .. } => Status::already_exists(refused.to_string()),
                ClaimError::TooMany => Status::resource_exhausted(refused.to_string()),
            }
        })?;
        info!(%node, %run, %peer, taps = coverage.len(), "agent connected");
        let guest = Guest { service: self.clone(), node, run, claim };
        guest.announce(former, coverage).await?;
        let durable = guest.durable().await?;
        let (answers, outbound) = mpsc::channel(IN_FLIGHT);
        let ack = v1::HelloAck {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION,
            dictionary_cap: self.dictionary_cap as u32,
            max_message_bytes: MAX_MESSAGE_BYTES as u32,
            collector_time: Some(time_to_wire(self.now())),
            durable_sequence: durable,
        };
        let _ = answers.send(Ok(v1::CollectorMessage { body: Some(Down::Hello(ack)) })).await;
        tokio::spawn(guest.serve(inbound, answers));
        Ok(Response::new(ReceiverStream::new(outbound)))
    }

    async fn probe(&self, request: Request<v1::ProbeRequest>) -> Result<Response<v1::ProbeResponse>, Status> {
        self.door.agent(&request)?.check(&request.get_ref().node)?;
        Ok(Response::new(v1::ProbeResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION,
            collector_time: Some(time_to_wire(self.now())),
        }))
    }
}

impl IngestService {
    fn now(&self) -> Timestamp {
        Timestamp(self.clock.now_ns())
    }

    fn read_hello(&self, hello: &v1::Hello) -> Result<(Arc<str>, RunId, Vec<Coverage>), Status> {
        if self.stop.is_cancelled() {
            return Err(Status::unavailable("the collector is stopping"));
        }
        if hello.protocol_version != PROTOCOL_VERSION {
            return Err(Status::failed_precondition(format!(
                "protocol version {} is not spoken here, only {PROTOCOL_VERSION}",
                hello.protocol_version
            )));
        }
        if hello.node.is_empty() {
            return Err(Status::invalid_argument("Hello names no node"));
        }
        let malformed = |error: weir_proto::Malformed| Status::invalid_argument(error.to_string());
        let run = run_from_wire(&hello.run).map_err(malformed)?;
        let coverage = hello.coverage.iter().cloned().map(coverage_from_wire).collect::<Result<_, _>>();
        Ok((Arc::from(hello.node.as_str()), run, coverage.map_err(malformed)?))
    }
}

/// One agent's open stream. The node's name is free again when it is dropped.
struct Guest {
    service: IngestService,
    node: Arc<str>,
    run: RunId,
    claim: Claim,
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.service.nodes.release(&self.node, self.claim, self.service.now());
        info!(node = %self.node, run = %self.run, "agent disconnected");
    }
}

impl Guest {
    async fn announce(&self, former: Option<(RunId, Timestamp)>, coverage: Vec<Coverage>) -> Result<(), Status> {
        let node = || Arc::clone(&self.node);
        if let Some((run, at)) = former {
            self.tell(Task::RunEnded { node: node(), run, at }).await?;
        }
        self.service.nodes.taps(&self.node, &coverage);
        self.tell(Task::Cover { node: node(), run: self.run, coverage }).await?;
        self.tell_state().await
    }

    async fn tell_state(&self) -> Result<(), Status> {
        match self.service.nodes.status_of(&self.node, self.service.now()) {
            Some(status) => self.tell(Task::Tell(News::Node(Box::new(status)))).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, task: Task) -> Result<(), Status> {
        self.service.settler.send(task).await.map_err(|_| stopping())
    }

    async fn durable(&self) -> Result<u64, Status> {
        let (done, told) = oneshot::channel();
        let order = Order::Highest { node: Arc::clone(&self.node), run: self.run, done };
        self.service.writer.send(order).await.map_err(|_| stopping())?;
        told.await.map_err(|_| stopping())
    }

    /// Takes batches until the stream or the collector ends.
    async fn serve(self, mut inbound: Streaming<v1::AgentMessage>, answers: Answers) {
        match self.take_batches(&mut inbound, &answers).await {
            // A stream that is closed in order is the end of the run: nothing of it is still to come.
            Ok(()) => {
                let (node, run) = (Arc::clone(&self.node), self.run);
                let _ = self.tell(Task::RunEnded { node, run, at: self.service.now() }).await;
            }
            Err(status) => {
                warn!(node = %self.node, "stream ended: {status}");
                let _ = answers.send(Err(status)).await;
            }
        }
        let (service, node) = (self.service.clone(), Arc::clone(&self.node));
        drop(self);
        if !service.stop.is_cancelled()
            && let Some(status) = service.nodes.status_of(&node, service.now())
        {
            let _ = service.settler.send(Task::Tell(News::Node(Box::new(status)))).await;
        }
    }

    async fn take_batches(&self, inbound: &mut Streaming<v1::AgentMessage>, answers: &Answers) -> Result<(), Status> {
        let mut reader = BatchReader::new(Arc::clone(&self.node), self.run, self.service.dictionary_cap);
        let mut waiting = FuturesOrdered::new();
        loop {
            tokio::select! {
                biased;
                () = self.service.stop.cancelled() => return Err(stopping()),
                Some(written) = waiting.next(), if !waiting.is_empty() => {
                    let sequence: u64 = written?;
                    self.answer(answers, Down::Ack(v1::Ack { run: self.run.0.to_be_bytes().to_vec(), sequence })).await?;
                }
                message = inbound.message(), if waiting.len() < IN_FLIGHT => match message.map_err(unreadable)? {
                    None if waiting.is_empty() => return Ok(()),
                    None => while let Some(written) = waiting.next().await {
                        let sequence = written?;
                        let ack = v1::Ack { run: self.run.0.to_be_bytes().to_vec(), sequence };
                        self.answer(answers, Down::Ack(ack)).await?;
                    },
                    Some(v1::AgentMessage { body: Some(Up::Batch(message)) }) => match reader.read(message) {
                        Ok(batch) => waiting.push_back(self.write(batch).await?),
                        Err(refused) => {
                            warn!(node = %self.node, sequence = refused.sequence, "batch refused: {}", refused.message);
                            self.answer(answers, Down::Refused(refused)).await?;
                        }
                    },
                    Some(_) => return Err(Status::invalid_argument("a stream has one Hello, then batches")),
                },
            }
        }
    }

    async fn answer(&self, answers: &Answers, body: Down) -> Result<(), Status> {
        let message = v1::CollectorMessage { body: Some(body) };
        answers.send(Ok(message)).await.map_err(|_| Status::cancelled("the agent went away"))
    }

    /// Asks for a batch to be made durable. The answer is its sequence.
    async fn write(&self, batch: Batch) -> Result<impl Future<Output = Result<u64, Status>> + use<>, Status> {
        let (done, told) = oneshot::channel();
        let batch = Arc::new(batch);
        self.service.writer.send(Order::Append { batch: Arc::clone(&batch), done }).await.map_err(|_| stopping())?;
        let (nodes, clock) = (self.service.nodes.clone(), Arc::clone(&self.service.clock));
        Ok(async move {
            let written = told.await.map_err(|_| Status::unavailable("the journal failed"))??;
            nodes.count(&batch, written == Written::Duplicate, Timestamp(clock.now_ns()));
            Ok(batch.sequence)
        })
    }
}

fn stopping() -> Status {
    Status::unavailable("the collector is stopping")
}

/// A message that is too large or no message at all, in the words of `ingest.proto`. Other ends of a stream stay as they
/// are.
fn unreadable(status: Status) -> Status {
    match status.code() {
        Code::OutOfRange => Status::resource_exhausted(status.message()),
        Code::Internal => Status::invalid_argument(status.message()),
        _ => status,
    }
}

/// Decodes the batches of one stream.
struct BatchReader {
    /// Who said Hello: batches of nobody else are taken, or one agent could make those of another look like duplicates.
    node: Arc<str>,
    run: RunId,
    names: DictionaryDecoder,
    /// Batches of epochs before this one are refused: one of them was, and what comes after it must not be taken first.
    from_epoch: u32,
}

impl BatchReader {
    fn new(node: Arc<str>, run: RunId, cap: usize) -> Self {
        Self { node, run, names: DictionaryDecoder::new(cap), from_epoch: 0 }
    }

    fn read(&mut self, message: v1::Batch) -> Result<Batch, v1::Refused> {
        let (sequence, epoch) = (message.sequence, message.epoch);
        let refuse = |reason: Reason, message: String| v1::Refused { sequence, epoch, reason: reason.into(), message };
        if epoch < self.from_epoch {
            return Err(refuse(Reason::UnknownId, "an earlier batch of this epoch was refused".to_owned()));
        }
        let batch = decode_batch(message, &mut self.names).map_err(|error| {
            let reason = match error {
                DecodeError::UnknownId { .. } => Reason::UnknownId,
                DecodeError::DictionaryFull(_) => Reason::DictionaryFull,
                DecodeError::Malformed(_) | DecodeError::Wire(_) => Reason::Malformed,
            };
            if reason != Reason::Malformed {
                self.from_epoch = epoch.saturating_add(1);
            }
            refuse(reason, error.to_string())
        })?;
        if batch.node != self.node || batch.run != self.run {
            return Err(refuse(Reason::Malformed, format!("a batch of node {}, run {}", batch.node, batch.run)));
        }
        if sequence == 0 {
            return Err(refuse(Reason::Malformed, "sequences count from 1".to_owned()));
        }
        Ok(batch)
    }
}
