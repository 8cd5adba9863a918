//! Who may talk to whom: whole programs with certificates and tokens, right ones and wrong ones.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, date_time_ymd};
use serde_json::Value;
use tempfile::TempDir;
use weir_proto::v1;
use weir_proto::v1::observer_client::ObserverClient;
use weir_service::tls::{Dial, DialFiles};
use weir_tests::examples;
use weir_tests::programs::{Collector, Program, run, try_weir, weir};

const COUNT: &str = "SELECT count(*) AS n FROM flows";

/// Certificates as `weir certs init` makes them.
struct Certs {
    folder: TempDir,
}

impl Certs {
    fn new() -> Self {
        let certs = Self { folder: tempfile::tempdir().expect("a folder") };
        let dir = certs.folder.path().display().to_string();
        let (code, said, error) =
            run("weir", &["certs", "init", &dir, "--collector", "weir-collector.weir.svc", "--node", "node-a,node-b"]);
        assert_eq!(code, Some(0), "{said}{error}");
        certs
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    /// The flags of a party.
    fn flags(&self, party: &str) -> Vec<String> {
        vec![
            format!("--tls-ca={}", self.path("ca.crt")),
            format!("--tls-cert={}", self.path(&format!("{party}/tls.crt"))),
            format!("--tls-key={}", self.path(&format!("{party}/tls.key"))),
        ]
    }

    /// A folder like the others, of a client whose certificate has ended.
    fn add_expired(&self, party: &str, name: &str) {
        let read = |file: &str| fs::read_to_string(self.path(file)).expect("it is there");
        let key = KeyPair::from_pem(&read("ca.key")).expect("the CA's key");
        let mut ca = CertificateParams::default();
        ca.distinguished_name = DistinguishedName::new();
        ca.distinguished_name.push(DnType::CommonName, "Weir CA");
        let issuer = Issuer::new(ca, key);
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_after = date_time_ymd(2020, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &issuer).expect("signed");
        fs::create_dir(self.path(party)).expect("a new folder");
        fs::write(self.path(&format!("{party}/tls.crt")), certificate.pem()).expect("written");
        fs::write(self.path(&format!("{party}/tls.key")), key.serialize_pem()).expect("written");
    }

    fn collector(&self, data: &Path, more: &[&str]) -> Collector {
        let flags = self.flags("collector");
        let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more.iter().copied()).collect();
        Collector::start(data, &flags)
    }
}

/// Replays node-a's taps.
fn agent(url: &str, flags: &[String]) -> Program {
    let lab = examples::lab_capture().join("routed");
    let tap = format!("file:{}/clusterip/node-a.*.pcap,role=pod", lab.display());
    let args = ["--node-name", "node-a", "--tap", &tap, "--collector", url, "--log-format=json"];
    let args: Vec<&str> = args.into_iter().chain(flags.iter().map(String::as_str)).collect();
    Program::start("weir-agent", &args)
}

/// Asks with `weir sql`; the error is its exit code and what it says.
fn ask(url: &str, flags: &[String]) -> Result<Vec<Value>, (Option<i32>, String)> {
    let args = ["sql", COUNT, "-o", "json", "--server", url];
    let args: Vec<&str> = args.into_iter().chain(flags.iter().map(String::as_str)).collect();
    let (code, lines, said) = try_weir(&args);
    if code == Some(0) { Ok(lines) } else { Err((code, said)) }
}

#[test]
fn agents_and_people_come_in_with_their_own_certificates_and_with_no_other() {
    let (certs, others) = (Certs::new(), Certs::new());
    certs.add_expired("expired", "weir-agent");
    let data = tempfile::tempdir().expect("a folder");
    let collector = certs.collector(data.path(), &[]);
    let url = collector.url();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");

    for party in ["agent", "agent-node-a"] {
        assert!(agent(url, &certs.flags(party)).ended().success(), "{party}");
    }
    let rows = ask(url, &certs.flags("client")).expect("an answer");
    assert!(rows[0]["n"].as_u64() > Some(10), "{rows:?}");

    // What the agent says, and goes on trying.
    let mut no_certificate = certs.flags("agent");
    no_certificate.truncate(1);
    let mut other_ca = others.flags("agent");
    other_ca[0].clone_from(&certs.flags("agent")[0]);
    let mut wrong_name = certs.flags("agent");
    wrong_name.push("--tls-name=elsewhere.example".to_owned());
    for (flags, words) in [
        (certs.flags("client"), "made out to weir-client, not to weir-agent or node-a.weir-agent"),
        (certs.flags("agent-node-b"), "made out to node-b.weir-agent, not to weir-agent"),
        (no_certificate.clone(), "an agent shows a certificate"),
        (others.flags("agent"), "invalid peer certificate: BadSignature"),
        (other_ca, "no collector, trying again"),
        (certs.flags("expired"), "no collector, trying again"),
        (certs.flags("collector"), "no collector, trying again"),
        (wrong_name, "not valid for name"),
    ] {
        let agent = agent(url, &flags);
        let line = agent.log().wait_for("no collector, trying again");
        assert!(line.contains(words), "{flags:?}: {line}");
        assert!(!agent.log().text().contains(r#""message":"connected""#), "{flags:?}");
    }
    for handshake in
        ["BadSignature", "certificate expired", "does not allow extended key usage for client authentication"]
    {
        collector.log().wait_for(handshake);
    }

    let (code, said) = ask(url, &certs.flags("agent")).expect_err("an agent does not ask");
    assert!(code == Some(1) && said.contains("made out to weir-agent, not to weir-client"), "{said}");
    let (_, said) = ask(url, &no_certificate).expect_err("nobody does not ask");
    assert!(said.contains("made out to weir-client, or a token") && said.contains("hint: show a token"), "{said}");
    let again = ask(url, &certs.flags("client")).expect("an answer");
    assert_eq!(again, rows, "nothing came from those who were sent away");
}

#[test]
fn the_doctor_says_whether_the_collector_takes_the_agent_in() {
    let certs = Certs::new();
    let data = tempfile::tempdir().expect("a folder");
    let collector = certs.collector(data.path(), &[]);
    let doctor = |party: &str| {
        let flags = certs.flags(party);
        let args = ["--node-name", "node-a", "--collector", collector.url(), "doctor", "-o", "json"];
        let args: Vec<&str> = args.into_iter().chain(flags.iter().map(String::as_str)).collect();
        let (code, text, _) = run("weir-agent", &args);
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        let checks: Vec<Value> = text.lines().map(read).collect();
        (code, checks)
    };
    let find = |checks: &[Value], name: &str| {
        let check = checks.iter().find(|check| check["check"] == name);
        check.unwrap_or_else(|| panic!("no check of {name}: {checks:#?}")).clone()
    };
    let (_, checks) = doctor("agent-node-a");
    for good in ["collector", "clock", "certificate"] {
        assert_eq!(find(&checks, good)["grade"], "ok", "{checks:#?}");
    }
    let (code, checks) = doctor("agent-node-b");
    let check = find(&checks, "collector");
    let found = check["found"].as_str().expect("a finding");
    assert!(code == Some(1) && check["grade"] == "fail" && found.contains("made out to node-b.weir-agent"), "{check}");
    certs.add_expired("expired", "weir-agent");
    let (_, checks) = doctor("expired");
    assert_eq!(find(&checks, "certificate")["grade"], "fail", "{checks:#?}");
    assert_eq!(find(&checks, "collector")["grade"], "fail", "{checks:#?}");
}

#[test]
fn an_agents_certificate_does_not_pass_for_the_collectors() {
    let certs = Certs::new();
    let data = tempfile::tempdir().expect("a folder");
    let flags = certs.flags("agent");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let impostor = Collector::start(data.path(), &flags);
    let mut flags = certs.flags("client");
    flags.push("--tls-name=weir-agent".to_owned());
    let (_, said) = ask(impostor.url(), &flags).expect_err("no collector");
    assert!(said.contains("does not allow extended key usage for server authentication"), "{said}");
}

#[test]
fn tokens_let_people_in_and_are_read_again() {
    let certs = Certs::new();
    let data = tempfile::tempdir().expect("a folder");
    let (tokens, token) = (certs.path("tokens"), certs.path("token"));
    let made = [format!("--tls-ca={}", certs.path("ca.crt")), format!("--token-file={}", certs.path("client/token"))];
    let by_init = certs.collector(data.path(), &[&format!("--tokens={}", certs.path("collector/tokens"))]);
    ask(by_init.url(), &made).expect("the token that `weir certs init` makes");
    drop(by_init);
    fs::write(&tokens, "ann 0123456789abcdef0123456789abcdef\n").expect("written");
    fs::write(&token, "0123456789abcdef0123456789abcdef\n").expect("written");
    let shown = [format!("--tls-ca={}", certs.path("ca.crt")), format!("--token-file={token}")];
    let near = format!("--tokens={tokens}");

    // With TLS, and without it on this machine.
    let collector = certs.collector(data.path(), &[&near]);
    ask(collector.url(), &shown).expect("a token will do");
    ask(collector.url(), &certs.flags("client")).expect("a certificate will do");
    let plain_data = tempfile::tempdir().expect("a folder");
    let plain = Collector::start(plain_data.path(), &[&near]);
    ask(plain.url(), &shown[1..]).expect("a token will do");
    let (_, said) = ask(plain.url(), &[]).expect_err("a token is needed");
    assert!(said.contains("show a token: authorization: Bearer TOKEN"), "{said}");

    fs::write(&tokens, "ann sha256:nothing\n").expect("written");
    collector.hang_up();
    let line = collector.log().wait_for("tokens cannot be read again");
    assert!(line.contains("tokens:1: a digest is 64 hexadecimal digits"), "{line}");
    ask(collector.url(), &shown).expect("what was good before");
    fs::write(&tokens, "bob fedcba9876543210fedcba9876543210\n").expect("written");
    collector.hang_up();
    collector.log().wait_for("tokens read again");
    let (code, said) = ask(collector.url(), &shown).expect_err("ann is gone");
    assert!(code == Some(1) && said.contains("the token is none of the collector's"), "{said}");
}

#[test]
fn without_tls_nothing_leaves_the_machine_unless_asked() {
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().display().to_string();
    let lab = format!("file:{}/routed/clusterip/node-a.*.pcap", examples::lab_capture().display());
    let wide = ["--listen", "0.0.0.0:0"];
    for (name, args) in [
        ("weir-collector", vec!["--data", &folder, wide[0], wide[1]]),
        ("weir-agent", vec!["--node-name", "n", "--tap", &lab, "--collector", "http://192.0.2.1:4317"]),
        ("weir", vec!["status", "--server", "http://192.0.2.1:4317"]),
    ] {
        let (code, _, said) = run(name, &args);
        assert_eq!(code, Some(2), "{name}: {said}");
        assert!(said.contains("hint: ") && said.contains("--plaintext"), "{name}: {said}");
    }
    let asked = Collector::start(data.path(), &["--listen", "0.0.0.0:0", "--plaintext"]);
    asked.log().wait_for("without TLS");
}

#[tokio::test]
async fn new_certificates_count_for_new_connections_and_open_ones_go_on() {
    let (certs, others) = (Certs::new(), Certs::new());
    let data = tempfile::tempdir().expect("a folder");
    let collector = certs.collector(data.path(), &[]);
    let url = collector.url();
    let dial = |certs: &Certs| {
        let file = |name: &str| Some(PathBuf::from(certs.path(name)));
        let (ca, cert, key) = (file("ca.crt"), file("client/tls.crt"), file("client/tls.key"));
        Dial::new(url, DialFiles { ca, cert, key, ..DialFiles::default() }).expect("an address")
    };
    let channel = dial(&certs).endpoint().expect("good files").connect().await.expect("a connection");
    let mut open = ObserverClient::new(channel);
    open.get_nodes(v1::GetNodesRequest {}).await.expect("an answer");

    // A key that is another's: the former pair stays.
    let moved = |from: &Certs, file: &str| fs::copy(from.path(file), certs.path(file)).expect("copied");
    let former = fs::read(certs.path("collector/tls.key")).expect("it is there");
    moved(&others, "collector/tls.key");
    collector.hang_up();
    collector.log().wait_for("certificates cannot be read again");
    dial(&certs).endpoint().expect("good files").connect().await.expect("a connection");
    fs::write(certs.path("collector/tls.key"), former).expect("written");

    // Everything from another CA.
    let old = Certs { folder: tempfile::tempdir().expect("a folder") };
    fs::create_dir(old.path("client")).expect("a folder");
    for file in ["ca.crt", "client/tls.crt", "client/tls.key"] {
        fs::copy(certs.path(file), old.path(file)).expect("copied");
    }
    for file in ["ca.crt", "collector/tls.key", "collector/tls.crt"] {
        moved(&others, file);
    }
    collector.hang_up();
    collector.log().wait_for("certificates read again");
    dial(&others).endpoint().expect("good files").connect().await.expect("a connection");
    let refused = dial(&old).endpoint().expect("good files").connect().await;
    assert!(refused.is_err(), "certificates of the former CA count no more");
    open.get_nodes(v1::GetNodesRequest {}).await.expect("what was open stays open");
}

#[test]
fn certs_are_made_once_renewed_and_shown() {
    let certs = Certs::new();
    let dir = certs.folder.path().display().to_string();
    let show = || weir(&["certs", "show", &dir, "-o", "json"]).expect("certificates");
    let shown = show();
    let names: Vec<&Value> = shown.iter().map(|one| &one["names"]).collect();
    assert_eq!(names[1..3], [&serde_json::json!(["weir-agent"]), &serde_json::json!(["node-a.weir-agent"])]);
    assert_eq!(shown[0]["is_ca"], true);
    let collector = shown.iter().find(|one| one["for_server"] == true && one["is_ca"] == false).expect("one");
    assert_eq!(collector["names"], serde_json::json!(["weir-collector.weir.svc", "localhost", "127.0.0.1", "::1"]));
    assert_eq!(collector["for_client"], false);
    for key in ["ca.key", "collector/tls.key", "agent/tls.key", "client/tls.key", "client/token"] {
        let mode = fs::metadata(certs.path(key)).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }

    let (code, _, said) = run("weir", &["certs", "init", &dir, "--collector", "x"]);
    assert!(code == Some(1) && said.contains("is there already") && said.contains("weir certs renew"), "{said}");
    assert_eq!(show(), shown, "nothing was written");
    let (code, _, said) = run("weir", &["certs", "init", &certs.path("new"), "--collector", "not a name"]);
    assert!(code == Some(2) && said.contains("neither a DNS name nor an address: not a name"), "{said}");

    let ca = fs::read(certs.path("ca.crt")).expect("it is there");
    let before = fs::read(certs.path("agent/tls.crt")).expect("it is there");
    let (code, text, said) = run("weir", &["certs", "renew", &dir, "--valid", "7d"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(text.matches("ends in 6 days").count() + text.matches("ends in 7 days").count(), 5, "{text}");
    assert_eq!(fs::read(certs.path("ca.crt")).expect("it is there"), ca);
    assert_ne!(fs::read(certs.path("agent/tls.crt")).expect("it is there"), before);
    let (here, there) = (certs.path("ca.key"), Certs::new());
    fs::copy(there.path("ca.key"), here).expect("copied");
    let (code, _, said) = run("weir", &["certs", "renew", &dir]);
    assert!(code == Some(1) && said.contains("ca.key does not make certificates of ca.crt"), "{said}");
    let names = |shown: &[Value]| shown.iter().map(|one| one["names"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&show()), names(&shown));
}
