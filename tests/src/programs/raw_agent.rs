//! An agent in the test's hands: says what it is told to say, also what no agent would, and hears every answer.

use std::time::Duration;

use prost::Message as _;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status, Streaming};
use tonic_prost::ProstCodec;
use weir_model::Batch;
use weir_proto::v1::collector_message::Body;
use weir_proto::{DICTIONARY_CAP, DictionaryEncoder, PROTOCOL_VERSION, encode_batch, v1};

use super::{LIMIT, Traffic};

/// `weir.v1.AgentMessage` with its parts as bytes, which look the same on the wire: a part need not be what it should.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Frame {
    /// In the place of a Hello.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub hello: Option<Vec<u8>>,
    /// In the place of a batch.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub batch: Option<Vec<u8>>,
}

impl From<v1::Hello> for Frame {
    fn from(hello: v1::Hello) -> Self {
        Self { hello: Some(hello.encode_to_vec()), batch: None }
    }
}

impl From<v1::Batch> for Frame {
    fn from(batch: v1::Batch) -> Self {
        Self { hello: None, batch: Some(batch.encode_to_vec()) }
    }
}

/// What comes back from a collector.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The answer to Hello: the highest durable sequence.
    Welcome(u64),
    /// Durable up to this sequence.
    Acked(u64),
    /// A batch was not taken.
    Refused(v1::Refused),
}

/// The stream is over, and why.
pub type Unanswered = Status;

/// An open stream. Its connection is gone when it is dropped, as that of a killed agent.
pub struct RawAgent {
    runtime: Runtime,
    up: mpsc::Sender<Frame>,
    down: Streaming<v1::CollectorMessage>,
    names: DictionaryEncoder,
    durable: u64,
}

impl RawAgent {
    /// Connects and says who it is.
    pub fn connect(url: &str, traffic: &Traffic) -> Result<Self, Unanswered> {
        let mut agent = Self::connect_with(url, hello(traffic).into())?;
        match agent.answer()? {
            Answer::Welcome(durable) => agent.durable = durable,
            other => panic!("Hello was answered with {other:?}"),
        }
        Ok(agent)
    }

    /// Connects, with anything as the first message.
    pub fn connect_with(url: &str, first: Frame) -> Result<Self, Unanswered> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let (up, messages) = mpsc::channel(16);
        up.try_send(first).expect("the queue is empty");
        let url = Endpoint::from_shared(url.to_owned()).expect("an address");
        let down = runtime.block_on(within(LIMIT, async {
            let channel = url.connect().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let mut client = tonic::client::Grpc::new(channel);
            client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let codec: ProstCodec<Frame, v1::CollectorMessage> = ProstCodec::default();
            let path = PathAndQuery::from_static("/weir.v1.Ingest/Stream");
            client.streaming(Request::new(ReceiverStream::new(messages)), path, codec).await
        }))?;
        Ok(Self { runtime, up, down: down.into_inner(), names: DictionaryEncoder::new(DICTIONARY_CAP), durable: 0 })
    }

    /// The highest sequence of this run that was durable when it connected.
    pub const fn durable(&self) -> u64 {
        self.durable
    }

    /// Sends a batch, with names the stream has not seen.
    pub fn send(&mut self, batch: &Batch) -> Result<(), Unanswered> {
        let message = self.encode(batch);
        self.send_frame(message.into())
    }

    /// A batch as this stream would send it.
    pub fn encode(&mut self, batch: &Batch) -> v1::Batch {
        encode_batch(batch, &mut self.names).expect("a batch has fewer names than a dictionary")
    }

    /// Sends every name again, in a new epoch.
    pub fn forget_names(&mut self) {
        self.names.reset();
    }

    /// Sends anything.
    pub fn send_frame(&mut self, frame: Frame) -> Result<(), Unanswered> {
        let sent = within(LIMIT, async { Ok(self.up.send(frame).await) });
        match self.runtime.block_on(sent)? {
            Ok(()) => Ok(()),
            Err(_) => Err(self.runtime.block_on(why_over(&mut self.down))),
        }
    }

    /// The next answer.
    pub fn answer(&mut self) -> Result<Answer, Unanswered> {
        let message = self.runtime.block_on(within(LIMIT, self.down.message()))?;
        match message.and_then(|message| message.body) {
            Some(Body::Hello(hello)) => Ok(Answer::Welcome(hello.durable_sequence)),
            Some(Body::Ack(ack)) => Ok(Answer::Acked(ack.sequence)),
            Some(Body::Refused(refused)) => Ok(Answer::Refused(refused)),
            None => Err(Status::cancelled("the collector closed the stream")),
        }
    }

    /// Waits until the batch with this number is durable.
    pub fn wait_acked(&mut self, sequence: u64) -> Result<(), Unanswered> {
        loop {
            match self.answer()? {
                Answer::Acked(acked) if acked >= sequence => return Ok(()),
                Answer::Acked(_) | Answer::Welcome(_) => {}
                Answer::Refused(refused) => panic!("batch refused: {refused:?}"),
            }
        }
    }
}

/// The Hello of an agent.
pub fn hello(traffic: &Traffic) -> v1::Hello {
    v1::Hello {
        node: traffic.node().to_owned(),
        run: traffic.run().0.to_be_bytes().to_vec(),
        version: "test".to_owned(),
        protocol_version: PROTOCOL_VERSION,
        dictionary_cap: DICTIONARY_CAP as u32,
        agent_time: None,
        coverage: Vec::new(),
    }
}

/// Reads on to the status that ended the stream.
async fn why_over(down: &mut Streaming<v1::CollectorMessage>) -> Status {
    loop {
        match within(LIMIT, down.message()).await {
            Ok(Some(_)) => {}
            Ok(None) => return Status::cancelled("the collector closed the stream"),
            Err(status) => return status,
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let done = tokio::time::timeout(limit, work).await;
    done.unwrap_or_else(|_| Err(Status::new(Code::DeadlineExceeded, "the collector does not answer")))
}
