//! What a peer sends: Opus and VP8, with key frames as they are asked for.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use rtc::{
    media_stream::MediaStreamTrack,
    rtp,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
    },
};
use tokio::sync::watch;
use webrtc::{
    media_stream::track_local::{TrackLocal, TrackLocalEvent, static_rtp::TrackLocalStaticRTP},
    peer_connection::RTCPeerConnectionState,
};

use super::media::{self, Mark};

/// What was asked of the camera.
#[derive(Default)]
pub struct Keyframes {
    is_due: AtomicBool,
    pub asked: AtomicU32,
}

/// A track with an SSRC that follows from the mark.
pub fn track(mark: u32, kind: RtpCodecKind) -> Arc<TrackLocalStaticRTP> {
    let (mime_type, clock_rate, channels, ssrc) = match kind {
        RtpCodecKind::Video => ("video/VP8", 90_000, 0, 0x2000_0000 + mark),
        _ => ("audio/opus", 48_000, 2, 0x1000_0000 + mark),
    };
    let codec = RTCRtpCodec { mime_type: mime_type.into(), clock_rate, channels, ..Default::default() };
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec,
        ..Default::default()
    };
    let (stream, track) = (format!("stream-{mark}"), format!("track-{mark}-{kind}"));
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(stream, track, "".into(), kind, vec![encoding])))
}

/// Sends 50 Opus packets and 25 pictures a second, and key frames as they are asked for.
pub struct Pump {
    pub mark: u32,
    /// Microphone and camera.
    pub tracks: [Arc<TrackLocalStaticRTP>; 2],
    /// Their payload types.
    pub formats: [u8; 2],
}

impl Pump {
    /// Begins once there is a connection.
    pub async fn run(self, mut state: watch::Receiver<RTCPeerConnectionState>, keyframes: Arc<Keyframes>) {
        let _ = state.wait_for(|state| *state == RTCPeerConnectionState::Connected).await;
        tokio::select! {
            () = self.send(&keyframes) => {}
            () = hear_requests(&self.tracks[1], &keyframes) => {}
        }
    }

    async fn send(&self, keyframes: &Keyframes) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        let (mut audio_count, mut video_count) = (0_u32, 0_u32);
        for tick in 0_u32.. {
            ticks.tick().await;
            let mark = Mark { publisher: self.mark, count: audio_count };
            self.write(0, audio_count, tick * 960, false, media::opus(mark)).await;
            audio_count += 1;
            if tick % 2 == 0 {
                let is_key_frame = keyframes.is_due.swap(false, Relaxed) || tick == 0;
                let mark = Mark { publisher: self.mark, count: video_count };
                let picture = (tick / 2) as u16 & 0x7fff;
                let packets = media::vp8(mark, picture, is_key_frame);
                let last = packets.len() - 1;
                for (i, payload) in packets.into_iter().enumerate() {
                    self.write(1, video_count, tick * 1800, i == last, payload).await;
                    video_count += 1;
                }
            }
        }
    }

    async fn write(&self, track: usize, count: u32, timestamp: u32, marker: bool, payload: Bytes) {
        // Sequence numbers begin shortly before they wrap.
        let sequence_number = (count as u16).wrapping_add(65_500);
        let ssrc = [0x1000_0000, 0x2000_0000][track] + self.mark;
        let payload_type = self.formats[track];
        let timestamp = timestamp.wrapping_add(self.mark << 16);
        let header = rtp::Header {
            version: 2,
            marker,
            payload_type,
            sequence_number,
            timestamp,
            ssrc,
            ..Default::default()
        };
        // A connection that has just closed takes no more.
        let _ = self.tracks[track].write_rtp(rtp::Packet { header, payload }).await;
    }
}

async fn hear_requests(camera: &TrackLocalStaticRTP, keyframes: &Keyframes) {
    while let Some(event) = camera.poll().await {
        if let TrackLocalEvent::OnRtcpPacket(packets) = event {
            keyframes.asked.fetch_add(packets.len() as u32, Relaxed);
            keyframes.is_due.store(true, Relaxed);
        }
    }
}
