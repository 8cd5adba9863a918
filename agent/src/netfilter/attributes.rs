//! Attributes of netfilter's messages (`linux/netlink.h`, `struct nlattr`): bytes in, kinds and values out, and back.

/// Flags in an attribute's kind: it holds attributes, its value is big endian.
const FLAGS: u16 = 0xc000;

/// Kinds and values, up to the first attribute that is not whole.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [len_0, len_1, kind_0, kind_1, ..] = *bytes else { return None };
        let len = usize::from(u16::from_ne_bytes([len_0, len_1]));
        let value = bytes.get(4..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([kind_0, kind_1]) & !FLAGS, value))
    })
}

/// Appends an attribute.
pub(super) fn put(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&(value.len() as u16 + 4).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A big-endian number of 16 bits.
pub(super) fn number_16(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_be_bytes)
}

/// A big-endian number of 32 bits.
pub(super) fn number_32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let mut bytes = Vec::new();
        put(&mut bytes, 3, &[1, 2, 3]);
        let mut inner = Vec::new();
        put(&mut inner, 5, &7_u16.to_be_bytes());
        put(&mut bytes, 0x8000 | 4, &inner);
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(read[0], (3, &[1_u8, 2, 3][..]));
        let inner: Vec<_> = attributes(read[1].1).map(|(kind, value)| (kind, number_16(value))).collect();
        assert_eq!((read[1].0, inner), (4, vec![(5, Some(7))]));
    }

    #[test]
    fn what_is_cut_ends_the_list() {
        let mut bytes = Vec::new();
        put(&mut bytes, 1, &[1; 4]);
        put(&mut bytes, 2, &[2; 4]);
        for len in 0..bytes.len() {
            assert!(attributes(&bytes[..len]).count() <= 1, "{len}");
        }
        assert_eq!(attributes(&[0; 8]).count(), 0, "no attribute is shorter than its head");
    }
}
