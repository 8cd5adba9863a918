//! What a process tells those who operate it, over HTTP: `/metrics`, `/healthz`, `/readyz`.
//!
//! It only reads. Metrics are gathered anew for each scrape, from what the process counts anyway; nothing is kept here.

mod metrics;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use metrics::Metrics;

/// The format of `/metrics`: `OpenMetrics` text, which Prometheus and its kin read.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is asked of a process.
pub trait Operation: Send + Sync + 'static {
    /// Why the process does not do its work now, one reason an entry; none = it does.
    fn unready(&self) -> Vec<String>;

    /// Its figures as they stand.
    fn metrics(&self) -> impl Future<Output = Metrics> + Send;
}

/// Answers on `listen` until `stop`. Returns the address that it got. An error means that it could not listen.
///
/// - `/metrics`: [`Operation::metrics`].
/// - `/healthz`: 200 for as long as the process answers at all.
/// - `/readyz`: 200, or 503 and the reasons, one a line.
pub async fn serve<O: Operation>(
    listen: SocketAddr,
    operation: Arc<O>,
    stop: CancellationToken,
) -> io::Result<(SocketAddr, JoinHandle<io::Result<()>>)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let pages = Router::new()
        .route("/metrics", get(metrics_page::<O>))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready_page::<O>))
        .with_state(operation);
    let serving = axum::serve(listener, pages).with_graceful_shutdown(stop.cancelled_owned());
    Ok((address, tokio::spawn(async move { serving.await })))
}

async fn metrics_page<O: Operation>(State(operation): State<Arc<O>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, OPEN_METRICS)], operation.metrics().await.to_text())
}

async fn ready_page<O: Operation>(State(operation): State<Arc<O>>) -> impl IntoResponse {
    match operation.unready() {
        reasons if reasons.is_empty() => (StatusCode::OK, "ok\n".to_owned()),
        reasons => (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    #[derive(Default)]
    struct Kettle {
        boils: AtomicBool,
    }

    impl Operation for Kettle {
        fn unready(&self) -> Vec<String> {
            if self.boils.load(Ordering::Relaxed) { Vec::new() } else { vec!["cold".to_owned(), "empty".to_owned()] }
        }

        async fn metrics(&self) -> Metrics {
            let mut metrics = Metrics::new("kettle");
            metrics.gauge("water_litres", "Water in it.", 1.5);
            metrics
        }
    }

    async fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: kettle\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("taken");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("text");
        answer
    }

    #[tokio::test]
    async fn tells_figures_health_and_what_it_is_not_ready_for() {
        let kettle = Arc::new(Kettle::default());
        let stop = CancellationToken::new();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (address, served) = serve(any, Arc::clone(&kettle), stop.clone()).await.expect("a free port");

        let metrics = ask(address, "/metrics").await;
        assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains(OPEN_METRICS), "{metrics}");
        assert!(metrics.contains("\nkettle_water_litres 1.5\n"), "{metrics}");
        assert!(ask(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let cold = ask(address, "/readyz").await;
        assert!(cold.starts_with("HTTP/1.1 503") && cold.ends_with("\r\n\r\ncold\nempty\n"), "{cold}");
        kettle.boils.store(true, Ordering::Relaxed);
        assert!(ask(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "/").await.starts_with("HTTP/1.1 404"));

        stop.cancel();
        served.await.expect("no panic").expect("an orderly end");
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_an_error() {
        let taken = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = taken.local_addr().expect("an address");
        let error = serve(address, Arc::new(Kettle::default()), CancellationToken::new()).await.expect_err("taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
