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
        _ => format!("{ip}{port}"),
    }
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
    match row.get(column).as_int() {
        Some(us) if us < 1_000 => format!("{us}us"),
        Some(us) if us < 1_000_000 => format!("{:.1}ms", us as f64 / 1e3),
        Some(us) => format!("{:.2}s", us as f64 / 1e6),
        None => String::new(),
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
