//! What a certificate says of itself (RFC 5280, section 4.1). Nothing of it is checked here, and nobody is let in by it.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustls::pki_types::CertificateDer;
use yasna::models::ObjectIdentifier;
use yasna::tags::TAG_UTCTIME;
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag, TagClass, parse_der};

/// `id-ce-subjectAltName`.
const NAMES: &[u64] = &[2, 5, 29, 17];
/// `id-ce-basicConstraints`.
const CONSTRAINTS: &[u64] = &[2, 5, 29, 19];
/// `id-ce-extKeyUsage`.
const USAGE: &[u64] = &[2, 5, 29, 37];
/// `id-kp-serverAuth`.
const SERVER: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 1];
/// `id-kp-clientAuth`.
const CLIENT: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 2];
/// `anyExtendedKeyUsage`.
const ANY: &[u64] = &[2, 5, 29, 37, 0];
/// `dNSName` of a `GeneralName`.
const DNS_NAME: u64 = 2;
/// `iPAddress` of a `GeneralName`.
const ADDRESS: u64 = 7;

/// What a certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The DNS names and addresses that it is made out to.
    pub names: Vec<String>,
    /// Whether it is that of a CA.
    pub is_ca: bool,
    /// Whether it is good for a server. One that says nothing of its use is good for both.
    pub for_server: bool,
    /// Whether it is good for a client.
    pub for_client: bool,
    /// From when on it counts, in seconds since 1970.
    pub begins_at_s: i64,
    /// Until when, in seconds since 1970.
    pub ends_at_s: i64,
}

impl Facts {
    /// Reads a certificate; `None` where it is none.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let read = |reader: BERReader<'_, '_>| {
            reader.read_sequence(|certificate| {
                let facts = certificate.next().read_sequence(signed_part)?;
                let (_algorithm, _signature) = (certificate.next().read_der()?, certificate.next().read_der()?);
                Ok(facts)
            })
        };
        parse_der(certificate, read).ok()
    }

    /// Takes in what an extension says. Those that are not known say nothing.
    fn learn(&mut self, (kind, value): &(Vec<u64>, Vec<u8>)) -> ASN1Result<()> {
        match kind.as_slice() {
            NAMES => self.names = parse_der(value, names)?,
            CONSTRAINTS => self.is_ca = parse_der(value, is_ca)?,
            USAGE => {
                let uses = parse_der(value, |reader| reader.collect_sequence_of(object))?;
                let is_for =
                    |wanted: &[u64]| uses.iter().any(|one| *one.components() == wanted || *one.components() == ANY);
                (self.for_server, self.for_client) = (is_for(SERVER), is_for(CLIENT));
            }
            _ => {}
        }
        Ok(())
    }
}

/// `TBSCertificate`.
fn signed_part(parts: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Facts> {
    parts.read_optional(|version| version.read_tagged(Tag::context(0), der))?;
    let (_serial, _algorithm, _issuer) = (parts.next().read_der()?, parts.next().read_der()?, parts.next().read_der()?);
    let (begins_at_s, ends_at_s) = parts.next().read_sequence(|span| Ok((time(span.next())?, time(span.next())?)))?;
    let (_subject, _key) = (parts.next().read_der()?, parts.next().read_der()?);
    for unique_id in [1, 2] {
        parts.read_optional(|id| id.read_tagged_implicit(Tag::context(unique_id), bits))?;
    }
    let mut facts =
        Facts { begins_at_s, ends_at_s, for_server: true, for_client: true, is_ca: false, names: Vec::new() };
    let extensions =
        parts.read_optional(|list| list.read_tagged(Tag::context(3), |list| list.collect_sequence_of(extension)))?;
    extensions.unwrap_or_default().iter().try_for_each(|extension| facts.learn(extension))?;
    Ok(facts)
}

/// What an extension is of, and what it says.
fn extension(reader: BERReader<'_, '_>) -> ASN1Result<(Vec<u64>, Vec<u8>)> {
    reader.read_sequence(|parts| {
        let kind = parts.next().read_oid()?.into_components();
        parts.read_default(false, truth)?;
        Ok((kind, parts.next().read_bytes()?))
    })
}

fn is_ca(reader: BERReader<'_, '_>) -> ASN1Result<bool> {
    reader.read_sequence(|parts| {
        let is_ca = parts.read_default(false, truth)?;
        parts.read_optional(der)?;
        Ok(is_ca)
    })
}

fn names(reader: BERReader<'_, '_>) -> ASN1Result<Vec<String>> {
    let mut names = Vec::new();
    reader.read_sequence_of(|reader| {
        let name = reader.read_tagged_der()?;
        if name.tag().tag_class == TagClass::ContextSpecific {
            names.extend(match name.tag().tag_number {
                DNS_NAME => Some(String::from_utf8_lossy(name.value()).into_owned()),
                ADDRESS => address(name.value()),
                _ => None,
            });
        }
        Ok(())
    })?;
    Ok(names)
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).to_string())).ok()
}

fn time(reader: BERReader<'_, '_>) -> ASN1Result<i64> {
    if reader.lookahead_tag()? == TAG_UTCTIME {
        Ok(reader.read_utctime()?.datetime().unix_timestamp())
    } else {
        Ok(reader.read_generalized_time()?.datetime().unix_timestamp())
    }
}

fn der(reader: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    reader.read_der()
}

fn bits(reader: BERReader<'_, '_>) -> ASN1Result<Vec<u8>> {
    reader.read_bitvec_bytes().map(|(bytes, _)| bytes)
}

fn truth(reader: BERReader<'_, '_>) -> ASN1Result<bool> {
    reader.read_bool()
}

fn object(reader: BERReader<'_, '_>) -> ASN1Result<ObjectIdentifier> {
    reader.read_oid()
}
