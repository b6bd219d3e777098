//! Waits for whoever wants the node to stop.

use tokio::signal::unix::{SignalKind, signal};

/// Returns when the process is sent SIGINT (Ctrl-C) or SIGTERM.
pub async fn requested() -> std::io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
