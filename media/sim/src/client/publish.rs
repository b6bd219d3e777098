//! What a client sends: Opus and VP8 shaped RTP on a clock of its own, with the truth written into the payload.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use media_engine::{
    api::ExtensionIds,
    rtp::{AudioLevel, Extensions, HeaderWriter, NtpTime, rtcp::SenderInfo},
};
use media_model::{MediaKind, Mid};

/// What a payload says about itself, so that a receiver can tell whether it is shown the right thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tag {
    /// The publisher's number in the consult.
    pub publisher: u32,
    /// When it was captured, nanoseconds since the world began.
    pub captured_ns: u64,
}

impl Tag {
    /// Bytes that a tag takes at the end of a payload.
    pub const BYTES: usize = 12;

    /// Reads the tag of a payload.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (_, tag) = payload.split_last_chunk::<{ Self::BYTES }>()?;
        let (publisher, captured) = tag.split_first_chunk::<4>()?;
        Some(Self {
            publisher: u32::from_be_bytes(*publisher),
            captured_ns: u64::from_be_bytes(captured.try_into().ok()?),
        })
    }

    fn write(self, payload: &mut Vec<u8>) {
        payload.extend(self.publisher.to_be_bytes());
        payload.extend(self.captured_ns.to_be_bytes());
    }
}

/// A client's own idea of time.
#[derive(Debug, Clone, Copy)]
pub struct ClientClock {
    /// How far its wall clock is ahead of the world's.
    pub ahead: Duration,
    /// How much too fast it runs, in parts per million.
    pub drift_ppm: f64,
}

impl ClientClock {
    /// Its own time, `since` the world began.
    pub fn local(&self, since: Duration) -> Duration {
        since.mul_f64(1.0 + self.drift_ppm / 1e6)
    }

    /// Its wall clock.
    pub fn ntp(&self, since: Duration) -> NtpTime {
        NtpTime::from_unix(Duration::from_secs(1_800_000_000) + self.ahead + self.local(since))
    }
}

/// One track that is being sent.
#[derive(Debug)]
pub struct Publication {
    pub kind: MediaKind,
    pub mid: Mid,
    pub ssrc: u32,
    pub rtx_ssrc: u32,
    pub payload_type: u8,
    pub rtx_payload_type: Option<u8>,
    /// SRTP index of the next packet, and of the next retransmission.
    pub index: u64,
    pub rtx_index: u64,
    timestamp_base: u32,
    frames: u64,
    pub packets: u32,
    pub octets: u32,
    pub next_frame: Instant,
    pub keyframe_wanted: bool,
    /// Key frames sent.
    pub keyframes: u32,
    picture_id: u16,
    /// Plain packets of the last second, by index.
    sent: VecDeque<(u64, Instant, Vec<u8>)>,
}

const AUDIO_FRAME: Duration = Duration::from_millis(20);
/// 25 pictures a second.
const VIDEO_FRAME: Duration = Duration::from_millis(40);
/// From capture to the first packet on the wire.
const ENCODER_DELAY: Duration = Duration::from_millis(15);
const VIDEO_PAYLOAD_BYTES: usize = 900;
const KEYFRAME_PACKETS: u32 = 6;
const DELTA_PACKETS: u32 = 2;

impl Publication {
    pub fn new(kind: MediaKind, mid: Mid, ssrc: u32, now: Instant) -> Self {
        let (payload_type, rtx_payload_type) = match kind {
            MediaKind::Audio => (111, None),
            MediaKind::Video => (96, Some(97)),
        };
        Self {
            kind,
            mid,
            ssrc,
            rtx_ssrc: ssrc + 1,
            payload_type,
            rtx_payload_type,
            // Close to the wrap, so that every run sees one.
            index: 65_000,
            rtx_index: 100,
            timestamp_base: ssrc.wrapping_mul(2_654_435_761),
            frames: 0,
            packets: 0,
            octets: 0,
            next_frame: now,
            keyframe_wanted: true,
            keyframes: 0,
            picture_id: (ssrc as u16) & 0x7fff,
            sent: VecDeque::new(),
        }
    }

    /// The timestamp at a moment of the client's own time.
    fn timestamp(&self, local: Duration) -> u32 {
        let ticks = local.as_nanos() * u128::from(self.kind.clock_rate_hz()) / 1_000_000_000;
        self.timestamp_base.wrapping_add(ticks as u32)
    }

    /// The packets of the frame that is due, plain, with their indices.
    pub fn frame(
        &mut self,
        now: Instant,
        since: Duration,
        clock: &ClientClock,
        publisher: u32,
    ) -> Vec<(u64, Vec<u8>)> {
        let (interval, delay) = match self.kind {
            MediaKind::Audio => (AUDIO_FRAME, Duration::ZERO),
            MediaKind::Video => (VIDEO_FRAME, ENCODER_DELAY),
        };
        self.next_frame += interval;
        self.frames += 1;
        let captured = since.saturating_sub(delay);
        let timestamp = self.timestamp(clock.local(captured));
        let tag = Tag { publisher, captured_ns: captured.as_nanos() as u64 };
        let keyframe = self.kind == MediaKind::Video && std::mem::take(&mut self.keyframe_wanted);
        let count = match (self.kind, keyframe) {
            (MediaKind::Audio, _) => 1,
            (_, true) => KEYFRAME_PACKETS,
            (_, false) => DELTA_PACKETS,
        };
        self.keyframes += u32::from(keyframe);
        self.picture_id = self.picture_id.wrapping_add(1) & 0x7fff;
        self.sent.retain(|(_, at, _)| now - *at <= Duration::from_secs(1));
        let mut packets = Vec::new();
        for n in 0..count {
            let payload = self.payload(n, keyframe, tag);
            let plain = self.plain(timestamp, n + 1 == count, &payload);
            self.packets = self.packets.wrapping_add(1);
            self.octets = self.octets.wrapping_add(payload.len() as u32);
            self.sent.push_back((self.index, now, plain.clone()));
            packets.push((self.index, plain));
            self.index += 1;
        }
        packets
    }

    fn payload(&self, n: u32, keyframe: bool, tag: Tag) -> Vec<u8> {
        let mut payload = match self.kind {
            MediaKind::Audio => vec![0x78; 80],
            MediaKind::Video => {
                let [high, low] = self.picture_id.to_be_bytes();
                let start = if n == 0 { 0x10 } else { 0 };
                let header = u8::from(!keyframe);
                let mut payload = vec![0x80 | start, 0xe0, 0x80 | high, low, self.frames as u8, 0, header];
                payload.resize(VIDEO_PAYLOAD_BYTES, n as u8);
                payload
            }
        };
        tag.write(&mut payload);
        payload
    }

    fn plain(&self, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<u8> {
        let header = HeaderWriter {
            marker: marker && self.kind == MediaKind::Video,
            payload_type: self.payload_type,
            sequence: self.index as u16,
            timestamp,
            ssrc: self.ssrc,
            csrc: None,
        };
        let level = AudioLevel { voice: true, level_dbov: 30 };
        let extensions = Extensions {
            mid: Some(self.mid),
            audio_level: (self.kind == MediaKind::Audio).then_some(level),
            transport_cc: Some(self.index as u16),
            orientation: None,
        };
        with_header(&header, &extensions, payload)
    }

    /// The answer to a NACK: in a format of its own where there is one (RFC 4588 §4), else the packet as it was.
    pub fn retransmission(&mut self, sequence: u16) -> Option<(u64, Vec<u8>)> {
        let (index, _, plain) = self.sent.iter().find(|(index, ..)| *index as u16 == sequence)?;
        let Some(payload_type) = self.rtx_payload_type else { return Some((*index, plain.clone())) };
        let original = media_engine::rtp::RtpHeader::parse(plain).ok()?;
        let header = HeaderWriter {
            marker: original.marker,
            payload_type,
            sequence: self.rtx_index as u16,
            timestamp: original.timestamp,
            ssrc: self.rtx_ssrc,
            csrc: None,
        };
        let payload = [&sequence.to_be_bytes(), plain.get(original.header_len()..)?].concat();
        let extensions = Extensions { mid: Some(self.mid), ..Extensions::default() };
        let index = self.rtx_index;
        self.rtx_index += 1;
        Some((index, with_header(&header, &extensions, &payload)))
    }

    /// What a sender report says now.
    pub fn sender_info(&self, since: Duration, clock: &ClientClock) -> SenderInfo {
        SenderInfo {
            ssrc: self.ssrc,
            ntp: clock.ntp(since),
            rtp_timestamp: self.timestamp(clock.local(since)),
            packet_count: self.packets,
            octet_count: self.octets,
        }
    }
}

/// Header extension ids of every client here.
pub const EXTENSION_IDS: ExtensionIds =
    ExtensionIds { mid: Some(4), audio_level: Some(1), transport_cc: Some(3), orientation: None };

fn with_header(header: &HeaderWriter, extensions: &Extensions, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HeaderWriter::BYTES_MAX];
    let length = header.write(extensions, &EXTENSION_IDS, &mut packet).unwrap_or_default();
    packet.truncate(length);
    packet.extend(payload);
    packet
}
