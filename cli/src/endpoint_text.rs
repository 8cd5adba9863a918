//! Endpoints, Services and amounts of a row in words.

use weir_model::Record;

/// The opener: `shop/client`, `node:node-a`, `203.0.113.7`.
pub(crate) fn src(row: &Record) -> String {
    endpoint(row, "src", None)
}

/// The other side, with its port: `shop/web-1:8080`.
pub(crate) fn dst(row: &Record) -> String {
    let port = row.get("backend_port").as_int().or_else(|| row.get("dst_port").as_int());
    endpoint(row, "dst", port)
}

/// The Service that was used, with its type: `shop/web (cluster-ip)`; candidates in question marks; empty for none.
pub(crate) fn service(row: &Record) -> String {
    let text = |column| row.get(column).as_text().unwrap_or_default();
    match (row.get("service_name").as_text(), row.get("service_candidates")) {
        (Some(name), _) => {
            let port = match row.get("service_port_name").as_text() {
                Some(port) => format!(":{port}"),
                None => String::new(),
            };
            format!("{}/{name}{port} ({})", text("service_namespace"), text("service_type"))
        }
        (None, weir_model::Value::TextList(candidates)) => match candidates.as_slice() {
            [one] => format!("{one}?"),
            many => format!("one of {}?", many.len()),
        },
        (None, _) => String::new(),
    }
}

fn endpoint(row: &Record, side: &str, port: Option<i64>) -> String {
    let column = |name: &str| row.get(&format!("{side}_{name}")).clone();
    let (namespace, name, kind) = (column("namespace"), column("name"), column("kind"));
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    // Behind NAT the real end is meant, where it is known.
    let real = row.get(if side == "src" { "client_ip" } else { "backend_ip" }).clone();
    let ip = match if real.is_null() { column("ip") } else { real } {
        weir_model::Value::Ip(ip) if port.is_empty() || ip.is_ipv4() => ip.to_string(),
        weir_model::Value::Ip(ip) => format!("[{ip}]"),
        _ => "?".to_owned(),
    };
    match (kind.as_text(), namespace.as_text(), name.as_text()) {
        (Some("node"), _, Some(name)) => format!("node:{name}{port}"),
        (Some("service"), Some(namespace), Some(name)) => format!("service:{namespace}/{name}{port}"),
        (_, Some(namespace), Some(name)) => format!("{namespace}/{name}{port}"),
        (_, _, network) => match (column("dns_name").as_text(), network) {
            (Some(name), _) => format!("{name}{port}"),
            (None, Some(network)) => format!("{network}/{ip}{port}"),
            (None, None) => format!("{ip}{port}"),
        },
    }
}

/// What a request asks for: `GET web.shop/cart`, `A web.shop`, `www.example.com`.
pub(crate) fn asked(row: &Record) -> String {
    let text = |column| row.get(column).as_text();
    match text("l7") {
        Some("http" | "grpc") => {
            let (host, path) = (text("host").unwrap_or_default(), text("path").unwrap_or_default());
            // A target in absolute form names the host itself, and so does that of CONNECT.
            let host = if path.starts_with('/') || path == "*" || path.is_empty() { host } else { "" };
            format!("{} {host}{path}", text("method").unwrap_or("?"))
        }
        Some("dns" | "mdns" | "llmnr") => {
            format!("{} {}", text("qtype").unwrap_or("?"), text("qname").unwrap_or("?"))
        }
        _ => text("sni").unwrap_or("(no server name)").to_owned(),
    }
}

/// What came back: `200`, `no such name`, `TLS1.3`; `no answer`.
pub(crate) fn answered(row: &Record) -> String {
    let number = |column| row.get(column).as_int();
    let l7 = row.get("l7").as_text();
    let answer = match l7 {
        Some("grpc") => number("grpc_status").map(|status| format!("grpc {status}")).or_else(|| status(row)),
        Some("http") => status(row),
        Some("dns" | "mdns" | "llmnr") => number("rcode").map(|code| rcode(code, row)),
        _ => row.get("tls_version").as_text().map(ToOwned::to_owned),
    };
    answer.unwrap_or_else(|| "no answer".to_owned())
}

fn status(row: &Record) -> Option<String> {
    row.get("status").as_int().map(|status| status.to_string())
}

fn rcode(code: i64, row: &Record) -> String {
    let name = match code {
        0 => {
            let weir_model::Value::TextList(answers) = row.get("answers") else { return "no data".to_owned() };
            return match answers.as_slice() {
                [one] => one.to_string(),
                [first, rest @ ..] => format!("{first} and {} more", rest.len()),
                [] => "no data".to_owned(),
            };
        }
        1 => "format error",
        2 => "server failure",
        3 => "no such name",
        4 => "not implemented",
        5 => "refused",
        code => return format!("rcode {code}"),
    };
    name.to_owned()
}

/// Bytes of one direction in a few characters; `?` where no tap saw that direction.
pub(crate) fn seen_bytes(row: &Record, column: &str) -> String {
    row.get(column).as_int().map_or_else(|| "?".to_owned(), bytes)
}

/// Bytes with a unit: `1.2kB`.
pub(crate) fn bytes(count: i64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("B");
    if unit == 0 { format!("{count}{name}") } else { format!("{value:.1}{name}") }
}

/// Microseconds with a unit: `0.3ms`; empty for null.
pub(crate) fn micros(row: &Record, column: &str) -> String {
    row.get(column).as_int().map(span).unwrap_or_default()
}

/// Microseconds with a unit: `0.3ms`.
pub(crate) fn span(us: i64) -> String {
    match us {
        us if us < 1_000 => format!("{us}us"),
        us if us < 1_000_000 => format!("{:.1}ms", us as f64 / 1e3),
        us => format!("{:.2}s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_three_digits() {
        assert_eq!(bytes(999), "999B");
        assert_eq!(bytes(1_000), "1.0kB");
        assert_eq!(bytes(999_999), "1.0MB");
        assert_eq!(bytes(12_345_678), "12.3MB");
    }
}
