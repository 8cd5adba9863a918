//! Where objects come from, as settings name it, and the source behind it. What an object says is the caller's matter.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::kube::{Access, AccessError, KubeOptions, KubeSource, connect};
use crate::manifests::ManifestSource;
use crate::{Feed, Kind, Knowledge, ObjectId, State, open};

/// A place that objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `manifests:DIR`: a folder or a file.
    Manifests(PathBuf),
    /// `kube`: this pod's own API server. `kube:FILE` or `kube:FILE,context=NAME`: the one that a kubeconfig file names.
    Kube(Access),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no source of objects")]
pub struct NotAPlace(String);

/// Every object of a folder once, or all that is wrong.
pub type Found<O> = Result<Vec<(ObjectId, O)>, String>;

/// What makes objects of what a place holds.
#[derive(Debug)]
pub struct Readers<O> {
    /// What a folder holds.
    pub folder: fn(&Path) -> Found<O>,
    /// The object in a JSON text, or what is wrong with it.
    pub object: fn(Kind, &str) -> Result<O, String>,
}

/// How often a folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often it is looked whether there is something to say.
const SAY_EVERY: Duration = Duration::from_secs(1);

/// Changes that wait for who keeps the objects.
const QUEUE: usize = 1_024;

impl FromStr for Place {
    type Err = NotAPlace;

    fn from_str(text: &str) -> Result<Self, NotAPlace> {
        let not_a_place = || NotAPlace(text.to_owned());
        let (scheme, rest) = text.split_once(':').map_or((text, None), |(scheme, rest)| (scheme, Some(rest)));
        match (scheme, rest) {
            ("manifests", Some(folder)) if !folder.is_empty() => Ok(Self::Manifests(folder.into())),
            ("kube", None) => Ok(Self::Kube(Access::InCluster)),
            ("kube", Some(file)) => {
                let (path, context) = match file.split_once(",context=") {
                    Some((path, context)) => (path, Some(context.to_owned())),
                    None => (file, None),
                };
                if path.is_empty() || context.as_ref().is_some_and(String::is_empty) {
                    return Err(not_a_place());
                }
                Ok(Self::Kube(Access::Kubeconfig { path: path.into(), context }))
            }
            _ => Err(not_a_place()),
        }
    }
}

/// As it is parsed.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifests(folder) => write!(f, "manifests:{}", folder.display()),
            Self::Kube(Access::InCluster) => f.write_str("kube"),
            Self::Kube(Access::Kubeconfig { path, context }) => {
                write!(f, "kube:{}", path.display())?;
                context.iter().try_for_each(|context| write!(f, ",context={context}"))
            }
        }
    }
}

impl Place {
    /// Starts to tell the objects of `kinds`, on a task that ends when the feed is dropped. What the receiver has `known`
    /// of a folder already is not told; an API server tells everything. Needs a tokio runtime.
    pub async fn follow<O>(
        self,
        kinds: Vec<Kind>,
        readers: Readers<O>,
        known: Vec<(ObjectId, O)>,
    ) -> Result<Feed<O>, AccessError>
    where
        O: Clone + PartialEq + Send + Sync + 'static,
    {
        Ok(match self {
            Self::Manifests(folder) => {
                let source = ManifestSource::new(folder, kinds, LOOK_EVERY, readers.folder).knowing(known);
                let (feed, running) = open(source, QUEUE);
                tokio::spawn(running);
                feed
            }
            Self::Kube(access) => {
                let client = connect(&access).await?;
                let source = KubeSource::new(client, kinds, KubeOptions::default(), readers.object);
                let (feed, running) = open(source, QUEUE);
                let knowledge = feed.knowledge.clone();
                tokio::spawn(async move {
                    tokio::select! { _ = running => {}, () = say(&knowledge) => {} }
                });
                feed
            }
        })
    }
}

/// Logs when the cluster becomes known, and when following it fails and works again. Each kind fails on its own, many
/// times an hour if an API server is restarted: only what changes as a whole is worth a line.
async fn say(knowledge: &Knowledge) {
    let mut said = (State::Incomplete, false);
    let mut looks = tokio::time::interval(SAY_EVERY);
    loop {
        looks.tick().await;
        let (state, problems) = (knowledge.state(), knowledge.problems());
        let now = (state, !problems.is_empty());
        if now == said {
            continue;
        }
        said = now;
        let objects = knowledge.objects();
        if let Some(first) = problems.first() {
            tracing::warn!(state = state.name(), objects, problems = problems.len(), "{first}");
        } else {
            tracing::info!(state = state.name(), objects, "the cluster's objects");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_print_as_they_are_parsed() {
        for text in ["manifests:./objects", "kube", "kube:/etc/admin.conf", "kube:~/.kube/config,context=arn:a/b"] {
            let place: Result<Place, _> = text.parse();
            assert_eq!(place.map(|place| place.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_names_no_place_is_said() {
        for text in ["", "manifests", "manifests:", "kube:", "kube:,context=a", "kube:a,context=", "objects", "KUBE"] {
            let place: Result<Place, _> = text.parse();
            assert_eq!(place.map_err(|error| error.to_string()), Err(format!("'{text}' is no source of objects")));
        }
    }
}
