//! Who may ask, by a secret that they show: a file of names and tokens in, the name of a token's owner out.
//!
//! A line is `NAME TOKEN` or `NAME sha256:DIGEST`; empty lines and those that begin with `#` say nothing. Tokens are kept
//! as digests, and compared in a time that tells nothing of them.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

/// What is shorter can be guessed.
const SHORTEST: usize = 16;

/// The tokens of a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Tokens(Vec<Entry>);

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    owner: Arc<str>,
    digest: [u8; SHA256_OUTPUT_LEN],
}

/// Why a file of tokens cannot be used. Tokens are never part of it.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// It cannot be read.
    #[error("{}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// A line is not what it should be.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Tokens {
    /// Reads a file. One without any token is fine: nobody may ask.
    pub fn read(path: &Path) -> Result<Self, TokensError> {
        let unreadable = |reason| TokensError::Unreadable { path: path.to_owned(), reason };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let lines = text.lines().map(str::trim).enumerate();
        let told = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let entries = told.map(|(index, line)| {
            entry(line).map_err(|problem| TokensError::Line { path: path.to_owned(), line: index + 1, problem })
        });
        entries.collect::<Result<_, _>>().map(Self)
    }

    /// Whose token this is. All are compared, whichever it is.
    pub fn owner(&self, token: &str) -> Option<&Arc<str>> {
        let shown = sha256(token);
        self.0.iter().fold(None, |found, entry| {
            let is_same = bool::from(entry.digest.ct_eq(&shown));
            if is_same { Some(&entry.owner) } else { found }
        })
    }
}

/// A new token that nobody can guess, and the line for the file of tokens that lets `owner` in with it.
pub fn new_token(owner: &str) -> io::Result<(String, String)> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| io::Error::other("the system gives no random numbers"))?;
    let token = hex(&bytes);
    let line = format!("{owner} sha256:{}", hex(&sha256(&token)));
    Ok((token, line))
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| &entry.owner)).finish()
    }
}

/// Reads the token that one shows from a file of its own: its first line.
pub fn read_token(path: &Path) -> Result<String, TokensError> {
    let unreadable = |reason| TokensError::Unreadable { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(unreadable)?;
    match text.lines().next().map(str::trim) {
        Some(token) if is_token(token) => Ok(token.to_owned()),
        _ => Err(TokensError::Line { path: path.to_owned(), line: 1, problem: NO_TOKEN }),
    }
}

const NO_TOKEN: &str = "a token is 16 or more visible characters without blanks";

fn entry(line: &str) -> Result<Entry, &'static str> {
    let (owner, token) = line.split_once(char::is_whitespace).ok_or("expected NAME TOKEN or NAME sha256:DIGEST")?;
    let token = token.trim_start();
    let digest = match token.strip_prefix("sha256:") {
        Some(hex) => from_hex(hex).ok_or("a digest is 64 hexadecimal digits")?,
        None if is_token(token) => sha256(token),
        None => return Err(NO_TOKEN),
    };
    Ok(Entry { owner: Arc::from(owner), digest })
}

fn is_token(text: &str) -> bool {
    text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn sha256(text: &str) -> [u8; SHA256_OUTPUT_LEN] {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(hex: &str) -> Option<[u8; SHA256_OUTPUT_LEN]> {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    if hex.len() != 2 * bytes.len() || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Tokens, TokensError> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("tokens");
        fs::write(&path, text).expect("written");
        Tokens::read(&path)
    }

    #[test]
    fn owners_are_found_by_token_or_digest() {
        // `printf secret-of-the-oncall | sha256sum`
        let digest = "671bda4ae00095d86a95f60b1f3f479b1ac3c7f5a24a64f2739f678c975d7c57";
        let text = format!("# who may ask\n\nann  0123456789abcdef\noncall sha256:{digest}\n");
        let tokens = read(&text).expect("good");
        assert_eq!(tokens.owner("0123456789abcdef").map(AsRef::as_ref), Some("ann"));
        assert_eq!(tokens.owner("secret-of-the-oncall").map(AsRef::as_ref), Some("oncall"));
        for wrong in ["", "0123456789abcde", "0123456789abcdeg", digest] {
            assert_eq!(tokens.owner(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{tokens:?}"), r#"["ann", "oncall"]"#, "no secrets in logs");
    }

    #[test]
    fn new_tokens_are_those_of_their_owners() {
        let ((one, line), (other, _)) = (new_token("ann").expect("random"), new_token("ann").expect("random"));
        let tokens = read(&line).expect("good");
        assert_eq!(tokens.owner(&one).map(AsRef::as_ref), Some("ann"));
        assert_eq!(tokens.owner(&other), None);
        assert!(!line.contains(&one) && one.len() == 64, "{line}");
    }

    #[test]
    fn a_bad_line_is_named_and_its_token_is_not() {
        let signed = format!("ann sha256:+{}", "0".repeat(63));
        for bad in ["ann", "ann short", "ann 0123456789 abcdef", "ann sha256:12", signed.as_str()] {
            let error = read(&format!("# one\n{bad}\n")).expect_err(bad).to_string();
            assert!(error.contains("/tokens:2: "), "{error}");
            assert!(!error.contains("0123456789"), "{error}");
        }
    }

    #[test]
    fn ones_own_token_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        fs::write(&path, "0123456789abcdef\n").expect("written");
        assert_eq!(read_token(&path).expect("good"), "0123456789abcdef");
        fs::write(&path, "").expect("written");
        assert!(read_token(&path).is_err());
    }
}
