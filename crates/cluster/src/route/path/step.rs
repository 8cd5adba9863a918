//! Hashes of paths that grow element by element: the hash of a longer path is made from that of its front.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::LazyLock;

use foldhash::fast::RandomState;

/// Chosen at random once: paths of requests come from outside.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash of no elements.
pub(super) const ROOT: u64 = 0;

/// The hash of a path and one more element.
pub(super) fn hash(front: u64, element: &[u8]) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write_u64(front);
    hasher.write(element);
    hasher.finish()
}
