//! Words and numbers in YAML that older readers take for something else, and objects that cannot be read.

use std::fs;

use weir_cluster::manifests::{self, Problem};

/// The label `a` of a pod, written in YAML.
fn label(written: &str) -> Result<String, String> {
    let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p, labels: {{a: {written}}}}}\n");
    let loaded = manifests::parse(&text, "p.yaml").map_err(|error| error.to_string())?;
    let pod = loaded.objects.pods().next().expect("a pod");
    Ok(pod.metadata.labels.get("a").expect("a label").to_string())
}

#[test]
fn words_for_yes_and_no_are_text() {
    for word in ["y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"] {
        assert_eq!(label(word).as_deref(), Ok(word));
    }
    assert_eq!(label("null").as_deref(), Ok(""), "as the API server has it");
}

#[test]
fn a_flag_may_be_written_in_the_older_words() {
    for (word, is_set) in [("yes", true), ("On", true), ("true", true), ("no", false), ("n", false), ("~", false)] {
        let text = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec: {{hostNetwork: {word}}}\n");
        let loaded = manifests::parse(&text, "p.yaml").expect("a pod");
        assert_eq!(loaded.objects.pods().next().map(|pod| pod.spec.host_network), Some(is_set), "{word}");
    }
    let wrong = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {hostNetwork: perhaps}\n";
    let error = manifests::parse(wrong, "p.yaml").expect_err("neither").to_string();
    assert!(error.contains("spec.hostNetwork: neither true nor false: perhaps"), "{error}");
}

#[test]
fn a_number_where_text_is_wanted_is_a_fault_and_never_other_text() {
    for number in ["1", "1e3", "12e4", "1_000", ".5", "0x1F", "0o7", "007", "1.10", "+1", "true", "False"] {
        match label(number) {
            Ok(text) => assert_eq!(text, number, "as it is written"),
            Err(error) => assert!(error.contains("Pod p: metadata.labels"), "{number}: {error}"),
        }
        assert_eq!(label(&format!("'{number}'")).as_deref(), Ok(number));
    }
    assert!(label("1e3").is_err() && label("true").is_err(), "the API server refuses them");
    for text in ["1.2.3", "1a", "12:30", "2026-01-05", "0x", "e3", "-"] {
        assert_eq!(label(&format!("\"{text}\"")).as_deref(), Ok(text));
    }
}

#[test]
fn what_cannot_be_read_is_left_out_and_the_rest_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let pod = |name: &str, more: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop}}\n{more}")
    };
    let text = pod("good", "")
        + "---\n"
        + &pod("bad", "spec: {containers: [{ports: [{containerPort: 99999}]}]}\n")
        + "---\na: [\n";
    fs::write(dir.path().join("a.yaml"), text).expect("written");
    fs::write(dir.path().join("b.yaml"), pod("other", "")).expect("written");
    let salvage = manifests::salvage(dir.path());
    let names: Vec<_> = salvage.loaded.objects.pods().map(|pod| &*pod.metadata.name).collect();
    assert_eq!(names, ["good", "other"]);
    let [Problem::Field(misfit), Problem::Syntax { document: 3, .. }] = &salvage.problems[..] else {
        panic!("{:?}", salvage.problems)
    };
    assert!(misfit.object.is("Pod", "shop", "bad") && !misfit.object.is("Pod", "default", "bad"));
    assert_eq!((misfit.document, &*misfit.field), (2, "spec.containers[0].ports[0].containerPort"));
    assert!(salvage.whole().is_err(), "who must know every object is told");
}
