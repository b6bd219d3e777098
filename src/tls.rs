//! The node's own TLS: certificate and key of its configuration, taken up again when they change.

use std::{fs, path::Path, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use axum_server::tls_rustls::RustlsConfig;
use tokio::signal::unix::{SignalKind, signal};

use crate::{config::TlsConfig, failure::Failure};

/// How often the files are looked at without being told.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Reads certificate and key, and goes on reading them: at SIGHUP, and within a minute of a change. What is not good is reported,
/// and those before stay in use.
pub async fn load(files: &TlsConfig) -> Result<RustlsConfig, Failure> {
    // More than one provider may be compiled in; then rustls asks which.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let TlsConfig { certificate, key } = files;
    let seen = hashes(files);
    let loaded = RustlsConfig::from_pem_file(certificate, key).await.map_err(|error| {
        format!("TLS cannot be set up with {} and {}: {error}", certificate.display(), key.display())
    })?;
    tokio::spawn(keep(loaded.clone(), files.clone(), seen));
    Ok(loaded)
}

/// Of what is in both files; nothing of one that cannot be read.
type Hashes = [Option<Vec<u8>>; 2];

fn hashes(files: &TlsConfig) -> Hashes {
    let hash = |path: &Path| fs::read(path).ok().map(|bytes| digest(&SHA256, &bytes).as_ref().to_vec());
    [hash(&files.certificate), hash(&files.key)]
}

async fn keep(config: RustlsConfig, files: TlsConfig, mut seen: Hashes) {
    let mut told = match signal(SignalKind::hangup()) {
        Ok(told) => Some(told),
        Err(error) => {
            tracing::error!(%error, "SIGHUP cannot be waited for: new certificates are found within a minute");
            None
        }
    };
    loop {
        let word = async {
            match &mut told {
                Some(told) => told.recv().await,
                None => std::future::pending().await,
            }
        };
        let _ = tokio::time::timeout(LOOK_INTERVAL, word).await;
        let now = hashes(&files);
        if now == seen {
            continue;
        }
        match config.reload_from_pem_file(&files.certificate, &files.key).await {
            Ok(()) => tracing::info!("the TLS certificate was taken up"),
            // One file may be there before the other: the next look sees both.
            Err(error) => tracing::error!(%error, "the TLS certificate stays as it was"),
        }
        seen = now;
    }
}
