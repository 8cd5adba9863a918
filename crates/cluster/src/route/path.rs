//! Paths of rules, by their elements: what a request's path reaches is found in one walk over it.
//!
//! Prefixes match whole elements (`/foo` takes `/foo/x`, not `/foox`), exact paths every byte. A final `/` of a prefix
//! says nothing: `/foo` and `/foo/` are one prefix.

pub(super) mod normal;

mod step;

use std::iter::successors;

use hashbrown::HashTable;

use step::Step;

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

/// What lies behind paths. A node is a run of elements from the root.
#[derive(Debug)]
pub(super) struct PathIndex<T> {
    nodes: Vec<Node<T>>,
    /// All edges in one table, short elements within it: one look-up of an element reads one or two cache lines.
    steps: HashTable<Step>,
}

#[derive(Debug)]
struct Node<T> {
    parent: Option<u32>,
    /// Exactly these elements.
    exact: Vec<T>,
    /// These elements and whatever follows.
    prefix: Vec<T>,
}

impl<T> Node<T> {
    fn new(parent: Option<u32>) -> Self {
        Self { parent, exact: Vec::new(), prefix: Vec::new() }
    }
}

impl<T> Default for PathIndex<T> {
    fn default() -> Self {
        Self { nodes: vec![Node::new(None)], steps: HashTable::new() }
    }
}

impl<T> PathIndex<T> {
    /// What lies behind an exact path.
    pub(super) fn exact_mut(&mut self, path: &str) -> &mut Vec<T> {
        let elements = path.strip_prefix('/').unwrap_or(path);
        &mut self.node_mut(Some(elements)).exact
    }

    /// What lies behind a prefix.
    pub(super) fn prefix_mut(&mut self, path: &str) -> &mut Vec<T> {
        let bare = path.strip_suffix('/').unwrap_or(path);
        &mut self.node_mut(bare.strip_prefix('/')).prefix
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
        let mut at = 0_u32;
        // Without a first `/` only a rule for everything can match.
        let Some(elements) = path.strip_prefix('/') else { return Walk { index: self, at, is_whole: false } };
        for element in elements.split('/') {
            match self.steps.find(step::hash(at, element), |step| step.is(at, element)) {
                Some(step) => at = step.to,
                None => return Walk { index: self, at, is_whole: false },
            }
        }
        Walk { index: self, at, is_whole: true }
    }

    fn node(&self, at: u32) -> Option<&Node<T>> {
        self.nodes.get(at as usize)
    }

    fn node_mut(&mut self, elements: Option<&str>) -> &mut Node<T> {
        let mut at = 0_u32;
        for element in elements.into_iter().flat_map(|elements| elements.split('/')) {
            let known = self.steps.find(step::hash(at, element), |step| step.is(at, element)).map(|step| step.to);
            let child = known.unwrap_or_else(|| {
                let to = u32::try_from(self.nodes.len()).expect("fewer nodes than bytes of manifests");
                self.nodes.push(Node::new(Some(at)));
                self.steps.insert_unique(step::hash(at, element), Step::new(at, element, to), Step::hash);
                to
            });
            at = child;
        }
        self.nodes.get_mut(at as usize).expect("nodes are never removed")
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
    fn empty_elements_are_elements() {
        assert_eq!(prefixes(&["/a//b", "/a"], "/a//b/c"), ["/a//b", "/a"]);
        assert_eq!(prefixes(&["/a/b"], "/a//b"), Vec::<&str>::new());
    }
}
