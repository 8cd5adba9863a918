//! An edge of the trie of paths: from a node by an element to a node. Short elements stand in it, so that comparing one
//! follows no pointer.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::LazyLock;

use foldhash::fast::RandomState;

/// Longest element that stands in the edge itself.
const INLINE: usize = 19;

/// Chosen at random once: paths of requests come from outside.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// An edge.
#[derive(Debug)]
pub(super) struct Step {
    from: u32,
    /// Where it leads.
    pub(super) to: u32,
    element: Element,
}

#[derive(Debug)]
enum Element {
    Short { len: u8, bytes: [u8; INLINE] },
    Long(Box<str>),
}

impl Step {
    pub(super) fn new(from: u32, element: &str, to: u32) -> Self {
        let mut bytes = [0; INLINE];
        let element = match bytes.get_mut(..element.len()) {
            Some(place) => {
                place.copy_from_slice(element.as_bytes());
                Element::Short { len: element.len() as u8, bytes }
            }
            None => Element::Long(element.into()),
        };
        Self { from, to, element }
    }

    /// Whether it is the edge from a node by an element.
    pub(super) fn is(&self, from: u32, element: &str) -> bool {
        self.from == from && self.bytes() == element.as_bytes()
    }

    pub(super) fn hash(&self) -> u64 {
        hash_bytes(self.from, self.bytes())
    }

    fn bytes(&self) -> &[u8] {
        match &self.element {
            Element::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Element::Long(element) => element.as_bytes(),
        }
    }
}

/// The hash of the edge from a node by an element.
pub(super) fn hash(from: u32, element: &str) -> u64 {
    hash_bytes(from, element.as_bytes())
}

fn hash_bytes(from: u32, element: &[u8]) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write_u32(from);
    hasher.write(element);
    hasher.finish()
}
