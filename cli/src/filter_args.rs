//! Flags that choose rows and time: what comes in is the command line, what goes out is the filter and the time range
//! that every command understands. A bad value is refused while flags are parsed, with what was expected.

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use weir_flow::L7Level;
use weir_model::filter::{Clause, Filter, Operator, TimeBound, TimeRange, TimeRangeError};
use weir_model::tables::{FLOWS, REQUESTS};
use weir_model::{Column, Timestamp};
use weir_service::exit::Usage;

const HEADING: &str = "Which flows and requests";

/// A flag that compares one field of the filter language: flag, field, name of its value, help.
type WordFlag = (&'static str, &'static str, &'static str, &'static str);

const WORD_FLAGS: [WordFlag; 48] = [
    ("pod", "pod", "POD", "Flows from or to this pod: name or namespace/name"),
    ("from-pod", "from.pod", "POD", "Flows that this pod opened"),
    ("to-pod", "to.pod", "POD", "Flows that were opened to this pod"),
    ("namespace", "namespace", "NAMESPACE", "Flows from or to this namespace"),
    ("from-namespace", "from.namespace", "NAMESPACE", "Flows opened from this namespace"),
    ("to-namespace", "to.namespace", "NAMESPACE", "Flows opened to this namespace"),
    ("service", "service", "SERVICE", "Flows that used this Service: name or namespace/name"),
    ("from-service", "from.service", "SERVICE", "Flows opened from this Service's own address"),
    ("to-service", "to.service", "SERVICE", "Flows that used this Service or were opened to its address"),
    (
        "service-type",
        "service_type",
        "TYPE",
        "Flows that used a Service of this type: cluster-ip, headless, node-port, load-balancer, external-name",
    ),
    ("workload", "workload", "WORKLOAD", "Flows from or to pods of this workload: [[Kind/]namespace/]name"),
    ("from-workload", "from.workload", "WORKLOAD", "Flows opened by pods of this workload"),
    ("to-workload", "to.workload", "WORKLOAD", "Flows opened to pods of this workload"),
    ("node", "node", "NODE", "Flows seen by the agent on this node"),
    ("from-node", "from.node", "NODE", "Flows opened on this node, wherever they were seen"),
    ("to-node", "to.node", "NODE", "Flows opened to this node, wherever they were seen"),
    ("zone", "zone", "ZONE", "Flows from or to this zone"),
    ("from-zone", "from.zone", "ZONE", "Flows opened in this zone"),
    ("to-zone", "to.zone", "ZONE", "Flows opened to this zone"),
    ("ip", "ip", "IP", "Flows from or to this address or network (10.0.0.0/8), before or after NAT"),
    ("from-ip", "from.ip", "IP", "Flows opened from this address or network"),
    ("to-ip", "to.ip", "IP", "Flows opened to this address or network"),
    ("port", "port", "PORT", "Flows from or to this port or range (8000-8100), before or after NAT"),
    ("from-port", "from.port", "PORT", "Flows opened from this port or range"),
    ("to-port", "to.port", "PORT", "Flows opened to this port or range"),
    ("label", "label", "LABEL", "Flows from or to pods with this label: key=value or key"),
    ("from-label", "from.label", "LABEL", "Flows opened by pods with this label"),
    ("to-label", "to.label", "LABEL", "Flows opened to pods with this label"),
    (
        "dns",
        "dns",
        "NAME",
        "Flows from or to an outside address that was resolved from this name; * stands for any characters",
    ),
    ("from-dns", "from.dns", "NAME", "Flows opened from an address that was resolved from this name"),
    ("to-dns", "to.dns", "NAME", "Flows opened to an address that the opener had resolved from this name"),
    ("protocol", "protocol", "PROTOCOL", "Flows of this protocol: tcp, udp, sctp, icmp, icmpv6, or a number"),
    ("outcome", "outcome", "OUTCOME", "Flows to which this happened: established, refused, rejected, unanswered, ..."),
    ("verdict", "verdict", "VERDICT", "Flows of which policies say: allowed, denied, undecided"),
    ("policy", "policy", "POLICY", "Flows whose verdict names this policy: name or namespace/name"),
    (
        "audit",
        "audit",
        "AUDIT",
        "Verdict against outcome: consistent, allowed-but-blocked, denied-but-passed, undecided",
    ),
    ("cause", "cause", "CAUSE", "Flows that failed for this: policy, no-endpoints, closed-port, server-silent, ..."),
    ("leg", "leg", "LEG", "Rows of this leg: client, server, transit"),
    ("ingress", "ingress", "INGRESS", "Flows and requests that met a rule of this Ingress: name or namespace/name"),
    ("route", "route", "ROUTE", "Flows and requests that met a rule of this Ingress or route: [[Kind/]namespace/]name"),
    ("http-method", "method", "METHOD", "Requests with this HTTP method"),
    ("http-host", "host", "HOST", "Requests for this HTTP host; * stands for any characters"),
    ("http-path", "path", "PATH", "Requests for this HTTP path; * stands for any characters"),
    ("http-status", "status", "STATUS", "Requests answered with this HTTP status, range (400-499) or class (5xx)"),
    ("grpc-status", "grpc_status", "STATUS", "Calls that ended with this gRPC status, a number or a range"),
    ("dns-name", "qname", "NAME", "DNS queries themselves for this name; * stands for any characters"),
    ("dns-rcode", "rcode", "RCODE", "DNS queries answered with this code, a number or a range (3 = no such name)"),
    ("sni", "sni", "NAME", "TLS handshakes that ask for this server name; * stands for any characters"),
];

/// Flags with a second, shorter name.
const SHORT_NAMES: [(&str, &str); 2] = [("http-host", "host"), ("http-path", "path")];

/// What `--l7` may say where a capture is read: how much of it.
const LEVELS: [L7Level; 3] = L7Level::ALL;

/// Flags that choose rows. A flag given several times (or a value with commas) means any of its values; different flags
/// must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FilterArgs {
    filter: Filter,
    level: Option<L7Level>,
}

impl FilterArgs {
    /// What all the flags say together.
    pub(crate) const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How much is to be read above the transport layer, where that is said.
    pub(crate) const fn level(&self) -> Option<L7Level> {
        self.level
    }

    /// Which rows are meant: those of `requests` where a clause is about what only requests have.
    pub(crate) fn rows(&self, requests: bool) -> Result<Rows, Usage> {
        let rows = if requests || self.filter.stranger(FLOWS.columns).is_some() { Rows::Requests } else { Rows::Flows };
        match self.filter.stranger(rows.columns()) {
            None => Ok(rows),
            Some(clause) if self.filter.stranger(REQUESTS.columns).is_some() && !requests => {
                Err(Usage(format!("{clause}: neither flows nor requests have everything that is asked for")))
            }
            Some(clause) => Err(Usage(format!("{clause}: requests have no such column"))),
        }
    }

    fn read(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        let mut filter = Filter::default();
        let mut level = None;
        let mut l7 = Vec::new();
        for word in matches.remove_many::<String>("l7").into_iter().flatten() {
            match LEVELS.into_iter().find(|level| level.name() == word) {
                Some(said) => level = Some(said),
                None => l7.push(word),
            }
        }
        if !l7.is_empty() {
            let clause = Clause::new("l7", Operator::Equals, &l7)
                .map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, format!("--l7: {error}\n")))?;
            filter = filter.and(clause);
        }
        for (flag, field, ..) in WORD_FLAGS {
            if let Some(values) = matches.remove_many::<String>(flag) {
                let values: Vec<_> = values.collect();
                let clause = Clause::new(field, Operator::Equals, &values)
                    .map_err(|error| clap::Error::raw(ErrorKind::ValueValidation, format!("--{flag}: {error}\n")))?;
                filter = filter.and(clause);
            }
        }
        for clause in matches.remove_many::<Clause>("not").into_iter().flatten() {
            filter = filter.and(clause.negated());
        }
        for text in matches.remove_many::<Filter>("filter").into_iter().flatten() {
            filter = filter.and_all(text);
        }
        Ok(Self { filter, level })
    }
}

impl Args for FilterArgs {
    fn augment_args(command: Command) -> Command {
        let words = WORD_FLAGS.map(|(flag, field, value_name, help)| {
            let parser = move |value: &str| {
                Clause::new(field, Operator::Equals, &[value])
                    .map(|_| value.to_owned())
                    .map_err(|error| error.to_string())
            };
            repeatable(flag, value_name, help)
                .value_delimiter(',')
                .value_parser(parser)
                .hide_short_help(is_detail(flag))
        });
        let not = repeatable("not", "CLAUSE", "Without flows for which this clause holds, such as outcome=established");
        let filter =
            repeatable("filter", "FILTER", "A filter as text: clauses such as to.port=80,443 joined by \"and\"");
        let l7 = repeatable("l7", "PROTOCOL", "Requests of this protocol: dns, mdns, llmnr, http, grpc, tls, dtls, quic; with read also how much is read: off, names, full")
            .value_delimiter(',')
            .value_parser(protocol_or_level);
        command
            .args(words)
            .arg(l7)
            .arg(not.value_parser(str::parse::<Clause>))
            .arg(filter.value_parser(str::parse::<Filter>))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for FilterArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::from_arg_matches_mut(&mut matches.clone())
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, clap::Error> {
        Self::read(matches)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A value of `--l7`.
fn protocol_or_level(value: &str) -> Result<String, String> {
    if LEVELS.iter().any(|level| level.name() == value) {
        return Ok(value.to_owned());
    }
    let protocol = Clause::new("l7", Operator::Equals, &[value]).map(|_| value.to_owned());
    protocol.map_err(|error| format!("{error}; or how much is read: off, names, full"))
}

fn repeatable(flag: &'static str, value_name: &'static str, help: &'static str) -> Arg {
    let arg = Arg::new(flag).long(flag).value_name(value_name).help(help).action(ArgAction::Append);
    let short = SHORT_NAMES.iter().find(|(long, _)| *long == flag).map(|(_, short)| *short);
    arg.help_heading(HEADING).visible_aliases(short)
}

/// Rows of which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Of `flows`.
    Flows,
    /// Of `requests`.
    Requests,
}

impl Rows {
    const fn columns(self) -> &'static [Column] {
        match self {
            Self::Flows => FLOWS.columns,
            Self::Requests => REQUESTS.columns,
        }
    }
}

/// Flags for one side only are left out of the short help.
fn is_detail(flag: &str) -> bool {
    flag.starts_with("from-") || flag.starts_with("to-")
}

/// Flags that choose a span of packet time, and how many rows of it.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
#[command(next_help_heading = "When, and how many")]
pub(crate) struct TimeArgs {
    /// From this time on: a span before now (10m), a time (2026-11-22T21:00:00Z), or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<TimeBound>,
    /// Up to, not including, this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeBound>,
    /// Only the first N rows
    #[arg(long, value_name = "N", conflicts_with = "last")]
    pub(crate) first: Option<u64>,
    /// Only the last N rows
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<u64>,
}

impl TimeArgs {
    /// The span of packet time, where now is `now`.
    pub(crate) fn range(&self, now: Timestamp) -> Result<TimeRange, TimeRangeError> {
        TimeRange::resolve(self.since, self.until, now)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        time: TimeArgs,
    }

    fn parsed(line: &str) -> Result<Program, clap::Error> {
        Program::try_parse_from(std::iter::once("weir").chain(line.split_whitespace()))
    }

    fn filter(line: &str) -> String {
        parsed(line).unwrap_or_else(|error| panic!("{error}")).filter.filter().to_string()
    }

    #[test]
    fn a_repeated_flag_is_or_and_different_flags_are_and() {
        assert_eq!(filter(""), "");
        assert_eq!(
            filter("--to-service shop/web --namespace shop --port 80-90 --namespace guest,web"),
            "namespace=shop,guest,web and to.service=shop/web and port=80-90"
        );
        assert_eq!(
            filter("--protocol 6 --not outcome=established --not port=53 --filter bytes_fwd>=5"),
            "protocol=tcp and not outcome=established and not port=53 and bytes_fwd>=5"
        );
    }

    #[test]
    fn every_flag_names_a_field() {
        for (flag, field, ..) in WORD_FLAGS {
            let value = match field {
                "outcome" => "refused",
                "leg" => "client",
                "verdict" => "denied",
                "audit" => "consistent",
                "cause" => "policy",
                "service_type" => "headless",
                _ => "17",
            };
            let value = if field.ends_with("ip") { "10.0.0.1" } else { value };
            let printed = filter(&format!("--{flag} {value}"));
            assert_eq!(printed.split_once('=').map(|(name, _)| name), Some(field));
            let of_requests = ["http-", "dns-", "grpc-"].iter().any(|protocol| flag.starts_with(protocol));
            assert!(of_requests || field.replace(['.', '_'], "-") == flag, "{flag}");
        }
    }

    #[test]
    fn bad_values_name_the_flag_and_what_was_expected() {
        for (line, parts) in [
            ("--port http", ["--port <PORT>", "expected a number"]),
            ("--not podd=x", ["--not <CLAUSE>", "did you mean pod?"]),
            ("--filter pod=", ["--filter <FILTER>", "at character 5"]),
            ("--since yesterday", ["--since <TIME>", "not a time: yesterday"]),
            ("--l7 htp", ["--l7 <PROTOCOL>", "dns, mdns"]),
            ("--ingress a/b/c", ["--ingress <INGRESS>", "name or namespace/name"]),
            ("--http-status 6xx", ["--http-status <STATUS>", "a class such as 5xx"]),
            ("--first 1 --last 2", ["--first", "--last"]),
        ] {
            let message = parsed(line).expect_err(line).to_string();
            for part in parts {
                assert!(message.contains(part), "{line}: {message}");
            }
        }
    }

    #[test]
    fn rows_are_requests_where_only_requests_have_what_is_asked_for() {
        let rows = |line: &str, requests| {
            let rows = parsed(line).expect(line).filter.rows(requests);
            rows.map_err(|usage| usage.to_string())
        };
        assert_eq!(rows("--pod shop/web", false), Ok(Rows::Flows));
        assert_eq!(rows("--pod shop/web", true), Ok(Rows::Requests));
        assert_eq!(rows("--http-status 5xx --to-service shop/web", false), Ok(Rows::Requests));
        assert_eq!(rows("--l7 dns,http", false), Ok(Rows::Requests));
        assert!(rows("--outcome refused", true).is_err_and(|error| error.contains("outcome=refused")));
        assert!(rows("--outcome refused --sni x", false).is_err_and(|error| error.contains("neither")));
    }

    #[test]
    fn rules_are_asked_for_by_name() {
        assert_eq!(filter("--ingress shop/web --path /cart*"), "ingress=shop/web and path=/cart*");
        assert_eq!(filter("--route HTTPRoute/shop/web --host a.com"), "route=HTTPRoute/shop/web and host=a.com");
    }

    #[test]
    fn the_level_is_no_clause() {
        let filter = parsed("--l7 names").expect("valid").filter;
        assert_eq!((filter.level(), filter.filter().is_empty()), (Some(L7Level::Names), true));
        let filter = parsed("--l7 full,grpc").expect("valid").filter;
        assert_eq!((filter.level(), filter.filter().to_string()), (Some(L7Level::Full), "l7=grpc".to_owned()));
    }

    #[test]
    fn time_flags_count_back_from_now() {
        let time = parsed("--since 10s --until 1970-01-01T00:00:15Z --last 5").expect("valid").time;
        let range = time.range(Timestamp::from_parts(20, 0)).expect("not empty");
        assert_eq!(range.since, Some(Timestamp::from_parts(10, 0)));
        assert_eq!((range.until, time.last), (Some(Timestamp::from_parts(15, 0)), Some(5)));
    }
}
