//! A link between agent and collector that breaks after a number of bytes, in the middle of whatever is on it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Passes one connection on.
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// Passes one connection on to `url`, and cuts it when `bytes` have gone there.
    pub fn cut_after(url: &str, bytes: u64) -> Self {
        let to = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("a listener has an address");
        thread::spawn(move || {
            let Ok((agent, _)) = listener.accept() else { return };
            let Ok(collector) = TcpStream::connect(to) else { return };
            let (Ok(mut down), Ok(mut up)) = (collector.try_clone(), agent.try_clone()) else { return };
            let answers = thread::spawn(move || copy(&mut down, &mut up));
            copy(&mut (&agent).take(bytes), &mut &collector);
            for stream in [agent, collector] {
                let _ = stream.shutdown(Shutdown::Both);
            }
            let _ = answers.join();
        });
        Self { address }
    }

    /// Where the agent connects to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Copies until either end is gone, without waiting to fill a buffer.
fn copy(from: &mut impl Read, to: &mut impl Write) {
    let mut buffer = [0; 4_096];
    while let Ok(read) = from.read(&mut buffer) {
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() || to.write_all(bytes).is_err() {
            return;
        }
    }
}
