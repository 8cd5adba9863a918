//! Every recorded event at a Gateway and at an Ingress controller with a default backend, beside the rule that the lab says
//! it met: on both legs, joined, and with why nobody served it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use weir_model::tables::RequestRow;
use weir_model::{ConnectionId, Http, Leg, RouteLeg, RouteMethod, Routed};

use crate::passages::{recording, replayed};

#[test]
fn every_event_is_at_its_rule_on_both_legs_and_joined() {
    let truth = fs::read_to_string(recording("gateway", "gateway").join("truth.json")).expect("readable");
    let truth: Value = serde_json::from_str(&truth).expect("JSON");
    for order in [["node-a", "node-b"], ["node-b", "node-a"]] {
        let (_, rows) = replayed("gateway", "gateway", order);
        for event in truth["events"].as_array().expect("events") {
            Told { event, rows: &rows, id: event["id"].as_str().expect("an id") }.check();
        }
        let elsewhere = rows.iter().filter(|row| row.flow.route.is_none() && row.request.exchange.dns().is_none());
        assert_eq!(elsewhere.count(), 0, "all of the scenario passes a gateway");
    }
}

/// What is told of one event.
#[derive(Clone, Copy)]
struct Told<'a> {
    event: &'a Value,
    rows: &'a [RequestRow],
    id: &'a str,
}

impl<'a> Told<'a> {
    fn check(self) {
        let fronts = self.fronts();
        assert!(!fronts.is_empty(), "{}", self.id);
        let connections: BTreeSet<_> = fronts.iter().map(|row| row.flow.connection).collect();
        let backs = self.backs();
        for row in &fronts {
            self.check_front(row);
        }
        let is_served = self.text("/backend/pod").is_some();
        assert_eq!(!backs.is_empty(), is_served, "{}: at the gateway's veth and at the backend's", self.id);
        assert!(!is_served || backs.len() >= 2, "{}", self.id);
        for row in backs {
            self.check_back(row, &connections);
        }
    }

    /// The event's request, or client hello, at every tap on the way to the gateway.
    fn fronts(self) -> Vec<&'a RequestRow> {
        let port = self.event.pointer("/client/port").and_then(Value::as_u64);
        let dialled = |row: &&RequestRow| Some(u64::from(row.flow.seen.flow.tuple.src_port)) == port;
        let connections: Vec<ConnectionId> =
            self.rows.iter().filter(dialled).filter_map(|row| row.flow.connection).collect();
        let is_it = |row: &&RequestRow| {
            let path = row.request.exchange.http().and_then(|http| http.path.as_deref());
            row.flow.connection.is_some_and(|id| connections.contains(&id))
                && path.is_none_or(|path| path == self.asked())
        };
        self.rows.iter().filter(is_it).collect()
    }

    /// The request that the gateway made for it, by the id that it gave it; a connection that it passed on has none.
    fn backs(self) -> Vec<&'a RequestRow> {
        let id = self.text("/ingress/request_id");
        let is_back = |row: &&RequestRow| row.flow.route.as_ref().is_some_and(|route| route.leg == RouteLeg::Back);
        let is_it = |row: &&RequestRow| match http(row) {
            Some(http) => id.is_some() && http.request_id.as_deref() == id,
            None => self.text("/route/kind") == Some("TLSRoute"),
        };
        self.rows.iter().filter(is_back).filter(is_it).collect()
    }

    fn check_front(self, row: &RequestRow) {
        let route = row.flow.route.as_deref().unwrap_or_else(|| panic!("{}: no route: {row:?}", self.id));
        assert_eq!(route.leg, RouteLeg::Front, "{}", self.id);
        let Some(http) = http(row) else { return self.check_hello(route) };
        assert_eq!(
            http.status.map(u64::from),
            self.event.pointer("/http/status").and_then(Value::as_u64),
            "{}",
            self.id
        );
        assert_eq!(
            http.grpc_status.map(u64::from),
            self.event.pointer("/http/grpc_status").and_then(Value::as_u64),
            "{}",
            self.id
        );
        self.check_rule(route);
        assert_eq!(route.reason, self.text("/reason"), "{}: {route:?}", self.id);
        if row.flow.seen.leg == Some(Leg::Server) {
            let spent = row.split.map(|split| split.backend_us + split.gateway_us);
            let took = row.request.latency_us.filter(|_| self.text("/backend/pod").is_some());
            assert_eq!(spent, took, "{}: {row:?}", self.id);
        }
    }

    /// A client hello tells the host only, and where one object has it the object.
    fn check_hello(self, route: &Routed) {
        assert_eq!((route.method, &route.path), (Some(RouteMethod::Sni), &None), "{}: {route:?}", self.id);
        assert_eq!(route.host.as_deref(), self.text("/route/host"), "{}", self.id);
        let place = route.place.as_ref().unwrap_or_else(|| panic!("{}: {route:?}", self.id));
        assert_eq!(
            (place.kind, &*place.name),
            (self.text("/route/kind").expect("a kind"), self.text("/route/name").expect("a name")),
            "{}",
            self.id
        );
    }

    fn check_rule(self, route: &Routed) {
        let number = |path: &str| self.event.pointer(path).and_then(Value::as_u64);
        let place = route.place.as_ref();
        let told = place.map(|place| {
            (place.kind, &*place.namespace, &*place.name, place.rule.map(u64::from), place.matched.map(u64::from))
        });
        let [kind, namespace, name] = ["/route/kind", "/route/namespace", "/route/name"].map(|path| self.text(path));
        let want = kind.map(|kind| {
            (kind, namespace.expect("one"), name.expect("one"), number("/route/rule"), number("/route/match"))
        });
        assert_eq!(told, want, "{}: {route:?}", self.id);
        assert_eq!(
            (route.host.as_deref(), route.path.as_deref()),
            (self.text("/route/host"), self.text("/route/path")),
            "{}: {route:?}",
            self.id
        );
    }

    fn check_back(self, row: &RequestRow, fronts: &BTreeSet<Option<ConnectionId>>) {
        let route = row.flow.route.as_deref().expect("a route");
        self.check_rule(route);
        if let Some(http) = http(row) {
            let path = self.text("/at_backend/path").map(|target| target.split('?').next().unwrap_or(target));
            assert_eq!(
                (http.host.as_deref(), http.path.as_deref()),
                (self.text("/at_backend/host"), path),
                "{}",
                self.id
            );
        }
        let used = row.flow.seen.service.as_ref().and_then(|service| service.used.as_ref());
        let used = used.map(|used| format!("{}/{}", used.namespace, used.name));
        let pod = self.text("/backend/pod").expect("a pod");
        let of_pod = pod.split_once('-').map(|(service, _)| service.to_owned());
        assert_eq!(used, self.text("/route/backend_service").map(str::to_owned).or(of_pod), "{}: {route:?}", self.id);
        let front = row.front.as_ref().unwrap_or_else(|| panic!("{}: not joined: {row:?}", self.id));
        assert!(fronts.contains(&front.connection), "{}: {front:?}", self.id);
    }

    /// The path that was asked for.
    fn asked(self) -> &'a str {
        let url = self.text("/http/url").and_then(|url| url.split_once("://")).expect("a URL").1;
        let target = url.find('/').and_then(|at| url.get(at..)).expect("a path");
        target.split('?').next().unwrap_or(target)
    }

    fn text(self, path: &str) -> Option<&'a str> {
        self.event.pointer(path)?.as_str()
    }
}

fn http(row: &RequestRow) -> Option<&Http> {
    row.request.exchange.http()
}
