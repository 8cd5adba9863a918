//! The fields of the language: columns, and words that stand for columns of either side.

use super::check::{Check, Test};
use super::clause::Operator;
use super::columns::ColumnId;
use super::error::Problem;
use super::value;
use crate::{ColumnType, EndpointKind};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    /// A column.
    Column(ColumnId),
    /// A word, for the given sides.
    Word(Word, &'static [Side]),
}

/// A word that is about one side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Pod,
    Namespace,
    Workload,
    Node,
    Zone,
    Ip,
    Port,
    Label,
    Service,
    Policy,
    Dns,
    Ingress,
    Route,
}

/// A side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Src,
    Dst,
}

const NAMES: [(&str, Field); 34] = {
    const BOTH: &[Side] = &[Side::Src, Side::Dst];
    const FROM: &[Side] = &[Side::Src];
    const TO: &[Side] = &[Side::Dst];
    [
        ("pod", Field::Word(Word::Pod, BOTH)),
        ("namespace", Field::Word(Word::Namespace, BOTH)),
        ("workload", Field::Word(Word::Workload, BOTH)),
        ("zone", Field::Word(Word::Zone, BOTH)),
        ("ip", Field::Word(Word::Ip, BOTH)),
        ("port", Field::Word(Word::Port, BOTH)),
        ("label", Field::Word(Word::Label, BOTH)),
        ("service", Field::Word(Word::Service, BOTH)),
        ("policy", Field::Word(Word::Policy, BOTH)),
        ("dns", Field::Word(Word::Dns, BOTH)),
        // A rule is of the connection, not of a side of it.
        ("ingress", Field::Word(Word::Ingress, TO)),
        ("route", Field::Word(Word::Route, TO)),
        ("from.pod", Field::Word(Word::Pod, FROM)),
        ("from.namespace", Field::Word(Word::Namespace, FROM)),
        ("from.workload", Field::Word(Word::Workload, FROM)),
        ("from.node", Field::Word(Word::Node, FROM)),
        ("from.zone", Field::Word(Word::Zone, FROM)),
        ("from.ip", Field::Word(Word::Ip, FROM)),
        ("from.port", Field::Word(Word::Port, FROM)),
        ("from.label", Field::Word(Word::Label, FROM)),
        ("from.service", Field::Word(Word::Service, FROM)),
        ("from.policy", Field::Word(Word::Policy, FROM)),
        ("from.dns", Field::Word(Word::Dns, FROM)),
        ("to.pod", Field::Word(Word::Pod, TO)),
        ("to.namespace", Field::Word(Word::Namespace, TO)),
        ("to.workload", Field::Word(Word::Workload, TO)),
        ("to.node", Field::Word(Word::Node, TO)),
        ("to.zone", Field::Word(Word::Zone, TO)),
        ("to.ip", Field::Word(Word::Ip, TO)),
        ("to.port", Field::Word(Word::Port, TO)),
        ("to.label", Field::Word(Word::Label, TO)),
        ("to.service", Field::Word(Word::Service, TO)),
        ("to.policy", Field::Word(Word::Policy, TO)),
        ("to.dns", Field::Word(Word::Dns, TO)),
    ]
};

/// Every name of a field: the words, then the columns.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name).chain(ColumnId::all().map(|column| column.name))
}

impl Field {
    pub(super) fn find(name: &str) -> Result<Self, Problem> {
        let word = NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| *field);
        word.or_else(|| ColumnId::find(name).map(Self::Column))
            .ok_or_else(|| Problem::UnknownField { field: name.to_owned(), near: near(name) })
    }

    /// Whether values can be compared by more than equality.
    pub(super) fn has_order(self) -> bool {
        match self {
            Self::Word(word, _) => word == Word::Port,
            Self::Column(column) => {
                matches!(column.column().kind, ColumnType::Int64 | ColumnType::Int32 | ColumnType::Time)
            }
        }
    }

    /// The value as it prints and the test for it, or what was expected instead of it.
    pub(super) fn compile(self, operator: Operator, text: &str) -> Result<(String, Test), String> {
        match self {
            Self::Column(at) => {
                let (text, check) = value::for_column(at, operator, text)?;
                Ok((text, Test::Column(at, check)))
            }
            Self::Word(word, sides) => {
                let mut tests = Vec::with_capacity(sides.len());
                let mut printed = text.to_owned();
                for side in sides {
                    let (text, test) = word.compile(*side, operator, text)?;
                    printed = text;
                    tests.push(test);
                }
                Ok((printed, Test::Any(tests)))
            }
        }
    }
}

impl Word {
    fn compile(self, side: Side, operator: Operator, text: &str) -> Result<(String, Test), String> {
        let endpoint = side.endpoint();
        match self {
            Self::Ip => one(side.addresses(), |at| value::for_column(at, operator, text)),
            Self::Port => one(side.ports(), |at| value::for_column(at, operator, text)),
            Self::Label => Ok((text.to_owned(), Test::Column(endpoint.labels, value::label(text)?))),
            Self::Namespace => Ok((text.to_owned(), named(endpoint.namespace, text)?)),
            Self::Dns => Ok((text.to_owned(), named(endpoint.dns_name, text)?)),
            Self::Node => Ok((text.to_owned(), named(endpoint.node, text)?)),
            Self::Zone => Ok((text.to_owned(), named(endpoint.zone, text)?)),
            Self::Pod => {
                let test = path(&[endpoint.namespace, endpoint.name], text, "a pod: name or namespace/name")?;
                Ok((text.to_owned(), Test::All(vec![endpoint.is(EndpointKind::Pod), test])))
            }
            Self::Workload => {
                let columns = [endpoint.workload_kind, endpoint.namespace, endpoint.workload];
                let expected = "a workload: name, namespace/name or Kind/namespace/name";
                Ok((text.to_owned(), path(&columns, text, expected)?))
            }
            Self::Ingress => {
                let columns = [column("route_namespace"), column("route_name")];
                let kind = Test::Column(column("route_kind"), Check::Text("Ingress".to_owned()));
                let test = path(&columns, text, "an Ingress: name or namespace/name")?;
                Ok((text.to_owned(), Test::All(vec![kind, test])))
            }
            Self::Route => {
                let columns = [column("route_kind"), column("route_namespace"), column("route_name")];
                let expected = "a route or an Ingress: name, namespace/name or Kind/namespace/name";
                Ok((text.to_owned(), path(&columns, text, expected)?))
            }
            Self::Policy => {
                let at = column(if side == Side::Src { "egress_policies" } else { "ingress_policies" });
                let checks = value::policy(text)?.into_iter();
                Ok((text.to_owned(), Test::Any(checks.map(|check| Test::Column(at, check)).collect())))
            }
            Self::Service => {
                let expected = "a Service: name or namespace/name";
                let address = path(&[endpoint.namespace, endpoint.name], text, expected)?;
                let mut tests = vec![Test::All(vec![endpoint.is(EndpointKind::Service), address])];
                if side == Side::Dst {
                    tests.push(path(&[column("service_namespace"), column("service_name")], text, expected)?);
                }
                Ok((text.to_owned(), Test::Any(tests)))
            }
        }
    }
}

/// Positions of the columns that describe one endpoint.
struct EndpointColumns {
    kind: ColumnId,
    namespace: ColumnId,
    name: ColumnId,
    workload_kind: ColumnId,
    workload: ColumnId,
    node: ColumnId,
    zone: ColumnId,
    labels: ColumnId,
    dns_name: ColumnId,
}

impl EndpointColumns {
    fn is(&self, kind: EndpointKind) -> Test {
        Test::Column(self.kind, Check::Text(kind.name().to_owned()))
    }
}

impl Side {
    fn endpoint(self) -> EndpointColumns {
        let of = |name: &str| {
            let prefix = if self == Self::Src { "src_" } else { "dst_" };
            column(&format!("{prefix}{name}"))
        };
        EndpointColumns {
            kind: of("kind"),
            namespace: of("namespace"),
            name: of("name"),
            workload_kind: of("workload_kind"),
            workload: of("workload"),
            node: of("node"),
            zone: of("zone"),
            labels: of("labels"),
            dns_name: of("dns_name"),
        }
    }

    /// As the tap saw it, and behind NAT.
    fn addresses(self) -> [ColumnId; 2] {
        match self {
            Self::Src => [column("src_ip"), column("client_ip")],
            Self::Dst => [column("dst_ip"), column("backend_ip")],
        }
    }

    fn ports(self) -> [ColumnId; 2] {
        match self {
            Self::Src => [column("src_port"), column("client_port")],
            Self::Dst => [column("dst_port"), column("backend_port")],
        }
    }
}

/// The same check on either of two columns.
fn one(
    columns: [ColumnId; 2],
    compile: impl Fn(ColumnId) -> Result<(String, Check), String>,
) -> Result<(String, Test), String> {
    let [seen, behind] = columns;
    let (text, check) = compile(seen)?;
    let tests = vec![Test::Column(seen, check.clone()), Test::Column(behind, check)];
    Ok((text, Test::Any(tests)))
}

/// Text of the form `a/b/c` against as many of the last of `columns` as it has parts.
fn path(columns: &[ColumnId], text: &str, expected: &str) -> Result<Test, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let Some(columns) = columns.len().checked_sub(parts.len()).and_then(|skip| columns.get(skip..)) else {
        return Err(expected.to_owned());
    };
    let tests = columns.iter().zip(parts).map(|(at, part)| named(*at, part).map_err(|_| expected.to_owned()));
    tests.collect::<Result<_, _>>().map(Test::All)
}

fn named(at: ColumnId, text: &str) -> Result<Test, String> {
    if text.is_empty() { Err("a name".to_owned()) } else { Ok(Test::Column(at, value::text(text))) }
}

fn column(name: &str) -> ColumnId {
    ColumnId::find(name).expect("every column named in this file is one of flows: a test builds each word")
}

/// Names that `name` may have been meant to be, closest first, at most four.
fn near(name: &str) -> Vec<&'static str> {
    let limit = (name.len() / 3).clamp(1, 3);
    let mut close: Vec<_> = names().map(|known| (distance(name, known), known)).filter(|(d, _)| *d <= limit).collect();
    close.sort_unstable();
    if close.is_empty() && name.len() >= 3 {
        close.extend(names().filter(|known| known.contains(name)).map(|known| (0, known)));
    }
    close.into_iter().map(|(_, known)| known).take(4).collect()
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            left = (diagonal + usize::from(x != y)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, left);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_hides_a_column() {
        for (name, _) in NAMES {
            assert_eq!(ColumnId::find(name), None, "{name}");
        }
    }

    #[test]
    fn distance_counts_edits() {
        assert_eq!(distance("pod", "podd"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
