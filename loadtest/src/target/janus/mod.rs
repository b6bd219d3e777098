//! Janus: the VideoRoom plugin over its WebSocket, for comparison.

use crate::{
    media::MediaPlane,
    target::{RunningConsult, TargetError, WantedConsult},
};

/// A Janus to put load on.
#[derive(Debug, Clone)]
pub struct Janus {
    /// `ws://ADDRESS:PORT[/PATH]` of its WebSocket.
    pub url: String,
}

impl Janus {
    /// Brings a consult in: a publishing and a subscribing peer connection for each participant.
    pub async fn join(
        &self,
        _wanted: &WantedConsult,
        _media: &MediaPlane,
    ) -> Result<RunningConsult, TargetError> {
        Err(TargetError::Refused { what: "a consult at Janus", said: format!("not built yet: {}", self.url) })
    }
}
