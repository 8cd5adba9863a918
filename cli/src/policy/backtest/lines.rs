//! Where in a file an object and its rules are written, as far as plain block style shows it: nobody else keeps lines.

use weir_cluster::backtest::WayOfRule;
use weir_cluster::objects::ObjectKey;

/// Lines of one object; they count from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Where its document begins.
    pub(crate) object: usize,
    rules: Vec<(WayOfRule, usize)>,
    says_namespace: bool,
}

impl Lines {
    /// Looks for the object in a text. What cannot be found is said to be at the first line.
    pub(crate) fn find(text: &str, key: &ObjectKey) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let mut begin = 0;
        let is_end = |line: &&str| line.starts_with("---");
        loop {
            let rest = lines.get(begin..).unwrap_or_default();
            let length = rest.iter().position(is_end).unwrap_or(rest.len());
            let document = rest.get(..length).unwrap_or_default();
            if is_of(document, key) {
                return Self::of(document, begin);
            }
            if length == rest.len() {
                // JSON, a List, or flow style.
                return Self { object: 1, rules: Vec::new(), says_namespace: says_namespace(text) };
            }
            begin += length + 1;
        }
    }

    fn of(document: &[&str], begin: usize) -> Self {
        let first = document.iter().position(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or(0);
        let mut found = Self { object: begin + first + 1, rules: Vec::new(), says_namespace: false };
        let (mut part, mut way, mut item) = ("", None, None);
        for (number, line) in document.iter().enumerate() {
            let (indent, content) = (indent(line), line.trim());
            if content.is_empty() || content.starts_with('#') {
                continue;
            }
            if indent == 0 && !content.starts_with('-') {
                (part, way, item) = (content, None, None);
                found.says_namespace |= part.starts_with("metadata:") && content.contains("namespace:");
                continue;
            }
            found.says_namespace |= part.starts_with("metadata:") && content.starts_with("namespace:");
            if !part.starts_with("spec:") {
                continue;
            }
            if let Some((_, at)) = way
                && (indent < at || (indent == at && !content.starts_with('-')))
            {
                (way, item) = (None, None);
            }
            if way.is_none() {
                way = [("ingress:", WayOfRule::Ingress), ("egress:", WayOfRule::Egress)]
                    .into_iter()
                    .find(|(name, _)| content.starts_with(name))
                    .map(|(_, way)| (way, indent));
            } else if let Some((way, _)) = way
                && content.starts_with('-')
                && *item.get_or_insert(indent) == indent
            {
                found.rules.push((way, begin + number + 1));
            }
        }
        found
    }

    /// The line of a rule, else that of the object.
    pub(crate) fn rule(&self, way: WayOfRule, index: u32) -> usize {
        let mut rules = self.rules.iter().filter(|(other, _)| *other == way);
        rules.nth(index as usize).map_or(self.object, |(_, line)| *line)
    }

    /// Whether the object says its namespace.
    pub(crate) const fn says_namespace(&self) -> bool {
        self.says_namespace
    }
}

fn is_of(document: &[&str], key: &ObjectKey) -> bool {
    let says = |prefix: &str, value: &str| {
        document.iter().any(|line| {
            let found = line.trim().strip_prefix(prefix).map(|rest| rest.trim().trim_matches(['"', '\'']));
            found.is_some_and(|found| found.split(" #").next() == Some(value))
        })
    };
    says("kind:", key.kind.name()) && says("name:", &key.name)
}

fn says_namespace(text: &str) -> bool {
    ["namespace:", "\"namespace\":"].iter().any(|field| text.contains(field))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use weir_cluster::objects::ObjectKind;

    use super::*;

    const TEXT: &str = "# policies
kind: NetworkPolicy
metadata:
  name: first
spec:
  podSelector: {}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: second
  namespace: shop
spec:
  podSelector: {}
  ingress:
  - from:
    - podSelector: {}
    ports:
    - port: 80
  - {}
  egress:
    - to:
        - podSelector: {}
";

    #[test]
    fn objects_and_rules_are_found_in_block_style() {
        let key =
            |name: &str| ObjectKey { kind: ObjectKind::NetworkPolicy, namespace: "shop".into(), name: name.into() };
        let first = Lines::find(TEXT, &key("first"));
        assert_eq!((first.object, first.says_namespace(), first.rule(WayOfRule::Ingress, 0)), (2, false, 2));
        let second = Lines::find(TEXT, &key("second"));
        assert_eq!((second.object, second.says_namespace()), (8, true));
        let rules = [(WayOfRule::Ingress, 0), (WayOfRule::Ingress, 1), (WayOfRule::Egress, 0), (WayOfRule::Egress, 1)];
        assert_eq!(rules.map(|(way, index)| second.rule(way, index)), [16, 20, 22, 8]);
        assert_eq!(Lines::find("{\"kind\": \"List\"}", &key("x")).object, 1);
    }
}
