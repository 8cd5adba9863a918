//! The command line as it is typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand, ValueEnum};

use weir_model::filter::TimeBound;
use weir_service::config::Scalar;

use crate::filter_args::{FilterArgs, TimeArgs};

/// Flow observability for Kubernetes: who talked to whom, through which Service, and what came of it.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show flows or requests from the collector: stored ones, live ones, or both
    Observe(ObserveArgs),
    /// Read flows or requests from capture files, without a collector
    Read(ReadArgs),
    /// Show how latencies are spread, from what the lake has measured
    Latency(LatencyArgs),
    /// Ask the lake in SQL: tables flows, requests, latency, losses, coverage, objects
    Sql(SqlArgs),
    /// Show agents, rates, losses and the size of the lake
    Status(StatusArgs),
    /// Name stored flows anew from the stored objects, and say where that differs from what is stored
    Reattribute(ReattributeArgs),
    /// Say which Ingress or Gateway rule serves a request, and what is wrong with the rules
    #[command(subcommand)]
    Route(RouteCommand),
    /// Count what met each rule of the gateways
    #[command(subcommand)]
    Top(TopCommand),
    /// List what Weir knows of the cluster
    #[command(subcommand)]
    Get(GetCommand),
    /// Ask what the network policies say, and whether the cluster does it
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Say whether one end may reach another, which rule says so or comes nearest to it, and what came of it
    Why(WhyArgs),
    /// Make certificates for TLS: a CA of your own, and from it those of the collector, the agents and people
    #[command(subcommand)]
    Certs(CertsCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertsCommand {
    /// Make a CA and certificates, in a folder where none are yet
    Init(CertsInitArgs),
    /// Make each certificate of a folder anew, from the same CA
    Renew(CertsRenewArgs),
    /// Say whose certificates are, and when they end
    Show(CertsShowArgs),
}

/// Writes DIR/ca.crt and DIR/ca.key, and tls.crt, tls.key and ca.crt in DIR/collector, DIR/agent and DIR/client; also a
/// token for people, DIR/client/token, and DIR/collector/tokens, which lets them in with it.
#[derive(Debug, clap::Args)]
pub(crate) struct CertsInitArgs {
    /// The folder
    pub(crate) dir: PathBuf,
    /// Names and addresses by which the collector is reached, beside localhost: weir-collector.weir.svc
    #[arg(long, required = true, value_name = "NAME", value_delimiter = ',')]
    pub(crate) collector: Vec<String>,
    /// Also a certificate that is good for the agent of this node alone, in DIR/agent-NODE
    #[arg(long, value_name = "NODE", value_delimiter = ',')]
    pub(crate) node: Vec<String>,
    /// How long certificates last
    #[arg(long, value_name = "SPAN", default_value = "365d", value_parser = span)]
    pub(crate) valid: Duration,
    /// How long the CA lasts
    #[arg(long, value_name = "SPAN", default_value = "3650d", value_parser = span)]
    pub(crate) ca_valid: Duration,
}

/// Agent and collector read renewed files without a restart.
#[derive(Debug, clap::Args)]
pub(crate) struct CertsRenewArgs {
    /// The folder
    pub(crate) dir: PathBuf,
    /// How long certificates last; as long as the former ones where left out
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub(crate) valid: Option<Duration>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CertsShowArgs {
    /// A certificate in PEM, or a folder that `weir certs init` made
    pub(crate) path: PathBuf,
    /// How certificates are printed
    #[arg(short, long, value_enum, default_value_t = LineFormat::Text)]
    pub(crate) output: LineFormat,
}

fn span(text: &str) -> Result<Duration, String> {
    <Duration as Scalar>::parse(text).ok_or_else(|| format!("expected {}", <Duration as Scalar>::EXPECTED))
}

/// Without -f, --since, --until, --first or --last: the last 20.
#[derive(Debug, clap::Args)]
pub(crate) struct ObserveArgs {
    /// Go on with rows as they arrive
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Show requests (DNS, HTTP, gRPC, TLS), not flows; so do flags that only requests have
    #[arg(long)]
    pub(crate) requests: bool,
    /// Show every leg, not only the one that stands for its connection
    #[arg(long)]
    pub(crate) legs: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// How rows look
    #[arg(short, long, value_enum, default_value_t = FlowFormat::Compact)]
    pub(crate) output: FlowFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ReadArgs {
    /// Capture files (pcap or pcapng, also in gzip or zstd); - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Folder with the cluster's objects (YAML or JSON), to name endpoints and Services
    #[arg(long, value_name = "DIR")]
    pub(crate) cluster: Option<PathBuf>,
    /// Records of the netfilter log (NFLOG, pcap) as what the cluster's own enforcement decided (with --cluster)
    #[arg(long, value_name = "FILE", requires = "cluster")]
    pub(crate) nflog: Vec<PathBuf>,
    /// Name of a network outside the cluster, such as 10.0.0.0/8=corp; the longest that fits counts (with --cluster)
    #[arg(long, value_name = "CIDR=NAME", value_delimiter = ',')]
    pub(crate) cidr_name: Vec<weir_cluster::NamedNetwork>,
    /// What `conntrack -E` or `conntrack -L` printed while that was captured, to undo NAT (with --cluster)
    #[arg(long, value_name = "FILE", requires = "cluster")]
    pub(crate) conntrack: Vec<PathBuf>,
    /// The pods behind this Service are gateways, too (with --cluster)
    #[arg(long, value_name = "NAMESPACE/SERVICE", value_parser = namespaced, requires = "cluster")]
    pub(crate) gateway: Vec<String>,
    /// Show requests (DNS, HTTP, gRPC, TLS), not flows; so do flags that only requests have
    #[arg(long)]
    pub(crate) requests: bool,
    /// Keep query strings and user info of HTTP requests, which may hold secrets
    #[arg(long)]
    pub(crate) keep_queries: bool,
    /// UDP ports that carry VXLAN, instead of 4789 and 8472
    #[arg(long, value_name = "PORT", value_delimiter = ',')]
    pub(crate) vxlan_port: Option<Vec<u16>>,
    /// Show every leg, not only the one that stands for its connection (with --cluster)
    #[arg(long)]
    pub(crate) legs: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) time: TimeArgs,
    /// How rows look; none = totals on stderr only
    #[arg(short, long, value_enum, default_value_t = FlowFormat::Compact)]
    pub(crate) output: FlowFormat,
}

/// Latencies that the legs measured which stand for their connections.
#[derive(Debug, clap::Args)]
pub(crate) struct LatencyArgs {
    /// What was measured: handshake, dns, first-byte, tls-hello
    #[arg(long, value_name = "MEASURE", value_delimiter = ',')]
    pub(crate) measure: Vec<String>,
    /// A line for each value of these columns of the table, such as `service_name`
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub(crate) by: Vec<String>,
    /// A line for each leg, not only for what stands for its connections
    #[arg(long)]
    pub(crate) legs: bool,
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// From this time on: a span before now (10m), a time (2026-11-22T21:00:00Z), or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<TimeBound>,
    /// Up to, not including, this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeBound>,
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) output: StatusFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SqlArgs {
    /// One read-only statement
    pub(crate) statement: String,
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// How rows look
    #[arg(short, long, value_enum, default_value_t = TableFormat::Table)]
    pub(crate) output: TableFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) output: StatusFormat,
}

/// Exit code 1 where a row is stored otherwise than it would be now.
#[derive(Debug, clap::Args)]
pub(crate) struct ReattributeArgs {
    /// From this time on: a span before now (10m), a time (2026-11-22T21:00:00Z), or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: TimeBound,
    /// Up to, not including, this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeBound>,
    /// Labels of pods that endpoints have, as the agents were told
    #[arg(long, value_name = "LABEL", value_delimiter = ',')]
    pub(crate) labels: Vec<String>,
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = LineFormat::Text)]
    pub(crate) output: LineFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RouteCommand {
    /// Say for each request which rule serves it, and where it goes
    Eval(RouteEvalArgs),
    /// Say which rules never match, lead nowhere, or cannot be read; exit code 1 where there are errors
    Lint(RouteLintArgs),
}

/// Exit code 1 where a request carries `expected` and is answered otherwise.
#[derive(Debug, clap::Args)]
pub(crate) struct RouteEvalArgs {
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Requests: one JSON object a line, or one array of them; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) requests: PathBuf,
    /// How answers look
    #[arg(short, long, value_enum, default_value_t = LineFormat::Text)]
    pub(crate) output: LineFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RouteLintArgs {
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// How findings look
    #[arg(short, long, value_enum, default_value_t = LineFormat::Text)]
    pub(crate) output: LineFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TopCommand {
    /// Requests, errors, latencies and bytes of each Ingress and Gateway rule; a user's request counts once
    Routes(TopRoutesArgs),
}

/// Latencies are the user's where the front is read; where it is TLS, the backend's.
#[derive(Debug, clap::Args)]
pub(crate) struct TopRoutesArgs {
    /// Folder with the cluster's objects (YAML or JSON), for rules that were never met; without it the collector's
    #[arg(long, value_name = "DIR")]
    pub(crate) cluster: Option<PathBuf>,
    /// The pods behind this Service are gateways, too (with --cluster; the collector has a flag of its own)
    #[arg(long, value_name = "NAMESPACE/SERVICE", value_parser = namespaced, requires = "cluster")]
    pub(crate) gateway: Vec<String>,
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// From this time on: a span before now (10m), a time (2026-11-22T21:00:00Z), or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<TimeBound>,
    /// Up to, not including, this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeBound>,
    /// How the answer looks; json = one object a line
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) output: StatusFormat,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GetCommand {
    /// Services: type, addresses, ports, ready endpoints, and what was seen of them lately
    #[command(aliases = ["service", "svc"])]
    Services(KnownArgs),
    /// Pods: addresses, node, workload, their tap or why they have none, and what was seen of them lately
    #[command(aliases = ["pod", "po"])]
    Pods(KnownArgs),
    /// Nodes: addresses, zone, networks of their pods, and what their agents saw lately
    #[command(aliases = ["node", "no"])]
    Nodes(KnownArgs),
    /// Namespaces: how many pods and Services, and what was seen of them lately
    #[command(aliases = ["namespace", "ns"])]
    Namespaces(KnownArgs),
    /// Pods that are gateways (Ingress controllers, proxies of Gateways), and how that is known
    Gateways(GatewayArgs),
}

/// Every namespace, unless -n names one.
#[derive(Debug, clap::Args)]
pub(crate) struct KnownArgs {
    /// Only the one of this name
    pub(crate) name: Option<String>,
    /// Only those of this namespace
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: Option<String>,
    /// Those of every namespace, which is what is shown anyway
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    pub(crate) all_namespaces: bool,
    /// Traffic from this time on counts; otherwise that of an hour
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<TimeBound>,
    /// As of this time, not now: a span before now (10m), a time (2026-11-22T21:00:00Z), or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<TimeBound>,
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = LineFormat::Text)]
    pub(crate) output: LineFormat,
}

#[derive(Debug, clap::Args)]
pub(crate) struct GatewayArgs {
    /// Folder with the cluster's objects (YAML or JSON), instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) cluster: Option<PathBuf>,
    /// The pods behind this Service are gateways, too
    #[arg(long, value_name = "NAMESPACE/SERVICE", value_parser = namespaced, requires = "cluster")]
    pub(crate) gateway: Vec<String>,
    /// How the answer looks; json = one object a line
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) output: StatusFormat,
}

/// A name in a namespace.
fn namespaced(value: &str) -> Result<String, String> {
    let parts = value.split_once('/').filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
    parts
        .filter(|(_, name)| !name.contains('/'))
        .map(|_| value.to_owned())
        .ok_or_else(|| "expected namespace/name".to_owned())
}

/// The rules that are asked about.
#[derive(Debug, clap::Args)]
pub(crate) struct RuleArgs {
    /// Folder with the cluster's objects (YAML or JSON)
    #[arg(long, value_name = "DIR")]
    pub(crate) cluster: PathBuf,
    /// Only Ingresses of this class; otherwise of every class that the objects have
    #[arg(long, value_name = "NAME")]
    pub(crate) class: Option<String>,
}

/// How answers and findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineFormat {
    /// One line each, for people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say for each probe whether the policies let the connection through, and which one decides
    Eval(EvalArgs),
    /// Show where what happened is not what the policies say, what they stopped, and what failed for other reasons
    Audit(AuditArgs),
    /// Say what changed policies would have done to stored connections; exit code 1 where some would be denied
    Test(PolicyTestArgs),
    /// Propose the least network policies for what was seen to work in a namespace, with the proof
    Recommend(RecommendArgs),
}

/// Manifests go to stdout; what they leave out, and the proof, to stderr. Exit code 1 where too little is known or the proof fails.
#[derive(Debug, clap::Args)]
pub(crate) struct RecommendArgs {
    /// The namespace whose pods get policies
    #[arg(short, long, value_name = "NAMESPACE")]
    pub(crate) namespace: String,
    #[command(flatten)]
    pub(crate) past: PastArgs,
    /// Also close pods that had no traffic
    #[arg(long)]
    pub(crate) include_silent: bool,
    /// The least time between the first and the last packet seen
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span)]
    pub(crate) min_history: Duration,
    /// The most packets that may have been lost, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 0.1)]
    pub(crate) max_loss: f64,
    /// Recommend though the history is short or lossy
    #[arg(long)]
    pub(crate) force: bool,
    /// How policies are printed
    #[arg(short, long, value_enum, default_value_t = ManifestFormat::Yaml)]
    pub(crate) output: ManifestFormat,
}

/// How policies are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManifestFormat {
    /// For `kubectl apply -f -`, with the flows behind each rule as comments
    Yaml,
    /// A list of the policies, with the proof and what is left out beside it
    Json,
}

/// Stored connections are judged by the policies of their time, without the change and with it.
#[derive(Debug, clap::Args)]
pub(crate) struct PolicyTestArgs {
    /// Policies to try out (YAML or JSON; a file or a folder); one that exists already is replaced
    #[arg(short, long, value_name = "FILE")]
    pub(crate) filename: Vec<PathBuf>,
    /// Policies that would go: [KIND/]NAMESPACE/NAME, or KIND/NAME for kinds without a namespace
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(crate) remove: Vec<String>,
    /// Namespace of objects that do not say theirs
    #[arg(short, long, value_name = "NAMESPACE", default_value = "default")]
    pub(crate) namespace: String,
    #[command(flatten)]
    pub(crate) past: PastArgs,
    /// What makes the exit code 1
    #[arg(long, value_enum, default_value_t = FailOn::NewlyDenied)]
    pub(crate) fail_on: FailOn,
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    pub(crate) output: ReportFormat,
}

/// Which stored connections are looked at.
#[derive(Debug, clap::Args)]
pub(crate) struct PastArgs {
    /// From this time on: a span before now (14d), a time (2026-11-22T21:00:00Z), or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: TimeBound,
    /// Up to, not including, this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeBound>,
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
}

/// What makes a backtest fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Connections that would be denied
    NewlyDenied,
    /// Connections that would be allowed
    NewlyAllowed,
    /// Either
    Any,
    /// Nothing
    None,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// For a pull request
    Markdown,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// Connections that have a verdict, grouped by who talked to whom and how it went.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditArgs {
    /// Read this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// From this time on: a span before now (10m), a time (2026-11-22T21:00:00Z), or seconds since 1970
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<TimeBound>,
    /// Up to, not including, this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<TimeBound>,
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) output: StatusFormat,
}

/// Ends are pod/NAMESPACE/NAME (a pod, or the pods of a workload), svc/NAMESPACE/NAME:PORT, node/NAME and ip/ADDRESS; the
/// other end needs a port.
#[derive(Debug, clap::Args)]
pub(crate) struct WhyArgs {
    /// Both ends, as two words or as one in quotes: 'pod/shop/cart -> svc/shop/web:80'
    #[arg(required = true, value_name = "END")]
    pub(crate) ends: Vec<String>,
    /// Folder with the cluster's objects (YAML or JSON)
    #[arg(long, value_name = "DIR")]
    pub(crate) cluster: PathBuf,
    /// Look for what happened in this lake's folder instead of asking a collector
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: Option<PathBuf>,
    /// The protocol, where the other end is no Service
    #[arg(long, value_name = "PROTOCOL", default_value = "tcp")]
    pub(crate) protocol: String,
    /// How the answer looks
    #[arg(short, long, value_enum, default_value_t = StatusFormat::Text)]
    pub(crate) output: StatusFormat,
}

/// A probe is {"src", "dst", "port", "protocol"}; src and dst are NAMESPACE/POD, ip:ADDRESS or node:NAME, the port is the
/// pod's own. Exit code 1: a probe's `expected`, `expected_ingress` or `expected_egress` is not met, or a probe is bad.
#[derive(Debug, clap::Args)]
pub(crate) struct EvalArgs {
    /// Folder with the cluster's objects (YAML or JSON): pods, namespaces, nodes, policies
    #[arg(long, value_name = "DIR")]
    pub(crate) cluster: PathBuf,
    /// Probes, one JSON object a line or one array of them; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) probes: PathBuf,
    /// Whether an ipBlock also means pods with such an address; it depends on the CNI
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    pub(crate) ipblock_matches_pods: bool,
    /// Exit code 1 also where something is wrong with the objects: a policy or rule that is left out, a file that cannot be read
    #[arg(long)]
    pub(crate) strict: bool,
    /// How the answers look
    #[arg(short, long, value_enum, default_value_t = LineFormat::Text)]
    pub(crate) output: LineFormat,
}

/// How flows and requests are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FlowFormat {
    /// One line a row, for people
    Compact,
    /// Aligned columns
    Table,
    /// One line a column
    Dict,
    /// One JSON object a line, with every column
    Json,
    /// Nothing
    None,
}

/// How SQL answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Aligned columns
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// How the status is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }
}
