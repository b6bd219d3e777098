//! A browser's share of a consult: one transport, one microphone, one camera, a few slots.
//!
//! | file | holds |
//! |---|---|
//! | `stun.rs` | checks of a full, controlling agent |
//! | `publish.rs` | Opus and VP8 shaped packets on a clock of the client's own |
//! | `receive.rs` | a slot: what came, what is missing, what is wrong with it |
//! | `session.rs` | SRTP and RTCP once the handshake is done |

mod publish;
mod receive;
mod session;
mod stun;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use media_engine::{
    api::{CodecParams, Feedback, IceCredentials, Layout, MediaParams, SlotParams, TrackParams},
    transport::dtls::{DtlsClient, DtlsEvent, Identity},
};
use media_model::{Codec, MediaKind, Mid, ParticipantNumber, SlotIndex, SlotPool, Source, TransportId};

pub use publish::ClientClock;
pub use receive::Received;
use session::Session;

use crate::{Random, network::Busy};

const CHECK_INTERVAL: Duration = Duration::from_millis(50);
const OUTSTANDING_CHECKS_MAX: usize = 16;
/// RFC 7675 §5.1: every five seconds, here as often as libwebrtc does.
const CONSENT_INTERVAL: Duration = Duration::from_millis(2_500);

/// One client and everything that it measures.
pub struct Client {
    /// Its transport.
    pub transport: TransportId,
    /// Its number in the consult.
    pub participant: ParticipantNumber,
    /// Where it is now; a NAT may change that without telling.
    pub address: SocketAddr,
    /// What it calls the time.
    pub clock: ClientClock,
    /// Sends nothing any more, not even checks, when true.
    pub gone: bool,
    /// The newest layout.
    pub layout: Option<Layout>,
    pub(crate) up: Busy,
    pub(crate) down: Busy,
    pub(crate) identity: Arc<Identity>,
    pub(crate) ice_local: IceCredentials,
    pub(crate) ice_remote: IceCredentials,
    random: Random,
    check_at: Instant,
    /// Of the latest checks; with long ways several are on theirs.
    transaction_ids: VecDeque<[u8; 12]>,
    dtls: Option<DtlsClient>,
    session: Option<Session>,
    slots: u8,
    begin: Instant,
}

impl Client {
    pub(crate) fn new(
        number: u32,
        transport: u64,
        clock: ClientClock,
        slots: u8,
        seed: u64,
        begin: Instant,
        now: Instant,
    ) -> Self {
        let mut random = Random::new(seed);
        Self {
            transport: TransportId(transport),
            participant: ParticipantNumber::new(number).expect("numbers begin with 1"),
            address: SocketAddr::from(([10, 0, (transport >> 8) as u8, transport as u8], 5_000)),
            clock,
            gone: false,
            layout: None,
            up: None,
            down: None,
            identity: Arc::new(Identity::generate()),
            ice_local: credentials(&mut random),
            ice_remote: credentials(&mut random),
            check_at: now,
            transaction_ids: VecDeque::new(),
            dtls: None,
            session: None,
            slots,
            begin,
            random,
        }
    }

    /// Whether media can flow.
    pub fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    /// What was measured, slot by slot, audio and video.
    pub fn received(&self) -> impl Iterator<Item = (SlotIndex, MediaKind, &Received)> {
        self.session.iter().flat_map(|s| &s.slots).map(|s| (s.slot, s.kind, &s.received))
    }

    /// Packets received in all slots together.
    pub fn packets_received(&self) -> u64 {
        self.received().map(|(_, _, r)| r.packets).sum()
    }

    /// Key frames that its camera made.
    pub fn keyframes_sent(&self) -> u32 {
        self.session.iter().flat_map(|s| &s.publications).map(|p| p.keyframes).sum()
    }

    /// How far sound and picture of each slot are apart after a browser has aligned them by the server's sender
    /// reports, in nanoseconds, with the CSRC of both; slots where they differ are left out.
    pub fn lip_skews_ns(&self) -> Vec<(u32, i64)> {
        self.session.as_ref().map_or(Vec::new(), Session::lip_skews_ns)
    }

    /// What it negotiated.
    pub fn media_params(&self) -> MediaParams {
        let track = |source: Source, mid: &str| TrackParams {
            mid: self.mid(mid),
            source,
            codecs: vec![codec(source.kind())],
            ssrc: None,
            rtx_ssrc: None,
            muted: false,
        };
        let slots = (0..self.slots).flat_map(|index| {
            [MediaKind::Audio, MediaKind::Video].map(|kind| SlotParams {
                mid: self.mid(&format!("{kind:?}{index}")),
                slot: SlotIndex { pool: SlotPool::Camera, index },
                kind,
                codecs: vec![codec(kind)],
                ssrc: self.slot_ssrc(index, kind),
                rtx_ssrc: self.slot_ssrc(index, kind) + 1,
            })
        });
        MediaParams {
            tracks: vec![track(Source::Microphone, "mic"), track(Source::Camera, "cam")],
            slots: slots.collect(),
            extensions: publish::EXTENSION_IDS,
            cname: "sim".into(),
        }
    }

    /// New credentials of both sides, as an ICE restart has them (RFC 8445 §9).
    pub(crate) fn restart_ice(&mut self, now: Instant) {
        self.ice_local = credentials(&mut self.random);
        self.ice_remote = credentials(&mut self.random);
        self.transaction_ids.clear();
        self.check_at = now;
    }

    pub(crate) fn set_layout(&mut self, layout: Layout) {
        if let Some(session) = &mut self.session {
            session.set_layout(&layout);
        }
        self.layout = Some(layout);
    }

    pub(crate) fn handle_datagram(&mut self, now: Instant, data: &mut [u8]) {
        match data.first() {
            Some(0..=3) if stun::success(data).is_some_and(|id| self.transaction_ids.contains(&id)) => {
                self.check_at = now + CONSENT_INTERVAL;
                self.dtls.get_or_insert_with(|| DtlsClient::new(&self.identity, now));
            }
            Some(20..=63) => {
                if let Some(dtls) = &mut self.dtls {
                    // A client that is refused stays unconnected, which is what tests look at.
                    let _ = dtls.handle_datagram(now, data);
                    self.drain_dtls(now);
                }
            }
            Some(128..=191) => {
                if let Some(session) = &mut self.session {
                    session.handle_datagram(now, data);
                }
            }
            _ => {}
        }
    }

    /// Does what is due and gives out datagrams.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Vec<u8>>) {
        if self.gone {
            return;
        }
        if self.check_at <= now {
            self.check_at = now + CHECK_INTERVAL;
            let ids = [self.random.bits(), self.random.bits()].map(u64::to_be_bytes).concat();
            let mut transaction_id = [0; 12];
            transaction_id.copy_from_slice(&ids[..12]);
            self.transaction_ids.truncate(OUTSTANDING_CHECKS_MAX - 1);
            self.transaction_ids.push_front(transaction_id);
            let credentials = stun::Credentials {
                username: format!("{}:{}", self.ice_remote.ufrag, self.ice_local.ufrag),
                password: self.ice_remote.password.to_string(),
            };
            out.push(stun::check(&credentials, transaction_id, 7));
        }
        if let Some(dtls) = &mut self.dtls {
            if dtls.poll_timeout().is_some_and(|at| at <= now) {
                let _ = dtls.handle_timeout(now);
            }
            self.drain_dtls(now);
        }
        if let Some(dtls) = &mut self.dtls {
            out.extend(std::iter::from_fn(|| dtls.poll_transmit()));
        }
        if let Some(session) = &mut self.session {
            session.handle_timeout(now, &self.clock, out);
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.gone {
            return None;
        }
        let dtls = self.dtls.as_ref().filter(|_| self.session.is_none()).and_then(DtlsClient::poll_timeout);
        let session = self.session.as_ref().map(Session::poll_timeout);
        [Some(self.check_at), dtls, session].into_iter().flatten().min()
    }

    fn drain_dtls(&mut self, now: Instant) {
        let Some(dtls) = &mut self.dtls else { return };
        while let Some(event) = dtls.poll_event() {
            if let DtlsEvent::Connected(connected) = event
                && self.session.is_none()
            {
                let mut session = Session::new(self, &connected, now);
                if let Some(layout) = &self.layout {
                    session.set_layout(layout);
                }
                self.session = Some(session);
                return;
            }
        }
    }

    fn mid(&self, token: &str) -> Mid {
        token.parse().expect("a token")
    }

    fn slot_ssrc(&self, index: u8, kind: MediaKind) -> u32 {
        let kind = if kind == MediaKind::Audio { 0 } else { 2 };
        0x5000_0000 + (self.transport.0 as u32) * 256 + u32::from(index) * 4 + kind
    }

    fn track_ssrc(&self, kind: MediaKind) -> u32 {
        let kind = if kind == MediaKind::Audio { 0 } else { 2 };
        0x7000_0000 + (self.transport.0 as u32) * 4 + kind
    }
}

fn codec(kind: MediaKind) -> CodecParams {
    let video = kind == MediaKind::Video;
    CodecParams {
        payload_type: if video { 96 } else { 111 },
        codec: if video { Codec::Vp8 } else { Codec::Opus },
        rtx_payload_type: video.then_some(97),
        feedback: Feedback { nack: true, pli: video, fir: video, transport_cc: true },
    }
}

fn credentials(random: &mut Random) -> IceCredentials {
    let mut text = || format!("{:016x}", random.bits()).into();
    IceCredentials { ufrag: text(), password: text() }
}
