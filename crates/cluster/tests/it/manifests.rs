//! Reading manifests: what is taken, what is passed over, how problems are told.

use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;
use weir_cluster::manifests::{self, Note, Problem};
use weir_cluster::objects::{ObjectKind, Objects};

fn keys(objects: &Objects) -> Vec<String> {
    objects.iter().map(|(key, _)| key.to_string()).collect()
}

/// The lines of the error of one text.
fn problems(text: &str, origin: &str) -> Vec<String> {
    let error = manifests::parse(text, origin).expect_err("wrong on purpose");
    error.to_string().lines().map(str::to_owned).collect()
}

const POD: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n";

#[test]
fn documents_are_told_apart_and_empty_ones_are_fine() {
    let text = format!(
        "%YAML 1.2\n# a comment\n---\n{POD}---\n# nothing\n---\n\n...\n--- # next\napiVersion: v1\nkind: Node\nmetadata:\n  name: a\n\
         ---\r\n{{apiVersion: v1, kind: Namespace, metadata: {{name: shop}}}}\r\n---\nnull\n"
    );
    let loaded = manifests::parse(&text, "all.yaml").expect("valid");
    assert_eq!(keys(&loaded.objects), ["Namespace shop", "Node a", "Pod shop/web"]);
    assert_eq!(loaded.notes, []);
    for empty in ["", "\n\n", "---\n", "# only\n---\n---\n", "\u{feff}", "null"] {
        assert!(manifests::parse(empty, "e.yaml").expect("valid").objects.is_empty(), "{empty:?}");
    }
}

#[test]
fn a_marker_inside_a_block_of_text_is_text() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  a: |\n    ---\n    kind: Pod\n    ...\n";
    let loaded = manifests::parse(text, "c.yaml").expect("valid");
    assert_eq!(loaded.notes.len(), 1);
}

#[test]
fn lists_give_their_items_in_yaml_and_json() {
    let yaml = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: a}}\n\
                - {apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d}}\n\
                ---\napiVersion: v1\nkind: PodList\nitems: [{metadata: {name: p}}]\n\
                ---\napiVersion: v1\nkind: ServiceList\nitems: null\n";
    let json = r#"{"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a"}},
        {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}}]}
        {"kind": "PodList", "apiVersion": "v1", "items": [{"metadata": {"name": "p"}}]}
        {"kind": "ServiceList", "apiVersion": "v1", "items": null} null"#;
    for (text, origin) in
        [(yaml, "l.yaml"), (json, "l.json"), (json.split("\n        {\"kind\": \"PodL").next().unwrap(), "j.yml")]
    {
        let loaded = manifests::parse(text, origin).unwrap_or_else(|error| panic!("{error}"));
        let expected = ["Node a", "Pod default/p", "DaemonSet default/d"];
        let expected: Vec<_> =
            expected.into_iter().filter(|key| origin != "j.yml" || !key.starts_with("Pod")).collect();
        assert_eq!(keys(&loaded.objects), expected, "{origin}");
    }
}

#[test]
fn kinds_that_are_not_kept_give_one_note_each() {
    let text = "apiVersion: v1\nkind: ConfigMap\n---\napiVersion: v1\nkind: ConfigMap\n---\n\
                apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\n---\napiVersion: v1\nkind: SecretList\nitems: [{}, {}, {}]\n";
    let notes: Vec<_> =
        manifests::parse(text, "x.yaml").expect("valid").notes.iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [
            "passed over 1 of discovery.k8s.io/v1beta1/EndpointSlice",
            "passed over 2 of v1/ConfigMap",
            "passed over 3 of v1/Secret",
        ]
    );
}

#[test]
fn the_later_of_two_objects_counts_with_a_note() {
    let later = POD.replace("namespace: shop", "namespace: shop, labels: {app: later}");
    let loaded = manifests::parse(&format!("{POD}---\n{later}"), "twice.yaml").expect("valid");
    assert_eq!(
        loaded.objects.pods().next().and_then(|pod| pod.metadata.labels.get("app")).map(|v| &**v),
        Some("later")
    );
    assert_eq!(loaded.notes[0].to_string(), "Pod shop/web is given more than once; twice.yaml counts");
}

#[test]
fn a_wrong_field_is_named_with_file_document_object_and_path() {
    let service = |ports: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop}}\nspec: {ports}\n")
    };
    for (spec, field, reason) in [
        (
            "{ports: [{port: 80}, {port: eighty}]}",
            "spec.ports[1].port",
            "invalid type: string \"eighty\", expected u16",
        ),
        ("{ports: [{port: 70000}]}", "spec.ports[0].port", "invalid value: integer `70000`, expected u16"),
        ("{ports: [{}]}", "spec.ports[0]", "missing field `port`"),
        ("{ports: [{port: 1, protocol: HTTP}]}", "spec.ports[0].protocol", "not a protocol: HTTP"),
        ("{clusterIP: 10.96.0}", "spec.clusterIP", "not an IP address: 10.96.0"),
        ("{externalIPs: [1.2.3.4, here]}", "spec.externalIPs", "not an IP address: here"),
        ("{type: Internal}", "spec.type", "unknown variant `Internal`"),
        ("nothing", "spec", "invalid type: string \"nothing\""),
    ] {
        let text = format!("{POD}---\n{}", service(spec));
        let [problem] = &problems(&text, "dir/a.yaml")[..] else { panic!("one problem: {spec}") };
        let place = format!("dir/a.yaml: document 2 (from line 4): Service shop/web: {field}: ");
        let rest = problem.strip_prefix(&place).unwrap_or_else(|| panic!("{problem}"));
        assert!(rest.starts_with(reason), "{rest}");
    }
    let json = "{\"apiVersion\": \"v1\", \"kind\": \"NodeList\", \"items\": [\n{\"metadata\": {\"name\": \"a\"}},\n\
                {\"metadata\": {\"name\": \"b\"}, \"spec\": {\"podCIDR\": \"10.1\"}}]}";
    let [problem] = &problems(json, "n.json")[..] else { panic!("one problem") };
    assert!(
        problem.starts_with("n.json: document 1 (from line 1): Node b: items[1].spec.podCIDR: not a CIDR: 10.1"),
        "{problem}"
    );
}

#[test]
fn what_is_no_object_is_told_what_it_lacks() {
    let text = "name: chart\n---\napiVersion: v1\n---\n[1, 2]\n---\napiVersion: v1\nkind: List\nitems: [{metadata: {name: a}}]\n";
    assert_eq!(
        problems(text, "v.yaml"),
        [
            "v.yaml: document 1 (from line 1): no Kubernetes object: apiVersion is missing",
            "v.yaml: document 2 (from line 2): no Kubernetes object: kind is missing",
            "v.yaml: document 3 (from line 4): no Kubernetes object: apiVersion is missing",
            "v.yaml: document 4 (from line 6): items[0]: no Kubernetes object: apiVersion or kind is missing",
        ]
    );
    assert!(problems("apiVersion: v1\nkind: Pod\nspec: {}\n", "p.yaml")[0].contains("missing field `metadata`"));
    assert!(
        problems("apiVersion: v1\nkind: Pod\nmetadata: {}\n", "p.yaml")[0].contains("metadata: missing field `name`")
    );
}

#[test]
fn broken_syntax_names_its_line_and_does_not_hide_the_next_document() {
    let text = format!("{POD}---\na: [1, 2\nb: }}\n---\nkind: Pod\n");
    let problems = manifests::parse(&text, "s.yaml").expect_err("wrong").problems;
    assert_eq!(problems[0].to_string().matches("line").count(), 1, "one place: {}", problems[0]);
    let [Problem::Syntax { document: 2, line, .. }, Problem::NotAnObject { document: 3, line: 7, .. }] = &problems[..]
    else {
        panic!("{problems:?}")
    };
    assert_eq!(*line, 6, "{problems:?}");
    let [problem] = &self::problems("{\"apiVersion\": \"v1\",\n\"kind\": }", "s.json")[..] else { panic!("one") };
    assert!(problem.starts_with("s.json: document 1, line 2: "), "{problem}");
}

#[test]
fn a_folder_is_read_whole_and_all_its_problems_are_told() {
    let dir = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).expect("written");
    fs::create_dir_all(dir.path().join("deep/er")).expect("made");
    fs::create_dir_all(dir.path().join(".old")).expect("made");
    write("a.yaml", POD.as_bytes());
    write("deep/er/b.YML", b"apiVersion: v1\nkind: Node\nmetadata: {name: a}\n");
    write("deep/c.json", br#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}"#);
    write("deep/readme.md", b"kind: nonsense: {");
    write(".old/a.yaml", b"kind: nonsense: {");
    let loaded = manifests::load(dir.path()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(keys(&loaded.objects), ["Namespace shop", "Node a", "Pod shop/web"]);
    assert_eq!(keys(&manifests::load(&dir.path().join("a.yaml")).expect("a file").objects), ["Pod shop/web"]);

    write("b.yaml", b"kind: Pod\n");
    write("deep/bin.yaml", b"a: \x00\xff\xfe\x80");
    write("deep/z.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: [x]}\n");
    let problems = manifests::load(dir.path()).expect_err("three are wrong").problems;
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains("b.yaml: document 1 (from line 1): no Kubernetes object"), "{}", told[0]);
    assert!(told[1].contains("deep/bin.yaml: no UTF-8 text at byte 4"), "{}", told[1]);
    assert!(
        told[2].contains("deep/z.yaml: document 1 (from line 1): Pod (no name): metadata.name: invalid type"),
        "{}",
        told[2]
    );
}

#[test]
fn a_folder_that_is_not_there_and_links_in_a_circle_are_no_surprise() {
    let dir = tempfile::tempdir().expect("a folder");
    let missing = manifests::load(&dir.path().join("missing")).expect_err("not there");
    assert!(matches!(&missing.problems[..], [Problem::Read { path, .. }] if path.ends_with("missing")));
    assert!(manifests::load(dir.path()).expect("empty is fine").objects.is_empty());
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(dir.path(), dir.path().join("again")).expect("linked");
        fs::write(dir.path().join("a.yaml"), POD).expect("written");
        let loaded = manifests::load(dir.path()).expect("ends");
        assert_eq!((loaded.objects.len(), loaded.notes.len()), (1, 0), "each folder once");
        std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("b.yaml")).expect("linked");
        assert!(matches!(&manifests::load(dir.path()).expect_err("dangling").problems[..], [Problem::Read { .. }]));
    }
}

#[test]
fn bombs_are_refused() {
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let inner = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(aliases, "a{level}: &a{level} [{inner}]").expect("into text");
    }
    let deep_yaml = "[".repeat(100_000);
    let deep_block = (0..2_000).map(|depth| " ".repeat(depth) + "a:").collect::<Vec<_>>().join("\n");
    let deep_json = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let typed = format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {{\"name\": {}1{}}}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for (text, origin) in [
        (&aliases, "a.yaml"),
        (&deep_yaml, "d.yaml"),
        (&deep_block, "b.yaml"),
        (&deep_json, "d.json"),
        (&typed, "t.json"),
    ] {
        let problems = manifests::parse(text, origin).expect_err(origin).problems;
        assert_eq!(problems.len(), 1, "{origin}");
        assert!(problems[0].to_string().len() < 1_000, "{origin}: a message, not the input");
    }
}

#[test]
fn a_note_of_an_unknown_kind_holds_its_parts() {
    let loaded = manifests::parse("apiVersion: v1\nkind: Secret\n", "x.yaml").expect("valid");
    let expected = Note::UnknownKind { api_version: "v1".into(), kind: "Secret".into(), count: 1 };
    assert_eq!(loaded.notes, [expected]);
    assert_eq!(ObjectKind::find("v1", "Secret"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "(?s)([a-z\\[\\]{}:,&*!|>'\"%#\\- \n\t\r.0-9~\u{0}\u{feff}]|kind: Pod\n|apiVersion: v1\n|---\n|\\.\\.\\.\n){0,60}") {
        let _ = manifests::parse(&text, "any.yaml");
        let _ = manifests::parse(&text, "any.json");
    }

    #[test]
    fn documents_are_counted_as_written(counts in prop::collection::vec(0_usize..3, 1..6)) {
        // Each entry: a document of so many comments, the last one broken.
        let last = counts.len() - 1;
        let documents = counts.iter().enumerate().map(|(index, comments)| {
            let body = if index == last { "kind: 1\n" } else { "apiVersion: v1\nkind: X\n" };
            "---\n".to_owned() + &"# comment\n".repeat(*comments) + body
        });
        let text = documents.collect::<Vec<_>>().concat();
        let problems = manifests::parse(&text, "n.yaml").expect_err("the last one is wrong").problems;
        let place = problems.iter().map(|problem| match problem {
            Problem::NotAnObject { document, line, .. } => (*document, *line),
            _ => (0, 0),
        });
        let opened: usize = counts[..last].iter().map(|comments| comments + 3).sum();
        prop_assert_eq!(place.collect::<Vec<_>>(), vec![(last + 1, opened as u64 + 1)]);
    }
}
