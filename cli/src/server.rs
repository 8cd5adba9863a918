//! The way to the collector.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use weir_proto::v1::observer_client::ObserverClient;
use weir_service::exit::{self, HintExt as _, Usage};
use weir_service::tls::{Dial, DialError, DialFiles};
use weir_service::tokens::read_token;

/// Answers of any size are taken: the collector has its own limits.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

weir_service::settings! {
    /// Where the collector is, and how it is reached.
    pub(crate) struct Contact {
        /// Address of the collector, https://HOST:PORT or http://HOST:PORT.
        server: String = "http://127.0.0.1:4317",
        /// The CA that the collector's certificate must be from.
        tls_ca: Option<PathBuf>,
        /// Your certificate, made out to weir-client; not needed with a token.
        tls_cert: Option<PathBuf>,
        /// The key of your certificate.
        tls_key: Option<PathBuf>,
        /// The name that the collector's certificate must be made out to, in place of the host in the address.
        tls_name: Option<String>,
        /// File with the token that you show.
        token_file: Option<PathBuf>,
        /// Speak without TLS beyond this machine: what is asked, answered and shown can be read on the way.
        plaintext: bool = "false",
    }
}

/// The collector, with the token that is shown to it.
pub(crate) type Collector = ObserverClient<InterceptedService<Channel, Bearer>>;

/// Dials the collector.
pub(crate) async fn connect(server: &Contact) -> Result<Collector> {
    let endpoint = server.dial().and_then(|dial| dial.endpoint()).map_err(DialError::into_usage)?;
    let bearer = Bearer::of(server)?;
    let channel = endpoint
        .connect()
        .await
        .with_context(|| format!("no collector at {}", server.server))
        .hint("start weir-collector, or name another address with --server or WEIR_SERVER")?;
    Ok(ObserverClient::with_interceptor(channel, bearer).max_decoding_message_size(MAX_MESSAGE_BYTES))
}

impl Contact {
    fn dial(&self) -> Result<Dial, DialError> {
        let files = DialFiles {
            ca: self.tls_ca.clone(),
            cert: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            name: self.tls_name.clone(),
            plaintext: self.plaintext,
        };
        Dial::new(&self.server, files)
    }
}

/// Shows a token with each call, where there is one.
#[derive(Clone)]
pub(crate) struct Bearer(Option<AsciiMetadataValue>);

impl Bearer {
    fn of(server: &Contact) -> Result<Self> {
        let Some(path) = &server.token_file else { return Ok(Self(None)) };
        let token = read_token(path).context("the token")?;
        let mut value = AsciiMetadataValue::try_from(format!("Bearer {token}")).context("the token")?;
        value.set_sensitive(true);
        Ok(Self(Some(value)))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// What the collector refused, in its own words.
pub(crate) fn refused(status: &Status) -> anyhow::Error {
    match status.code() {
        tonic::Code::InvalidArgument => Usage(status.message().to_owned()).into(),
        tonic::Code::Unauthenticated => exit::hinted(
            anyhow::anyhow!("{}", status.message()),
            "show a token with --token-file, or a certificate with --tls-cert and --tls-key",
        ),
        _ => anyhow::anyhow!("{}", status.message()),
    }
}
