//! The way to a server: its address and the files of this side in, an endpoint to be dialled out. Files are read at each
//! dialling, so that a renewed certificate is used without a restart.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use http::Uri;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use super::{TlsError, TlsFiles, certificates, read};
use crate::exit::{self, Usage};

/// What is said of TLS.
#[derive(Clone, Debug, Default)]
pub struct DialFiles {
    /// The CA, or several, that the server's certificate must be from.
    pub ca: Option<PathBuf>,
    /// This side's certificate, and those between it and the CA.
    pub cert: Option<PathBuf>,
    /// The certificate's private key.
    pub key: Option<PathBuf>,
    /// The name that the server's certificate must be made out to, in place of the host in the address.
    pub name: Option<String>,
    /// Whether the way may lead beyond this machine without TLS.
    pub plaintext: bool,
}

/// A server's address and how it is reached.
#[derive(Clone, Debug)]
pub struct Dial {
    uri: Uri,
    tls: Option<Tls>,
}

#[derive(Clone, Debug)]
struct Tls {
    ca: PathBuf,
    own: Option<TlsFiles>,
    name: String,
}

/// Why a server cannot be dialled.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// It is no address.
    #[error("not an address: {0}")]
    Address(String),
    /// There is no TLS, and the way leads beyond this machine.
    #[error("{0} is without TLS and not on this machine")]
    Plaintext(String),
    /// Files for TLS are named, and the address is without.
    #[error("{0} is without TLS, but files for it are named")]
    Unused(String),
    /// Files are missing or cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The files cannot be used together.
    #[error("the files for TLS")]
    Unusable(#[source] tonic::transport::Error),
}

impl DialError {
    /// What can be done about it.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Address(_) => Some("write https://HOST:PORT, or http://127.0.0.1:PORT on this machine"),
            Self::Plaintext(_) => Some(
                "write https:// and name --tls-ca, --tls-cert and --tls-key (`weir certs init` makes them), or say --plaintext",
            ),
            Self::Unused(_) => Some("write https://"),
            Self::Tls(TlsError::Incomplete(_)) => Some("name --tls-ca, --tls-cert and --tls-key"),
            Self::Tls(_) | Self::Unusable(_) => None,
        }
    }

    /// The error of a program that was told this on its command line.
    pub fn into_usage(self) -> anyhow::Error {
        let usage = Usage(self.to_string());
        match self.hint() {
            Some(hint) => exit::hinted(usage, hint),
            None => usage.into(),
        }
    }
}

impl Dial {
    /// Checks what is said of the server; the files are not looked at yet.
    pub fn new(address: &str, files: DialFiles) -> Result<Self, DialError> {
        let unreadable = || DialError::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| unreadable())?;
        let host = uri.host().ok_or_else(unreadable)?.trim_matches(['[', ']']).to_owned();
        let DialFiles { ca, cert, key, name, plaintext } = files;
        let tls = match uri.scheme_str() {
            Some("https") => {
                let own = match (cert, key, &ca) {
                    (None, None, _) => None,
                    (cert, key, ca) => TlsFiles::of(cert.as_deref(), key.as_deref(), ca.as_deref())?,
                };
                let ca = ca.ok_or(TlsError::Incomplete("the CA"))?;
                Some(Tls { ca, own, name: name.unwrap_or(host) })
            }
            Some("http") if ca.is_some() || cert.is_some() || key.is_some() => {
                return Err(DialError::Unused(address.to_owned()));
            }
            Some("http") if plaintext || is_this_machine(&host) => None,
            Some("http") => return Err(DialError::Plaintext(address.to_owned())),
            _ => return Err(unreadable()),
        };
        Ok(Self { uri, tls })
    }

    /// Whether there is TLS.
    pub const fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Whether this side shows a certificate.
    pub fn has_certificate(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.own.is_some())
    }

    /// The endpoint, by the files as they are now.
    pub fn endpoint(&self) -> Result<Endpoint, DialError> {
        let endpoint = Endpoint::from(self.uri.clone());
        let Some(tls) = &self.tls else { return Ok(endpoint) };
        let config = ClientTlsConfig::new().domain_name(&tls.name);
        let config = if let Some(own) = &tls.own {
            let pems = own.read()?;
            let config = config.identity(Identity::from_pem(pems.cert, pems.key));
            config.ca_certificate(Certificate::from_pem(pems.ca))
        } else {
            let ca = read(&tls.ca)?;
            certificates(&tls.ca, &ca)?;
            config.ca_certificate(Certificate::from_pem(ca))
        };
        endpoint.tls_config(config).map_err(DialError::Unusable)
    }
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// Whether what is sent to a host never leaves this machine.
fn is_this_machine(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> DialFiles {
        let path = |name: &str| text.split(' ').find(|word| *word == name).map(PathBuf::from);
        DialFiles { ca: path("ca"), cert: path("cert"), key: path("key"), name: None, plaintext: text == "plaintext" }
    }

    #[test]
    fn without_tls_the_way_stays_on_this_machine_unless_asked() {
        for near in ["http://127.0.0.1:4317", "http://localhost:4317", "http://[::1]:4317", "http://127.9.9.9:1"] {
            assert!(!Dial::new(near, files("")).expect(near).has_tls(), "{near}");
        }
        let far = ["http://collector:4317", "http://10.0.0.1:4317", "http://[::]:1", "http://localhost.example:1"];
        for far in far {
            let error = Dial::new(far, files("")).expect_err(far);
            assert!(matches!(&error, DialError::Plaintext(address) if address == far), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("--plaintext")));
            assert!(Dial::new(far, files("plaintext")).is_ok());
        }
    }

    #[test]
    fn files_go_with_https_and_all_that_are_needed_are_named() {
        let dial = Dial::new("https://collector:4317", files("ca cert key")).expect("whole");
        assert!(dial.has_tls() && dial.has_certificate());
        assert!(!Dial::new("https://collector:4317", files("ca")).expect("a CA alone").has_certificate());
        assert_eq!(dial.to_string(), "https://collector:4317/");
        for incomplete in ["", "cert key", "ca cert", "ca key"] {
            let error = Dial::new("https://collector:4317", files(incomplete)).expect_err(incomplete);
            assert!(matches!(error, DialError::Tls(TlsError::Incomplete(_))), "{error}");
        }
        assert!(matches!(Dial::new("http://127.0.0.1:1", files("ca")), Err(DialError::Unused(_))));
        for bad in ["collector:4317", "ftp://collector", "https://", ""] {
            assert!(matches!(Dial::new(bad, files("ca")), Err(DialError::Address(_))), "{bad}");
        }
    }
}
