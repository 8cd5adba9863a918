//! A small API server: real HTTP on loopback, lists in pages, watches with bookmarks, and failures on order.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::api_server_answers;

/// What goes wrong with the next request of an operation.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// A refusal with this status; with `Retry-After` in seconds.
    Status(u16, Option<u64>),
    /// A page for people, as proxies send it, with status 200.
    Html,
    /// JSON that is no list and no event.
    OtherJson,
    /// The answer is cut after so many bytes and the connection with it.
    CutAfter(usize),
    /// An event of type `ERROR` with this code.
    ErrorEvent(u16),
    /// These lines instead of what happened.
    Lines(Vec<String>),
    /// The stream ends at once, in order.
    EndAtOnce,
    /// No byte of an answer ever comes.
    Silence,
    /// Bytes come one by one.
    Trickle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    List,
    Watch,
}

#[derive(Clone)]
pub(crate) struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    state: Mutex<State>,
    /// Counts changes, so that streams wake up.
    pub(crate) changed: watch::Sender<u64>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) revision: u64,
    /// By plural, namespace and name.
    pub(crate) objects: BTreeMap<(String, String, String), Value>,
    /// Everything that happened: revision, plural, event.
    pub(crate) log: Vec<(u64, String, Value)>,
    /// Revisions up to this one are forgotten.
    pub(crate) compacted: u64,
    /// Lists that go on: what their tokens stand for.
    pub(crate) continued: HashMap<String, (u64, Vec<Value>)>,
    /// Kinds that are not served.
    pub(crate) absent: BTreeSet<String>,
    pub(crate) faults: HashMap<Operation, VecDeque<Fault>>,
    /// Paths and queries of all requests.
    pub(crate) requests: Vec<String>,
    /// Whether the server answers 410 as a status, else as an event.
    pub(crate) gone_as_status: bool,
    /// Streams of lower numbers end.
    pub(crate) closed_streams: u64,
    pub(crate) opened_streams: u64,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }

    fn touch(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}

impl ApiServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let state = Mutex::new(State { revision: 100, ..State::default() });
        let shared = Arc::new(Shared { state, changed: watch::Sender::new(0) });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&serving);
                let service = service_fn(move |request| api_server_answers::answer(Arc::clone(&shared), request));
                // A stream that is broken off on purpose is an error here.
                tokio::spawn(async move {
                    drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { address, shared }
    }

    pub(crate) fn client(&self) -> Client {
        let mut config = Config::new(format!("http://{}", self.address).parse().expect("an address"));
        config.default_retry = false;
        // What other crates of the workspace ask of rustls leaves it two to choose from.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::try_from(config).expect("no TLS, nothing to fail")
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    /// Puts an object in, or changes it: `spec.v` tells versions apart.
    pub(crate) fn put(&self, plural: &str, name: &str, v: &str) -> u64 {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let mut state = self.state();
        state.revision += 1;
        let revision = state.revision;
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let uid = state
            .objects
            .get(&key)
            .map_or_else(|| json!(format!("uid-{revision}")), |old| old["metadata"]["uid"].clone());
        let event = if state.objects.contains_key(&key) { "MODIFIED" } else { "ADDED" };
        let object = json!({
            "apiVersion": "v1", "kind": "Thing",
            "metadata": {
                "name": name, "namespace": namespace, "uid": uid, "resourceVersion": revision.to_string(),
                "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:secret": {}}}}],
            },
            "spec": {"v": v},
        });
        state.objects.insert(key, object.clone());
        state.log.push((revision, plural.to_owned(), json!({"type": event, "object": object})));
        drop(state);
        self.shared.touch();
        revision
    }

    pub(crate) fn delete(&self, plural: &str, name: &str) {
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let mut state = self.state();
        state.revision += 1;
        let revision = state.revision;
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let mut object = state.objects.remove(&key).expect("it is there");
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        state.log.push((revision, plural.to_owned(), json!({"type": "DELETED", "object": object})));
        drop(state);
        self.shared.touch();
    }

    /// Tells all streams of a kind where they are.
    pub(crate) fn bookmark(&self, plural: &str) -> u64 {
        let mut state = self.state();
        state.revision += 1;
        let revision = state.revision;
        let object =
            json!({"kind": "Thing", "apiVersion": "v1", "metadata": {"resourceVersion": revision.to_string()}});
        state.log.push((revision, plural.to_owned(), json!({"type": "BOOKMARK", "object": object})));
        drop(state);
        self.shared.touch();
        revision
    }

    /// Forgets all that happened so far, and the places of lists.
    pub(crate) fn compact(&self) {
        let mut state = self.state();
        state.compacted = state.revision;
        state.log.clear();
        state.continued.clear();
    }

    pub(crate) fn end_streams(&self) {
        let mut state = self.state();
        state.closed_streams = state.opened_streams;
        drop(state);
        self.shared.touch();
    }

    pub(crate) fn next_fails(&self, operation: Operation, fault: Fault) {
        self.state().faults.entry(operation).or_default().push_back(fault);
    }

    /// A kind is taken away or brought back, with its objects.
    pub(crate) fn serve(&self, plural: &str, served: bool) {
        let mut state = self.state();
        if served {
            state.absent.remove(plural)
        } else {
            state.absent.insert(plural.to_owned())
        };
    }

    pub(crate) fn requests(&self, part: &str) -> Vec<String> {
        self.state().requests.iter().filter(|request| request.contains(part)).cloned().collect()
    }
}
