//! `--tap` values: `pods`, `uplink`, `iface:eth0,role=uplink` or `file:routed/*/node-a.veth-*.pcap,role=pod,pod=shop/web-1`.

use std::str::FromStr;
use std::sync::Arc;

use weir_model::{PodRef, TapRole};

/// One `--tap`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapSpec {
    /// Where frames come from.
    pub source: TapSource,
    /// What the interface is; `None` = found out.
    pub role: Option<TapRole>,
    /// Whose veth it is; `None` = found out.
    pub pod: Option<PodRef>,
}

/// Where frames come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TapSource {
    /// The host ends of all pods' veths, as they come and go.
    Pods,
    /// The interfaces that default routes leave by, as they come and go.
    Uplink,
    /// A live interface, by name.
    Interface(String),
    /// Capture files, by a pattern with `*`, `?` and `**`. Files of one name are one interface.
    Files(String),
}

/// Why a `--tap` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TapSpecError {
    /// No source that there is.
    #[error("tap '{0}' names no source: write pods, uplink, iface:NAME or file:PATTERN")]
    NoSource(String),
    /// More is said of what is found out.
    #[error("tap '{0}' takes no options")]
    Options(String),
    /// Nothing behind the colon.
    #[error("tap '{0}' names nothing behind the colon")]
    Empty(String),
    /// An unknown role.
    #[error("tap role '{0}' is none of pod, uplink, other")]
    Role(String),
    /// A pod without namespace.
    #[error("tap pod '{0}' is not NAMESPACE/NAME")]
    Pod(String),
}

impl FromStr for TapSpec {
    type Err = TapSpecError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(source) = found(text) {
            return Ok(Self { source, role: None, pod: None });
        }
        if text.split_once(',').is_some_and(|(word, _)| found(word).is_some()) {
            return Err(TapSpecError::Options(text.to_owned()));
        }
        let (scheme, mut rest) = text.split_once(':').ok_or_else(|| TapSpecError::NoSource(text.to_owned()))?;
        let (mut role, mut pod) = (None, None);
        // Options are read from the end, so that a path may hold a comma.
        while let Some((before, option)) = rest.rsplit_once(',') {
            if let Some(word) = option.strip_prefix("role=") {
                role = Some(TapRole::parse(word).ok_or_else(|| TapSpecError::Role(word.to_owned()))?);
            } else if let Some(name) = option.strip_prefix("pod=") {
                pod = Some(parse_pod(name)?);
            } else {
                break;
            }
            rest = before;
        }
        if rest.is_empty() {
            return Err(TapSpecError::Empty(text.to_owned()));
        }
        let source = match scheme {
            "iface" => TapSource::Interface(rest.to_owned()),
            "file" => TapSource::Files(rest.to_owned()),
            _ => return Err(TapSpecError::NoSource(text.to_owned())),
        };
        if pod.is_some() && role.is_none() {
            role = Some(TapRole::Pod);
        }
        Ok(Self { source, role, pod })
    }
}

impl TapSpec {
    /// Reads a list of words in which commas may have cut a tap apart: a word that names no source goes on with the tap
    /// before it.
    pub fn list(words: &[String]) -> Result<Vec<Self>, TapSpecError> {
        let mut taps: Vec<String> = Vec::new();
        for word in words {
            let begins = found(word).is_some() || word.starts_with("iface:") || word.starts_with("file:");
            match taps.last_mut() {
                Some(tap) if !begins => {
                    tap.push(',');
                    tap.push_str(word);
                }
                _ => taps.push(word.clone()),
            }
        }
        taps.iter().map(|tap| tap.parse()).collect()
    }
}

/// A source that needs no name.
fn found(word: &str) -> Option<TapSource> {
    match word {
        "pods" => Some(TapSource::Pods),
        "uplink" => Some(TapSource::Uplink),
        _ => None,
    }
}

fn parse_pod(text: &str) -> Result<PodRef, TapSpecError> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(PodRef { namespace: Arc::from(namespace), name: Arc::from(name) })
        }
        _ => Err(TapSpecError::Pod(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sources_and_options() {
        let spec: TapSpec = "file:a,b/*.pcap,role=uplink".parse().expect("valid");
        assert_eq!(spec.source, TapSource::Files("a,b/*.pcap".to_owned()));
        assert_eq!(spec.role, Some(TapRole::Uplink));
        let spec: TapSpec = "iface:cali1,pod=shop/web-1".parse().expect("valid");
        assert_eq!(spec.role, Some(TapRole::Pod));
        assert_eq!(spec.pod.expect("named").to_string(), "shop/web-1");
    }

    #[test]
    fn puts_taps_together_again() {
        let words = ["file:a*.pcap", "role=uplink", "pods", "uplink"].map(ToOwned::to_owned);
        let sources: Vec<_> = TapSpec::list(&words).expect("valid").into_iter().map(|tap| tap.source).collect();
        assert_eq!(sources, [TapSource::Files("a*.pcap".to_owned()), TapSource::Pods, TapSource::Uplink]);
        let words = ["file:a*.pcap", "role=uplink", "iface:eth0", "iface:cali1", "role=pod"].map(ToOwned::to_owned);
        let taps = TapSpec::list(&words).expect("valid");
        assert_eq!(
            taps.iter().map(|tap| tap.role).collect::<Vec<_>>(),
            [Some(TapRole::Uplink), None, Some(TapRole::Pod)]
        );
        assert!(TapSpec::list(&["role=pod".to_owned()]).is_err());
    }

    #[test]
    fn names_what_is_wrong() {
        let error = |text: &str| text.parse::<TapSpec>().expect_err("invalid").to_string();
        assert!(error("eth0").contains("iface:NAME"));
        assert!(error("ftp:eth0").contains("iface:NAME"));
        assert!(error("pods,role=pod").contains("no options"));
        assert!(error("iface:").contains("behind the colon"));
        assert!(error("iface:eth0,role=veth").contains("'veth'"));
        assert!(error("iface:eth0,pod=web").contains("NAMESPACE/NAME"));
    }
}
