//! A node of Consilium's: control API, signaling, and an offer from a template.
//!
//! | file | holds |
//! |---|---|
//! | `http.rs` | requests to the control API |
//! | `http2.rs` | connections that many share |
//! | `wire.rs` | what carries a WebSocket |
//! | `sdp.rs` | offers and answers |
//! | `entry.rs` | how somebody gets in, and in again |
//! | `participant.rs` | one participant's WebSocket, from `hello` to the end |

mod entry;
mod http;
pub mod http2;
mod participant;
mod sdp;
mod wire;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::future::try_join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{JOIN_STEPS, RunningConsult, Tally, TargetError, WantedConsult, WantedParticipant};
use crate::media::MediaPlane;
use http2::Connections;
use participant::Participant;
use wire::Signaling;
pub use wire::SignalingMode;

/// A consult that has not come up by then never will.
const JOIN_PATIENCE: Duration = Duration::from_secs(20);
/// A sample that comes later than this is left out.
const METRICS_PATIENCE: Duration = Duration::from_millis(500);
const TICKET_EXPIRES_S: u32 = 300;

/// A node to put load on.
#[derive(Debug, Clone)]
pub struct Consilium {
    address: SocketAddr,
    api_key: String,
    signaling: Signaling,
    tally: Arc<Tally>,
}

impl Consilium {
    /// By its HTTP address and an API key.
    pub fn new(address: SocketAddr, api_key: &str) -> Self {
        let (api_key, signaling) = (api_key.trim().to_owned(), Signaling::Http1(address));
        Self { address, api_key, signaling, tally: Arc::default() }
    }

    /// The same node, reached in this way; over HTTP/2 with so many streams a connection at most.
    pub fn with_signaling(self, mode: SignalingMode, streams_max: u32) -> Self {
        let signaling = match mode {
            SignalingMode::Http1 => Signaling::Http1(self.address),
            SignalingMode::Http2 => {
                Signaling::Http2(Arc::new(Connections::new(self.address, streams_max as usize)))
            }
        };
        Self { signaling, ..self }
    }

    /// What it refused.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Whether it listens on loopback.
    pub fn is_on_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Tasks of the node's async runtime that are alive, by its metrics.
    pub async fn tasks_alive(&self) -> Option<u64> {
        let page = timeout(METRICS_PATIENCE, http::get(self.address, "/metrics")).await.ok()?.ok()?;
        read_tasks(&page)
    }

    /// Brings a consult in: creates it, mints tickets, and has everybody join at once.
    pub async fn join(
        &self,
        wanted: &WantedConsult,
        media: &MediaPlane,
    ) -> Result<RunningConsult, TargetError> {
        let joining = async {
            let created = self.post("/v1/consults", &json!({}), "a consult").await?;
            let consult = text(&created, "id")?;
            let people = wanted.participants.iter().enumerate();
            try_join_all(people.map(|(place, person)| self.join_one(&consult, place, person, media))).await
        };
        // Whoever pauses when time runs out was refused all along.
        let late = |_| match self.tally.waiting.load(Relaxed) {
            0 => TargetError::Timeout("a join"),
            _ => TargetError::Full,
        };
        let joining = std::pin::pin!(joining);
        let joined = timeout(JOIN_PATIENCE, joining).await.map_err(late)??;
        let mut consult = RunningConsult { can_resume: true, ..RunningConsult::default() };
        for (participant, steps_ms) in joined {
            consult.join_ms.push(steps_ms.iter().sum());
            consult.join_steps_ms.push(steps_ms);
            let (vanishes, comebacks) = (Arc::clone(&consult.vanishes), Arc::clone(&consult.comebacks));
            consult.tasks.spawn(participant.stay(vanishes, consult.breaks.subscribe(), comebacks));
        }
        Ok(consult)
    }

    /// A new consult and a ticket for each participant, for those who come in by other ways than the WebSocket.
    pub(super) async fn tickets(&self, wanted: &WantedConsult) -> Result<Vec<String>, TargetError> {
        let created = self.post("/v1/consults", &json!({}), "a consult").await?;
        let consult = text(&created, "id")?;
        let people = wanted.participants.iter().enumerate();
        try_join_all(people.map(|(place, person)| self.ticket(&consult, place, person))).await
    }

    async fn join_one(
        &self,
        consult: &str,
        place: usize,
        person: &WantedParticipant,
        media: &MediaPlane,
    ) -> Result<(Participant, [f64; JOIN_STEPS.len()]), TargetError> {
        let ticket = self.ticket(consult, place, person).await?;
        media.joining(person.number);
        Participant::join(&self.signaling, &self.tally, ticket, person, media).await
    }

    async fn ticket(
        &self,
        consult: &str,
        place: usize,
        person: &WantedParticipant,
    ) -> Result<String, TargetError> {
        let role = ["provider", "patient", "interpreter"].get(place).copied().unwrap_or("nurse");
        let body = json!({
            "role": role,
            "person_id": format!("load-{}", person.number),
            "display_name": participant::name(person.number),
            "expires_in_s": TICKET_EXPIRES_S,
        });
        let minted = self.post(&format!("/v1/consults/{consult}/tickets"), &body, "a ticket").await?;
        text(&minted, "ticket")
    }

    async fn post(
        &self,
        path: &str,
        body: &serde_json::Value,
        what: &'static str,
    ) -> Result<serde_json::Value, TargetError> {
        http::post(&self.signaling, path, &self.api_key, body, what).await
    }
}

fn text(answer: &serde_json::Value, member: &'static str) -> Result<String, TargetError> {
    let text = answer.get(member).and_then(|value| value.as_str());
    text.map(str::to_owned).ok_or_else(|| TargetError::Refused { what: member, said: answer.to_string() })
}

fn read_tasks(page: &str) -> Option<u64> {
    page.lines().find_map(|line| line.strip_prefix("consilium_tasks_alive ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_read_from_a_page_of_metrics() {
        let page = "HTTP/1.1 200 OK\r\n\r\n# HELP consilium_tasks_alive Tasks\nconsilium_tasks_alive 42\n";
        assert_eq!(read_tasks(page), Some(42));
        assert_eq!(read_tasks("consilium_tasks_alive many\n"), None);
    }
}
