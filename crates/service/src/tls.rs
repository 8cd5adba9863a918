//! TLS with certificates on both sides: the files of one side in, a listener or the way to a server out.
//!
//! Whose a certificate is, is said by the DNS names that it is made out to ([`is_made_out_to`]), and what it may be used for
//! by its extended key usage: one that is for clients is never taken for a server's.

mod dial;
mod facts;
mod listener;
mod serving;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use rustls::client::verify_server_name;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;

pub use dial::{Dial, DialError, DialFiles};
pub use facts::Facts;
pub use listener::{Handshakes, Incoming, accept};
pub use serving::{Clients, ServerTls};

/// The name that certificates of agents are made out to: for any node. That of one node alone is `NODE.weir-agent`.
pub const AGENT: &str = "weir-agent";

/// The name that certificates of people, and of what asks for them, are made out to.
pub const CLIENT: &str = "weir-client";

/// The files of one side, all in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those between it and the CA.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The CA, or several, that certificates of the other side must be from.
    pub ca: PathBuf,
}

/// What the files hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Pems {
    /// Certificates of this side.
    pub cert: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
    /// Certificates of CAs.
    pub ca: Vec<u8>,
}

impl fmt::Debug for Pems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pems { .. }")
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Some of the three files are named, and some are not.
    #[error("TLS needs a certificate, its key and a CA: {0} is missing")]
    Incomplete(&'static str),
    /// A file cannot be read.
    #[error("{}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// A file holds no PEM of what it should.
    #[error("{}: no {what} in PEM", path.display())]
    NoPem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Why.
        #[source]
        reason: pem::Error,
    },
    /// A file holds PEM that cannot be used.
    #[error("{}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: rustls::Error,
    },
    /// The CA cannot be used to check clients.
    #[error("{}", path.display())]
    NoVerifier {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: rustls::server::VerifierBuilderError,
    },
}

impl TlsFiles {
    /// The files, where all three are named; `None` where none is.
    pub fn of(cert: Option<&Path>, key: Option<&Path>, ca: Option<&Path>) -> Result<Option<Self>, TlsError> {
        match (cert, key, ca) {
            (None, None, None) => Ok(None),
            (Some(cert), Some(key), Some(ca)) => {
                Ok(Some(Self { cert: cert.to_owned(), key: key.to_owned(), ca: ca.to_owned() }))
            }
            (None, _, _) => Err(TlsError::Incomplete("the certificate")),
            (_, None, _) => Err(TlsError::Incomplete("the key")),
            (_, _, None) => Err(TlsError::Incomplete("the CA")),
        }
    }

    /// Reads all three, and finds in each what it should hold.
    pub fn read(&self) -> Result<Pems, TlsError> {
        let pems = Pems { cert: read(&self.cert)?, key: read(&self.key)?, ca: read(&self.ca)? };
        certificates(&self.cert, &pems.cert)?;
        certificates(&self.ca, &pems.ca)?;
        private_key(&self.key, &pems.key)?;
        Ok(pems)
    }
}

/// Reads the certificates of a file, which holds at least one.
pub fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    certificates(path, &read(path)?)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|reason| TlsError::Unreadable { path: path.to_owned(), reason })
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|reason| no_pem(path, "private key", reason))
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|reason| no_pem(path, "certificate", reason))?;
    if found.is_empty() { Err(no_pem(path, "certificate", pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn no_pem(path: &Path, what: &'static str, reason: pem::Error) -> TlsError {
    TlsError::NoPem { path: path.to_owned(), what, reason }
}

/// Chooses the provider of cryptography. More than one is built in, so each program that speaks TLS says which, once.
pub fn choose_provider() {
    // An error means that it was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whether a certificate, which was checked already, is made out to a DNS name (RFC 6125: subject alternative names alone).
pub fn is_made_out_to(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(parsed) = ParsedCertificate::try_from(certificate) else { return false };
    ServerName::try_from(name).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
}
