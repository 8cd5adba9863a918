//! The two ends of a question as they are typed: `pod/shop/cart`, `svc/shop/web:80`, `ip/203.0.113.7:443`, `node/node-a:9100`.

use std::net::IpAddr;

use weir_service::exit::Usage;

/// One end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: PlaceKind,
    /// A number, or a Service's name for it.
    pub(super) port: Option<String>,
}

/// What it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PlaceKind {
    /// A pod, or the pods of a workload.
    Pod {
        namespace: String,
        name: String,
    },
    Service {
        namespace: String,
        name: String,
    },
    Node(String),
    Address(IpAddr),
}

const EXPECTED: &str = "expected pod/NAMESPACE/NAME, svc/NAMESPACE/NAME:PORT, node/NAME or ip/ADDRESS";

impl Place {
    /// Reads one end.
    pub(super) fn parse(text: &str) -> Result<Self, Usage> {
        let text = text.trim();
        let wrong = || Usage(format!("{text}: {EXPECTED}"));
        let (kind, rest) = text.split_once('/').ok_or_else(wrong)?;
        if kind == "ip" {
            return address(rest).ok_or_else(wrong);
        }
        let (rest, port) = match rest.rsplit_once(':') {
            Some((rest, port)) if !port.is_empty() => (rest, Some(port.to_owned())),
            Some(_) => return Err(wrong()),
            None => (rest, None),
        };
        let named = || {
            let (namespace, name) = rest.split_once('/').ok_or_else(wrong)?;
            let is_whole = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
            is_whole.then(|| (namespace.to_owned(), name.to_owned())).ok_or_else(wrong)
        };
        let kind = match kind {
            "pod" => named().map(|(namespace, name)| PlaceKind::Pod { namespace, name })?,
            "svc" | "service" => named().map(|(namespace, name)| PlaceKind::Service { namespace, name })?,
            "node" if !rest.is_empty() && !rest.contains('/') => PlaceKind::Node(rest.to_owned()),
            _ => return Err(wrong()),
        };
        Ok(Self { kind, port })
    }

    /// The port as a number.
    pub(super) fn port_number(&self) -> Option<u16> {
        self.port.as_deref().and_then(|port| port.parse().ok())
    }
}

fn address(text: &str) -> Option<Place> {
    if let Ok(ip) = text.parse() {
        return Some(Place { kind: PlaceKind::Address(ip), port: None });
    }
    let (ip, port) = text.rsplit_once(':')?;
    let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
    Some(Place { kind: PlaceKind::Address(bare.parse().ok()?), port: Some(port.to_owned()) })
}

/// Both ends, from `SRC -> DST` as one word or several, or from two words.
pub(super) fn ends(words: &[String]) -> Result<(Place, Place), Usage> {
    let text = words.join(" ");
    let (src, dst) = match text.split_once("->") {
        Some((src, dst)) => (src.to_owned(), dst.to_owned()),
        None => match words {
            [src, dst] => (src.clone(), dst.clone()),
            _ => return Err(Usage("write two ends: 'pod/shop/cart -> svc/shop/web:80' (in quotes)".to_owned())),
        },
    };
    Ok((Place::parse(&src)?, Place::parse(&dst)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_in_one_word_or_two() {
        let expected = (
            Place { kind: PlaceKind::Pod { namespace: "shop".to_owned(), name: "cart".to_owned() }, port: None },
            Place {
                kind: PlaceKind::Service { namespace: "shop".to_owned(), name: "web".to_owned() },
                port: Some("80".to_owned()),
            },
        );
        for words in [
            vec!["pod/shop/cart -> svc/shop/web:80"],
            vec!["pod/shop/cart", "->", "svc/shop/web:80"],
            vec!["pod/shop/cart", "svc/shop/web:80"],
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            assert_eq!(ends(&words).expect("two ends"), expected);
        }
        let ip = Place::parse("ip/[fd00::1]:80").expect("an address");
        assert_eq!((ip.port_number(), ip.kind), (Some(80), PlaceKind::Address("fd00::1".parse().expect("one"))));
        assert_eq!(Place::parse("ip/fd00::1").expect("an address").port, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_expected() {
        for text in ["web", "pod/web", "pod/shop/", "svc/shop/web:", "deploy/shop/web", "ip/x", "pod/a/b/c"] {
            let error = Place::parse(text).expect_err(text).to_string();
            assert!(error.contains(text) && error.contains("expected pod/NAMESPACE/NAME"), "{error}");
        }
    }
}
