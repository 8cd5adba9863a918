//! A small API server for whole programs: lists and watches over HTTP/1.1 on loopback. It answers every kind, pages nothing
//! and forgets nothing.

use std::io::{BufRead as _, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::{fs, thread};

use serde_json::{Value, json};

/// A running server. Gone, with every connection, when dropped.
pub struct ApiServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    revision: u64,
    /// Plural and object, as they are now.
    objects: Vec<(String, Value)>,
    /// Revision, plural and event.
    log: Vec<(u64, String, Value)>,
    connections: Vec<TcpStream>,
    is_gone: bool,
}

impl ApiServer {
    /// Starts it without any object.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared: Arc<Shared> = Arc::default();
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                let mut state = serving.lock();
                if state.is_gone {
                    return;
                }
                state.connections.extend(stream.try_clone());
                // A client that goes away is no matter.
                thread::spawn(move || drop(shared.answer(&stream)));
            }
        });
        Self { address, shared }
    }

    /// Writes a kubeconfig file that leads here.
    pub fn kubeconfig(&self, path: &Path) {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        });
        fs::write(path, config.to_string()).expect("the kubeconfig can be written");
    }

    /// Puts a new object of `plural` (`pods`) in.
    pub fn create(&self, plural: &str, mut object: Value) {
        let mut state = self.shared.lock();
        state.revision += 1;
        let revision = state.revision;
        object["metadata"]["uid"] = json!(format!("uid-{revision}"));
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        state.log.push((revision, plural.to_owned(), json!({"type": "ADDED", "object": object})));
        state.objects.push((plural.to_owned(), object));
        self.shared.changed.notify_all();
    }

    /// Exchanges the object of the same name: a new version of it.
    pub fn update(&self, plural: &str, mut object: Value) {
        let mut state = self.shared.lock();
        state.revision += 1;
        let revision = state.revision;
        let name = object["metadata"]["name"].clone();
        let is_it = |(kind, known): &&mut (String, Value)| kind == plural && known["metadata"]["name"] == name;
        let (_, known) = state.objects.iter_mut().find(is_it).unwrap_or_else(|| panic!("no {plural} {name}"));
        object["metadata"]["uid"] = known["metadata"]["uid"].clone();
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        known.clone_from(&object);
        state.log.push((revision, plural.to_owned(), json!({"type": "MODIFIED", "object": object})));
        self.shared.changed.notify_all();
    }

    /// Takes the object of a name out.
    pub fn delete(&self, plural: &str, name: &str) {
        let mut state = self.shared.lock();
        state.revision += 1;
        let revision = state.revision;
        let is_it = |(kind, object): &(String, Value)| kind == plural && object["metadata"]["name"] == name;
        let at = state.objects.iter().position(is_it).unwrap_or_else(|| panic!("no {plural} {name}"));
        let (_, mut object) = state.objects.remove(at);
        object["metadata"]["resourceVersion"] = json!(revision.to_string());
        state.log.push((revision, plural.to_owned(), json!({"type": "DELETED", "object": object})));
        self.shared.changed.notify_all();
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_gone = true;
        for connection in state.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
        drop(state);
        // Wakes the listener up, so that the port is closed.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one request, and closes.
    fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream).lines();
        let request = lines.next().transpose()?.unwrap_or_default();
        while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
        let target = request.split(' ').nth(1).unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let plural = path.rsplit('/').next().unwrap_or_default();
        let parameter =
            |name: &str| query.split('&').filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")?;
        if parameter("watch").is_none() {
            let list = self.list(plural).to_string();
            stream.write_all(list.as_bytes())?;
            return stream.shutdown(Shutdown::Both);
        }
        let mut from = parameter("resourceVersion").and_then(|(_, version)| version.parse().ok()).unwrap_or(0);
        while let Some((revision, events)) = self.events(plural, from) {
            from = revision;
            stream.write_all(events.as_bytes())?;
        }
        Ok(())
    }

    fn list(&self, plural: &str) -> Value {
        let state = self.lock();
        let items: Vec<&Value> =
            state.objects.iter().filter(|(kind, _)| kind == plural).map(|(_, object)| object).collect();
        json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": state.revision.to_string()}, "items": items})
    }

    /// Waits for events of a kind behind a revision. `None` = the server is gone.
    fn events(&self, plural: &str, from: u64) -> Option<(u64, String)> {
        let news = |state: &State| -> Vec<String> {
            let is_news = |(revision, kind, _): &&(u64, String, Value)| *revision > from && kind == plural;
            state.log.iter().filter(is_news).map(|(_, _, event)| format!("{event}\n")).collect()
        };
        let waiting = self.changed.wait_while(self.lock(), |state| !state.is_gone && news(state).is_empty());
        let state = waiting.unwrap_or_else(PoisonError::into_inner);
        (!state.is_gone).then(|| (state.revision, news(&state).concat()))
    }
}
