//! Janus: the VideoRoom plugin over its WebSocket, for comparison.
//!
//! | file | holds |
//! |---|---|
//! | `dialogue.rs` | what a participant and Janus say to each other, as a state machine without a socket |
//!
//! A participant has a WebSocket, a session, and two handles with a transport each: one publishes, one receives everybody
//! else. That is how Janus' own pages use it.

mod dialogue;

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _, future::try_join_all};
use tokio::{net::TcpStream, time};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest as _, http::HeaderValue},
};

use self::dialogue::{Dialogue, Incoming, Seat, Step};
use crate::{
    media::{MediaPlane, TransportHandle},
    plan::{IceCredentials, Keying, Kind, ReceivePlan, SendPlan, Shown, TransportPlan},
    target::{
        RunningConsult, TargetError, WantedConsult, WantedParticipant,
        description::{self, Far, Near},
        random_text,
    },
};

/// How long a consult may take to come up.
const JOIN_MAX: Duration = Duration::from_secs(20);

/// Janus ends a session after a minute of silence, where its configuration does not say otherwise.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(25);

/// A Janus to put load on.
#[derive(Debug, Clone)]
pub struct Janus {
    /// `ws://ADDRESS:PORT[/PATH]` of its WebSocket.
    pub url: String,
}

impl Janus {
    /// Brings a consult in: a publishing and a subscribing peer connection for each participant.
    ///
    /// # Errors
    /// When Janus is not reachable, says no, or does not bring everybody's transports up within 20 s.
    pub async fn join(
        &self,
        wanted: &WantedConsult,
        media: &MediaPlane,
    ) -> Result<RunningConsult, TargetError> {
        let all = wanted.participants.iter().map(|participant| self.join_one(wanted, participant, media));
        let joined = time::timeout(JOIN_MAX, try_join_all(all)).await;
        let joined = joined.map_err(|_| TargetError::Timeout("a consult at Janus"))??;
        let mut running = RunningConsult::default();
        for one in joined {
            running.transports.extend(one.transports);
            running.join_ms.push(one.join_ms);
            running.tasks.spawn_local(keep_alive(one.socket, one.dialogue));
        }
        Ok(running)
    }

    async fn join_one(
        &self,
        consult: &WantedConsult,
        participant: &WantedParticipant,
        media: &MediaPlane,
    ) -> Result<Joined, TargetError> {
        let begun = Instant::now();
        media.joining(participant.number);
        let mut socket = self.connect().await?;
        let seat = seat(consult, participant, media.fingerprint());
        let (mut dialogue, first) = Dialogue::begin(seat.clone());
        let mut transports = Vec::new();
        let mut steps = vec![first];
        loop {
            for step in steps {
                let plan = match step {
                    Step::Say(text) => {
                        say(&mut socket, text).await?;
                        continue;
                    }
                    Step::ConnectUplink(answer) => uplink(participant.number, &seat, answer.far),
                    Step::ConnectDownlink(offer, incoming) => {
                        downlink(participant.number, &seat, offer.far, &incoming)
                    }
                    Step::Subscribed => {
                        let join_ms = begun.elapsed().as_secs_f64() * 1e3;
                        return Ok(Joined { socket, dialogue, transports, join_ms });
                    }
                };
                let mut transport = media.start(plan);
                transport.connected().await?;
                transports.push(transport);
            }
            steps = dialogue.handle(&hear(&mut socket).await?)?;
        }
    }

    async fn connect(&self) -> Result<Socket, TargetError> {
        let mut request = self.url.as_str().into_client_request().map_err(io)?;
        let protocol = HeaderValue::from_static("janus-protocol");
        request.headers_mut().insert("Sec-WebSocket-Protocol", protocol);
        let (socket, _) = connect_async(request).await.map_err(io)?;
        Ok(socket)
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Joined {
    socket: Socket,
    dialogue: Dialogue,
    transports: Vec<TransportHandle>,
    join_ms: f64,
}

/// Janus' rooms and participants count from one.
fn identifier(number: u32) -> u64 {
    u64::from(number) + 1
}

fn seat(consult: &WantedConsult, participant: &WantedParticipant, fingerprint: [u8; 32]) -> Seat {
    let near = || Near {
        ice: IceCredentials { ufrag: random_text()[..8].to_owned(), password: random_text() },
        fingerprint,
    };
    let publishes = |other: &&WantedParticipant| other.audio || other.video;
    let others = consult.participants.iter().filter(|other| other.number != participant.number);
    let heard = others.filter(publishes).filter(|_| participant.receives);
    let ssrc = 0x1000_0000 + 2 * participant.number;
    let tracks = [(participant.audio, (Kind::Audio, ssrc)), (participant.video, (Kind::Video, ssrc + 1))];
    Seat {
        room: identifier(consult.number),
        number: identifier(participant.number),
        publishers: heard.map(|other| identifier(other.number)).collect(),
        uplink: near(),
        downlink: near(),
        tracks: tracks.into_iter().filter(|(is_sent, _)| *is_sent).map(|(_, track)| track).collect(),
    }
}

fn uplink(participant: u32, seat: &Seat, far: Far) -> TransportPlan {
    let send = |&(kind, ssrc): &(Kind, u32)| SendPlan {
        kind,
        ssrc,
        payload_type: description::payload_type(kind),
        rtx: None,
        mid: None,
        transport_cc_id: None,
        audio_level_id: None,
    };
    let sends = seat.tracks.iter().map(send).collect();
    TransportPlan { sends, ..transport(participant, &seat.uplink, far) }
}

fn downlink(participant: u32, seat: &Seat, far: Far, incoming: &[Incoming]) -> TransportPlan {
    let receive = |stream: &Incoming| ReceivePlan {
        kind: stream.kind,
        ssrc: stream.ssrc,
        rtx: None,
        nack: stream.kind == Kind::Video,
        transport_cc_id: None,
        // What `identifier` made of it, taken back.
        shown: Some(Shown { sender: (stream.number - 1) as u32, csrc: None }),
    };
    let receives = incoming.iter().map(receive).collect();
    TransportPlan { receives, ..transport(participant, &seat.downlink, far) }
}

fn transport(participant: u32, near: &Near, far: Far) -> TransportPlan {
    TransportPlan {
        participant,
        remote: far.address,
        local: None,
        keying: Keying::Webrtc {
            ice_local: near.ice.clone(),
            ice_remote: far.ice,
            fingerprint_remote: far.fingerprint,
        },
        sends: Vec::new(),
        receives: Vec::new(),
        rtcp: true,
    }
}

async fn say(socket: &mut Socket, text: String) -> Result<(), TargetError> {
    socket.send(Message::text(text)).await.map_err(io)
}

async fn hear(socket: &mut Socket) -> Result<String, TargetError> {
    loop {
        match socket.next().await.unwrap_or(Err(Error::ConnectionClosed)).map_err(io)? {
            Message::Text(text) => return Ok(text.as_str().to_owned()),
            _ => continue,
        }
    }
}

/// Reads what nobody waits for any more, and speaks up now and then. Ends when Janus does, or hangs up on us.
async fn keep_alive(mut socket: Socket, mut dialogue: Dialogue) {
    let mut interval = time::interval(KEEPALIVE_INTERVAL);
    loop {
        let outcome = tokio::select! {
            _ = interval.tick() => match dialogue.keepalive() {
                Step::Say(text) => say(&mut socket, text).await,
                _ => Ok(()),
            },
            heard = hear(&mut socket) => heard.and_then(|text| dialogue.handle(&text)).map(drop),
        };
        if outcome.is_err() {
            return;
        }
    }
}

fn io(error: Error) -> TargetError {
    let source = match error {
        Error::Io(source) => source,
        other => std::io::Error::other(other),
    };
    TargetError::Io { what: "Janus' WebSocket", source }
}
