//! What the tests of the whole server share: the real binary, its HTTP and WebSocket surface, and somebody else's WebRTC.
//!
//! | file | holds |
//! |---|---|
//! | `node.rs` | a running `consilium`, in a folder of its own, on a free port |
//! | `http.rs` | one HTTP request |
//! | `control.rs` | the control API: consults and tickets |
//! | `metrics.rs` | `/metrics`, read |
//! | `signal.rs` | a signaling WebSocket |
//! | `media.rs` | synthetic Opus and VP8, marked with who sent them |
//! | `peer.rs` | a peer connection of the `webrtc` crate |
//! | `publish.rs` | what it sends |
//! | `sdp.rs` | what tests read out of SDP |
//! | `keyframes.rs` | passes key frame requests on to the application |
//! | `participant.rs` | both together: somebody in a consult |
//! | `whip.rs` | WHIP and WHEP sessions |
//! | `witnesses.rs` | two whom nothing may disturb |
//! | `audit.rs` | the audit table, read |

// Each test file uses a part of it.
#![allow(dead_code)]

pub mod audit;
pub mod control;
pub mod http;
mod keyframes;
pub mod media;
pub mod metrics;
pub mod node;
pub mod participant;
pub mod peer;
mod publish;
pub mod sdp;
pub mod signal;
pub mod whip;
pub mod witnesses;

use std::{future::Future, time::Duration};

/// How long anything may take that is expected to happen. Generous: machines that run all tests at once are slow.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for what is expected to happen.
pub async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// Waits until `condition` holds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    within_patience(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

/// Passes the time in which something else happens or must not happen.
pub async fn for_ms(duration_ms: u64) {
    tokio::time::sleep(Duration::from_millis(duration_ms)).await;
}
