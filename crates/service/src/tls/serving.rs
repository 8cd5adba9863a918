//! A server's side of TLS, as its files said when they were read last.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::{Facts, Pems, TlsError, TlsFiles, certificates, private_key};

/// Who may open a connection to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// Those with a certificate of the CA.
    Certified,
    /// Anyone; a certificate that is shown must be of the CA. What they may ask is decided later.
    Anyone,
}

/// What a server needs for handshakes.
#[derive(Clone, Debug)]
pub struct ServerTls {
    pems: Pems,
    certificate: CertificateDer<'static>,
    pub(super) config: Arc<ServerConfig>,
}

/// Two are equal when the files said the same.
impl PartialEq for ServerTls {
    fn eq(&self, other: &Self) -> bool {
        self.pems == other.pems
    }
}

impl ServerTls {
    /// Reads the files, for a server that speaks HTTP/2.
    pub fn read(files: &TlsFiles, clients: Clients) -> Result<Self, TlsError> {
        let pems = files.read()?;
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |reason| TlsError::Unusable { path, reason }
        };
        let mut roots = RootCertStore::empty();
        for ca in certificates(&files.ca, &pems.ca)? {
            roots.add(ca).map_err(unusable(&files.ca))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = match clients {
            Clients::Certified => verifier.build(),
            Clients::Anyone => verifier.allow_unauthenticated().build(),
        };
        let verifier = verifier.map_err(|reason| TlsError::NoVerifier { path: files.ca.clone(), reason })?;
        let chain = certificates(&files.cert, &pems.cert)?;
        let certificate = chain.first().cloned().unwrap_or_else(|| CertificateDer::from(Vec::new()));
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable(&files.cert))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, private_key(&files.key, &pems.key)?);
        let mut config = config.map_err(unusable(&files.cert))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { pems, certificate, config: Arc::new(config) })
    }

    /// When the server's own certificate ends, in seconds since 1970.
    pub fn ends_at_s(&self) -> Option<i64> {
        Facts::of(&self.certificate).map(|facts| facts.ends_at_s)
    }
}
