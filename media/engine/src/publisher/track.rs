//! A published track: from an opened packet to one that can be forwarded, exactly once.

use std::{
    mem::offset_of,
    time::{Duration, Instant},
};

use media_model::{Codec, MediaKind, Mid, Source};

use super::{
    cache::Cache,
    clock::PublisherClock,
    keyframe::{KeyframeRequest, KeyframeRequests},
    nack::{self, NackList, Repair},
    packet::{CachedPacket, Meta, TrackPacket},
    stream::{PreviousStream, Stream},
    window::{Arrival, ReceivedWindow},
};
use crate::{
    DropReason,
    api::{CodecParams, Feedback, TrackParams},
    codec::{self, Facts},
    rtp::{
        Extensions, NtpTime, RtpHeader, nearest_sequence,
        rtcp::{CompoundWriter, ReportBlock},
    },
};

/// Once a track goes on with another SSRC, late packets of the one before are dropped for so long.
const PREVIOUS_SSRC_LINGERS: Duration = Duration::from_secs(2);

/// Packets that one NACK asks for; 17 of them take four bytes at best, one at worst.
const NACK_PACKETS_MAX: usize = 128;

/// One m= line on which a transport sends. What every packet needs stands before the window, of which it needs a line.
#[derive(Debug)]
#[repr(C)]
pub struct PublishedTrack {
    stream: Option<Stream>,
    previous: Option<PreviousStream>,
    restarts: u32,
    /// The format of the newest packet.
    current: Option<CodecParams>,
    source: Source,
    now: Instant,
    keyframe: KeyframeRequests,
    nack: NackList,
    cache: Cache<Meta>,
    window: ReceivedWindow,
    codecs: Vec<CodecParams>,
    mid: Mid,
}

impl PublishedTrack {
    /// What every packet needs, and the beginning of the window, which says what else it needs.
    pub const FRONT_BYTES: usize = offset_of!(Self, window) + ReceivedWindow::FRONT_BYTES;

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
        // A packet in this format is taken without a look at the others.
        self.current = self.current.filter(|current| params.codecs.contains(current));
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
        let repeats_elsewhere = self.current.is_some_and(|c| c.rtx_payload_type.is_some());
        self.note(
            sequence,
            if repeats_elsewhere { nack::Arrival::Overtaken } else { nack::Arrival::Either },
        )?;
        let format = match self.current {
            Some(current) if current.payload_type == header.payload_type => current,
            _ => *self
                .codecs
                .iter()
                .find(|c| c.payload_type == header.payload_type)
                .ok_or(DropReason::PayloadTypeUnknown)?,
        };
        self.current = Some(format);
        self.accept(sequence, format.codec, header, extensions, payload)
    }

    /// A retransmission in a format of its own (RFC 4588 §4): the original sequence number stands before the payload.
    ///
    /// # Errors
    /// Why it is not to be forwarded; mostly [`DropReason::Duplicate`]; [`DropReason::RetransmissionAhead`] for one
    /// that is newer than everything.
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
        // Nobody asked for it: its number would only move everybody's on.
        if sequence > newest {
            return Err(DropReason::RetransmissionAhead);
        }
        self.note(sequence, nack::Arrival::Repeated)?;
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

    /// Has the processor fetch what the next packets need …
    pub fn prefetch_next(&self, packets: usize) {
        if let Some(newest) = self.window.newest() {
            self.window.prefetch(newest + 1);
            self.cache.prefetch_entries(newest + 1, packets);
        }
    }

    /// … and where its payload is going to be kept.
    pub fn prefetch_space(&self, payload_bytes: usize) {
        self.cache.prefetch_space(payload_bytes);
    }

    /// Keeps a packet that [`Self::receive`] or [`Self::receive_rtx`] has given out just now, for who asks for it again. What is
    /// not to be seen or heard is not kept. After it was forwarded: the cache's memory is slow to come.
    pub fn keep(&mut self, packet: &TrackPacket<'_>) {
        self.cache.insert(self.now, packet.sequence, Meta::of(packet), packet.payload);
    }

    /// A packet of the last second.
    ///
    /// # Errors
    /// [`DropReason::RetransmissionExpired`] when it is not, or not any more, in the cache.
    pub fn cached(&self, now: Instant, sequence: u64) -> Result<CachedPacket<'_>, DropReason> {
        let (meta, payload) = self.cache.find(now, sequence).ok_or(DropReason::RetransmissionExpired)?;
        Ok(meta.packet(sequence, payload))
    }

    /// Someone cannot go on without a key frame. Does nothing for sound.
    pub fn request_keyframe(&mut self, now: Instant) {
        self.now = now;
        if self.source.kind() == MediaKind::Video {
            self.keyframe.request();
        }
    }

    /// Whether there is nothing to be seen: then nobody can be given a key frame either.
    pub fn pause_keyframes(&mut self, paused: bool) {
        self.keyframe.pause(paused);
    }

    /// Appends what is to be asked of the publisher now: missing packets, a key frame. What has no room follows later.
    ///
    /// Returns whether a key frame was asked for.
    pub fn poll_rtcp(&mut self, now: Instant, sender_ssrc: u32, writer: &mut CompoundWriter<'_>) -> bool {
        self.now = now;
        let Some(stream) = &self.stream else { return false };
        let media_ssrc = stream.ssrc;
        let mut sequences = [0; NACK_PACKETS_MAX];
        let (count, repair) = self.nack.poll(now, &mut sequences);
        let missing = sequences.iter().take(count).map(|sequence| stream.index(*sequence) as u16);
        writer.nack(sender_ssrc, media_ssrc, missing);
        if repair == Repair::Hopeless {
            self.request_keyframe(now);
        }
        match self.keyframe.poll(now, self.feedback()) {
            Some(KeyframeRequest::Pli) => writer.pli(sender_ssrc, media_ssrc),
            Some(KeyframeRequest::Fir { number }) => writer.fir(sender_ssrc, media_ssrc, number),
            None => false,
        }
    }

    /// This track's part of a receiver report; `None` before the first packet.
    pub fn report_block(&mut self, now: Instant) -> Option<ReportBlock> {
        self.stream.as_mut().map(|s| s.reception.report(now))
    }

    /// When [`Self::poll_rtcp`] has something to say. Receiver reports are sent at the transport's pace.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let keyframe = self.keyframe.poll_timeout(self.now);
        [self.nack.poll_timeout(), keyframe].into_iter().flatten().min()
    }

    fn feedback(&self) -> Feedback {
        self.current.or_else(|| self.codecs.first().copied()).map_or(Feedback::default(), |c| c.feedback)
    }

    /// Begins with an SSRC: the first, or one that takes over from another.
    fn begin(&mut self, now: Instant, index: u64, header: &RtpHeader, clock_rate_hz: u32) {
        if let Some(before) = self.stream.take() {
            let until = now + PREVIOUS_SSRC_LINGERS;
            self.previous = Some(PreviousStream { ssrc: before.ssrc, rtx_ssrc: before.rtx_ssrc, until });
            self.restarts = self.restarts.wrapping_add(1);
            self.nack.clear();
            self.request_keyframe(now);
        }
        self.stream = Some(Stream::new(now, index, header, clock_rate_hz, self.window.newest()));
    }

    /// Lets every sequence number pass once, and looks for gaps.
    fn note(&mut self, sequence: u64, how: nack::Arrival) -> Result<(), DropReason> {
        let newest_before = self.window.newest();
        match self.window.insert(sequence) {
            Arrival::New => {}
            Arrival::Duplicate => return Err(DropReason::Duplicate),
            Arrival::TooOld => return Err(DropReason::TooOld),
        }
        if self.feedback().nack
            && self.nack.received(self.now, sequence, newest_before, how) == Repair::Hopeless
        {
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
        // Padding that is sent on the media's own SSRC has taken a number which subscribers would miss: it goes on as a packet
        // without payload, of which receivers take note and nothing else.
        let facts = if payload.is_empty() { Facts::default() } else { codec::facts(codec, payload)? };
        if facts.keyframe {
            self.keyframe.arrived();
        }
        Ok(TrackPacket {
            sequence,
            timestamp: header.timestamp,
            marker: header.marker,
            codec,
            facts,
            audio_level: extensions.audio_level,
            orientation: extensions.orientation,
            restarts: self.restarts,
            payload,
        })
    }
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
