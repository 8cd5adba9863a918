//! How the API server is reached and who asks: the pod's service account, or a kubeconfig file.

use std::path::PathBuf;

use ::kube::Client;
use ::kube::config::{Config, InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// This pod's service account. Its token and the server's certificate are read again when they are renewed.
    InCluster,
    /// A kubeconfig file.
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Which of its contexts; `None` = the current one.
        context: Option<String>,
    },
}

/// Why there can be no client. Whether the server answers is not tried.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// This is no pod, or one without a service account.
    #[error("no access from within a cluster")]
    InCluster(#[from] InClusterError),
    /// The file does not say how.
    #[error("kubeconfig {}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        reason: KubeconfigError,
    },
    /// Certificates or keys cannot be used.
    #[error("no client for the API server")]
    Client(#[source] ::kube::Error),
}

/// A client; it connects when it is used. Takes ring for the process's cryptography where nothing was chosen yet. Needs
/// a tokio runtime.
pub async fn connect(access: &Access) -> Result<Client, AccessError> {
    let mut config = match access {
        Access::InCluster => Config::incluster()?,
        Access::Kubeconfig { path, context } => kubeconfig(path.clone(), context.clone()).await?,
    };
    // Pauses after failures are the follower's; two layers of them would multiply.
    config.default_retry = false;
    // Fails only where another one was chosen: that is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::try_from(config).map_err(AccessError::Client)
}

async fn kubeconfig(path: PathBuf, context: Option<String>) -> Result<Config, AccessError> {
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let config = match Kubeconfig::read_from(&path) {
        Ok(file) => Config::from_custom_kubeconfig(file, &options).await,
        Err(reason) => Err(reason),
    };
    config.map_err(|reason| AccessError::Kubeconfig { path, reason })
}
