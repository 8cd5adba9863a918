//! The connections of a listener, once their handshakes are done.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tracing::{info, warn};

use super::ServerTls;
use crate::fresh::Fresh;

/// Connections with TLS, as they come.
pub type Incoming = ReceiverStream<io::Result<TlsStream<TcpStream>>>;

/// Handshakes under way at once; more connections wait to be accepted.
const HANDSHAKES: usize = 128;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Pause after a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// What came of handshakes. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Handshakes {
    failed: Arc<AtomicU64>,
}

impl Handshakes {
    /// Connections that were dropped for want of one.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// Accepts connections until nobody takes them any more, each by the files as they are then. Those without a handshake are
/// dropped, logged and counted.
pub fn accept(listener: TcpListener, tls: Fresh<ServerTls>, handshakes: Handshakes) -> Incoming {
    let (out, incoming) = mpsc::channel(1);
    tokio::spawn(accept_all(listener, tls, handshakes, out));
    ReceiverStream::new(incoming)
}

async fn accept_all(
    listener: TcpListener,
    tls: Fresh<ServerTls>,
    handshakes: Handshakes,
    out: mpsc::Sender<io::Result<TlsStream<TcpStream>>>,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let next = async {
            // Never closed.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = out.closed() => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let handshake = TlsAcceptor::from(Arc::clone(&tls.now().config)).accept(stream);
                let (out, handshakes) = (out.clone(), handshakes.clone());
                tokio::spawn(async move {
                    let done = timeout(HANDSHAKE, handshake).await;
                    drop(place);
                    let failure = match done {
                        Ok(Ok(stream)) => {
                            // Nobody takes it only when the server is gone.
                            let _ = out.send(Ok(stream)).await;
                            return;
                        }
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => format!("not done within {HANDSHAKE:?}"),
                    };
                    handshakes.failed.fetch_add(1, Ordering::Relaxed);
                    info!(%peer, "no TLS: {failure}");
                });
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
