//! A published track: from an opened packet to one that can be forwarded, exactly once.

use std::time::{Duration, Instant};

use media_model::{Codec, MediaKind, Mid, Source};

use super::{
    cache::Cache,
    clock::{PublisherClock, Timeline},
    keyframe::{KeyframeRequest, KeyframeRequests},
    nack::{NackList, Repair},
    reception::{Reception, Report},
    window::{Arrival, ReceivedWindow},
};
use crate::{
    DropReason,
    api::{CodecParams, Feedback, TrackParams},
    codec::{self, Facts},
    rtp::{AudioLevel, Extensions, NtpTime, RtpHeader, nearest_sequence},
};

/// Once a track goes on with another SSRC, late packets of the one before are dropped for so long.
const PREVIOUS_SSRC_LINGERS: Duration = Duration::from_secs(2);

/// What a packet carries beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meta {
    timestamp: u32,
    marker: bool,
    codec: Codec,
    facts: Facts,
    audio_level: Option<AudioLevel>,
    orientation: Option<u8>,
    restarts: u32,
}

/// A packet of a track, new or recovered, ready to be forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackPacket<'a> {
    /// Extended, one numbering for the track's life; never handed out twice by [`PublishedTrack::receive`] and
    /// [`PublishedTrack::receive_rtx`].
    pub sequence: u64,
    /// In units of the codec's clock rate, as the publisher set it.
    pub timestamp: u32,
    /// As the publisher set it.
    pub marker: bool,
    /// By the payload type.
    pub codec: Codec,
    /// What the payload is.
    pub facts: Facts,
    /// How loud it is (RFC 6464).
    pub audio_level: Option<AudioLevel>,
    /// How the camera was held.
    pub orientation: Option<u8>,
    /// How often the publisher began anew with another SSRC. Timestamps and picture ids of packets with different
    /// figures have nothing to do with each other.
    pub restarts: u32,
    /// Without padding.
    pub payload: &'a [u8],
}

/// A packet out of the cache.
pub type CachedPacket<'a> = TrackPacket<'a>;

/// One m= line on which a transport sends.
#[derive(Debug)]
pub struct PublishedTrack {
    mid: Mid,
    source: Source,
    codecs: Vec<CodecParams>,
    stream: Option<Stream>,
    previous: Option<PreviousStream>,
    restarts: u32,
    /// The format of the newest packet.
    current: Option<CodecParams>,
    window: ReceivedWindow,
    nack: NackList,
    keyframe: KeyframeRequests,
    cache: Cache<Meta>,
    now: Instant,
}

/// The SSRC that a track is sent with now.
#[derive(Debug)]
struct Stream {
    ssrc: u32,
    rtx_ssrc: Option<u32>,
    /// First index of this SSRC and the number it has in the track.
    first_index: u64,
    first_sequence: u64,
    /// Numbers below belong to the SSRC before; 0 where there was none.
    sequence_min: u64,
    reception: Reception,
    timeline: Timeline,
}

/// The SSRC that it was sent with before.
#[derive(Debug)]
struct PreviousStream {
    ssrc: u32,
    rtx_ssrc: Option<u32>,
    until: Instant,
}

impl PublishedTrack {
    /// A track of which nothing has come yet.
    pub fn new(params: &TrackParams, now: Instant) -> Self {
        Self {
            mid: params.mid,
            source: params.source,
            codecs: params.codecs.clone(),
            stream: None,
            previous: None,
            restarts: 0,
            current: None,
            window: ReceivedWindow::new(),
            nack: NackList::new(),
            keyframe: KeyframeRequests::default(),
            cache: Cache::new(params.source.kind()),
            now,
        }
    }

    /// Takes over formats after another offer and answer. What has come stays.
    pub fn update(&mut self, params: &TrackParams) {
        self.source = params.source;
        self.codecs.clone_from(&params.codecs);
    }

    /// Its m= line.
    pub fn mid(&self) -> Mid {
        self.mid
    }

    /// What it carries.
    pub fn source(&self) -> Source {
        self.source
    }

    /// What it is sent with now.
    pub fn ssrc(&self) -> Option<u32> {
        self.stream.as_ref().map(|s| s.ssrc)
    }

    /// The format of the newest packet.
    pub fn codec(&self) -> Option<Codec> {
        self.current.map(|c| c.codec)
    }

    /// A packet on the track's own SSRC. `index` is its SRTP index, `payload` is plain and without padding.
    ///
    /// # Errors
    /// Why it is not to be forwarded.
    pub fn receive<'a>(
        &mut self,
        now: Instant,
        index: u64,
        header: &RtpHeader,
        extensions: &Extensions,
        payload: &'a [u8],
    ) -> Result<TrackPacket<'a>, DropReason> {
        self.now = now;
        let is_stale = |p: &PreviousStream| p.ssrc == header.ssrc && now < p.until;
        if self.previous.as_ref().is_some_and(is_stale) {
            return Err(DropReason::PreviousSource);
        }
        let rate = self.source.kind().clock_rate_hz();
        match &mut self.stream {
            Some(stream) if stream.ssrc == header.ssrc => {
                stream.reception.packet(now, index, header.timestamp);
                stream.timeline.packet(now, header.timestamp);
            }
            _ => self.begin(now, index, header, rate),
        }
        let sequence = self.stream.as_ref().and_then(|s| s.sequence(index)).ok_or(DropReason::TooOld)?;
        self.note(sequence)?;
        if payload.is_empty() {
            return Err(DropReason::PaddingOnly);
        }
        let format = *self
            .codecs
            .iter()
            .find(|c| c.payload_type == header.payload_type)
            .ok_or(DropReason::PayloadTypeUnknown)?;
        self.current = Some(format);
        self.accept(sequence, format.codec, header, extensions, payload)
    }

    /// A retransmission in a format of its own (RFC 4588 §4): the original sequence number stands before the payload.
    ///
    /// # Errors
    /// Why it is not to be forwarded; mostly [`DropReason::Duplicate`].
    pub fn receive_rtx<'a>(
        &mut self,
        now: Instant,
        header: &RtpHeader,
        extensions: &Extensions,
        payload: &'a [u8],
    ) -> Result<TrackPacket<'a>, DropReason> {
        self.now = now;
        let is_stale = |p: &PreviousStream| p.rtx_ssrc == Some(header.ssrc) && now < p.until;
        if self.previous.as_ref().is_some_and(is_stale) {
            return Err(DropReason::PreviousSource);
        }
        if payload.is_empty() {
            return Err(DropReason::PaddingOnly);
        }
        let format = *self
            .codecs
            .iter()
            .find(|c| c.rtx_payload_type == Some(header.payload_type))
            .ok_or(DropReason::PayloadTypeUnknown)?;
        let (original, payload) = payload.split_first_chunk::<2>().ok_or(DropReason::RtpMalformed)?;
        let stream = self.stream.as_mut().ok_or(DropReason::TooOld)?;
        stream.rtx_ssrc = Some(header.ssrc);
        let newest = self.window.newest().ok_or(DropReason::TooOld)?;
        let index = nearest_sequence(stream.index(newest), u16::from_be_bytes(*original));
        let sequence = stream.sequence(index).ok_or(DropReason::TooOld)?;
        self.note(sequence)?;
        if payload.is_empty() {
            return Err(DropReason::PaddingOnly);
        }
        self.accept(sequence, format.codec, header, extensions, payload)
    }

    /// Learns from the publisher's sender report for this track's SSRC.
    pub fn handle_sender_report(
        &mut self,
        now: Instant,
        clock: &mut PublisherClock,
        ntp: NtpTime,
        rtp_timestamp: u32,
    ) {
        let Some(stream) = &mut self.stream else { return };
        clock.sender_report(now, ntp);
        stream.timeline.sender_report(clock, ntp, rtp_timestamp);
        stream.reception.sender_report(now, ntp);
    }

    /// When the media of `rtp_timestamp` was captured, on the server's clock; `arrival` where nothing better is known.
    pub fn capture_time(&self, clock: &PublisherClock, rtp_timestamp: u32, arrival: Instant) -> Instant {
        match &self.stream {
            Some(stream) => stream.timeline.capture_time(clock, rtp_timestamp, arrival),
            None => arrival,
        }
    }

    /// A packet of the last second.
    ///
    /// # Errors
    /// [`DropReason::RetransmissionExpired`] when it is not, or not any more, in the cache.
    pub fn cached(&self, now: Instant, sequence: u64) -> Result<CachedPacket<'_>, DropReason> {
        let (meta, payload) = self.cache.find(now, sequence).ok_or(DropReason::RetransmissionExpired)?;
        Ok(packet(sequence, &meta, payload))
    }

    /// Someone cannot go on without a key frame. Does nothing for sound.
    pub fn request_keyframe(&mut self, now: Instant) {
        self.now = now;
        if self.source.kind() == MediaKind::Video {
            self.keyframe.request();
        }
    }

    /// The sequence numbers to ask the publisher for now; call again while `out` comes back full.
    pub fn poll_nack(&mut self, now: Instant, out: &mut [u16]) -> usize {
        let mut sequences = [0; 64];
        let room = out.len().min(sequences.len());
        let Some(stream) = &self.stream else { return 0 };
        let (count, repair) = self.nack.poll(now, &mut sequences[..room]);
        for (space, sequence) in out.iter_mut().zip(&sequences[..count]) {
            *space = stream.index(*sequence) as u16;
        }
        if repair == Repair::Hopeless {
            self.request_keyframe(now);
        }
        count
    }

    /// The key frame request to send now.
    pub fn poll_keyframe_request(&mut self, now: Instant) -> Option<KeyframeRequest> {
        self.keyframe.poll(now, self.feedback())
    }

    /// This track's part of a receiver report; `None` before the first packet. The caller adds [`Self::ssrc`].
    pub fn report(&mut self, now: Instant) -> Option<Report> {
        self.stream.as_mut().map(|s| s.reception.report(now))
    }

    /// When [`Self::poll_nack`] or [`Self::poll_keyframe_request`] has something to say. Receiver reports are sent at
    /// the transport's pace.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let keyframe = self.keyframe.poll_timeout(self.now);
        [self.nack.poll_timeout(), keyframe].into_iter().flatten().min()
    }

    fn feedback(&self) -> Feedback {
        self.current.or(self.codecs.first().copied()).map_or(Feedback::default(), |c| c.feedback)
    }

    /// Begins with an SSRC: the first, or one that takes over from another.
    fn begin(&mut self, now: Instant, index: u64, header: &RtpHeader, clock_rate_hz: u32) {
        let sequence_min = self.window.newest().map_or(0, |newest| newest + 1);
        let first_sequence = self.window.newest().map_or(index, |newest| newest + 1);
        if let Some(before) = self.stream.take() {
            let until = now + PREVIOUS_SSRC_LINGERS;
            self.previous = Some(PreviousStream { ssrc: before.ssrc, rtx_ssrc: before.rtx_ssrc, until });
            self.restarts = self.restarts.wrapping_add(1);
            self.nack.clear();
            self.request_keyframe(now);
        }
        let mut timeline = Timeline::new(clock_rate_hz);
        timeline.packet(now, header.timestamp);
        self.stream = Some(Stream {
            ssrc: header.ssrc,
            rtx_ssrc: None,
            first_index: index,
            first_sequence,
            sequence_min,
            reception: Reception::new(now, clock_rate_hz, index, header.timestamp),
            timeline,
        });
    }

    /// Lets every sequence number pass once, and looks for gaps.
    fn note(&mut self, sequence: u64) -> Result<(), DropReason> {
        let newest_before = self.window.newest();
        match self.window.insert(sequence) {
            Arrival::New => {}
            Arrival::Duplicate => return Err(DropReason::Duplicate),
            Arrival::TooOld => return Err(DropReason::TooOld),
        }
        if self.feedback().nack && self.nack.received(self.now, sequence, newest_before) == Repair::Hopeless {
            self.request_keyframe(self.now);
        }
        Ok(())
    }

    fn accept<'a>(
        &mut self,
        sequence: u64,
        codec: Codec,
        header: &RtpHeader,
        extensions: &Extensions,
        payload: &'a [u8],
    ) -> Result<TrackPacket<'a>, DropReason> {
        let facts = codec::facts(codec, payload)?;
        if facts.keyframe {
            self.keyframe.arrived();
        }
        let meta = Meta {
            timestamp: header.timestamp,
            marker: header.marker,
            codec,
            facts,
            audio_level: extensions.audio_level,
            orientation: extensions.orientation,
            restarts: self.restarts,
        };
        self.cache.insert(self.now, sequence, meta, payload);
        Ok(packet(sequence, &meta, payload))
    }
}

impl Stream {
    /// The track's number of a packet of this SSRC; `None` for one that comes before its takeover from another.
    fn sequence(&self, index: u64) -> Option<u64> {
        (self.first_sequence + index).checked_sub(self.first_index).filter(|s| *s >= self.sequence_min)
    }

    fn index(&self, sequence: u64) -> u64 {
        (self.first_index + sequence).saturating_sub(self.first_sequence)
    }
}

fn packet<'a>(sequence: u64, meta: &Meta, payload: &'a [u8]) -> TrackPacket<'a> {
    TrackPacket {
        sequence,
        timestamp: meta.timestamp,
        marker: meta.marker,
        codec: meta.codec,
        facts: meta.facts,
        audio_level: meta.audio_level,
        orientation: meta.orientation,
        restarts: meta.restarts,
        payload,
    }
}
