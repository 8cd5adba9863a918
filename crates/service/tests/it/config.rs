use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use weir_service::config::{self, Asked, Bytes, ConfigError};

weir_service::settings! {
    /// Settings of every type.
    #[derive(PartialEq)]
    pub struct Sample {
        /// Name of this node.
        node_name: String,
        /// Interfaces to watch.
        tap: Vec<String>,
        /// Where to listen.
        listen: SocketAddr = "127.0.0.1:4700",
        /// Length of a window.
        window: Duration = "60s",
        /// Bytes kept
        /// for unacked batches.
        unacked_bytes: Bytes = "64MiB",
        /// Folder of the lake.
        data: Option<PathBuf>,
        /// Whether to say more.
        verbose: bool = "false",
        /// Flows in the table.
        max_flows: u64 = "100000",
    }
}

/// Runs the sample program with a file, flags and variables.
fn asked(file: &str, flags: &str, variables: &[(&str, &str)]) -> Result<Asked<Sample>, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = folder.path().join("weir.toml");
    fs::write(&path, file).expect("the file is written");
    let environment = |name: &str| match name {
        "WEIR_CONFIG" => Some(path.display().to_string()),
        _ => variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()),
    };
    let command = config::command::<Sample>("sample", "1.0.0", "A sample.");
    let arguments = std::iter::once("sample").chain(flags.split_whitespace());
    config::parse(command, arguments, &environment)
}

fn settings(file: &str, flags: &str, variables: &[(&str, &str)]) -> Sample {
    match asked(file, flags, variables) {
        Ok(Asked::Run(settings)) => settings,
        Ok(other) => panic!("{other:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// The problems, one a line, with the path of the file as `FILE`.
fn problems(file: &str, flags: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let Err(ConfigError::Problems(problems)) = asked(file, flags, variables) else { panic!("there are problems") };
    let short = |text: String| match (text.starts_with('/'), text.split_once("weir.toml")) {
        (true, Some((_, rest))) => format!("FILE{rest}"),
        _ => text,
    };
    problems.iter().map(|problem| short(problem.to_string())).collect()
}

#[test]
fn each_setting_comes_from_the_topmost_layer_that_has_it() {
    let file = "node_name = \"file\"\ntap = [\"eth0\", \"eth1\"]\nmax_flows = 5\nverbose = true\nwindow = \"5s\"\n";
    let read = settings(file, "--node-name flag", &[("WEIR_NODE_NAME", "env"), ("WEIR_MAX_FLOWS", "7")]);
    assert_eq!(read.node_name, "flag");
    assert_eq!(read.max_flows, 7);
    assert_eq!(read.tap, ["eth0", "eth1"]);
    assert!(read.verbose);
    assert_eq!(read.window, Duration::from_secs(5));
    assert_eq!(read.unacked_bytes, Bytes(64 << 20));
    assert_eq!(read.data, None);
}

#[test]
fn a_list_of_a_higher_layer_replaces_the_lower_one() {
    let file = "node_name = \"n\"\ntap = [\"a\", \"b\"]\n";
    assert_eq!(settings(file, "--tap c --tap d,e", &[("WEIR_TAP", "f")]).tap, ["c", "d", "e"]);
    assert_eq!(settings(file, "", &[("WEIR_TAP", "f, g")]).tap, ["f", "g"]);
    assert_eq!(settings("node_name = \"n\"\ntap = \"h,i\"", "", &[]).tap, ["h", "i"]);
    assert_eq!(settings("node_name = \"n\"\ntap = []", "", &[]).tap, [""; 0]);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    assert_eq!(settings("node_name = \"n\"", "", &[("WEIR_NODE_NAME", ""), ("WEIR_WINDOW", "")]).node_name, "n");
}

#[test]
fn a_switch_needs_no_value() {
    assert!(settings("", "--node-name n --verbose", &[]).verbose);
    assert!(!settings("verbose = true", "--node-name n --verbose=false", &[]).verbose);
}

#[test]
fn all_problems_are_reported_at_once_each_with_its_place() {
    let file = "max_flows = \"many\"\ntaps = [\"x\"]\nlisten = 4700\n\n[data]\nfolder = 1\n";
    let found = problems(file, "--window 10", &[("WEIR_UNACKED_BYTES", "64MB")]);
    assert_eq!(
        found,
        [
            "node_name is not set (expected text from --node-name, WEIR_NODE_NAME or the file)",
            "FILE:3: not a value for listen: 4700 (expected an address with its port, such as 0.0.0.0:4700 or [::]:4700)",
            "flag --window: not a value for window: 10 (expected a span such as 250ms, 10s, 5m, 36h or 14d)",
            "environment WEIR_UNACKED_BYTES: not a value for unacked_bytes: 64MB (expected a number of bytes such as 512B, 64MiB or 10GiB)",
            "FILE:5: not a value for data: [data] (expected a path)",
            "FILE:1: not a value for max_flows: many (expected a number)",
            "FILE:2: unknown key: taps (did you mean tap?)",
        ]
    );
}

#[test]
fn a_bad_value_under_a_good_flag_does_no_harm_and_one_word_settings_take_no_list() {
    assert_eq!(settings("window = \"x\"", "--node-name n --window 1s", &[]).window, Duration::from_secs(1));
    let found = problems("node_name = [\"a\"]", "", &[]);
    assert_eq!(found, ["FILE:1: not a value for node_name: [\"a\"] (expected text)"]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem_beside_the_others() {
    let found = problems("node_name = \"n\"\nwindow = 5s\n", "", &[("WEIR_MAX_FLOWS", "-1")]);
    assert!(found.first().is_some_and(|problem| problem.starts_with("FILE:2: ")), "{found:?}");
    assert!(found.iter().any(|problem| problem.contains("WEIR_MAX_FLOWS")), "{found:?}");
    let found = problems("", "--config /nowhere/x.toml", &[]);
    assert!(found.first().is_some_and(|problem| problem.starts_with("cannot read /nowhere/x.toml: ")), "{found:?}");
}

#[test]
fn config_show_prints_a_file_with_the_source_of_each_value() {
    let file = "window = \"5s\"\nmax_flows = 5\n";
    let asked = asked(file, "--tap a,b config show --node-name n", &[("WEIR_LISTEN", "[::]:1")]);
    let Ok(Asked::Show(text)) = asked else { panic!("not shown: {asked:?}") };
    let lines: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once("  # ")).collect();
    let lines: Vec<_> =
        lines.iter().map(|(line, source)| (line.trim_end(), source.rsplit('/').next().unwrap_or_default())).collect();
    assert_eq!(
        lines,
        [
            ("node_name = \"n\"", "flag --node-name"),
            ("tap = [\"a\", \"b\"]", "flag --tap"),
            ("listen = \"[::]:1\"", "environment WEIR_LISTEN"),
            ("window = \"5s\"", "weir.toml:1"),
            ("unacked_bytes = \"64MiB\"", "default"),
            ("# data =", "not set"),
            ("verbose = \"false\"", "default"),
            ("max_flows = \"5\"", "weir.toml:2"),
        ]
    );
    let again = settings(&text, "", &[]);
    assert_eq!((again.node_name.as_str(), again.max_flows), ("n", 5));
}

#[test]
fn help_names_flag_variable_and_default() {
    let Err(ConfigError::Usage(help)) = asked("", "--help", &[]) else { panic!("help is an answer of the parser") };
    // Wrapping depends on the terminal.
    let help = help.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "--unacked-bytes <UNACKED_BYTES>",
        "Bytes kept for unacked batches",
        "[default: 64MiB] [env: WEIR_UNACKED_BYTES]",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
    assert!(matches!(asked("", "--nonsense", &[]), Err(ConfigError::Usage(_))));
}
