//! A collector that keeps nothing: acks every batch and hands it to the test.

use std::net::TcpListener;

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status, Streaming};
use weir_model::{Batch, Coverage};
use weir_proto::v1::agent_message::Body as Up;
use weir_proto::v1::collector_message::Body as Down;
use weir_proto::v1::ingest_server::{Ingest, IngestServer};
use weir_proto::{DICTIONARY_CAP, DictionaryDecoder, MAX_MESSAGE_BYTES, PROTOCOL_VERSION, coverage_from_wire, v1};

/// What an agent said.
#[derive(Debug)]
pub(crate) enum Said {
    /// The first message: who it is and which taps are open.
    Hello { node: String, taps: Vec<Coverage> },
    /// A batch.
    Batch(Batch),
}

/// Serves on `listener` until the runtime ends.
pub(crate) fn serve(listener: TcpListener) -> mpsc::Receiver<Said> {
    serve_when(listener, watch::channel(true).1)
}

/// Serves, but takes no batch before `takes` says so.
pub(crate) fn serve_when(listener: TcpListener, takes: watch::Receiver<bool>) -> mpsc::Receiver<Said> {
    let (said, heard) = mpsc::channel(65_536);
    listener.set_nonblocking(true).expect("non-blocking");
    let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener).expect("a listener"));
    let server = tonic::transport::Server::builder().add_service(IngestServer::new(Ear { said, takes }));
    tokio::spawn(server.serve_with_incoming(incoming));
    heard
}

struct Ear {
    said: mpsc::Sender<Said>,
    takes: watch::Receiver<bool>,
}

#[tonic::async_trait]
impl Ingest for Ear {
    type StreamStream = ReceiverStream<Result<v1::CollectorMessage, Status>>;

    async fn stream(
        &self,
        request: Request<Streaming<v1::AgentMessage>>,
    ) -> Result<Response<Self::StreamStream>, Status> {
        let (down, answers) = mpsc::channel(16);
        tokio::spawn(listen(request.into_inner(), down, self.said.clone(), self.takes.clone()));
        Ok(Response::new(ReceiverStream::new(answers)))
    }

    async fn probe(&self, _: Request<v1::ProbeRequest>) -> Result<Response<v1::ProbeResponse>, Status> {
        Ok(Response::new(v1::ProbeResponse { protocol_version: PROTOCOL_VERSION, ..v1::ProbeResponse::default() }))
    }
}

async fn listen(
    mut up: Streaming<v1::AgentMessage>,
    down: mpsc::Sender<Result<v1::CollectorMessage, Status>>,
    said: mpsc::Sender<Said>,
    mut takes: watch::Receiver<bool>,
) {
    let mut names = DictionaryDecoder::new(DICTIONARY_CAP);
    while let Ok(Some(message)) = up.message().await {
        let (answer, what) = match message.body.expect("a body") {
            Up::Hello(hello) => {
                let taps = hello.coverage.into_iter().map(|span| coverage_from_wire(span).expect("valid")).collect();
                (Down::Hello(welcome()), Said::Hello { node: hello.node, taps })
            }
            Up::Batch(batch) => {
                // Nobody can say so any more: then it takes what comes.
                let _ = takes.wait_for(|takes| *takes).await;
                let ack = v1::Ack { run: batch.run.clone(), sequence: batch.sequence };
                (Down::Ack(ack), Said::Batch(weir_proto::decode_batch(batch, &mut names).expect("valid")))
            }
        };
        said.send(what).await.expect("heard");
        if down.send(Ok(v1::CollectorMessage { body: Some(answer) })).await.is_err() {
            return;
        }
    }
}

fn welcome() -> v1::HelloAck {
    v1::HelloAck {
        version: "test".to_owned(),
        protocol_version: PROTOCOL_VERSION,
        dictionary_cap: DICTIONARY_CAP as u32,
        max_message_bytes: MAX_MESSAGE_BYTES as u32,
        collector_time: None,
        durable_sequence: 0,
    }
}
