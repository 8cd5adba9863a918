//! What protects Initial packets: keys from the client's first choice of connection id (RFC 9001, 5).

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey, quic};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};

use super::packet::{InitialPacket, MAX_ID_BYTES};
use super::versions::Version;

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Client,
    Server,
}

/// A packet without its protection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) number: u64,
    pub(super) payload: Vec<u8>,
}

/// The keys of both sides' Initial packets.
#[derive(Debug)]
pub(super) struct InitialKeys {
    version: &'static Version,
    id: [u8; MAX_ID_BYTES],
    id_bytes: usize,
    pub(super) client: PacketKeys,
    pub(super) server: PacketKeys,
}

/// The keys of the packets of one side.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PacketKeys {
    pub(super) key: [u8; 16],
    pub(super) iv: [u8; 12],
    pub(super) header: [u8; 16],
}

impl InitialKeys {
    /// The keys to this connection id; `None` = there is none of this length.
    pub(super) fn new(version: &'static Version, destination: &[u8]) -> Option<Self> {
        let mut id = [0; MAX_ID_BYTES];
        id.get_mut(..destination.len())?.copy_from_slice(destination);
        let secret = Salt::new(HKDF_SHA256, &version.salt).extract(destination);
        let client = PacketKeys::new(version, &secret, b"client in")?;
        let server = PacketKeys::new(version, &secret, b"server in")?;
        Some(Self { version, id, id_bytes: destination.len(), client, server })
    }

    /// Takes the protection off a packet; `None` = it is not the sender's, or not whole. `largest` is the largest packet
    /// number of that sender so far.
    pub(super) fn open(&mut self, packet: &InitialPacket<'_>, sender: Sender, largest: Option<u64>) -> Option<Opened> {
        if packet.version != self.version {
            // Both sides go on in another version with the same connection id (RFC 9368, 2.3).
            *self = Self::new(packet.version, self.id.get(..self.id_bytes)?)?;
        }
        match sender {
            Sender::Client => self.client.open(packet, largest),
            Sender::Server => self.server.open(packet, largest),
        }
    }
}

impl PacketKeys {
    fn new(version: &Version, secret: &Prk, sender: &[u8]) -> Option<Self> {
        let secret = Prk::new_less_safe(HKDF_SHA256, &expand::<32>(secret, sender)?);
        let [key, iv, header] = version.labels;
        Some(Self { key: expand(&secret, key)?, iv: expand(&secret, iv)?, header: expand(&secret, header)? })
    }

    fn open(&self, packet: &InitialPacket<'_>, largest: Option<u64>) -> Option<Opened> {
        let (header, protected) = packet.bytes.split_at_checked(packet.number_at)?;
        let mask = self.mask(protected.get(4..20)?)?;
        let mut header = header.to_vec();
        let first = header.first_mut()?;
        *first ^= mask[0] & 0x0f;
        let (number, payload) = protected.split_at_checked(usize::from(*first & 3) + 1)?;
        header.extend(number.iter().zip(&mask[1..]).map(|(byte, mask)| byte ^ mask));
        let number = packet_number(header.get(packet.number_at..)?, largest);
        let mut payload = payload.to_vec();
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &self.key).ok()?);
        let len = key.open_in_place(self.nonce(number), Aad::from(header), &mut payload).ok()?.len();
        payload.truncate(len);
        Some(Opened { number, payload })
    }

    /// What hides the first byte and the packet number, by a sample of the payload (RFC 9001, 5.4).
    pub(super) fn mask(&self, sample: &[u8]) -> Option<[u8; 5]> {
        quic::HeaderProtectionKey::new(&quic::AES_128, &self.header).ok()?.new_mask(sample).ok()
    }

    pub(super) fn nonce(&self, number: u64) -> Nonce {
        let mut nonce = self.iv;
        nonce.iter_mut().rev().zip(number.to_le_bytes()).for_each(|(byte, number)| *byte ^= number);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// A packet number of which the last bytes were sent: the one next to that which is expected (RFC 9000, A.3).
fn packet_number(sent: &[u8], largest: Option<u64>) -> u64 {
    let expected = largest.map_or(0, |largest| largest + 1);
    let window = 1_u64 << (8 * sent.len());
    let sent = sent.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let number = expected & !(window - 1) | sent;
    if number + window / 2 <= expected {
        number + window
    } else if number > expected + window / 2 && number >= window {
        number - window
    } else {
        number
    }
}

/// `HKDF-Expand-Label` without context (RFC 8446, 7.1).
fn expand<const N: usize>(secret: &Prk, label: &[u8]) -> Option<[u8; N]> {
    const PREFIX: &[u8] = b"tls13 ";
    let len = (N as u16).to_be_bytes();
    let label_bytes = [(PREFIX.len() + label.len()) as u8];
    let info: [&[u8]; 5] = [&len, &label_bytes, PREFIX, label, &[0]];
    let mut out = [0; N];
    secret.expand(&info, Bytes(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

/// How many bytes a key has.
struct Bytes(usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packet_numbers_are_next_to_the_expected_one() {
        assert_eq!(packet_number(&[0x9b, 0x32], Some(0xa82f_30ea)), 0xa82f_9b32);
        assert_eq!(packet_number(&[0], None), 0);
        assert_eq!(packet_number(&[200], None), 200);
        assert_eq!(packet_number(&[2], Some(255)), 258);
        assert_eq!(packet_number(&[2], Some(510)), 514);
        assert_eq!(packet_number(&[250], Some(256)), 250);
    }

    #[test]
    fn the_keys_are_those_of_the_specification() {
        let id = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
        let v1 = InitialKeys::new(Version::of(1).expect("known"), &id).expect("short");
        assert_eq!(u128::from_be_bytes(v1.client.key), 0x1f36_9613_dd76_d546_7730_efcb_e3b1_a22d);
        assert_eq!(u128::from_be_bytes(v1.client.header), 0x9f50_449e_04a0_e810_283a_1e99_33ad_edd2);
        assert_eq!(v1.client.iv, [0xfa, 0x04, 0x4b, 0x2f, 0x42, 0xa3, 0xfd, 0x3b, 0x46, 0xfb, 0x25, 0x5c]);
        assert_eq!(u128::from_be_bytes(v1.server.key), 0xcf3a_5331_653c_364c_88f0_f379_b606_7e37);
        assert!(InitialKeys::new(Version::of(1).expect("known"), &[0; 21]).is_none());
    }
}
