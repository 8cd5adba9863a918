//! The fields of handshake messages: numbers and byte strings behind their lengths.

/// Bytes read field by field; a field that is not there whole is not read.
#[derive(Clone, Copy, Debug)]
pub(in crate::l7) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(in crate::l7) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(in crate::l7) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(in crate::l7) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `len` bytes.
    pub(in crate::l7) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    pub(in crate::l7) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(in crate::l7) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(in crate::l7) fn u24(&mut self) -> Option<u32> {
        self.array().map(|[high, middle, low]| u32::from_be_bytes([0, high, middle, low]))
    }

    pub(in crate::l7) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The bytes behind a length of one byte.
    pub(in crate::l7) fn short(&mut self) -> Option<&'a [u8]> {
        let mut fields = *self;
        let len = fields.u8()?;
        let taken = fields.take(len.into())?;
        *self = fields;
        Some(taken)
    }

    /// The bytes behind a length of two bytes.
    pub(in crate::l7) fn long(&mut self) -> Option<&'a [u8]> {
        let mut fields = *self;
        let len = fields.u16()?;
        let taken = fields.take(len.into())?;
        *self = fields;
        Some(taken)
    }

    /// An array of known length.
    pub(in crate::l7) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*taken)
    }
}

/// The numbers of two bytes in `bytes`.
pub(in crate::l7) fn u16s(bytes: &[u8]) -> impl Iterator<Item = u16> {
    bytes.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair))
}
