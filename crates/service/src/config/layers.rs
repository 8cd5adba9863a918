//! The layers above each other: each setting is taken whole from the topmost that has it.

use std::fmt::Write;
use std::path::PathBuf;

use clap::ArgMatches;

use super::file::{Entry, File};
use super::setting::{flag, variable};
use super::{ConfigError, Environment, Form, Problem, Setting, Settings, Source, Value};

/// Flags, environment and file, and what was found in them so far.
pub struct Layers<'a> {
    flags: &'a ArgMatches,
    environment: &'a dyn Environment,
    file: File,
    found: Vec<Found>,
    problems: Vec<Problem>,
}

/// One setting's words and where they came from.
struct Found {
    setting: &'static Setting,
    words: Vec<String>,
    source: Source,
}

impl<'a> Layers<'a> {
    pub(super) fn open(flags: &'a ArgMatches, environment: &'a dyn Environment) -> Self {
        let path = flags.get_one::<PathBuf>("config").cloned();
        let path = path.or_else(|| set_variable(environment, "config").map(|(_, value)| PathBuf::from(value)));
        let mut problems = Vec::new();
        let file = path.map_or_else(File::default, |path| {
            File::open(&path).unwrap_or_else(|problem| {
                problems.push(problem);
                File::default()
            })
        });
        Self { flags, environment, file, found: Vec::new(), problems }
    }

    /// Reads one setting; `None` where it has a problem, which is kept.
    pub fn read<T: Value>(&mut self, setting: &'static Setting) -> Option<T> {
        // The file's entry is taken in any case, so that a key under a flag does not count as unknown.
        let entry = self.file.take(setting.key);
        let found = self.flag_words(setting).or_else(|| self.variable_words(setting));
        let found = found.map(Ok).or_else(|| entry.map(|entry| file_words(setting, entry)));
        let found = found.or_else(|| Some(Ok((split(setting.form, setting.default?), Source::Default))));
        match found {
            Some(Ok((words, source))) => {
                let value = T::read(&words);
                if value.is_none() {
                    let value = words.join(",");
                    let source = source.clone();
                    self.problems.push(Problem::Value { key: setting.key, value, source, expected: setting.expected });
                }
                self.found.push(Found { setting, words, source });
                value
            }
            Some(Err(problem)) => {
                self.problems.push(problem);
                None
            }
            None => {
                let value = T::absent();
                if value.is_none() {
                    self.problems.push(Problem::Missing { key: setting.key, expected: setting.expected });
                }
                self.found.push(Found { setting, words: Vec::new(), source: Source::Unset });
                value
            }
        }
    }

    fn flag_words(&self, setting: &Setting) -> Option<(Vec<String>, Source)> {
        let words = self.flags.get_many::<String>(setting.key)?.cloned().collect();
        Some((words, Source::Flag(flag(setting.key))))
    }

    fn variable_words(&self, setting: &Setting) -> Option<(Vec<String>, Source)> {
        let (name, value) = set_variable(self.environment, setting.key)?;
        Some((split(setting.form, &value), Source::Environment(name)))
    }

    /// The settings and what `config show` prints, or everything that is wrong.
    pub(super) fn finish<S: Settings>(mut self) -> Result<(S, String), ConfigError> {
        let settings = S::read(&mut self);
        self.problems.extend(self.file.rest().map(|(key, source)| {
            let near = near(&key, S::LIST);
            Problem::UnknownKey { key, source, near }
        }));
        match settings {
            Some(settings) if self.problems.is_empty() => Ok((settings, show(&self.found))),
            _ => Err(ConfigError::Problems(self.problems)),
        }
    }
}

fn set_variable(environment: &dyn Environment, key: &str) -> Option<(String, String)> {
    let name = variable(key);
    let value = environment.get(&name).filter(|value| !value.is_empty())?;
    Some((name, value))
}

fn file_words(setting: &Setting, entry: Entry) -> Result<(Vec<String>, Source), Problem> {
    let Entry { source, words, is_list, written } = entry;
    match words {
        Some(words) if is_list && setting.form == Form::Many => Ok((words, source)),
        Some(words) if !is_list => Ok((words.iter().flat_map(|word| split(setting.form, word)).collect(), source)),
        _ => Err(Problem::Value { key: setting.key, value: written, source, expected: setting.expected }),
    }
}

fn split(form: Form, text: &str) -> Vec<String> {
    match form {
        Form::One | Form::Switch => vec![text.to_owned()],
        Form::Many => text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
    }
}

/// A file that says the same, with the source of each value behind it.
fn show(found: &[Found]) -> String {
    let lines: Vec<_> = found.iter().map(|found| (line(found), &found.source)).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).filter(|width| *width <= 60).max().unwrap_or(0);
    lines.iter().fold(String::new(), |mut text, (line, source)| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{line:width$}  # {source}");
        text
    })
}

fn line(Found { setting, words, source }: &Found) -> String {
    let quoted = |word: &String| toml::Value::String(word.clone()).to_string();
    match (setting.form, words.as_slice()) {
        (Form::Many, words) => {
            format!("{} = [{}]", setting.key, words.iter().map(quoted).collect::<Vec<_>>().join(", "))
        }
        (_, [word, ..]) => format!("{} = {}", setting.key, quoted(word)),
        (_, []) if *source == Source::Unset => format!("# {} =", setting.key),
        (_, []) => format!("{} = \"\"", setting.key),
    }
}

/// The setting that begins like `key`, or contains it, or is contained in it.
fn near(key: &str, list: &'static [Setting]) -> Option<&'static str> {
    let common = |known: &str| known.chars().zip(key.chars()).take_while(|(a, b)| a == b).count();
    let related = |known: &str| known.contains(key) || key.contains(known) || common(known) * 2 > key.len();
    list.iter().map(|setting| setting.key).filter(|known| related(known)).max_by_key(|known| common(known))
}
