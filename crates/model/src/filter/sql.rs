//! Checks as SQL: each says the same as its sibling in `check`, or lets more pass and says so.

use std::fmt::Write;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::check::{Check, Glob, Span, Test};
use crate::Timestamp;

impl Test {
    /// An SQL expression for DataFusion: true where the test holds (and for more where it is not exact), else false or null.
    pub(super) fn to_sql(&self) -> String {
        match self {
            Self::Any(tests) => joined(tests, " OR ", "false"),
            Self::All(tests) => joined(tests, " AND ", "true"),
            Self::Column(column, check) => check.to_sql(column.column().name),
        }
    }

    /// Whether the SQL is true for no other rows.
    pub(super) fn is_exact_in_sql(&self) -> bool {
        match self {
            Self::Any(tests) | Self::All(tests) => tests.iter().all(Self::is_exact_in_sql),
            Self::Column(_, check) => check.is_exact_in_sql(),
        }
    }
}

fn joined(tests: &[Test], with: &str, empty: &str) -> String {
    match tests {
        [] => empty.to_owned(),
        [only] => only.to_sql(),
        _ => format!("({})", tests.iter().map(Test::to_sql).collect::<Vec<_>>().join(with)),
    }
}

impl Check {
    fn to_sql(&self, column: &str) -> String {
        match self {
            Self::Bool(wanted) => format!("{column} = {wanted}"),
            Self::Int(span) => span.to_sql(column, i64::to_string),
            Self::Micros(span) => span.to_sql(column, |micros| time(Timestamp::from_micros(*micros))),
            Self::Text(wanted) => format!("{column} = {}", quoted(wanted)),
            Self::Glob(glob) => format!("{column} LIKE {}", glob.to_like("", "")),
            Self::Address(address) => format!("{column} = {}", quoted(&address.to_string())),
            Self::Network(net) => network(column, *net),
            Self::HasText(wanted) => format!("array_has({column}, {})", quoted(wanted)),
            Self::HasInt(Span { first, last }) if first == last => format!("array_has({column}, {first})"),
            // No function asks every element: what fits one fits somewhere in all of them together.
            Self::HasGlob(glob) => format!("array_to_string({column}, ' ') LIKE {}", glob.to_like("%", "%")),
            Self::HasInt(_) | Self::HasTunnel(..) | Self::HasIcmp(..) => format!("{column} IS NOT NULL"),
        }
    }

    fn is_exact_in_sql(&self) -> bool {
        match self {
            Self::HasGlob(_) | Self::HasTunnel(..) | Self::HasIcmp(..) => false,
            Self::HasInt(span) => span.first == span.last,
            Self::Network(net) => network_is_exact(*net),
            _ => true,
        }
    }
}

impl Span {
    fn to_sql(self, column: &str, literal: impl Fn(&i64) -> String) -> String {
        let Self { first, last } = self;
        match (first, last) {
            _ if first > last => "false".to_owned(),
            _ if first == last => format!("{column} = {}", literal(&first)),
            (i64::MIN, i64::MAX) => format!("{column} IS NOT NULL"),
            (i64::MIN, _) => format!("{column} <= {}", literal(&last)),
            (_, i64::MAX) => format!("{column} >= {}", literal(&first)),
            _ => format!("{column} BETWEEN {} AND {}", literal(&first), literal(&last)),
        }
    }
}

impl Glob {
    fn to_like(&self, before: &str, behind: &str) -> String {
        let pattern = self.0.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_").replace('*', "%");
        format!(r"{} ESCAPE '\'", quoted(&format!("{before}{pattern}{behind}")))
    }
}

/// A text literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A time literal, in microseconds.
pub(super) fn time(time: Timestamp) -> String {
    format!("TIMESTAMP {}", quoted(&time.rfc3339()))
}

/// Addresses are text in the lake: a network is a prefix of it where its length allows, else the nearest wider prefix.
fn network(column: &str, net: IpNet) -> String {
    match net {
        _ if net.prefix_len() == net.max_prefix_len() => format!("{column} = {}", quoted(&net.addr().to_string())),
        IpNet::V4(net) => match v4_prefix(net) {
            prefix if prefix.is_empty() => format!("{column} LIKE '%.%' AND {column} NOT LIKE '%:%'"),
            prefix => format!("{column} LIKE '{prefix}%'"),
        },
        IpNet::V6(net) => format!("{column} LIKE '{}%'", v6_prefix(net).unwrap_or_else(|| "%:".to_owned())),
    }
}

fn network_is_exact(net: IpNet) -> bool {
    let whole = net.prefix_len() == net.max_prefix_len() || net.prefix_len() == 0;
    whole
        || match net {
            IpNet::V4(net) => net.prefix_len().is_multiple_of(8),
            IpNet::V6(net) => net.prefix_len().is_multiple_of(16) && v6_prefix(net).is_some(),
        }
}

/// The octets that the whole network shares, each with its point.
fn v4_prefix(net: Ipv4Net) -> String {
    let shared = usize::from(net.prefix_len() / 8);
    net.network().octets().iter().take(shared).fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet}.");
        text
    })
}

/// The groups that the whole network shares, each with its colon; `None` where there are none, or where one of them is
/// zero, so that `::` may stand for it.
fn v6_prefix(net: Ipv6Net) -> Option<String> {
    let shared = usize::from(net.prefix_len() / 16);
    let groups = net.network().segments();
    let groups = groups.get(..shared).filter(|groups| !groups.is_empty() && !groups.contains(&0))?;
    Some(groups.iter().fold(String::new(), |mut text, group| {
        let _ = write!(text, "{group:x}:");
        text
    }))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn networks_are_prefixes_of_text_where_that_is_exact() {
        let sql = |net: &str| {
            let net = net.parse().expect("valid");
            (network("ip", net), network_is_exact(net))
        };
        let exact = |text: &str| (text.to_owned(), true);
        let wider = |text: &str| (text.to_owned(), false);
        assert_eq!(sql("10.244.0.0/16"), exact("ip LIKE '10.244.%'"));
        assert_eq!(sql("10.244.16.0/20"), wider("ip LIKE '10.244.%'"));
        assert_eq!(sql("10.0.0.1/32"), exact("ip = '10.0.0.1'"));
        assert_eq!(sql("64.0.0.0/2"), wider("ip LIKE '%.%' AND ip NOT LIKE '%:%'"));
        assert_eq!(sql("fd00:10::/32"), exact("ip LIKE 'fd00:10:%'"));
        assert_eq!(sql("fd00:10::/30"), wider("ip LIKE 'fd00:%'"));
        assert_eq!(sql("fd00:0:1::/48"), wider("ip LIKE '%:%'"));
        assert_eq!(sql("::/0"), exact("ip LIKE '%:%'"));
    }

    #[test]
    fn an_address_in_the_table_has_the_form_that_sql_compares() {
        let written: IpAddr = "FD00:0010:0:0::0005".parse().expect("valid");
        assert_eq!(written.to_string(), "fd00:10::5");
    }
}
