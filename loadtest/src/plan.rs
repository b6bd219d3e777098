//! The border between an adapter and the media plane: everything that one transport is to do.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Sound or picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Opus at 48 kHz.
    Audio,
    /// VP8 at 90 kHz.
    Video,
}

/// One transport (one ICE and DTLS association, or one address of the floor's) of one participant.
#[derive(Debug, Clone)]
pub struct TransportPlan {
    /// The participant's number among all of the harness, from 0. It stands in the stamp of everything they send.
    pub participant: u32,
    /// Where everything is sent to.
    pub remote: SocketAddrV4,
    /// The address to send from. None: the harness takes one of its own.
    pub local: Option<Ipv4Addr>,
    /// How keys are agreed on.
    pub keying: Keying,
    /// Tracks that are sent on it. Empty on one that only receives.
    pub sends: Vec<SendPlan>,
    /// Streams that are received on it. More may follow by `TransportHandle::receive`.
    pub receives: Vec<ReceivePlan>,
    /// Whether RTCP is spoken: reports, NACK, key frame requests, transport-wide feedback.
    pub rtcp: bool,
}

/// How a transport comes by its keys.
#[derive(Debug, Clone)]
pub enum Keying {
    /// ICE (controlling, one remote candidate) and then DTLS with the **client's** role: an adapter offers or answers
    /// `a=setup:active`, and `a=fingerprint` as `MediaPlane::fingerprint` says.
    Webrtc {
        /// This side's ICE name and password.
        ice_local: IceCredentials,
        /// The other side's.
        ice_remote: IceCredentials,
        /// SHA-256 of the other side's certificate, from its SDP.
        fingerprint_remote: [u8; 32],
    },
    /// Session keys that both sides know beforehand; no ICE, no DTLS. AES-128-GCM with a zero salt.
    Raw {
        /// Sent until the same bytes come back; then the transport counts as connected.
        registration: Vec<u8>,
        /// Session key of what is sent.
        send_key: [u8; 16],
        /// Session key of what is received.
        receive_key: [u8; 16],
    },
}

/// ICE name and password (RFC 8445 §5.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `a=ice-ufrag`
    pub ufrag: String,
    /// `a=ice-pwd`
    pub password: String,
}

/// A track that the participant publishes.
#[derive(Debug, Clone)]
pub struct SendPlan {
    /// What it carries.
    pub kind: Kind,
    /// Its SSRC. An adapter draws it; it has to be the transport's only one of that number.
    pub ssrc: u32,
    /// Its payload type, from the answer.
    pub payload_type: u8,
    /// Payload type and SSRC of its retransmissions (RFC 4588), where they were agreed on. None: a NACK is answered by the
    /// packet as it was.
    pub rtx: Option<Rtx>,
    /// `a=mid` with the extension's id: written until the first receiver report came back, at least for a second.
    pub mid: Option<MidExtension>,
    /// Id of the transport-wide sequence number, where it was agreed on.
    pub transport_cc_id: Option<u8>,
    /// Id of the audio level (RFC 6464), where it was agreed on.
    pub audio_level_id: Option<u8>,
}

/// Payload type and SSRC of a stream of retransmissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rtx {
    /// Its payload type.
    pub payload_type: u8,
    /// Its SSRC.
    pub ssrc: u32,
}

/// The header extension `urn:ietf:params:rtp-hdrext:sdes:mid`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MidExtension {
    /// Its id, 1 to 14.
    pub id: u8,
    /// Its value, at most 16 bytes.
    pub mid: String,
}

/// A stream that the participant receives: a slot of Consilium's, a subscription at Janus.
#[derive(Debug, Clone)]
pub struct ReceivePlan {
    /// What it carries.
    pub kind: Kind,
    /// Its SSRC, from the SDP.
    pub ssrc: u32,
    /// Its retransmissions, where they were agreed on.
    pub rtx: Option<Rtx>,
    /// Whether gaps are asked for by NACK.
    pub nack: bool,
    /// Id of the transport-wide sequence number, where the **sender** of this stream writes one; it is then reported on.
    pub transport_cc_id: Option<u8>,
    /// Whose media it is to carry now. None: nobody's, and whatever comes is misrouted.
    pub shown: Option<Shown>,
}

/// Stands for a sender that no signaling names: anybody else of the consult.
pub const ANYBODY: u32 = u32::MAX;

/// Whose media a received stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// The publisher's number among all of the harness, as in [`TransportPlan::participant`]; or [`ANYBODY`].
    pub sender: u32,
    /// The CSRC that every packet has to carry, where the target promises one.
    pub csrc: Option<u32>,
}

/// What publishers send, in packets and bytes. A rate of zero: nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MediaProfile {
    /// Sound.
    pub audio: Pace,
    /// Picture.
    pub video: Pace,
    /// From one RTCP report to the next, in nanoseconds.
    pub report_interval_ns: u64,
}

/// How one kind of media is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From one burst to the next, in nanoseconds. 0: nothing is sent.
    pub interval_ns: u64,
    /// Packets of a burst.
    pub burst: u32,
    /// Packets of a burst that is a key frame.
    pub keyframe_burst: u32,
    /// Length of an RTP packet before it is sealed, header included.
    pub packet_bytes: usize,
    /// Talk and silence; None: talk all the time.
    pub spurts: Option<Spurts>,
    /// Large frames now and then.
    pub slides: Option<Slides>,
}

/// Talk spurts as Opus sends them with DTX: nothing but a packet each 400 ms between them. Mean lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spurts {
    /// Of talk, in nanoseconds.
    pub talk_ns: u64,
    /// Of silence.
    pub silence_ns: u64,
}

/// Frames of a screen whose content changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slides {
    /// From one to the next, in nanoseconds.
    pub every_ns: u64,
    /// Packets of each.
    pub packets: u32,
}

impl MediaProfile {
    /// The pace of one kind.
    pub fn pace(&self, kind: Kind) -> Pace {
        match kind {
            Kind::Audio => self.audio,
            Kind::Video => self.video,
        }
    }
}

/// What the network does to the clients' datagrams, both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Datagrams that get lost, in percent.
    pub loss_percent: f64,
    /// How long they are on their way, in milliseconds.
    pub delay_ms: f64,
    /// By how much that differs; the order is kept.
    pub jitter_ms: f64,
    /// Kilobits a second that a participant can receive; 0: no bound. What does not fit in 200 ms is lost.
    pub rate_kbit: f64,
    /// Every so many seconds a participant's address changes; 0: never.
    pub address_change_s: f64,
}

impl Network {
    /// Whether datagrams come through as they are.
    pub fn is_clean(&self) -> bool {
        *self == Self { address_change_s: self.address_change_s, ..Self::default() }
    }
}
