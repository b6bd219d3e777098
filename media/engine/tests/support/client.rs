//! A client: one address, one certificate, microphone, camera and screen, three camera slots and one for a screen.

use std::{net::SocketAddr, ops::Range, sync::Arc, time::Instant};

use media_engine::{
    api::{CodecParams, ExtensionIds, Feedback, IceCredentials, MediaParams, SlotParams, TrackParams},
    rtp::{AudioLevel, Extensions, HeaderWriter, RtpHeader},
    transport::{
        dtls::{DtlsClient, DtlsEvent, Identity},
        srtp::{SrtpInbound, SrtpOutbound},
    },
};
use media_model::{Codec, MediaKind, SlotIndex, SlotPool, Source};

use super::stun;

/// A media packet that came through a slot.
#[derive(Debug, Clone)]
pub struct Received {
    pub at: Instant,
    pub header: RtpHeader,
    pub csrcs: Vec<u32>,
    pub extensions: Extensions,
    pub payload: Vec<u8>,
    /// As it was on the wire.
    pub sealed: Vec<u8>,
}

pub struct Client {
    pub address: SocketAddr,
    pub ice_server: IceCredentials,
    pub ice_client: IceCredentials,
    pub received: Vec<Received>,
    /// Plain compounds.
    pub rtcp: Vec<(Instant, Vec<u8>)>,
    pub stun_answers: usize,
    pub was_closed: bool,
    identity: Arc<Identity>,
    dtls: DtlsClient,
    keys: Option<(SrtpInbound, SrtpOutbound)>,
    index: usize,
    transaction: u8,
    transport_cc: u16,
    /// What the next pictures carry as payload type instead of VP8's.
    pub video_payload_type: Option<u8>,
    /// What the next packets carry as SSRC instead of the announced one.
    pub ssrc_override: Option<u32>,
}

const NACK: Feedback = Feedback { nack: true, pli: true, fir: true, transport_cc: true };

impl Client {
    pub fn new(index: usize, now: Instant) -> Self {
        Self::with_identity(index, now, Arc::new(Identity::generate()))
    }

    pub fn with_identity(index: usize, now: Instant, identity: Arc<Identity>) -> Self {
        let credentials = |side: &str| IceCredentials {
            ufrag: format!("{side}{index}").into(),
            password: format!("{side}-password-of-{index}-long-enough").into(),
        };
        Self {
            address: ([198, 51, 100, (index as u8).wrapping_add(1)], 40_000 + (index >> 8) as u16).into(),
            ice_server: credentials("serv"),
            ice_client: credentials("clie"),
            received: Vec::new(),
            rtcp: Vec::new(),
            stun_answers: 0,
            was_closed: false,
            dtls: DtlsClient::new(&identity, now),
            identity,
            keys: None,
            index,
            transaction: 0,
            transport_cc: 0,
            video_payload_type: None,
            ssrc_override: None,
        }
    }

    pub fn fingerprint(&self) -> [u8; 32] {
        self.identity.fingerprint()
    }

    pub fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    /// Odd clients name formats and extensions as Firefox does, even ones as Chromium does.
    pub fn payload_type(&self, codec: Codec) -> u8 {
        match (codec.kind(), self.index % 2) {
            (MediaKind::Audio, 0) => 111,
            (MediaKind::Audio, _) => 109,
            (MediaKind::Video, 0) => 96,
            (MediaKind::Video, _) => 120,
        }
    }

    pub fn extensions(&self) -> ExtensionIds {
        let shift = (self.index % 2) as u8;
        ExtensionIds {
            mid: Some(3 + shift),
            audio_level: Some(1 + shift),
            transport_cc: Some(5 + shift),
            orientation: Some(7 + shift),
        }
    }

    pub fn codecs(&self, kind: MediaKind) -> Vec<CodecParams> {
        let codec = if kind == MediaKind::Audio { Codec::Opus } else { Codec::Vp8 };
        let payload_type = self.payload_type(codec);
        let rtx_payload_type = (kind == MediaKind::Video).then_some(payload_type + 1);
        vec![CodecParams { payload_type, codec, rtx_payload_type, feedback: NACK }]
    }

    pub fn media(&self) -> MediaParams {
        let tracks = [Source::Microphone, Source::Camera, Source::Screen];
        let tracks = tracks.map(|source| TrackParams {
            mid: mid(source),
            source,
            codecs: self.codecs(source.kind()),
            ssrc: None,
            rtx_ssrc: None,
            muted: source == Source::Screen,
        });
        let pairs =
            [(SlotPool::Camera, 0), (SlotPool::Camera, 1), (SlotPool::Camera, 2), (SlotPool::Screen, 0)];
        let slots = pairs.iter().enumerate().flat_map(|(place, (pool, index))| {
            [MediaKind::Audio, MediaKind::Video].map(|kind| {
                let number = place * 2 + usize::from(kind == MediaKind::Video);
                SlotParams {
                    mid: format!("s{number}").parse().unwrap(),
                    slot: SlotIndex { pool: *pool, index: *index },
                    kind,
                    codecs: self.codecs(kind),
                    ssrc: slot_ssrc(number),
                    rtx_ssrc: slot_ssrc(number) + 500,
                }
            })
        });
        MediaParams {
            tracks: tracks.to_vec(),
            slots: slots.collect(),
            extensions: self.extensions(),
            cname: "server".into(),
        }
    }

    pub fn check(&mut self) -> Vec<u8> {
        self.transaction = self.transaction.wrapping_add(1);
        stun::check(&self.ice_server, &self.ice_client, [self.transaction; 12])
    }

    pub fn ssrc(&self, source: Source) -> u32 {
        self.ssrc_override.unwrap_or(self.index as u32 * 100 + source as u32 + 1)
    }

    /// A sealed packet; every one carries all extensions.
    pub fn packet(&mut self, source: Source, index: u64, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.transport_cc = self.transport_cc.wrapping_add(1);
        let codec = if source.kind() == MediaKind::Audio { Codec::Opus } else { Codec::Vp8 };
        let other = self.video_payload_type.filter(|_| source.kind() == MediaKind::Video);
        let header = HeaderWriter {
            marker: source.kind() == MediaKind::Video,
            payload_type: other.unwrap_or(self.payload_type(codec)),
            sequence: index as u16,
            timestamp,
            ssrc: self.ssrc(source),
            csrc: None,
        };
        let extensions = Extensions {
            mid: Some(mid(source)),
            audio_level: Some(AudioLevel { voice: true, level_dbov: 30 }),
            transport_cc: Some(self.transport_cc),
            orientation: Some(1),
        };
        let mut packet = vec![0; 1_500];
        let mut length = header.write(&extensions, &self.extensions(), &mut packet).unwrap();
        packet[length..length + payload.len()].copy_from_slice(payload);
        length += payload.len();
        let (_, outbound) = self.keys.as_ref().unwrap();
        let sealed = outbound.seal_rtp(index, &mut packet, length).unwrap();
        packet.truncate(sealed);
        packet
    }

    pub fn seal_rtcp(&mut self, plain: &[u8]) -> Vec<u8> {
        let mut packet = plain.to_vec();
        packet.resize(plain.len() + 40, 0);
        let (_, outbound) = self.keys.as_mut().unwrap();
        let sealed = outbound.seal_rtcp(&mut packet, plain.len()).unwrap();
        packet.truncate(sealed);
        packet
    }

    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        match datagram[0] {
            0..=3 => self.stun_answers += 1,
            20..=63 => {
                let _ = self.dtls.handle_datagram(now, datagram);
                self.drain_dtls();
            }
            _ => self.handle_media(now, datagram),
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.stun_answers > 0 && self.dtls.poll_timeout().is_none_or(|due| due <= now) {
            let _ = self.dtls.handle_timeout(now);
            self.drain_dtls();
        }
    }

    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        if self.stun_answers == 0 { None } else { self.dtls.poll_transmit() }
    }

    fn drain_dtls(&mut self) {
        while let Some(event) = self.dtls.poll_event() {
            match event {
                DtlsEvent::Connected(connected) => {
                    let keys = &connected.keys;
                    let inbound = SrtpInbound::new(connected.profile, keys.server_key(), keys.server_salt());
                    let outbound =
                        SrtpOutbound::new(connected.profile, keys.client_key(), keys.client_salt());
                    self.keys = Some((inbound.unwrap(), outbound.unwrap()));
                }
                DtlsEvent::Closed => self.was_closed = true,
            }
        }
    }

    /// A media packet's payload, in place. Nothing is kept, as it is by `handle`.
    pub fn open_media(&mut self, data: &mut [u8]) -> Option<Range<usize>> {
        let (inbound, _) = self.keys.as_mut()?;
        inbound.open_rtp(data).ok().map(|opened| opened.payload)
    }

    /// The length of a compound that was opened in place.
    pub fn open_rtcp(&mut self, data: &mut [u8]) -> Option<usize> {
        let (inbound, _) = self.keys.as_mut()?;
        inbound.open_rtcp(data).ok()
    }

    fn handle_media(&mut self, now: Instant, datagram: &[u8]) {
        let ids = self.extensions();
        let Some((inbound, _)) = &mut self.keys else { return };
        let mut data = datagram.to_vec();
        if (192..=223).contains(&datagram[1]) {
            let length = inbound.open_rtcp(&mut data).expect("authentic RTCP");
            data.truncate(length);
            self.rtcp.push((now, data));
            return;
        }
        // The very same packet again is what a replay window is for.
        let Ok(opened) = inbound.open_rtp(&mut data) else {
            self.received.extend(self.received.iter().find(|r| r.sealed == datagram).cloned());
            return;
        };
        let extensions = Extensions::parse(&opened.header, &data, &ids);
        self.received.push(Received {
            at: now,
            csrcs: opened.header.csrcs(&data).collect(),
            extensions,
            payload: data[opened.payload].to_vec(),
            header: opened.header,
            sealed: datagram.to_vec(),
        });
    }
}

pub fn mid(source: Source) -> media_model::Mid {
    match source {
        Source::Microphone => "mic",
        Source::Camera => "cam",
        Source::Screen => "screen",
        Source::ScreenAudio => "screen-audio",
    }
    .parse()
    .unwrap()
}

/// The SSRC of a client's n-th slot stream: sound and picture by turns.
pub fn slot_ssrc(number: usize) -> u32 {
    10_000 + number as u32
}
