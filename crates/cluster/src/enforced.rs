//! What the prefix of a log record says: which way a packet was judged, and by whom.
//!
//! Calico writes `<A|D|N|P><P|R><I|E><rule>|<owner>`: allowed, denied or passed on; by a policy or a profile; ingress or
//! egress; the rule's position; whose rule. A default deny names the tier instead of a policy. Netfilter keeps 63 characters,
//! so Calico puts a hash in the place of the middle of longer names. kube-router logs what it drops, to group 100,
//! without a prefix; the agent's own chains log to its own group, and it tells only what they lost between them.

use std::sync::Arc;

use weir_model::{PolicyLog, Verdict};

/// The group that kube-router logs what it drops to.
const KUBE_ROUTER: u16 = 100;

/// The prefix of what an agent's own chains saw go into the node's filters and not come out.
const OBSERVED_DROP: &str = "weir-drop";

/// The longest prefix that netfilter keeps.
const LONGEST: usize = 63;

/// How much Calico leaves of each end of an owner that is too long.
const KEPT: usize = 10;

/// How Calico names a Kubernetes policy of its default tier.
const KUBERNETES: &str = "knp.default.";

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enforced {
    /// Allowed or denied; what is passed on is not decided.
    pub(crate) verdict: Verdict,
    /// `None` = the record does not say.
    pub(crate) direction: Option<Direction>,
    pub(crate) by: By,
    /// The position of the rule.
    pub(crate) rule: Option<u32>,
}

/// Whose policies were asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Those of the pod that connects.
    Egress,
    /// Those of the pod that is connected to.
    Ingress,
}

/// Who decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// No policy: a profile, or the end of a tier.
    Default,
    /// A policy, `namespace/name`.
    Policy(Arc<str>),
    /// A policy whose name was cut: how it begins and ends.
    Cut(Arc<str>, Arc<str>),
}

impl Enforced {
    /// Reads a record. `None` where it decides nothing, or is in a form that is not known.
    pub(crate) fn read(log: &PolicyLog) -> Option<Self> {
        let dropped = Self { verdict: Verdict::Denied, direction: None, by: By::Default, rule: None };
        if log.prefix.is_empty() {
            return (log.group == KUBE_ROUTER).then_some(dropped);
        }
        if &*log.prefix == OBSERVED_DROP {
            return Some(dropped);
        }
        let (head, owner) = log.prefix.split_once('|')?;
        let mut letters = head.chars();
        let verdict = match letters.next()? {
            'A' => Verdict::Allowed,
            'D' => Verdict::Denied,
            _ => return None,
        };
        let is_policy = match letters.next()? {
            'P' => true,
            'R' => false,
            _ => return None,
        };
        let direction = match letters.next()? {
            'I' => Direction::Ingress,
            'E' => Direction::Egress,
            _ => return None,
        };
        let rule = letters.as_str().parse().ok();
        let by = if is_policy && rule.is_some() { owned_by(owner, log.prefix.len()) } else { By::Default };
        Some(Self { verdict, direction: Some(direction), by, rule })
    }

    /// The policy's name, where it is one and whole, or the only one of `known` that it can be.
    pub(crate) fn policy(&self, known: impl Iterator<Item = String>) -> Option<Arc<str>> {
        match &self.by {
            By::Default => None,
            By::Policy(name) => Some(Arc::clone(name)),
            By::Cut(start, end) => {
                let mut fitting = known.filter(|name| {
                    let owner = owner_of(name);
                    owner.starts_with(&**start) && owner.ends_with(&**end)
                });
                let first = fitting.next()?;
                fitting.next().is_none().then(|| first.into())
            }
        }
    }
}

fn owned_by(owner: &str, prefix_len: usize) -> By {
    let is_cut = prefix_len >= LONGEST && owner.get(KEPT..KEPT + 1).is_some();
    if is_cut && let Some((start, end)) = owner.get(..KEPT).zip(owner.get(owner.len().saturating_sub(KEPT)..)) {
        return By::Cut(start.into(), end.into());
    }
    // Newer versions put a kind in front.
    let mut parts = owner.rsplit('/');
    let (name, namespace) = (parts.next().unwrap_or_default(), parts.next());
    let name = name.strip_prefix(KUBERNETES).unwrap_or(name);
    By::Policy(namespace.map_or_else(|| name.into(), |namespace| format!("{namespace}/{name}").into()))
}

/// As whose Calico logs a Kubernetes policy.
fn owner_of(policy: &str) -> String {
    match policy.split_once('/') {
        Some((namespace, name)) => format!("{namespace}/{KUBERNETES}{name}"),
        None => policy.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use weir_model::{Protocol, Timestamp, Tuple};

    use super::*;

    fn read(group: u16, prefix: &str) -> Option<Enforced> {
        let ip = [10, 0, 0, 1].into();
        let tuple = Tuple { protocol: Protocol::TCP, src_ip: ip, src_port: 1, dst_ip: ip, dst_port: 2 };
        Enforced::read(&PolicyLog { ts: Timestamp(0), tuple, isn: None, group, prefix: prefix.into() })
    }

    #[test]
    fn rules_of_policies_defaults_and_profiles_are_told_apart() {
        let allowed = read(1, "API0|shop/knp.default.db-allow-web").expect("a decision");
        assert_eq!(
            (allowed.verdict, allowed.direction, allowed.rule),
            (Verdict::Allowed, Some(Direction::Ingress), Some(0))
        );
        assert_eq!(allowed.by, By::Policy("shop/db-allow-web".into()));
        let denied = read(2, "DPE|default").expect("a decision");
        assert_eq!(
            (denied.verdict, denied.direction, denied.by),
            (Verdict::Denied, Some(Direction::Egress), By::Default)
        );
        assert_eq!(read(1, "ARI0|kns.shop").expect("a decision").by, By::Default);
        assert_eq!(read(1, "APE12|np/shop/own").expect("a decision").by, By::Policy("shop/own".into()));
        for nothing in ["NPI0|shop/x", "weir-pre", "API0", "XPI0|a"] {
            assert_eq!(read(1, nothing), None, "{nothing}");
        }
    }

    #[test]
    fn a_drop_without_prefix_is_kube_routers_in_its_group_only() {
        assert_eq!(read(100, "").map(|e| (e.verdict, e.direction)), Some((Verdict::Denied, None)));
        assert_eq!(read(1, ""), None);
        assert_eq!(read(77, "weir-drop"), read(100, ""), "the agent's own chains");
    }

    #[test]
    fn a_name_that_was_cut_is_the_only_policy_that_it_can_be() {
        let name = "shop/a-very-long-name-of-a-policy-that-goes-on-and-on-allow";
        let owner = owner_of(name);
        let hash = "0".repeat(LONGEST - "API0|".len() - 2 * KEPT);
        let prefix = format!("API0|{}{hash}{}", &owner[..KEPT], &owner[owner.len() - KEPT..]);
        assert_eq!(prefix.len(), LONGEST);
        let enforced = read(1, &prefix).expect("a decision");
        let known = |names: &[&str]| enforced.policy(names.iter().map(|name| (*name).to_owned()));
        assert_eq!(known(&[name, "shop/other"]).as_deref(), Some(name));
        assert_eq!(known(&[name, "shop/another-policy-that-goes-on-and-on-allow"]), None, "two could be meant");
        assert_eq!(known(&["shop/other"]), None);
    }
}
