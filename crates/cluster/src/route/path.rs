//! Paths of rules, by their elements: what a request's path reaches is found in one walk over it.
//!
//! Prefixes match whole elements (`/foo` takes `/foo/x`, not `/foox`), exact paths every byte. A final `/` of a prefix
//! says nothing: `/foo` and `/foo/` are one prefix.

pub(super) mod normal;

mod step;

use std::iter::successors;

use hashbrown::HashTable;

use super::inline::Inline;

/// How a rule's path is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathType {
    /// Byte by byte.
    Exact,
    /// By the elements it begins with.
    Prefix,
    /// As the controller likes; taken for [`PathType::Prefix`] here.
    ImplementationSpecific,
    /// By a regular expression that takes all of it.
    RegularExpression,
}

/// What lies behind paths.
#[derive(Debug)]
pub(super) struct PathIndex<T> {
    /// The paths of rules; the first one is the prefix of all.
    nodes: Vec<Node<T>>,
    /// All but the first, by the hash of all their elements: a request looks up whole fronts of its path, and only those
    /// as deep as a rule is.
    by_hash: HashTable<(u64, u32)>,
    depths: Depths,
}

#[derive(Debug)]
struct Node<T> {
    /// Its elements, each behind a `/`.
    text: Inline,
    /// The node of the longest front that is one.
    parent: Option<u32>,
    /// Exactly these elements.
    exact: Vec<T>,
    /// These elements and whatever follows.
    prefix: Vec<T>,
}

impl<T> Node<T> {
    fn new(parent: Option<u32>, text: Inline) -> Self {
        Self { text, parent, exact: Vec::new(), prefix: Vec::new() }
    }
}

impl<T> Default for PathIndex<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(None, "".into())], by_hash: HashTable::new(), depths: Depths::default() }
    }
}

impl<T> PathIndex<T> {
    /// What lies behind an exact path.
    pub(super) fn exact_mut(&mut self, path: &str) -> &mut Vec<T> {
        &mut self.node_mut(path).exact
    }

    /// What lies behind a prefix.
    pub(super) fn prefix_mut(&mut self, path: &str) -> &mut Vec<T> {
        &mut self.node_mut(path.strip_suffix('/').unwrap_or(path)).prefix
    }

    /// Links paths with their fronts, when all of them are there.
    pub(super) fn finish(&mut self) {
        for at in 1..self.nodes.len() {
            let Some(text) = self.nodes.get(at).map(|node| node.text.clone()) else { return };
            // Of so many elements is the longest of its fronts.
            let fronts = text.bytes().split(|byte| *byte == b'/').count().saturating_sub(2) as u32;
            let parent = self.deepest(text.bytes(), fronts).0;
            if let Some(node) = self.nodes.get_mut(at) {
                node.parent = Some(parent);
            }
        }
    }

    /// Every list of what lies behind one path.
    pub(super) fn lists_mut(&mut self) -> impl Iterator<Item = &mut Vec<T>> {
        self.nodes.iter_mut().flat_map(|node| [&mut node.exact, &mut node.prefix])
    }

    /// Every list, to look at.
    pub(super) fn lists(&self) -> impl Iterator<Item = &[T]> {
        self.nodes.iter().flat_map(|node| [&*node.exact, &*node.prefix])
    }

    /// Walks down a request's path, as far as rules reach.
    pub(super) fn walk(&self, path: &str) -> Walk<'_, T> {
        let (at, is_whole) = self.deepest(path.as_bytes(), self.depths.deepest);
        Walk { index: self, at, is_whole }
    }

    /// The node of the longest front of a path, of so many elements at most, and whether it is all of the path.
    fn deepest(&self, path: &[u8], most: u32) -> (u32, bool) {
        let (mut found, mut hash) = ((0, false), step::ROOT);
        // Without a first `/` only a rule for everything can match.
        let mut rest = path.strip_prefix(b"/");
        for depth in 1..=most {
            let Some(elements) = rest else { break };
            let slash = elements.iter().position(|byte| *byte == b'/');
            let (element, behind) = slash.and_then(|at| elements.split_at_checked(at)).unwrap_or((elements, &[]));
            hash = step::hash(hash, element);
            if self.depths.have(depth)
                && let Some(node) = self.find(hash, path.get(..path.len() - behind.len()).unwrap_or(path))
            {
                found = (node, slash.is_none());
            }
            rest = behind.strip_prefix(b"/");
        }
        found
    }

    fn find(&self, hash: u64, text: &[u8]) -> Option<u32> {
        let is_it = |(other, node): &(u64, u32)| {
            *other == hash && self.node(*node).is_some_and(|node| node.text.bytes() == text)
        };
        self.by_hash.find(hash, is_it).map(|(_, node)| *node)
    }

    fn node(&self, at: u32) -> Option<&Node<T>> {
        self.nodes.get(at as usize)
    }

    fn node_mut(&mut self, path: &str) -> &mut Node<T> {
        let (mut hash, mut depth) = (step::ROOT, 0);
        for element in path.split('/').skip(1) {
            (hash, depth) = (step::hash(hash, element.as_bytes()), depth + 1);
        }
        let known = if depth == 0 { Some(0) } else { self.find(hash, path.as_bytes()) };
        let at = known.unwrap_or_else(|| {
            let to = u32::try_from(self.nodes.len()).expect("fewer nodes than bytes of manifests");
            self.nodes.push(Node::new(Some(0), path.into()));
            self.by_hash.insert_unique(hash, (hash, to), |(hash, _)| *hash);
            to
        });
        self.depths.add(depth);
        self.nodes.get_mut(at as usize).expect("nodes are never removed")
    }
}

/// At how many elements there are rules.
#[derive(Debug, Default)]
struct Depths {
    /// A bit for each; the last one stands for all that are deeper.
    bits: u64,
    deepest: u32,
}

impl Depths {
    fn add(&mut self, depth: u32) {
        self.bits |= 1 << depth.min(63);
        self.deepest = self.deepest.max(depth);
    }

    fn have(&self, depth: u32) -> bool {
        self.bits >> depth.min(63) & 1 == 1
    }
}

/// How far a request's path reached.
pub(super) struct Walk<'a, T> {
    index: &'a PathIndex<T>,
    at: u32,
    /// Whether all elements of the request were found.
    is_whole: bool,
}

impl<'a, T> Walk<'a, T> {
    /// What lies behind exactly this path.
    pub(super) fn exact(&self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.index.node(self.at).filter(|_| self.is_whole).into_iter().flat_map(|node| &node.exact)
    }

    /// What lies behind its prefixes, the longest first.
    pub(super) fn prefixes(&self) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let index = self.index;
        successors(index.node(self.at), |node| index.node(node.parent?)).flat_map(|node| &node.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(exact: &[&'static str], prefixes: &[&'static str]) -> PathIndex<&'static str> {
        let mut index = PathIndex::default();
        for path in exact {
            index.exact_mut(path).push(*path);
        }
        for path in prefixes {
            index.prefix_mut(path).push(*path);
        }
        index.finish();
        index
    }

    fn prefixes(rules: &[&'static str], path: &str) -> Vec<&'static str> {
        index(&[], rules).walk(path).prefixes().copied().collect()
    }

    #[test]
    fn a_prefix_takes_whole_elements() {
        for (rule, taken, not) in [
            ("/", &["/", "/a", "/a/b", "*"][..], &[][..]),
            ("/foo", &["/foo", "/foo/", "/foo/x"], &["/foox", "/fo", "/FOO", "/"]),
            ("/foo/", &["/foo", "/foo/", "/foo/x"], &["/foox"]),
            ("/aaa/bbb", &["/aaa/bbb", "/aaa/bbb/", "/aaa/bbb/ccc"], &["/aaa/bbbxyz", "/aaa", "/aaa/bb"]),
        ] {
            for path in taken {
                assert_eq!(prefixes(&[rule], path), [rule], "{path}");
            }
            for path in not {
                assert!(prefixes(&[rule], path).is_empty(), "{rule} {path}");
            }
        }
    }

    #[test]
    fn longer_prefixes_come_first() {
        assert_eq!(prefixes(&["/", "/a", "/a/b"], "/a/b/c"), ["/a/b", "/a", "/"]);
        assert_eq!(prefixes(&["/a", "/a/"], "/a/"), ["/a", "/a/"], "one prefix: the first is first");
        assert_eq!(prefixes(&["/a/", "/a"], "/a"), ["/a/", "/a"]);
    }

    #[test]
    fn an_exact_path_takes_every_byte() {
        let index = index(&["/foo", "/bar/", "/"], &[]);
        let exact = |path| index.walk(path).exact().copied().collect::<Vec<_>>();
        assert_eq!((exact("/foo"), exact("/bar/"), exact("/")), (vec!["/foo"], vec!["/bar/"], vec!["/"]));
        for path in ["/foo/", "/bar", "/foo/x", "/Foo", "//", "foo", "*"] {
            assert!(exact(path).is_empty(), "{path}");
        }
    }

    #[test]
    fn a_depth_without_rules_is_passed_over() {
        assert_eq!(prefixes(&["/a/b/c", "/x"], "/a/b/c/d/e"), ["/a/b/c"]);
        assert_eq!(prefixes(&["/a/b/c", "/x"], "/a/b"), Vec::<&str>::new(), "no rule ends there");
        assert_eq!(prefixes(&["/a/b/c", "/a"], "/a/b/x"), ["/a"]);
        let deep = |elements: usize| -> &'static str { "/x".repeat(elements).leak() };
        let rules = [deep(62), deep(63), deep(64), deep(200)];
        assert_eq!(prefixes(&rules, deep(300)), [rules[3], rules[2], rules[1], rules[0]]);
        assert_eq!(prefixes(&rules, deep(199)), [rules[2], rules[1], rules[0]]);
        assert_eq!(prefixes(&rules, deep(61)), Vec::<&str>::new());
    }

    #[test]
    fn empty_elements_are_elements() {
        assert_eq!(prefixes(&["/a//b", "/a"], "/a//b/c"), ["/a//b", "/a"]);
        assert_eq!(prefixes(&["/a/b"], "/a//b"), Vec::<&str>::new());
    }
}
