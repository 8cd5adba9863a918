//! What who takes a feed in knows: the objects as the changes leave them, and the changes themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use kube::Client;
use serde_json::Value;
use weir_watch::kube::{KubeOptions, KubeSource};
use weir_watch::{Change, Feed, Kind, Known, open};

/// Times of a machine that waits for nothing.
pub(crate) fn quick() -> KubeOptions {
    KubeOptions {
        page_objects: 3,
        first_pause: Duration::from_millis(1),
        longest_pause: Duration::from_millis(20),
        absent_pause: Duration::from_millis(5),
        ..KubeOptions::default()
    }
}

pub(crate) fn kind(plural: &str) -> Kind {
    *Kind::ALL.iter().find(|kind| kind.plural() == plural).expect("a kind")
}

/// `spec.v` of an object; `bad` is none.
fn read(_: Kind, json: &str) -> Result<String, String> {
    let object: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    match object["spec"]["v"].as_str() {
        Some("bad") | None => Err("spec.v: not readable".to_owned()),
        Some(v) => Ok(v.to_owned()),
    }
}

pub(crate) struct World {
    pub(crate) feed: Feed<String>,
    /// `Pod shop/web` and its `spec.v`.
    pub(crate) objects: BTreeMap<String, String>,
    /// `+Pod shop/web=1`, `-Pod shop/web`, `.Pod`.
    pub(crate) told: Vec<String>,
}

impl World {
    pub(crate) fn of(client: Client, plurals: &[&str], options: KubeOptions) -> Self {
        let kinds = plurals.iter().map(|plural| kind(plural)).collect();
        let (feed, running) = open(KubeSource::new(client, kinds, options, read), 4);
        tokio::spawn(running);
        Self { feed, objects: BTreeMap::new(), told: Vec::new() }
    }

    /// Takes one change in. A test in which none comes is ended by the runner.
    pub(crate) async fn step(&mut self) {
        match self.feed.changes.recv().await.expect("sources do not end") {
            Change::Applied { id, object } => {
                self.told.push(format!("+{id}={object}"));
                self.objects.insert(id.to_string(), object);
            }
            Change::Deleted { id } => {
                self.told.push(format!("-{id}"));
                assert!(self.objects.remove(&id.to_string()).is_some(), "{id} was there: {:?}", self.told);
            }
            Change::Complete { kind } => self.told.push(format!(".{kind}")),
        }
    }

    /// Takes changes in until one is told.
    pub(crate) async fn until(&mut self, told: &str) -> Vec<String> {
        loop {
            if let Some(at) = self.told.iter().position(|change| change == told) {
                return self.told.drain(..=at).collect();
            }
            self.step().await;
        }
    }

    pub(crate) fn known(&self, plural: &str) -> Known {
        self.feed.knowledge.of_kind(kind(plural)).expect("a kind of this feed")
    }

    /// Takes nothing in until the knowledge of a kind is as wanted.
    pub(crate) async fn knows(&self, plural: &str, wanted: impl Fn(&Known) -> bool) -> Known {
        loop {
            let known = self.known(plural);
            if wanted(&known) {
                return known;
            }
            tokio::task::yield_now().await;
        }
    }
}
