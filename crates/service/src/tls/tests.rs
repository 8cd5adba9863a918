use std::net::SocketAddr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_stream::StreamExt as _;

use super::*;
use crate::fresh::Fresh;

struct Ca(CertifiedIssuer<'static, KeyPair>);

impl Ca {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a CA"))
    }

    /// Writes the files of a side whose certificate is made out to `name`.
    fn issue(&self, folder: &TempDir, name: &str) -> TlsFiles {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let cert = params.signed_by(&key, &self.0).expect("signed");
        let write = |ending: &str, text: String| {
            let path = folder.path().join(format!("{name}.{ending}"));
            fs::write(&path, text).expect("written");
            path
        };
        TlsFiles {
            cert: write("pem", cert.pem()),
            key: write("key", key.serialize_pem()),
            ca: write("ca", self.0.pem()),
        }
    }
}

fn client(files: &TlsFiles, shows_certificate: bool) -> TlsConnector {
    let pems = files.read().expect("readable");
    let mut roots = RootCertStore::empty();
    for ca in certificates(&files.ca, &pems.ca).expect("a CA") {
        roots.add(ca).expect("usable");
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let config = if shows_certificate {
        let certs = certificates(&files.cert, &pems.cert).expect("certificates");
        config.with_client_auth_cert(certs, private_key(&files.key, &pems.key).expect("a key")).expect("usable")
    } else {
        config.with_no_client_auth()
    };
    TlsConnector::from(Arc::new(config))
}

/// A server that says hello to each client that it takes.
async fn greeter(files: TlsFiles, clients: Clients, handshakes: Handshakes) -> SocketAddr {
    let tls = Fresh::keep("certificates", move || ServerTls::read(&files, clients)).expect("usable");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let mut incoming = accept(listener, tls, handshakes);
    tokio::spawn(async move {
        while let Some(Ok(mut stream)) = incoming.next().await {
            let _ = stream.write_all(b"hello").await;
            let _ = stream.shutdown().await;
        }
    });
    address
}

async fn greeting(address: SocketAddr, client: &TlsConnector, name: &'static str) -> io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let mut stream = client.connect(ServerName::try_from(name).expect("a name"), stream).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn both_sides_must_have_a_certificate_of_the_ca_and_the_server_the_right_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Ca::new();
    let (server, agent) = (ca.issue(&folder, "weir-collector"), ca.issue(&folder, "weir-agent"));
    let handshakes = Handshakes::default();
    let address = greeter(server, Clients::Certified, handshakes.clone()).await;
    assert_eq!(greeting(address, &client(&agent, true), "weir-collector").await.expect("a greeting"), "hello");
    assert!(greeting(address, &client(&agent, false), "weir-collector").await.is_err(), "no certificate");
    assert!(greeting(address, &client(&agent, true), "elsewhere").await.is_err(), "not its name");
    let stranger = Ca::new().issue(&folder, "stranger");
    let stranger = TlsFiles { ca: agent.ca.clone(), ..stranger };
    assert!(greeting(address, &client(&stranger, true), "weir-collector").await.is_err(), "another CA");
    // A client that says nothing of TLS, and goes, hinders nobody.
    TcpStream::connect(address).await.expect("it listens").write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("sent");
    assert_eq!(greeting(address, &client(&agent, true), "weir-collector").await.expect("a greeting"), "hello");
    assert!(handshakes.failed() >= 2, "{handshakes:?}");
}

#[tokio::test]
async fn where_anyone_may_come_a_certificate_is_not_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Ca::new();
    let (server, agent) = (ca.issue(&folder, "weir-collector"), ca.issue(&folder, "weir-agent"));
    let address = greeter(server, Clients::Anyone, Handshakes::default()).await;
    assert_eq!(greeting(address, &client(&agent, false), "weir-collector").await.expect("a greeting"), "hello");
    let stranger = TlsFiles { ca: agent.ca, ..Ca::new().issue(&folder, "stranger") };
    assert!(greeting(address, &client(&stranger, true), "weir-collector").await.is_err(), "a false one is refused");
}

#[test]
fn what_the_files_say_is_equal_until_they_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Ca::new();
    let files = ca.issue(&folder, "weir-collector");
    let read = || ServerTls::read(&files, Clients::Certified);
    let first = read().expect("usable");
    assert_eq!(first, read().expect("still usable"));
    assert!(first.ends_at_s() > Some(0));
    fs::write(&files.cert, "nonsense").expect("written");
    assert!(matches!(read(), Err(TlsError::NoPem { what: "certificate", .. })));
    ca.issue(&folder, "weir-collector");
    assert_ne!(first, read().expect("usable"));
}

#[test]
fn a_key_of_another_certificate_and_missing_files_are_errors_that_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = Ca::new();
    let (server, agent) = (ca.issue(&folder, "weir-collector"), ca.issue(&folder, "weir-agent"));
    let mixed = TlsFiles { key: agent.key, ..server.clone() };
    assert!(matches!(ServerTls::read(&mixed, Clients::Certified), Err(TlsError::Unusable { .. })));
    let absent = TlsFiles { ca: folder.path().join("absent"), ..server.clone() };
    let error = ServerTls::read(&absent, Clients::Certified).expect_err("absent").to_string();
    assert!(error.ends_with("/absent"), "{error}");
    let (cert, ca) = (Some(server.cert.as_path()), Some(server.ca.as_path()));
    assert!(matches!(TlsFiles::of(cert, None, ca), Err(TlsError::Incomplete("the key"))));
    assert_eq!(TlsFiles::of(None, None, None).expect("none at all"), None);
}

#[test]
fn a_certificate_is_made_out_to_its_names_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = Ca::new().issue(&folder, "weir-agent");
    let pems = files.read().expect("readable");
    let certificate = certificates(&files.cert, &pems.cert).expect("one").remove(0);
    assert!(is_made_out_to(&certificate, "weir-agent"));
    assert!(!is_made_out_to(&certificate, "weir-client") && !is_made_out_to(&certificate, ""));
    assert!(!is_made_out_to(&CertificateDer::from(vec![1, 2, 3]), "weir-agent"));
    let facts = Facts::of(&certificate).expect("a certificate");
    assert_eq!((facts.names, facts.is_ca, facts.for_client), (vec!["weir-agent".to_owned()], false, true));
    assert_eq!(Facts::of(&CertificateDer::from(vec![1, 2, 3])), None);
}
