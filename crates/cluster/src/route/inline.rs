//! Short texts that stand where they are used: comparing one follows no pointer.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

/// Longest text that stands in place.
const LONGEST: usize = 38;

/// A text that is only compared.
#[derive(Clone, Debug)]
pub(super) enum Inline {
    /// In place.
    Short { len: u8, bytes: [u8; LONGEST] },
    /// Elsewhere.
    Long(Box<str>),
}

impl Inline {
    /// Its bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }
}

impl From<&str> for Inline {
    fn from(text: &str) -> Self {
        let mut bytes = [0; LONGEST];
        match bytes.get_mut(..text.len()) {
            Some(place) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short { len: text.len() as u8, bytes }
            }
            None => Self::Long(text.into()),
        }
    }
}

// As bytes are hashed and compared, so that a map is asked for a part of a request.
impl Borrow<[u8]> for Inline {
    fn borrow(&self) -> &[u8] {
        self.bytes()
    }
}

impl Hash for Inline {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl PartialEq for Inline {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Inline {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_bytes_however_long_it_is() {
        for len in [0, 1, LONGEST, LONGEST + 1, 300] {
            let text = "ü".repeat(len / 2) + &"x".repeat(len % 2);
            assert_eq!(Inline::from(&*text).bytes(), text.as_bytes(), "{len}");
        }
    }
}
