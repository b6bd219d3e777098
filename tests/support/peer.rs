//! A peer connection of the `webrtc` crate: somebody else's SDP, ICE, DTLS, SRTP and RTCP against the server's.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Instant,
};

use rtc::{
    peer_connection::configuration::{
        interceptor_registry::{Registry, Slot, register_default_interceptors},
        media_engine::MediaEngine,
    },
    rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit, rtp_sender::RtpCodecKind},
};
use tokio::{sync::watch, task::JoinHandle};
use webrtc::{
    media_stream::{
        track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
        track_remote::{TrackRemote, TrackRemoteEvent},
    },
    peer_connection::{
        PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCPeerConnectionState,
        RTCSessionDescription, SettingEngineBuilder, SrtpProtectionProfile, StatsSelector,
    },
};

use super::{
    keyframes::KeyframeRequests,
    media::Mark,
    publish::{Keyframes, Pump, track},
    sdp::{first_format, ssrcs},
    within_patience,
};

/// The state of a peer connection whose media flows.
pub const RTC_CONNECTED: RTCPeerConnectionState = RTCPeerConnectionState::Connected;

/// What a peer offers.
#[derive(Clone)]
pub struct Plan {
    /// The local address, with port 0.
    pub bind: &'static str,
    /// Who this is, in the marks of what it sends; nothing is sent without.
    pub publishes: Option<u32>,
    /// Pairs of lines on which it receives.
    pub slot_pairs: usize,
    /// SRTP profiles in its order; none for the crate's own choice.
    pub profiles: Vec<SrtpProtectionProfile>,
}

impl Plan {
    /// Sends and receives over IPv4.
    pub fn publisher(mark: u32, slot_pairs: usize) -> Self {
        Self { bind: "127.0.0.1:0", publishes: Some(mark), slot_pairs, profiles: Vec::new() }
    }

    /// Receives only.
    pub fn viewer(slot_pairs: usize) -> Self {
        Self { bind: "127.0.0.1:0", publishes: None, slot_pairs, profiles: Vec::new() }
    }
}

/// A packet that came, decrypted.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub at: Instant,
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub csrcs: Vec<u32>,
    pub mark: Option<Mark>,
    pub is_video: bool,
    pub payload: bytes::Bytes,
}

type Arrivals = Arc<Mutex<Vec<Arrival>>>;

/// A peer connection.
pub struct Peer {
    connection: Arc<dyn PeerConnection>,
    state: watch::Receiver<RTCPeerConnectionState>,
    arrivals: Arrivals,
    /// Microphone and camera.
    tracks: Option<(u32, [Arc<TrackLocalStaticRTP>; 2])>,
    keyframes: Arc<Keyframes>,
    pump: Option<JoinHandle<()>>,
    /// The `mid` of each stream that the answer announces.
    mids: HashMap<u32, String>,
}

struct Handler {
    state: watch::Sender<RTCPeerConnectionState>,
    arrivals: Arrivals,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        self.state.send_replace(state);
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let arrivals = Arc::clone(&self.arrivals);
        tokio::spawn(async move {
            let is_video = track.kind().await == RtpCodecKind::Video;
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let arrival = Arrival {
                        at: Instant::now(),
                        ssrc: packet.header.ssrc,
                        sequence: packet.header.sequence_number,
                        timestamp: packet.header.timestamp,
                        csrcs: packet.header.csrc,
                        mark: Mark::find(&packet.payload),
                        is_video,
                        payload: packet.payload,
                    };
                    arrivals.lock().expect("arrivals").push(arrival);
                }
            }
        });
    }
}

impl Peer {
    pub async fn new(plan: &Plan) -> Self {
        let (state, states) = watch::channel(RTCPeerConnectionState::New);
        let arrivals = Arrivals::default();
        let handler = Arc::new(Handler { state, arrivals: Arc::clone(&arrivals) });
        let connection: Arc<dyn PeerConnection> = Arc::new(build(plan, handler).await);
        let mut tracks = None;
        if let Some(mark) = plan.publishes {
            let both = [track(mark, RtpCodecKind::Audio), track(mark, RtpCodecKind::Video)];
            for track in &both {
                let init = init(RTCRtpTransceiverDirection::Sendonly);
                let track = Arc::clone(track) as Arc<dyn TrackLocal>;
                connection.add_transceiver_from_track(track, Some(init)).await.expect("a line that sends");
            }
            tracks = Some((mark, both));
        }
        for _ in 0..plan.slot_pairs {
            for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
                let init = init(RTCRtpTransceiverDirection::Recvonly);
                connection.add_transceiver_from_kind(kind, Some(init)).await.expect("a line that receives");
            }
        }
        let keyframes = Arc::default();
        Self { connection, state: states, arrivals, tracks, keyframes, pump: None, mids: HashMap::new() }
    }

    /// A new offer, already the local description.
    pub async fn offer(&self) -> String {
        let offer = self.connection.create_offer(None).await.expect("an offer");
        self.connection.set_local_description(offer.clone()).await.expect("our own offer fits");
        offer.sdp
    }

    /// Takes the answer, and starts to send once there is something to send by.
    pub async fn accept(&mut self, answer: &str) {
        self.mids = ssrcs(answer);
        let description = RTCSessionDescription::answer(answer.to_owned()).expect("an answer that parses");
        self.connection.set_remote_description(description).await.expect("an answer that fits");
        if let (Some((mark, tracks)), None) = (&self.tracks, &self.pump) {
            let formats = [first_format(answer, "audio"), first_format(answer, "video")];
            let pump = Pump { mark: *mark, tracks: tracks.clone(), formats };
            self.pump = Some(tokio::spawn(pump.run(self.state.clone(), Arc::clone(&self.keyframes))));
        }
    }

    pub async fn connected(&mut self) {
        let connected = self.state.wait_for(|state| *state == RTCPeerConnectionState::Connected);
        within_patience("ICE and DTLS", connected).await.expect("the handler lives");
    }

    pub fn state(&self) -> RTCPeerConnectionState {
        *self.state.borrow()
    }

    /// Makes the next offer one that restarts ICE.
    pub async fn restart_ice(&self) {
        self.connection.restart_ice().await.expect("ICE can be restarted");
    }

    /// What came so far.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals.lock().expect("arrivals").clone()
    }

    /// What came since the last call.
    pub fn take_arrivals(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.arrivals.lock().expect("arrivals"))
    }

    /// The `mid` of the line on which a stream comes.
    pub fn mid_of(&self, ssrc: u32) -> Option<&str> {
        self.mids.get(&ssrc).map(String::as_str)
    }

    /// How often key frames were asked of us.
    pub fn keyframes_asked(&self) -> u32 {
        self.keyframes.asked.load(Relaxed)
    }

    /// The negotiated SRTP profile, as the crate names it.
    pub async fn srtp_profile(&self) -> String {
        let stats = self.connection.get_stats(Instant::now(), StatsSelector::None).await;
        stats.transport().expect("a transport").srtp_cipher.clone()
    }

    /// Stops sending, as a camera does that is switched off.
    pub fn stop_sending(&mut self) {
        if let Some(pump) = self.pump.take() {
            pump.abort();
        }
    }

    pub async fn close(&mut self) {
        self.stop_sending();
        self.connection.close().await.expect("a connection closes");
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop_sending();
        let connection = Arc::clone(&self.connection);
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { connection.close().await });
        }
    }
}

async fn build(plan: &Plan, handler: Arc<Handler>) -> impl PeerConnection {
    let mut engine = MediaEngine::default();
    engine.register_default_codecs().expect("the default codecs");
    let registry = register_default_interceptors(Registry::new(), &mut engine).expect("interceptors");
    let registry = registry.with(Slot::from(14_000), KeyframeRequests::default());
    let mut settings = SettingEngineBuilder::new().with_include_loopback_candidate(true);
    if !plan.profiles.is_empty() {
        settings = settings.with_srtp_protection_profiles(plan.profiles.clone());
    }
    PeerConnectionBuilder::new()
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings.build())
        .with_handler(handler)
        .with_udp_addrs(vec![plan.bind])
        .build()
        .await
        .expect("a peer connection")
}

fn init(direction: RTCRtpTransceiverDirection) -> RTCRtpTransceiverInit {
    RTCRtpTransceiverInit { direction, ..Default::default() }
}
