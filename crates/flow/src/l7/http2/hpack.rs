//! Header blocks of one side into fields (HPACK, RFC 7541).
//!
//! What was not seen stays unknown: a reference to a part of the dynamic table that is not known gives a field without
//! name or value, and never another one's. Of fields that mean nothing here no value is kept.

mod dynamic;
mod fixed;
mod huffman;
mod name;
mod wire;

use std::borrow::Cow;

use dynamic::{DynamicTable, Named};
pub(super) use name::Name;
pub(super) use wire::Malformed;

/// The decoder of one side's header blocks.
#[derive(Debug)]
pub(super) struct Decoder {
    table: DynamicTable,
}

impl Decoder {
    pub(super) const fn new() -> Self {
        Self { table: DynamicTable::new() }
    }

    /// Reads a block and says its fields, each with its name and value (`None` = unknown, or it means nothing here).
    /// After what is malformed, the dynamic table is unknown.
    pub(super) fn decode(&mut self, block: &[u8], mut each: impl FnMut(Name, Option<&[u8]>)) -> Result<(), Malformed> {
        let mut rest = block;
        while let Some(byte) = wire::first(rest) {
            if let Err(error) = self.field(byte, &mut rest, &mut each) {
                self.table.lose();
                return Err(error);
            }
        }
        Ok(())
    }

    /// The receiver of the blocks allows a dynamic table of `bytes`.
    pub(super) const fn allow(&mut self, bytes: u32) {
        self.table.allow(bytes as usize);
    }

    /// A block was not seen, or not in full.
    pub(super) fn lose(&mut self) {
        self.table.lose();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.table.memory_bytes()
    }

    fn field(
        &mut self,
        byte: u8,
        block: &mut &[u8],
        each: &mut impl FnMut(Name, Option<&[u8]>),
    ) -> Result<(), Malformed> {
        if byte & 0x80 != 0 {
            let (named, value) = self.indexed(wire::integer(block, 7)?)?;
            each(named.name, value);
            return Ok(());
        }
        if byte & 0xe0 == 0x20 {
            self.table.resize(wire::integer(block, 5)?);
            return Ok(());
        }
        let is_kept = byte & 0x40 != 0;
        let named = self.named(wire::integer(block, if is_kept { 6 } else { 4 })?, block)?;
        let value = wire::string(block)?;
        each(named.name, named.name.matters().then_some(&*value));
        if is_kept {
            self.table.insert(named, &value);
        }
        Ok(())
    }

    /// The field behind an index.
    fn indexed(&self, index: usize) -> Result<(Named, Option<&[u8]>), Malformed> {
        let place = index.checked_sub(1).ok_or(Malformed)?;
        if let Some((name, value)) = fixed::FIELDS.get(place) {
            let name = Named { name: Name::new(name.as_bytes()), len: name.len() };
            return Ok((name, name.name.matters().then_some(value.as_bytes())));
        }
        let entry = self.table.entry(place - fixed::FIELDS.len());
        Ok(entry.map_or((Named::UNKNOWN, None), |entry| (entry.named, entry.value.as_deref())))
    }

    /// The name of a literal field: behind an index, or in the block.
    fn named(&self, index: usize, block: &mut &[u8]) -> Result<Named, Malformed> {
        if index > 0 {
            return self.indexed(index).map(|(named, _)| named);
        }
        let name: Cow<'_, [u8]> = wire::string(block)?;
        Ok(Named { name: Name::new(&name), len: name.len() })
    }
}

#[cfg(test)]
mod tests;
