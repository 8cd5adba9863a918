//! One request as it is written in JSON: a value comes in, an owned request or what is wrong with it goes out.

use serde_json::{Map, Value};
use weir_cluster::route::{RouteRequest, Scheme};

use super::shown;

/// A request, owned.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) scheme: Scheme,
    pub(super) method: String,
    pub(super) host: Option<String>,
    pub(super) target: String,
    pub(super) sni: Option<String>,
    pub(super) port: Option<u16>,
    /// Namespace and name.
    pub(super) gateway: Option<(String, String)>,
    /// The listener of the Gateway whose port is dialled.
    pub(super) listener: Option<String>,
    pub(super) is_grpc: bool,
    headers: Vec<(String, String)>,
}

/// What is expected of the answer, where that is said.
pub(super) fn expected(value: &Value) -> Option<&Map<String, Value>> {
    value.get("expected")?.as_object()
}

/// Reads `{"request": {...}}` or the request alone. The error names the field.
pub(super) fn parse(value: &Value) -> Result<Request, String> {
    let written = value.get("request").unwrap_or(value);
    let fields = written.as_object().ok_or_else(|| format!("not a request: {}", shown(written)))?;
    if !["host", "authority", "path", "sni", "gateway"].iter().any(|name| fields.contains_key(*name)) {
        return Err("not a request: it names neither host nor path".to_owned());
    }
    let fields = Fields(fields);
    let sni = fields.text("sni")?;
    let protocol = fields.text("protocol")?.unwrap_or_default().to_ascii_lowercase();
    let scheme = match fields.text("scheme")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("https") => Scheme::Https,
        Some("tls") => Scheme::Tls,
        None if protocol == "tls" => Scheme::Tls,
        None if sni.is_some() || protocol == "https" => Scheme::Https,
        Some("http") | None => Scheme::Http,
        Some(other) => return Err(format!("scheme: not http, https or tls: {other}")),
    };
    let target = fields.text("path")?.unwrap_or_else(|| "/".to_owned());
    if !target.is_empty() && !target.starts_with(['/', '?']) && target != "*" && !target.contains("://") {
        return Err(format!("path: not a path (expected / first): {target}"));
    }
    let Entry { gateway, listener, port } = fields.gateway()?;
    let own_port = fields.port("port")?;
    if own_port.zip(port).is_some_and(|(own, port)| own != port) {
        return Err("gateway.port: differs from port".to_owned());
    }
    let is_grpc = protocol.contains("grpc") || fields.has_grpc_content()?;
    let method = fields.text("method")?.unwrap_or_else(|| if is_grpc { "POST" } else { "GET" }.to_owned());
    Ok(Request {
        scheme,
        method,
        host: fields.text("host")?.map_or_else(|| fields.text("authority"), |host| Ok(Some(host)))?,
        target,
        sni,
        port: own_port.or(port),
        gateway,
        listener,
        is_grpc,
        headers: fields.headers()?,
    })
}

impl Request {
    pub(super) fn headers(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    pub(super) fn borrowed<'a>(&'a self, headers: &'a [(&'a str, &'a str)]) -> RouteRequest<'a> {
        RouteRequest {
            scheme: self.scheme,
            method: &self.method,
            host: self.host.as_deref(),
            target: &self.target,
            sni: self.sni.as_deref(),
            port: self.port,
            headers,
        }
    }
}

/// Where a request enters, as far as that is said.
#[derive(Default)]
struct Entry {
    gateway: Option<(String, String)>,
    listener: Option<String>,
    port: Option<u16>,
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    /// A text; absent, `null` and empty are none.
    fn text(&self, name: &str) -> Result<Option<String>, String> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            Some(other) => Err(format!("{name}: not a text: {other}")),
        }
    }

    fn port(&self, called: &str) -> Result<Option<u16>, String> {
        let Some(value) = self.0.get("port").filter(|value| !value.is_null()) else { return Ok(None) };
        let port = shown(value).parse().ok().filter(|port| *port != 0);
        port.map(Some).ok_or_else(|| format!("{called}: not a port: {}", shown(value)))
    }

    fn gateway(&self) -> Result<Entry, String> {
        let fields = match self.0.get("gateway") {
            None | Some(Value::Null) => return Ok(Entry::default()),
            Some(Value::String(text)) => {
                let name = text.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
                let (namespace, name) = name.ok_or_else(|| format!("gateway: not NAMESPACE/NAME: {text}"))?;
                return Ok(Entry { gateway: Some((namespace.to_owned(), name.to_owned())), ..Entry::default() });
            }
            Some(Value::Object(fields)) => fields,
            Some(other) => return Err(format!("gateway: not a name: {other}")),
        };
        if let Some(other) = fields.keys().find(|key| !["namespace", "name", "listener", "port"].contains(&&***key)) {
            return Err(format!("gateway.{other}: unknown field"));
        }
        let fields = Fields(fields);
        let text = |name: &str| fields.text(name).map_err(|error| format!("gateway.{error}"));
        let name = text("name")?.ok_or("gateway.name: missing")?;
        let namespace = text("namespace")?.ok_or("gateway.namespace: missing")?;
        Ok(Entry { gateway: Some((namespace, name)), listener: text("listener")?, port: fields.port("gateway.port")? })
    }

    fn headers(&self) -> Result<Vec<(String, String)>, String> {
        let fields = match self.0.get("headers") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Object(fields)) => fields,
            Some(other) => return Err(format!("headers: not an object: {other}")),
        };
        let mut made = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            match value {
                Value::Array(values) => made.extend(values.iter().map(|value| (name.clone(), shown(value)))),
                Value::Object(_) | Value::Null => return Err(format!("headers.{name}: not a text: {value}")),
                value => made.push((name.clone(), shown(value))),
            }
        }
        Ok(made)
    }

    fn has_grpc_content(&self) -> Result<bool, String> {
        let is_type = |name: &str| name.eq_ignore_ascii_case("content-type");
        Ok(self.headers()?.iter().any(|(name, value)| is_type(name) && value.starts_with("application/grpc")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_request_stands_alone_or_in_an_object() {
        let alone = parse(&json!({"host": "a.com", "path": "/x", "method": "POST"})).expect("a request");
        let inner = json!({"scenario": "s", "request": {"host": "a.com", "path": "/x", "method": "POST"}});
        let inner = parse(&inner).expect("a request");
        assert_eq!(format!("{alone:?}"), format!("{inner:?}"));
        assert_eq!((alone.scheme, &*alone.target), (Scheme::Http, "/x"));
    }

    #[test]
    fn what_is_not_said_follows_from_the_rest() {
        let request = parse(&json!({"sni": "a.com", "gateway": "infra/edge"})).expect("a request");
        assert_eq!(request.scheme, Scheme::Https);
        assert_eq!((&*request.method, &*request.target), ("GET", "/"));
        assert_eq!(request.gateway, Some(("infra".to_owned(), "edge".to_owned())));
        let grpc = parse(&json!({"path": "/a.B/C", "headers": {"Content-Type": "application/grpc"}}));
        assert_eq!(grpc.expect("a request").method, "POST");
    }

    #[test]
    fn a_header_may_have_several_values() {
        let request = parse(&json!({"path": "/", "headers": {"a": ["1", "2"], "b": 3}})).expect("a request");
        assert_eq!(request.headers(), [("a", "1"), ("a", "2"), ("b", "3")]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (value, want) in [
            (json!(1), "not a request"),
            (json!({}), "not a request"),
            (json!({"path": "a"}), "path:"),
            (json!({"path": 1}), "path:"),
            (json!({"path": "/", "scheme": "ftp"}), "scheme:"),
            (json!({"path": "/", "port": 70_000}), "port:"),
            (json!({"path": "/", "headers": []}), "headers:"),
            (json!({"path": "/", "headers": {"a": null}}), "headers.a:"),
            (json!({"path": "/", "gateway": {}}), "gateway.name:"),
            (json!({"path": "/", "gateway": {"name": "edge"}}), "gateway.namespace:"),
            (json!({"path": "/", "gateway": "edge"}), "gateway: not NAMESPACE/NAME"),
            (json!({"path": "/", "gateway": {"name": "a", "namespace": "b", "port": 0}}), "gateway.port:"),
            (json!({"path": "/", "gateway": {"name": "a", "namespace": "b", "ports": 80}}), "gateway.ports:"),
            (json!({"path": "/", "port": 80, "gateway": {"name": "a", "namespace": "b", "port": 81}}), "gateway.port:"),
            (json!({"request": null}), "not a request"),
        ] {
            let error = parse(&value).expect_err("no request");
            assert!(error.starts_with(want), "{value}: {error}");
        }
    }
}
