//! The whole border of the engine: what goes in and what comes out.
//!
//! ```text
//! handle_datagram, handle_command, handle_timeout   in: bytes, commands, the time
//! TransmitBuffer                                    out: sealed packets, written in place
//! poll_event, poll_timeout                          out: facts for the control plane, the next deadline
//! ```

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use media_model::{Codec, ConsultId, MediaKind, Mid, ParticipantNumber, SlotIndex, Source, TransportId};

/// What the control plane asks of the shard.
#[derive(Debug)]
pub enum Command {
    /// Adds a transport to a consult. Answered by [`Event::Joined`] or [`Event::Refused`].
    Join(Box<Join>),
    /// Replaces what a transport publishes and receives, after another offer and answer.
    Renegotiate(Box<Renegotiate>),
    /// From now on media is routed from and to this transport. Until then nothing is.
    Admit(TransportId),
    /// The publisher says that this source carries nothing to be seen or heard; nothing of it is forwarded.
    Mute {
        /// Whose.
        transport: TransportId,
        /// Which of its sources.
        source: Source,
        /// The new state. Every track starts as [`TrackParams::muted`] says.
        muted: bool,
    },
    /// Removes a transport at once, both directions, retransmissions included. Answered by [`Event::Left`].
    Leave(TransportId),
    /// Removes every transport of a consult.
    EndConsult(ConsultId),
}

/// A transport as negotiated.
#[derive(Debug)]
pub struct Join {
    /// The name by which commands and events call it.
    pub transport: TransportId,
    /// Where it belongs.
    pub consult: ConsultId,
    /// Whose it is. Transports of one participant do not receive each other.
    pub participant: ParticipantNumber,
    /// Whether media is routed at once, or only after [`Command::Admit`].
    pub admitted: bool,
    /// The server's ICE credentials, unique among the shard's transports by `ufrag`.
    pub ice_local: IceCredentials,
    /// The client's ICE credentials.
    pub ice_remote: IceCredentials,
    /// SHA-256 of the client's certificate, from its SDP (RFC 8122 §5).
    pub fingerprint: [u8; 32],
    /// What is sent and received.
    pub media: MediaParams,
}

/// A transport's next set of parameters.
#[derive(Debug)]
pub struct Renegotiate {
    /// Which transport.
    pub transport: TransportId,
    /// New credentials, local then remote, where the offer restarted ICE (RFC 8445 §9).
    pub ice: Option<(IceCredentials, IceCredentials)>,
    /// The complete new list: what is absent ends, what has the same `mid` goes on.
    pub media: MediaParams,
}

/// ICE user fragment and password (RFC 8839 §5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `a=ice-ufrag`
    pub ufrag: Arc<str>,
    /// `a=ice-pwd`
    pub password: Arc<str>,
}

impl std::fmt::Debug for IceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// The media descriptions of a transport, in plain terms.
#[derive(Debug, Clone, Default)]
pub struct MediaParams {
    /// What the client may publish.
    pub tracks: Vec<TrackParams>,
    /// What the client can receive.
    pub slots: Vec<SlotParams>,
    /// Header extension ids, one mapping for the whole bundle (RFC 8843 §9.2).
    pub extensions: ExtensionIds,
    /// `CNAME` of everything that the server sends on this transport (RFC 7022).
    pub cname: Arc<str>,
}

/// One m= line on which the client sends.
#[derive(Debug, Clone)]
pub struct TrackParams {
    /// Its `a=mid`.
    pub mid: Mid,
    /// What it carries.
    pub source: Source,
    /// Accepted formats, in the order of the answer.
    pub codecs: Vec<CodecParams>,
    /// The SSRC that the offer announced, if it did; otherwise the MID header extension tells.
    pub ssrc: Option<u32>,
    /// The announced SSRC of its retransmissions (`a=ssrc-group:FID`).
    pub rtx_ssrc: Option<u32>,
    /// Whether it starts silent and dark.
    pub muted: bool,
}

/// One m= line on which the client receives.
#[derive(Debug, Clone)]
pub struct SlotParams {
    /// Its `a=mid`.
    pub mid: Mid,
    /// Which slot pair it belongs to.
    pub slot: SlotIndex,
    /// Sound or picture.
    pub kind: MediaKind,
    /// Formats that the client decodes here.
    pub codecs: Vec<CodecParams>,
    /// What the server sends with, for life.
    pub ssrc: u32,
    /// What it sends retransmissions with, where any format has an RTX payload type.
    pub rtx_ssrc: u32,
}

/// One format of an m= line, by the payload types of this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodecParams {
    /// `a=rtpmap` payload type.
    pub payload_type: u8,
    /// What it names.
    pub codec: Codec,
    /// The payload type whose `apt` names this one (RFC 4588 §8.1).
    pub rtx_payload_type: Option<u8>,
    /// Which `a=rtcp-fb` were agreed.
    pub feedback: Feedback,
}

/// RTCP feedback agreed for a format (RFC 4585 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Feedback {
    /// `nack`
    pub nack: bool,
    /// `nack pli`
    pub pli: bool,
    /// `ccm fir` (RFC 5104 §4.3.1)
    pub fir: bool,
    /// `transport-cc`
    pub transport_cc: bool,
}

/// Header extension ids of a transport (RFC 8285), as agreed; `None` where not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtensionIds {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level` (RFC 6464)
    pub audio_level: Option<u8>,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    pub transport_cc: Option<u8>,
    /// `urn:3gpp:video-orientation`
    pub orientation: Option<u8>,
}

/// What the shard tells the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The transport exists and waits for the client's checks.
    Joined(TransportId),
    /// The command could not be carried out; nothing changed.
    Refused(TransportId, Refusal),
    /// ICE and DTLS are done, the fingerprint matched: media can flow.
    Connected(TransportId),
    /// Who is in which slot now. Only the newest matters; earlier ones may be skipped.
    Layout(Layout),
    /// A publisher's negotiated format is one that somebody present cannot decode, or a subscriber needs more
    /// slots: the client has to offer again.
    ReofferNeeded(TransportId, ReofferReason),
    /// How well the transport was connected; told just before it has [`Event::Left`], if there is anything to tell.
    Measured(TransportId, Quality),
    /// The transport is gone.
    Left(TransportId, LeaveReason),
}

/// How well a transport was connected, both ways, all tracks and slots together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quality {
    /// Media packets that the reports are about.
    pub expected: u64,
    /// Those that the reports call lost (RFC 3550 §6.4.1). What comes late is not lost, nor, as this server reports, what was sent again.
    pub lost: u64,
    /// The way there and back, smoothed (RFC 6298 §2.3).
    pub round_trip: Option<Duration>,
}

/// Which publisher stands in which slot of one subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The subscriber.
    pub transport: TransportId,
    /// Counts up with every change for this subscriber.
    pub revision: u32,
    /// Slots in use. A slot that is not listed is empty.
    pub slots: Vec<SlotAssignment>,
    /// Everyone admitted to the consult, the subscriber included, with what they publish.
    pub participants: Vec<Presence>,
}

/// One slot's publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotAssignment {
    /// The slot pair.
    pub slot: SlotIndex,
    /// The publisher: the CSRC of every packet in it.
    pub publisher: ParticipantNumber,
}

/// What a participant publishes now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub participant: ParticipantNumber,
    /// Sources that are published and not muted.
    pub live: Vec<Source>,
}

/// Why a command changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The consult has as many transports as one shard carries for it.
    ConsultFull,
    /// The shard has as many transports as it carries.
    ShardFull,
    /// The parameters contradict each other or exceed a limit.
    InvalidParameters,
    /// No such transport.
    UnknownTransport,
}

/// Why another offer is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReofferReason {
    /// More people or screens than the client has slots for.
    Slots {
        /// How many camera slot pairs would serve everyone.
        camera: u8,
        /// How many screen slot pairs would.
        screen: u8,
    },
    /// What this client sends cannot be decoded by someone who is present.
    Codec,
}

/// Why a transport ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// [`Command::Leave`] or [`Command::EndConsult`].
    Requested,
    /// Nobody renewed consent for 30 s (RFC 7675 §5.1).
    ConsentExpired,
    /// The handshake did not finish in time.
    ConnectTimeout,
    /// The client's certificate is not the one that its SDP named.
    FingerprintMismatch,
    /// DTLS failed or no SRTP profile was in common.
    DtlsFailed,
    /// The client closed its DTLS association.
    ClosedByPeer,
    /// The shard failed and started again without anybody; the shell says so in the engine's place.
    ShardFailed,
}

/// A datagram as it came in.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub remote: SocketAddr,
    /// The local address that it was sent to; answers leave from there.
    pub local: IpAddr,
    /// Its bytes; decrypted in place.
    pub data: &'a mut [u8],
}

/// Where a datagram is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// The receiver.
    pub remote: SocketAddr,
    /// The source address to send from.
    pub local: IpAddr,
    /// Where its bytes begin in the buffer.
    pub offset: usize,
    /// How many there are.
    pub length: usize,
}

/// Datagrams on their way out, one after another in one arena that is allocated once.
///
/// The shell empties it after each batch. When it is full, the packet is dropped and counted; nothing grows.
#[derive(Debug)]
pub struct TransmitBuffer {
    arena: Box<[u8]>,
    used: usize,
    transmits: Vec<Transmit>,
}

impl TransmitBuffer {
    /// Room for `bytes` of payload and `datagrams` of them.
    pub fn new(bytes: usize, datagrams: usize) -> Self {
        Self { arena: vec![0; bytes].into_boxed_slice(), used: 0, transmits: Vec::with_capacity(datagrams) }
    }

    /// Writes one datagram in place: `write` gets `length_max` bytes and says how many it used; zero takes it back.
    ///
    /// Returns false, and calls nothing, when there is no room.
    pub fn push(
        &mut self,
        remote: SocketAddr,
        local: IpAddr,
        length_max: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> bool {
        let Some(space) = self.arena.get_mut(self.used..self.used + length_max) else { return false };
        if self.transmits.len() == self.transmits.capacity() {
            return false;
        }
        let length = write(space).min(length_max);
        if length > 0 {
            self.transmits.push(Transmit { remote, local, offset: self.used, length });
            self.used += length;
        }
        true
    }

    /// Everything that waits to be sent, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&Transmit, &[u8])> {
        self.transmits.iter().map(|t| (t, &self.arena[t.offset..t.offset + t.length]))
    }

    /// Where everything that waits is to go, oldest first.
    pub fn transmits(&self) -> &[Transmit] {
        &self.transmits
    }

    /// What one of [`TransmitBuffer::transmits`] carries.
    pub fn bytes(&self, transmit: &Transmit) -> &[u8] {
        self.arena.get(transmit.offset..transmit.offset + transmit.length).unwrap_or_default()
    }

    /// How many datagrams wait.
    pub fn len(&self) -> usize {
        self.transmits.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.transmits.is_empty()
    }

    /// How many datagrams still fit.
    pub fn datagrams_free(&self) -> usize {
        self.transmits.capacity() - self.transmits.len()
    }

    /// Bytes still free; the shell flushes before this gets short.
    pub fn bytes_free(&self) -> usize {
        self.arena.len() - self.used
    }

    /// Forgets what was sent.
    pub fn clear(&mut self) {
        self.used = 0;
        self.transmits.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_transmit_buffer_refuses_and_keeps_what_it_has() {
        let to: SocketAddr = ([127, 0, 0, 1], 9).into();
        let mut buffer = TransmitBuffer::new(10, 8);
        assert!(buffer.push(to, to.ip(), 6, |b| {
            b.fill(1);
            6
        }));
        assert!(!buffer.push(to, to.ip(), 6, |_| unreachable!()));
        assert!(buffer.push(to, to.ip(), 4, |_| 0));
        assert_eq!(buffer.iter().map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>(), [vec![1; 6]]);
        buffer.clear();
        assert!(buffer.is_empty() && buffer.bytes_free() == 10);
    }
}
