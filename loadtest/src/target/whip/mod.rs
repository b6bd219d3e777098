//! WHIP to publish and WHEP to receive (RFC 9725, draft-ietf-wish-whep), for any server that speaks them.
//!
//! | target | what |
//! |---|---|
//! | `whip:http://ADDRESS:PORT` | a node of Consilium's: a consult, a ticket for each participant as bearer token, one WHEP session for all others |
//! | `whip:http://ADDRESS:PORT/live/{stream}/whip` | anything else: each participant publishes a stream of their own, and has a WHEP session for each of the others; `whip` becomes `whep` |
//!
//! | file | holds |
//! |---|---|
//! | `exchange.rs` | an offer by HTTP, its answer, and the end of the session |
//!
//! Over HTTP nobody is told who is in which slot: packets of others in the consult pass wherever they come, those of another
//! consult do not.

mod exchange;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tokio::time::timeout;

use self::exchange::{Endpoint, Resource};
use super::{
    RunningConsult, TargetError, WantedConsult, WantedParticipant, consilium,
    description::{self, Description, Near},
    random_text,
};
use crate::{
    media::{MediaPlane, TransportHandle},
    plan::{ANYBODY, IceCredentials, Keying, Kind, ReceivePlan, SendPlan, Shown, TransportPlan},
};

const JOIN_PATIENCE: Duration = Duration::from_secs(20);
/// What stands for a stream's name in a path.
const STREAM: &str = "{stream}";

/// A server to put load on.
#[derive(Debug, Clone)]
pub struct Whip {
    address: SocketAddr,
    /// With `{stream}` in it; None: Consilium's own.
    path: Option<String>,
    /// An API key of Consilium's; elsewhere the bearer token, where one is wanted.
    key: Option<String>,
}

/// One participant's end.
struct Joined {
    transports: Vec<TransportHandle>,
    resources: Vec<Resource>,
    join_ms: f64,
}

impl Whip {
    /// Reads `http://ADDRESS:PORT[/PATH]`.
    pub fn parse(url: &str, key: Option<String>) -> Result<Self, TargetError> {
        let refused = |said: &str| TargetError::Refused { what: "the target", said: said.to_owned() };
        let rest = url.strip_prefix("http://").ok_or_else(|| refused("whip: wants http://"))?;
        let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let address = address.parse().map_err(|_| refused("whip: wants an address and a port"))?;
        let path = Some(path.trim_end_matches('/').to_owned()).filter(|path| !path.is_empty());
        if path.as_ref().is_some_and(|path| !path.contains(STREAM) || !path.contains("whip")) {
            return Err(refused("whip: a path has to have {stream} and whip in it"));
        }
        if path.is_none() && key.is_none() {
            return Err(refused("an API key is needed: --api-key-file"));
        }
        Ok(Self { address, path, key: key.map(|key| key.trim().to_owned()) })
    }

    /// Whether it listens on loopback.
    pub fn is_on_loopback(&self) -> bool {
        self.address.ip().is_loopback()
    }

    /// Brings a consult in.
    ///
    /// # Errors
    /// When the server is not reachable, says no, or does not bring everybody's transports up within 20 s.
    pub async fn join(
        &self,
        wanted: &WantedConsult,
        media: &MediaPlane,
    ) -> Result<RunningConsult, TargetError> {
        let joined = timeout(JOIN_PATIENCE, self.join_all(wanted, media)).await;
        let joined = joined.map_err(|_| TargetError::Timeout("a join"))??;
        let mut running = RunningConsult::default();
        for one in joined {
            running.transports.extend(one.transports);
            running.join_ms.push(one.join_ms);
            let resources = one.resources;
            running.tasks.spawn(async move {
                // They end with the task.
                let _resources = resources;
                std::future::pending::<()>().await;
            });
        }
        Ok(running)
    }

    async fn join_all(&self, wanted: &WantedConsult, media: &MediaPlane) -> Result<Vec<Joined>, TargetError> {
        let people = wanted.participants.iter();
        match &self.path {
            Some(path) => {
                // A stream can be watched once it is published.
                let published = people.clone().map(|person| self.publish_stream(path, person, media));
                let mut joined = try_join_all(published).await?;
                for (one, person) in joined.iter_mut().zip(people) {
                    self.watch_streams(path, wanted, person, media, one).await?;
                }
                Ok(joined)
            }
            None => {
                let consilium =
                    consilium::Consilium::new(self.address, self.key.as_deref().unwrap_or_default());
                let tickets = consilium.tickets(wanted).await?;
                let joining = people.zip(tickets);
                try_join_all(joining.map(|(person, ticket)| self.join_node(wanted, person, ticket, media)))
                    .await
            }
        }
    }

    async fn publish_stream(
        &self,
        path: &str,
        person: &WantedParticipant,
        media: &MediaPlane,
    ) -> Result<Joined, TargetError> {
        let begin = Instant::now();
        media.joining(person.number);
        let mut joined = Joined { transports: Vec::new(), resources: Vec::new(), join_ms: 0.0 };
        let endpoint =
            self.endpoint(path.replace(STREAM, &format!("load-{}", person.number)), self.key.clone());
        joined.publish(&endpoint, person, media).await?;
        joined.join_ms = begin.elapsed().as_secs_f64() * 1e3;
        Ok(joined)
    }

    async fn watch_streams(
        &self,
        path: &str,
        wanted: &WantedConsult,
        person: &WantedParticipant,
        media: &MediaPlane,
        joined: &mut Joined,
    ) -> Result<(), TargetError> {
        let begin = Instant::now();
        for other in others(wanted, person) {
            let path = path.replace(STREAM, &format!("load-{}", other.number)).replace("whip", "whep");
            joined.watch(&self.endpoint(path, self.key.clone()), person, (1, other.number), media).await?;
        }
        joined.join_ms += begin.elapsed().as_secs_f64() * 1e3;
        Ok(())
    }

    async fn join_node(
        &self,
        wanted: &WantedConsult,
        person: &WantedParticipant,
        ticket: String,
        media: &MediaPlane,
    ) -> Result<Joined, TargetError> {
        let begin = Instant::now();
        media.joining(person.number);
        let mut joined = Joined { transports: Vec::new(), resources: Vec::new(), join_ms: 0.0 };
        let endpoint = |path: &str| self.endpoint(path.to_owned(), Some(ticket.clone()));
        joined.publish(&endpoint("/v1/whip"), person, media).await?;
        let pairs = others(wanted, person).count();
        if pairs > 0 {
            joined.watch(&endpoint("/v1/whep"), person, (pairs, ANYBODY), media).await?;
        }
        joined.join_ms = begin.elapsed().as_secs_f64() * 1e3;
        Ok(joined)
    }

    fn endpoint(&self, path: String, bearer: Option<String>) -> Endpoint {
        Endpoint { address: self.address, path, bearer }
    }
}

/// Whom somebody is to see and hear.
fn others<'a>(
    wanted: &'a WantedConsult,
    person: &'a WantedParticipant,
) -> impl Iterator<Item = &'a WantedParticipant> {
    let publishes = |other: &&WantedParticipant| other.audio || other.video;
    let others = wanted.participants.iter().filter(|other| other.number != person.number);
    others.filter(publishes).filter(|_| person.receives)
}

impl Joined {
    /// A WHIP session, where there is something to publish.
    async fn publish(
        &mut self,
        endpoint: &Endpoint,
        person: &WantedParticipant,
        media: &MediaPlane,
    ) -> Result<(), TargetError> {
        let ssrc = 0x1000_0000 + 2 * person.number;
        let tracks = [(person.audio, (Kind::Audio, ssrc)), (person.video, (Kind::Video, ssrc + 1))];
        let tracks: Vec<_> =
            tracks.into_iter().filter(|(is_sent, _)| *is_sent).map(|(_, track)| track).collect();
        if tracks.is_empty() {
            return Ok(());
        }
        let near = near(media);
        let (answer, resource) = endpoint.offer(&description::publishing_offer(&near, &tracks)).await?;
        self.resources.push(resource);
        let send = |(kind, ssrc): (Kind, u32)| SendPlan {
            kind,
            ssrc,
            payload_type: description::payload_type(kind),
            rtx: None,
            mid: None,
            transport_cc_id: None,
            audio_level_id: None,
        };
        let sends = tracks.into_iter().map(send).collect();
        let plan = TransportPlan { sends, ..plan(person.number, near, description::read(&answer)?) };
        self.connect(plan, media).await
    }

    /// A WHEP session with so many pairs of sound and picture, of this sender.
    async fn watch(
        &mut self,
        endpoint: &Endpoint,
        person: &WantedParticipant,
        (pairs, sender): (usize, u32),
        media: &MediaPlane,
    ) -> Result<(), TargetError> {
        let near = near(media);
        let (answer, resource) = endpoint.offer(&description::watching_offer(&near, pairs)).await?;
        self.resources.push(resource);
        let answer = description::read(&answer)?;
        let receive = |line: &description::Line| {
            Some(ReceivePlan {
                kind: line.kind,
                ssrc: line.ssrc?,
                rtx: None,
                nack: line.kind == Kind::Video,
                transport_cc_id: None,
                shown: Some(Shown { sender, csrc: None }),
            })
        };
        let receives = answer.lines.iter().filter_map(receive).collect();
        let plan = TransportPlan { receives, ..plan(person.number, near, answer) };
        self.connect(plan, media).await
    }

    async fn connect(&mut self, plan: TransportPlan, media: &MediaPlane) -> Result<(), TargetError> {
        let mut transport = media.start(plan);
        transport.connected().await?;
        self.transports.push(transport);
        Ok(())
    }
}

fn near(media: &MediaPlane) -> Near {
    let ufrag = random_text()[..8].to_owned();
    Near { ice: IceCredentials { ufrag, password: random_text() }, fingerprint: media.fingerprint() }
}

fn plan(participant: u32, near: Near, answer: Description) -> TransportPlan {
    TransportPlan {
        participant,
        remote: answer.far.address,
        local: None,
        keying: Keying::Webrtc {
            ice_local: near.ice,
            ice_remote: answer.far.ice,
            fingerprint_remote: answer.far.fingerprint,
        },
        sends: Vec::new(),
        receives: Vec::new(),
        rtcp: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_needs_a_key_and_a_path_needs_its_places() {
        let whip = |url: &str, key: Option<&str>| Whip::parse(url, key.map(str::to_owned));
        assert!(whip("http://127.0.0.1:8080", None).is_err());
        assert!(whip("http://127.0.0.1:8080/", Some("key")).is_ok_and(|whip| whip.path.is_none()));
        assert!(whip("http://127.0.0.1:8889/live/whip", None).is_err());
        let other = whip("http://127.0.0.1:8889/{stream}/whip", None).expect("a target");
        assert_eq!(other.path.as_deref(), Some("/{stream}/whip"));
        assert!(other.is_on_loopback() && whip("https://127.0.0.1:1/", None).is_err());
    }
}
