//! `docs/filters.md`: what it says about filters is what filters do.

use std::fs;

use weir_model::filter::Filter;
use weir_tests::examples;

fn page() -> String {
    fs::read_to_string(examples::workspace().join("docs/filters.md")).expect("docs/filters.md")
}

/// Lines of the code blocks marked as `kind`.
fn blocks<'a>(page: &'a str, kind: &str) -> Vec<&'a str> {
    let mut lines = page.lines();
    let mut found = Vec::new();
    while lines.by_ref().any(|line| line.strip_prefix("```") == Some(kind)) {
        found.extend(lines.by_ref().take_while(|line| *line != "```"));
    }
    found
}

/// Rows of the table that begins with `head`, each as the code in its cells.
fn table<'a>(page: &'a str, head: &str) -> Vec<Vec<&'a str>> {
    let rows = page.lines().skip_while(|line| *line != head).skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.split('|').filter_map(|cell| cell.split('`').nth(1)).collect()).collect()
}

fn printed(text: &str) -> String {
    text.parse::<Filter>().unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

#[test]
fn every_example_parses_and_prints_back() {
    let page = page();
    let examples = blocks(&page, "filter");
    assert!(examples.len() > 20, "{examples:?}");
    for example in examples {
        assert_eq!(printed(example), example);
    }
}

#[test]
fn values_are_understood_as_the_page_says() {
    let page = page();
    let rows = table(&page, "| written | understood |");
    assert!(rows.len() > 3, "{rows:?}");
    for row in rows {
        assert_eq!(printed(row[0]), row[1]);
    }
}

#[test]
fn every_word_of_the_page_is_a_field_for_either_end() {
    let page = page();
    let words: Vec<_> = table(&page, "| word | values | what is compared |").iter().map(|row| row[0]).collect();
    let known = ["pod", "namespace", "workload", "zone", "ip", "port", "label", "service", "policy", "dns", "node"];
    assert_eq!(words, known);
    for word in words {
        let value = if word == "ip" { "10.0.0.1" } else { "1" };
        for field in [word.to_owned(), format!("from.{word}"), format!("to.{word}")] {
            printed(&format!("{field}={value}"));
        }
    }
}

#[test]
fn flags_of_the_page_exist_and_their_filters_print_back() {
    let page = page();
    let folder = examples::workspace().join("cli/src");
    let source = ["filter_args.rs", "args.rs"].map(|file| fs::read_to_string(folder.join(file)).expect("source"));
    let source = source.concat();
    let flags: Vec<_> = page
        .split("--")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit() && c != '-'))
        .filter_map(|mut words| words.next())
        .filter(|flag| flag.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    assert!(flags.len() > 10, "{flags:?}");
    for flag in flags {
        let is_known = source.contains(&format!("\"{flag}\"")) || source.contains(&format!(" {flag}: "));
        assert!(is_known, "--{flag}");
    }
    for row in table(&page, "| flags | filter |") {
        assert_eq!(printed(row[1]), row[1], "{}", row[0]);
    }
}

#[test]
fn mistakes_are_answered_as_the_page_says() {
    let page = page();
    let answers = blocks(&page, "text");
    let mistakes = ["podd=x", "nat=yes", "pod=a b=c"];
    assert_eq!(answers.len(), mistakes.len());
    for (mistake, answer) in mistakes.into_iter().zip(answers) {
        assert_eq!(mistake.parse::<Filter>().expect_err(mistake).to_string(), answer);
    }
}
