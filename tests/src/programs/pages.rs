//! What programs tell those who operate them, over plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;

use super::{LIMIT, Log};

/// Flag of a program that answers on any port that is free.
pub const ANY_PORT: &str = "--metrics-listen=127.0.0.1:0";

/// The pages of a program that runs with [`ANY_PORT`] and logs JSON.
pub struct Pages {
    address: String,
}

impl Pages {
    /// Waits for the program to say where they are.
    pub fn of(log: &Log) -> Self {
        let line = log.wait_for(r#""message":"metrics""#);
        let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
        let address = line["address"].as_str().expect("the line about metrics names the address").to_owned();
        Self { address }
    }

    /// The status and the text of a page.
    pub fn page(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap_or_else(|error| panic!("{}: {error}", self.address));
        write!(stream, "GET {path} HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n").expect("it can be asked");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let text = answer.split_once("\r\n\r\n").map(|(_, text)| text.to_owned());
        status.zip(text).unwrap_or_else(|| panic!("no answer of HTTP: {answer}"))
    }

    /// Reads the metrics until they are as wanted.
    pub fn wait_for(&self, wanted: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let (status, text) = self.page("/metrics");
            assert_eq!(status, 200, "{text}");
            if wanted(&text) {
                return text;
            }
            assert!(start.elapsed() < LIMIT, "never came to be: {text}");
        }
    }
}

/// The value of a metric, named with its labels; `None` = it has none.
pub fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}
