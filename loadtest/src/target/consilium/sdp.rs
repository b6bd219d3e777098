//! The offer from a template, and what is read out of the answer.

use std::{fmt::Write as _, net::SocketAddrV4};

use signaling_protocol::{
    SlotPool, Source,
    client::{Offer, OfferedSlot, OfferedTrack},
    server::SlotCounts,
};

use crate::plan::{IceCredentials, Kind, MidExtension, Rtx, SendPlan};

const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const AUDIO_LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
const TRANSPORT_CC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// What stays the same from one offer of a participant to the next.
#[derive(Debug, Clone)]
pub(super) struct Offering {
    pub session_id: u64,
    pub ice: IceCredentials,
    pub fingerprint: [u8; 32],
    pub audio_ssrc: Option<u32>,
    pub video_ssrc: Option<u32>,
}

/// One m= line of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Track(Kind),
    Slot(Kind, SlotPool, u8),
}

impl Line {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Track(kind) | Self::Slot(kind, ..) => kind,
        }
    }

    /// What the line carries, as the layout names it.
    pub(super) fn source(self) -> Source {
        match self {
            Self::Track(Kind::Audio) | Self::Slot(Kind::Audio, SlotPool::Camera, _) => Source::Microphone,
            Self::Track(Kind::Video) | Self::Slot(Kind::Video, SlotPool::Camera, _) => Source::Camera,
            Self::Slot(Kind::Audio, SlotPool::Screen, _) => Source::ScreenAudio,
            Self::Slot(Kind::Video, SlotPool::Screen, _) => Source::Screen,
        }
    }
}

impl Offering {
    /// The lines of an offer with so many slots; an earlier offer's lines keep their places.
    pub(super) fn lines(&self, known: &[Line], slots: SlotCounts) -> Vec<Line> {
        let tracks = [(self.audio_ssrc, Kind::Audio), (self.video_ssrc, Kind::Video)];
        let tracks = tracks.into_iter().filter(|(ssrc, _)| ssrc.is_some()).map(|(_, kind)| Line::Track(kind));
        let pools = [(SlotPool::Camera, slots.camera), (SlotPool::Screen, slots.screen)];
        let pairs = pools.into_iter().flat_map(|(pool, count)| (0..count).map(move |index| (pool, index)));
        let slots = pairs
            .flat_map(|(pool, index)| [Kind::Audio, Kind::Video].map(|kind| Line::Slot(kind, pool, index)));
        let mut lines = known.to_vec();
        lines.extend(tracks.chain(slots).filter(|line| !known.contains(line)));
        lines
    }

    /// The offer; a line's mid is its place.
    pub(super) fn offer(&self, lines: &[Line], version: u32) -> Offer {
        let mut sdp = String::with_capacity(800 * lines.len());
        let mids = (0..lines.len()).map(|mid| mid.to_string()).collect::<Vec<_>>().join(" ");
        // Writing to a string cannot fail.
        let _ = write!(
            sdp,
            "v=0\r\no=- {} {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {mids}\r\n\
             a=extmap-allow-mixed\r\n",
            self.session_id
        );
        for (mid, line) in lines.iter().enumerate() {
            self.media(&mut sdp, mid, *line);
        }
        let track = |(mid, line): (usize, &Line)| match line {
            Line::Track(_) => {
                Some(OfferedTrack { mid: mid.to_string(), source: line.source(), muted: false })
            }
            Line::Slot(..) => None,
        };
        let slot = |(mid, line): (usize, &Line)| match *line {
            Line::Slot(_, pool, index) => Some(OfferedSlot { mid: mid.to_string(), pool, index }),
            Line::Track(_) => None,
        };
        Offer {
            sdp,
            tracks: lines.iter().enumerate().filter_map(track).collect(),
            slots: lines.iter().enumerate().filter_map(slot).collect(),
        }
    }

    fn media(&self, sdp: &mut String, mid: usize, line: Line) {
        let (IceCredentials { ufrag, password }, is_track) = (&self.ice, matches!(line, Line::Track(_)));
        let (name, formats) = match line.kind() {
            Kind::Audio => ("audio", "111"),
            Kind::Video => ("video", "96 97"),
        };
        let hash = self.fingerprint.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
        let direction = if is_track { "sendonly" } else { "recvonly" };
        let _ = write!(
            sdp,
            "m={name} 9 UDP/TLS/RTP/SAVPF {formats}\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:{ufrag}\r\n\
             a=ice-pwd:{password}\r\na=fingerprint:sha-256 {hash}\r\na=setup:active\r\na=mid:{mid}\r\n\
             a=extmap:1 {MID_URI}\r\na={direction}\r\na=rtcp-mux\r\n"
        );
        if is_track {
            let _ = write!(sdp, "a=extmap:3 {TRANSPORT_CC_URI}\r\n");
        }
        match line.kind() {
            Kind::Audio => sdp.push_str(
                "a=extmap:2 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=rtpmap:111 opus/48000/2\r\n\
                 a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n",
            ),
            Kind::Video => sdp.push_str(
                "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 transport-cc\r\na=rtcp-fb:96 ccm fir\r\n\
                 a=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n",
            ),
        }
        let ssrc = match line {
            Line::Track(Kind::Audio) => self.audio_ssrc,
            Line::Track(Kind::Video) => self.video_ssrc,
            Line::Slot(..) => None,
        };
        if let Some(ssrc) = ssrc {
            if line.kind() == Kind::Video {
                let rtx = ssrc + 1;
                let _ = write!(sdp, "a=ssrc-group:FID {ssrc} {rtx}\r\na=ssrc:{rtx} cname:load\r\n");
            }
            let _ = write!(sdp, "a=ssrc:{ssrc} cname:load\r\n");
        }
    }
}

/// What an answer says about the transport.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub ice: IceCredentials,
    pub fingerprint: [u8; 32],
    pub candidate: SocketAddrV4,
    /// In the offer's order.
    pub lines: Vec<AnswerLine>,
}

/// What it says about a line.
#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct AnswerLine {
    pub mid: String,
    pub is_live: bool,
    pub payload_type: Option<u8>,
    pub rtx_payload_type: Option<u8>,
    pub nack: bool,
    pub ssrc: Option<u32>,
    pub rtx_ssrc: Option<u32>,
    mid_id: Option<u8>,
    audio_level_id: Option<u8>,
    transport_cc_id: Option<u8>,
}

impl Answer {
    /// None where something that is needed is missing.
    pub(super) fn read(sdp: &str) -> Option<Self> {
        let first = |key: &str| sdp.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(key));
        let candidates = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        let address = |line: &str| {
            let mut fields = line.split(' ').skip(4);
            Some(SocketAddrV4::new(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        Some(Self {
            ice: IceCredentials { ufrag: first("ice-ufrag:")?.into(), password: first("ice-pwd:")?.into() },
            fingerprint: fingerprint(first("fingerprint:sha-256 ")?)?,
            candidate: candidates.filter_map(address).next()?,
            lines: sdp.split("\r\nm=").skip(1).map(AnswerLine::read).collect(),
        })
    }
}

impl AnswerLine {
    fn read(media: &str) -> Self {
        let mut line = Self::default();
        let mut words = media.lines().next().unwrap_or_default().split(' ').skip(1);
        line.is_live = words.next() != Some("0") && !media.contains("\r\na=inactive");
        line.payload_type = words.nth(1).and_then(|format| format.parse().ok());
        for attribute in media.lines().filter_map(|line| line.strip_prefix("a=")) {
            line.attribute(attribute);
        }
        line
    }

    fn attribute(&mut self, attribute: &str) {
        let Some((key, value)) = attribute.split_once(':') else { return };
        let (head, rest) = value.split_once(' ').unwrap_or((value, ""));
        match key {
            "mid" => self.mid = value.to_owned(),
            "fmtp" if rest.strip_prefix("apt=").and_then(|apt| apt.parse().ok()) == self.payload_type => {
                self.rtx_payload_type = head.parse().ok();
            }
            "rtcp-fb" if rest == "nack" => self.nack = true,
            "ssrc" if self.ssrc.is_none() => self.ssrc = head.parse().ok(),
            "ssrc-group" if head == "FID" => {
                let mut pair = rest.split(' ').map(|ssrc| ssrc.parse().ok());
                (self.ssrc, self.rtx_ssrc) = (pair.next().flatten(), pair.next().flatten());
            }
            "extmap" => {
                let id = head.split('/').next().and_then(|id| id.parse().ok());
                match rest {
                    MID_URI => self.mid_id = id,
                    AUDIO_LEVEL_URI => self.audio_level_id = id,
                    TRANSPORT_CC_URI => self.transport_cc_id = id,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// What is to be sent on the line.
    pub(super) fn send_plan(&self, kind: Kind, ssrc: u32) -> Option<SendPlan> {
        Some(SendPlan {
            kind,
            ssrc,
            payload_type: self.payload_type?,
            rtx: self.rtx_payload_type.map(|payload_type| Rtx { payload_type, ssrc: ssrc + 1 }),
            mid: self.mid_id.map(|id| MidExtension { id, mid: self.mid.clone() }),
            transport_cc_id: self.transport_cc_id,
            audio_level_id: self.audio_level_id,
        })
    }

    /// Retransmissions of what is received on the line.
    pub(super) fn rtx(&self) -> Option<Rtx> {
        Some(Rtx { payload_type: self.rtx_payload_type?, ssrc: self.rtx_ssrc? })
    }
}

/// `AB:CD:…`
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let mut pairs = text.trim().split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(pairs.next()?, 16).ok()?;
    }
    pairs.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering() -> Offering {
        Offering {
            session_id: 1,
            ice: IceCredentials { ufrag: "ufrag".into(), password: "p".repeat(22) },
            fingerprint: [0xab; 32],
            audio_ssrc: Some(10),
            video_ssrc: Some(20),
        }
    }

    #[test]
    fn further_slots_come_behind_the_lines_that_are_there() {
        let offering = offering();
        let first = offering.lines(&[], SlotCounts { camera: 1, screen: 1 });
        assert_eq!(first.len(), 6);
        let second = offering.lines(&first, SlotCounts { camera: 2, screen: 1 });
        assert_eq!(second[..6], first[..]);
        assert_eq!(second[6..], [Kind::Audio, Kind::Video].map(|kind| Line::Slot(kind, SlotPool::Camera, 1)));
        let offer = offering.offer(&second, 2);
        assert_eq!((offer.tracks.len(), offer.slots.len()), (2, 6));
        assert_eq!(offer.sdp.matches("\r\nm=").count(), 8);
    }

    #[test]
    fn what_is_needed_is_read_out_of_an_answer() {
        let hash = ["AB"; 32].join(":");
        let sdp = format!(
            "v=0\r\na=ice-lite\r\na=fingerprint:sha-256 {hash}\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n\
             a=candidate:1 1 udp 2130706431 127.0.0.1 4000 typ host\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\na=mid:0\r\n\
             a=extmap:3/recvonly {TRANSPORT_CC_URI}\r\na=rtcp-fb:96 nack\r\na=fmtp:97 apt=96\r\n\
             a=ssrc-group:FID 7 8\r\na=ssrc:7 cname:x\r\nm=audio 0 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=inactive\r\n"
        );
        let answer = Answer::read(&sdp).expect("an answer");
        assert_eq!((answer.candidate.port(), answer.fingerprint), (4_000, [0xab; 32]));
        let [video, audio] = &answer.lines[..] else { panic!("two lines") };
        assert_eq!(
            (video.ssrc, video.rtx(), video.nack),
            (Some(7), Some(Rtx { payload_type: 97, ssrc: 8 }), true)
        );
        assert_eq!(video.send_plan(Kind::Video, 20).map(|plan| plan.transport_cc_id), Some(Some(3)));
        assert!(video.is_live && !audio.is_live);
        assert_eq!(Answer::read("v=0\r\n"), None);
    }
}
