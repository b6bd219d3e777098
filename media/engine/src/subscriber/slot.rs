//! One RTP stream towards a subscriber: who stands in it now, and what becomes of that source's packets.

use std::{
    mem::offset_of,
    time::{Duration, Instant},
};

use media_model::{Codec, MediaKind, ParticipantNumber, SlotIndex, Source};
use prefetch::prefetch_front;

use crate::{
    DropReason,
    api::{CodecParams, SlotParams},
    forwarder::{Content, Pass, Retransmission, Rewriter, Rewritten, Single, Stream},
    quality::Reported,
    random::Random,
    rtp::ExtensionBlock,
    transport::srtp::Plain,
};

/// The source that a slot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// Where the engine keeps the publishing transport.
    pub from: usize,
    /// Which of its sources.
    pub source: Source,
    /// Which of the tracks that ever carried it: each has a numbering of its own.
    pub generation: u32,
    /// Whose it is.
    pub publisher: ParticipantNumber,
}

/// The newest packet that was forwarded, from which sender reports reckon.
#[derive(Debug, Clone, Copy)]
pub struct Newest {
    /// As the publisher wrote it.
    pub source_timestamp: u32,
    /// On the slot's timeline.
    pub timestamp: u32,
    /// When it came in.
    pub arrival: Instant,
}

/// So long after the first report on another source comes the second; all others go with the transport's rounds.
const SECOND_REPORT: Duration = Duration::from_millis(200);

/// A slot of one kind, sound or picture. What every packet needs stands first.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Slot {
    rewriter: Rewriter,
    shown: Option<Shown>,
    newest: Option<Newest>,
    /// When its early reports are due, the first two on a source.
    report_at: Option<Instant>,
    /// The format that the newest packet came in, so that the next one need not look for it.
    current: Option<CodecParams>,
    /// Of the newest packet's source ([`crate::forwarder::Numbers`]).
    restarts: Option<u32>,
    /// Since the slot exists, as sender reports count (RFC 3550 §6.4.1).
    pub packets_sent: u32,
    /// Payload octets, likewise.
    pub octets_sent: u32,
    selector: Single,
    /// What it is sent with.
    ssrc: u32,
    params: SlotParams,
    retransmission: Retransmission,
    /// Packets below were sent with another mapping: the same bytes cannot be made again.
    repeatable_from: u64,
    has_first_report: bool,
    /// `packets_sent` as last reported.
    packets_reported: u32,
    /// When that was.
    reported_last: Option<Instant>,
    /// What the client has said of it.
    pub reported: Option<Reported>,
}

/// How a packet is to leave.
#[derive(Debug, Clone, Copy)]
pub struct Departure {
    /// In which stream, under which index.
    pub stream: Stream,
    /// Its numbers in the slot.
    pub rewritten: Rewritten,
    /// For a retransmission in a stream of its own: the sequence number that it stands for.
    pub original: Option<u16>,
}

impl Slot {
    /// A slot with nobody in it. `resume` holds the next free indices of its two SSRCs, where they were used before.
    pub fn new(params: SlotParams, resume: (Option<u64>, Option<u64>), random: &mut Random) -> Self {
        let clock_rate_hz = match params.kind {
            MediaKind::Audio => Codec::Opus.clock_rate_hz(),
            MediaKind::Video => Codec::Vp8.clock_rate_hz(),
        };
        let index = resume.0.unwrap_or_else(|| random.first_index());
        let rtx_index = resume.1.unwrap_or_else(|| random.first_index());
        Self {
            selector: Single::new(params.kind),
            rewriter: Rewriter::new(clock_rate_hz, index, random.next() as u32),
            retransmission: Retransmission::new(rtx_index),
            current: None,
            ssrc: params.ssrc,
            params,
            shown: None,
            newest: None,
            restarts: None,
            repeatable_from: 0,
            report_at: None,
            has_first_report: false,
            packets_reported: 0,
            reported_last: None,
            packets_sent: 0,
            octets_sent: 0,
            reported: None,
        }
    }

    /// Has the processor fetch what every packet needs.
    pub fn prefetch(&self) {
        prefetch_front(self, offset_of!(Self, params));
    }

    /// Its place and kind.
    pub fn key(&self) -> (SlotIndex, MediaKind) {
        (self.params.slot, self.params.kind)
    }

    /// What it is sent with.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// What was negotiated.
    pub fn params(&self) -> &SlotParams {
        &self.params
    }

    /// The source that stands here.
    pub fn shown(&self) -> Option<Shown> {
        self.shown
    }

    /// Its SSRCs with the indices that must not be used again, for the day when the slot goes.
    pub fn used_indices(&self) -> [(u32, u64); 2] {
        [
            (self.params.ssrc, self.rewriter.index_next()),
            (self.params.rtx_ssrc, self.retransmission.index_next()),
        ]
    }

    /// Takes the parameters of another offer and answer for the same stream.
    pub fn negotiate(&mut self, params: SlotParams, mapping_changed: bool) {
        if mapping_changed || params.codecs != self.params.codecs {
            self.repeatable_from = self.rewriter.index_next();
        }
        self.ssrc = params.ssrc;
        self.params = params;
        self.current = None;
    }

    /// Shows this source from its next picture on. Says whether that is a change.
    pub fn point(&mut self, shown: Shown) -> bool {
        if self.shown == Some(shown) {
            return false;
        }
        self.shown = Some(shown);
        self.begin_anew();
        true
    }

    /// The source that stands here begins a new stream.
    fn begin_anew(&mut self) {
        self.selector.point();
        self.end_source();
    }

    /// Shows nobody.
    pub fn clear(&mut self) {
        self.shown = None;
        self.selector.clear();
        self.end_source();
    }

    fn end_source(&mut self) {
        self.rewriter.end();
        self.report_at = None;
        self.newest = None;
        self.restarts = None;
    }

    /// Part of the source is kept back: what follows has to start afresh.
    pub fn withhold(&mut self) {
        self.selector.withhold();
    }

    /// Whether a key frame would bring the picture on.
    pub fn awaits_keyframe(&self) -> bool {
        self.shown.is_some() && self.selector.awaits_keyframe()
    }

    /// Decides on a packet of the source that stands here. `captured` tells how long after the engine's epoch that was, and
    /// is only asked when a source begins.
    pub fn forward(
        &mut self,
        now: Instant,
        content: &Content<'_>,
        captured: impl Fn() -> Duration,
    ) -> Result<Departure, DropReason> {
        let publisher = self.shown.ok_or(DropReason::PreviousSource)?.publisher;
        let payload_type = self.follow_format(content.codec)?.payload_type;
        if self.restarts.is_some_and(|restarts| restarts != content.numbers.restarts) {
            self.begin_anew();
        }
        let mut rewritten = self.rewriter.map(&content.numbers);
        if rewritten.is_ok_and(|rewritten| self.rewriter.is_leap(&rewritten)) {
            self.withhold();
        }
        match self.selector.select(content.starts_picture)? {
            Pass::Follows => {}
            Pass::Begins => {
                self.rewriter.begin(&content.numbers, captured());
                self.has_first_report = false;
                self.report_at = Some(now);
                rewritten = self.rewriter.map(&content.numbers);
            }
            Pass::Resumes => {
                self.rewriter.resume(&content.numbers, captured());
                rewritten = self.rewriter.map(&content.numbers);
            }
        }
        self.restarts = Some(content.numbers.restarts);
        let rewritten = rewritten?;
        // Padding repeats the timestamp of media that came before it.
        if rewritten.index >= self.rewriter.index_next() && !content.payload.is_empty() {
            let source_timestamp = content.numbers.timestamp;
            self.newest = Some(Newest { source_timestamp, timestamp: rewritten.timestamp, arrival: now });
        }
        self.rewriter.commit(&rewritten);
        self.packets_sent = self.packets_sent.wrapping_add(1);
        self.octets_sent = self.octets_sent.wrapping_add(content.payload.len() as u32);
        let stream = Stream { ssrc: self.ssrc, payload_type, csrc: publisher.csrc(), index: rewritten.index };
        Ok(Departure { stream, rewritten, original: None })
    }

    /// How a packet leaves here that has no business here: under the next index, so that it opens at its receiver's.
    #[cfg(feature = "planted-faults")]
    pub fn plant(&mut self, content: &Content<'_>) -> Option<Departure> {
        let publisher = self.shown?.publisher;
        let payload_type = self.format(content.codec).ok()?.payload_type;
        let rewritten = self.rewriter.plant()?;
        let (ssrc, index) = (self.params.ssrc, rewritten.index);
        let stream = Stream { ssrc, payload_type, csrc: publisher.csrc(), index };
        Some(Departure { stream, rewritten, original: None })
    }

    /// Whether it was agreed that the subscriber asks for what it misses (RFC 4585 §4.2).
    pub fn answers_nack(&self) -> bool {
        self.params.codecs.iter().any(|c| c.feedback.nack)
    }

    /// The source's sequence number of a packet that the subscriber misses, if it may be sent again now.
    pub fn requested(
        &mut self,
        now: Instant,
        sequence: u16,
        round_trip: Option<Duration>,
    ) -> Result<u64, DropReason> {
        let source_sequence = self.rewriter.source_sequence(sequence)?;
        let newest = self.rewriter.index_next().saturating_sub(1);
        let index = newest.saturating_sub(u64::from((newest as u16).wrapping_sub(sequence)));
        self.retransmission.permit(now, index, round_trip)?;
        Ok(source_sequence)
    }

    /// How a packet of the present source is sent again: in the stream for retransmissions, or, where none was
    /// negotiated, as the very bytes that it was before.
    pub fn retransmit(&mut self, content: &Content<'_>) -> Result<Departure, DropReason> {
        let publisher = self.shown.ok_or(DropReason::PreviousSource)?.publisher;
        let format = self.format(content.codec)?;
        let rewritten = self.rewriter.map(&content.numbers)?;
        let csrc = publisher.csrc();
        if let Some(payload_type) = format.rtx_payload_type {
            let index = self.retransmission.take_index();
            let stream = Stream { ssrc: self.params.rtx_ssrc, payload_type, csrc, index };
            return Ok(Departure { stream, rewritten, original: Some(rewritten.index as u16) });
        }
        if rewritten.index < self.repeatable_from {
            return Err(DropReason::RetransmissionExpired);
        }
        let payload_type = format.payload_type;
        let stream = Stream { ssrc: self.params.ssrc, payload_type, csrc, index: rewritten.index };
        Ok(Departure { stream, rewritten, original: None })
    }

    /// When an early sender report is due, one of the first two on a source: lips are not in sync without.
    pub fn report_at(&self) -> Option<Instant> {
        self.report_at
    }

    /// Packets that no sender report has counted yet.
    pub fn unreported(&self) -> u32 {
        self.packets_sent.wrapping_sub(self.packets_reported)
    }

    /// When the last sender report was made.
    pub fn reported_last(&self) -> Option<Instant> {
        self.reported_last
    }

    /// The packet to reckon a sender report from, which is taken as sent.
    pub fn take_report(&mut self, now: Instant) -> Option<(Shown, Newest)> {
        self.packets_reported = self.packets_sent;
        self.reported_last = Some(now);
        self.report_at = (!self.has_first_report).then_some(now + SECOND_REPORT);
        self.has_first_report = true;
        Some((self.shown?, self.newest?))
    }

    /// A stretch of time in ticks of the slot's clock.
    pub fn ticks(&self, time: Duration) -> u32 {
        self.rewriter.ticks(time)
    }

    /// Writes a packet on its way out.
    pub fn write(
        departure: &Departure,
        content: &Content<'_>,
        extensions: &ExtensionBlock,
        out: &mut [u8],
    ) -> Option<Plain> {
        content.write(&departure.stream, &departure.rewritten, departure.original, extensions, out)
    }

    /// The format of a codec, remembered for the next packet.
    fn follow_format(&mut self, codec: Codec) -> Result<CodecParams, DropReason> {
        if let Some(current) = self.current.filter(|current| current.codec == codec) {
            return Ok(current);
        }
        let format = *self.format(codec)?;
        self.current = Some(format);
        Ok(format)
    }

    fn format(&self, codec: Codec) -> Result<&CodecParams, DropReason> {
        self.params.codecs.iter().find(|c| c.codec == codec).ok_or(DropReason::CodecNotNegotiated)
    }
}
