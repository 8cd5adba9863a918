//! The way to the collector.

use anyhow::{Context as _, Result};
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use weir_proto::v1::observer_client::ObserverClient;
use weir_service::exit::{HintExt as _, Usage};

/// Answers of any size are taken: the collector has its own limits.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Dials the collector.
pub(crate) async fn connect(server: &str) -> Result<ObserverClient<Channel>> {
    let endpoint = Endpoint::from_shared(server.to_owned())
        .map_err(|error| Usage(format!("not an address: {server} ({error})")))
        .hint("write http://HOST:PORT")?;
    let channel = endpoint
        .connect()
        .await
        .with_context(|| format!("no collector at {server}"))
        .hint("start weir-collector, or name another address with --server or WEIR_SERVER")?;
    Ok(ObserverClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES))
}

/// What the collector refused, in its own words.
pub(crate) fn refused(status: &Status) -> anyhow::Error {
    match status.code() {
        tonic::Code::InvalidArgument => Usage(status.message().to_owned()).into(),
        _ => anyhow::anyhow!("{}", status.message()),
    }
}
