//! One stream to the collector: Hello in the name of a run, then every unacked batch of it in order, then new ones.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};
use tracing::{debug, error, warn};
use weir_model::{Batch, RunId, Timestamp};
use weir_proto::v1::agent_message::Body as Up;
use weir_proto::v1::collector_message::Body as Down;
use weir_proto::v1::ingest_client::IngestClient;
use weir_proto::v1::refused::Reason;
use weir_proto::{
    DictionaryEncoder, DictionaryFull, PROTOCOL_VERSION, coverage_to_wire, encode_batch, time_to_wire, v1,
};

use super::{Sender, SenderOptions, sleep_until};

/// Messages that wait for the stream's flow control.
const IN_FLIGHT: usize = 16;

/// An open stream.
pub(super) struct Link {
    /// Whose batches it carries.
    run: RunId,
    up: mpsc::Sender<v1::AgentMessage>,
    down: Streaming<v1::CollectorMessage>,
    names: DictionaryEncoder,
    /// The highest sequence that was written to this stream.
    sent: u64,
    /// The highest sequence that was on the collector's disk when the stream was opened.
    durable: u64,
}

/// Why a stream is over.
pub(super) enum Ended {
    /// Everything was acked and there is nothing more to come.
    Done,
    /// Everything of a former run was acked: the next run is to be sent.
    RunDone,
    /// It broke; open another.
    Broken(Status),
}

impl Link {
    /// Dials and says Hello in the name of `run`. A former run has no tap any more.
    pub(super) async fn open(options: &SenderOptions, run: RunId) -> Result<Self, Status> {
        let endpoint = options.collector.endpoint().map_err(|error| Status::failed_precondition(chain(&error)))?;
        let channel = keep_alive(endpoint).connect().await.map_err(|error| Status::unavailable(chain(&error)))?;
        let (up, outbound) = mpsc::channel(IN_FLIGHT);
        let coverage = if run == options.run { options.coverage.borrow().clone() } else { Vec::new() };
        let hello = v1::Hello {
            node: options.node.to_string(),
            run: run.0.to_be_bytes().to_vec(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION,
            dictionary_cap: options.dictionary_cap as u32,
            agent_time: Some(time_to_wire(Timestamp(options.clock.now_ns()))),
            coverage: coverage.iter().map(coverage_to_wire).collect(),
        };
        let closed = |_| Status::cancelled("the agent is stopping");
        up.send(v1::AgentMessage { body: Some(Up::Hello(hello)) }).await.map_err(closed)?;
        let mut down = IngestClient::new(channel).stream(ReceiverStream::new(outbound)).await?.into_inner();
        let Some(v1::CollectorMessage { body: Some(Down::Hello(ack)) }) = down.message().await? else {
            return Err(Status::internal("the collector did not answer Hello"));
        };
        let cap = options.dictionary_cap.min(ack.dictionary_cap as usize);
        if cap < options.dictionary_cap {
            let theirs = ack.dictionary_cap;
            return Err(Status::failed_precondition(format!(
                "the collector holds {theirs} dictionary entries, this agent uses up to {}: set dictionary_cap to at most {theirs}",
                options.dictionary_cap
            )));
        }
        debug!(durable = ack.durable_sequence, "the collector answered");
        Ok(Self {
            run,
            up,
            down,
            names: DictionaryEncoder::new(cap),
            sent: ack.durable_sequence,
            durable: ack.durable_sequence,
        })
    }

    /// Carries batches until all is done or the stream breaks.
    pub(super) async fn carry(&mut self, sender: &mut Sender) -> Ended {
        sender.outbox.resume(self.run, self.durable);
        let up = self.up.clone();
        loop {
            if sender.is_done() {
                return Ended::Done;
            }
            if sender.outbox.sending() != self.run {
                return Ended::RunDone;
            }
            let next = sender.outbox.next(self.run, self.sent);
            let (takes, due) = (sender.takes_contents(), sender.outbox.due());
            tokio::select! {
                message = self.down.message() => match message {
                    Ok(Some(message)) => self.answered(message, sender),
                    Ok(None) => return Ended::Broken(Status::unavailable("the collector closed the stream")),
                    Err(status) => return Ended::Broken(status),
                },
                permit = up.reserve(), if next.is_some() => {
                    let (Ok(permit), Some(batch)) = (permit, next) else {
                        return Ended::Broken(Status::unavailable("the stream is closed"));
                    };
                    match encode_batch(&batch, &mut self.names) {
                        Ok(message) => permit.send(v1::AgentMessage { body: Some(Up::Batch(message)) }),
                        Err(full) => Self::cannot_encode(&batch, full, sender),
                    }
                    self.sent = batch.sequence;
                }
                contents = sender.contents.recv(), if takes => sender.take(contents),
                () = sleep_until(due), if due.is_some() => sender.outbox.tend(),
                () = sender.hangups.next() => {
                    return Ended::Broken(Status::cancelled("told to read the files for TLS again (SIGHUP)"));
                }
            }
        }
    }

    /// Ends the stream in order: when this returns the collector has let go of it.
    pub(super) async fn close(self) {
        let Self { up, mut down, .. } = self;
        drop(up);
        while let Ok(Some(_)) = down.message().await {}
    }

    fn answered(&mut self, message: v1::CollectorMessage, sender: &mut Sender) {
        match message.body {
            Some(Down::Ack(ack)) => sender.outbox.acked(self.run, ack.sequence),
            Some(Down::Refused(refused)) => self.refused(&refused, sender),
            Some(Down::Hello(_)) | None => {}
        }
    }

    fn refused(&mut self, refused: &v1::Refused, sender: &mut Sender) {
        match refused.reason() {
            Reason::UnknownId | Reason::DictionaryFull => {
                // Batches that were under way when the dictionary was started again are refused too.
                if refused.epoch == self.names.epoch() {
                    warn!(sequence = refused.sequence, "batch refused, sending names again: {}", refused.message);
                    self.names.reset();
                    self.sent = refused.sequence.saturating_sub(1).min(self.sent);
                }
            }
            Reason::Malformed | Reason::Unspecified => {
                error!(sequence = refused.sequence, "batch refused for good: {}", refused.message);
                sender.outbox.refused(self.run, refused.sequence);
            }
        }
    }

    fn cannot_encode(batch: &Arc<Batch>, full: DictionaryFull, sender: &mut Sender) {
        error!(sequence = batch.sequence, "batch dropped: {full}");
        sender.outbox.refused(batch.run, batch.sequence);
    }
}

fn keep_alive(collector: Endpoint) -> Endpoint {
    collector
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(10))
        .keep_alive_while_idle(true)
}

/// An error and what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
