//! The normal form of a path, as many proxies match it: escapes undone, slashes merged, dot segments resolved.
//!
//! Only used to say that the answer would differ.

use super::super::percent;

/// The normal form, where it differs from the path itself.
pub(in super::super) fn normal(path: &str) -> Option<String> {
    if !may_differ(path) {
        return None;
    }
    let decoded = percent::decode(path.as_bytes(), |byte| byte);
    let decoded = String::from_utf8_lossy(&decoded);
    let mut elements: Vec<&str> = Vec::new();
    for element in decoded.split('/') {
        match element {
            "" | "." => {}
            ".." => drop(elements.pop()),
            element => elements.push(element),
        }
    }
    let is_folder = decoded.ends_with('/') || decoded.ends_with("/.") || decoded.ends_with("/..");
    let mut normal = String::with_capacity(decoded.len());
    for element in &elements {
        normal.push('/');
        normal.push_str(element);
    }
    if is_folder || elements.is_empty() {
        normal.push('/');
    }
    (normal != path).then_some(normal)
}

fn may_differ(path: &str) -> bool {
    let mut after_slash = false;
    path.bytes().any(|byte| {
        let differs = byte == b'%' || after_slash && matches!(byte, b'/' | b'.');
        after_slash = byte == b'/';
        differs
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_slashes_and_dots_are_undone() {
        for (path, want) in [
            ("/a%2Fb", "/a/b"),
            ("/a//b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/../../a", "/a"),
            ("/%61/", "/a/"),
            ("/%2e%2e/a", "/a"),
        ] {
            assert_eq!(normal(path).as_deref(), Some(want), "{path}");
        }
        for same in ["/", "/a", "/a/", "/a.b", "/%zz"] {
            assert_eq!(normal(same), None, "{same}");
        }
    }
}
