//! A CA: makes keys and certificates, in memory.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use time::OffsetDateTime;

use super::now_s;

/// How much earlier than now certificates begin, for clocks that are behind.
const EARLIER: Duration = Duration::from_hours(1);

/// What a certificate is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be dialled.
    Server,
    /// To dial.
    Client,
}

/// Who gets a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Party {
    /// The name of its folder.
    pub(super) folder: String,
    /// The DNS names and addresses that its certificate is made out to.
    pub(super) names: Vec<String>,
    /// What it is good for.
    pub(super) purpose: Purpose,
}

impl Party {
    pub(super) fn new(folder: &str, names: Vec<String>, purpose: Purpose) -> Self {
        Self { folder: folder.to_owned(), names, purpose }
    }
}

/// A certificate and its key, both in PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// The CA.
pub(super) struct Authority {
    pub(super) pair: Pair,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one, which counts from `now_s` on.
    pub(super) fn new(now_s: i64, valid: Duration) -> Result<Self> {
        let key = KeyPair::generate().context("making the key of the CA")?;
        let mut params = itself();
        (params.not_before, params.not_after) = validity(now_s, valid)?;
        let certificate = params.self_signed(&key).context("making the CA")?.pem();
        let pair = Pair { certificate, key: key.serialize_pem() };
        Ok(Self { pair, issuer: Issuer::new(params, key) })
    }

    /// The one that was made before.
    pub(super) fn read(pair: Pair) -> Result<Self> {
        let key = KeyPair::from_pem(&pair.key).context("the key of the CA")?;
        // What a certificate says of its issuer is the same for every CA that `new` makes.
        Ok(Self { pair, issuer: Issuer::new(itself(), key) })
    }

    /// Whether what is made with its key is believed by its certificate: both could be of different CAs, or of one that was
    /// made elsewhere.
    pub(super) fn check(&self) -> Result<()> {
        let probe = self.issue(&Party::new("probe", vec!["probe".to_owned()], Purpose::Server), now_s(), EARLIER)?;
        let mut roots = RootCertStore::empty();
        let ca =
            CertificateDer::from_pem_slice(self.pair.certificate.as_bytes()).context("ca.crt is no certificate")?;
        roots.add(ca).context("ca.crt is no CA")?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        let certificate = CertificateDer::from_pem_slice(probe.certificate.as_bytes())?;
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now_s()).unwrap_or_default()));
        let name = ServerName::try_from("probe")?;
        let checked = verifier.verify_server_cert(&certificate, &[], &name, &[], now);
        checked.context("ca.key does not make certificates of ca.crt, or `weir certs init` did not make that")?;
        Ok(())
    }

    /// Makes a key and a certificate.
    pub(super) fn issue(&self, party: &Party, now_s: i64, valid: Duration) -> Result<Pair> {
        let what = || format!("making the certificate of {}", party.folder);
        let key = KeyPair::generate().with_context(what)?;
        let mut params = CertificateParams::new(party.names.clone()).with_context(what)?;
        params.distinguished_name = called(&format!("Weir {}", party.folder));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match party.purpose {
            Purpose::Server => ExtendedKeyUsagePurpose::ServerAuth,
            Purpose::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now_s, valid)?;
        let certificate = params.signed_by(&key, &self.issuer).with_context(what)?.pem();
        Ok(Pair { certificate, key: key.serialize_pem() })
    }
}

/// What a CA says of itself.
fn itself() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = called("Weir CA");
    // It signs certificates, and no further CAs.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Whether a certificate can be made out to it.
pub(super) fn is_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}

fn called(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

fn validity(now_s: i64, valid: Duration) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let now = OffsetDateTime::from_unix_timestamp(now_s).context("the time")?;
    let end = time::Duration::try_from(valid).ok().and_then(|valid| now.checked_add(valid));
    Ok((now - EARLIER, end.context("a certificate cannot last that long")?))
}
