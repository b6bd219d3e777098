//! Sender reports, receiver reports and BYE (RFC 3550 §6.4, §6.6).

use super::split_u32;
use crate::rtp::NtpTime;

/// Bytes of a report block.
const BLOCK_BYTES: usize = 24;

/// What a receiver says about one stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The stream's SSRC.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative where duplicates came. 24 bits on the wire.
    pub cumulative_lost: i32,
    /// Roll-overs in the upper half, highest sequence number in the lower.
    pub highest_sequence: u32,
    /// Interarrival jitter in units of the stream's clock rate.
    pub jitter: u32,
    /// [`NtpTime::middle32`] of the last sender report; 0 where none came.
    pub last_sr: u32,
    /// From that report to this one, in units of 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    fn read(bytes: &[u8; BLOCK_BYTES]) -> Option<Self> {
        let (ssrc, rest) = split_u32(bytes)?;
        let (loss, rest) = split_u32(rest)?;
        let (highest_sequence, rest) = split_u32(rest)?;
        let (jitter, rest) = split_u32(rest)?;
        let (last_sr, rest) = split_u32(rest)?;
        let (delay_since_last_sr, _) = split_u32(rest)?;
        Some(Self {
            ssrc,
            fraction_lost: (loss >> 24) as u8,
            cumulative_lost: (loss << 8).cast_signed() >> 8,
            highest_sequence,
            jitter,
            last_sr,
            delay_since_last_sr,
        })
    }

    pub(super) fn to_words(self) -> [u32; BLOCK_BYTES / 4] {
        // RFC 3550 A.3: what does not fit 24 bits is clamped.
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff).cast_unsigned() & 0xff_ffff;
        [
            self.ssrc,
            u32::from(self.fraction_lost) << 24 | lost,
            self.highest_sequence,
            self.jitter,
            self.last_sr,
            self.delay_since_last_sr,
        ]
    }
}

/// What a sender says about its own stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SenderInfo {
    /// The stream's SSRC.
    pub ssrc: u32,
    /// When the report was made.
    pub ntp: NtpTime,
    /// The same moment on the stream's clock.
    pub rtp_timestamp: u32,
    /// Packets sent since the beginning, wrapping.
    pub packet_count: u32,
    /// Payload bytes sent since the beginning, wrapping.
    pub octet_count: u32,
}

impl SenderInfo {
    pub(super) fn to_words(self) -> [u32; 6] {
        let (ntp_seconds, ntp_fraction) = ((self.ntp.0 >> 32) as u32, self.ntp.0 as u32);
        [self.ssrc, ntp_seconds, ntp_fraction, self.rtp_timestamp, self.packet_count, self.octet_count]
    }
}

/// A sender report.
#[derive(Debug, Clone, Copy)]
pub struct SenderReport<'a> {
    /// About the sender's own stream.
    pub info: SenderInfo,
    blocks: &'a [[u8; BLOCK_BYTES]],
}

impl<'a> SenderReport<'a> {
    pub(super) fn read(count: u8, content: &'a [u8]) -> Option<Self> {
        let (ssrc, rest) = split_u32(content)?;
        let (ntp, rest) = rest.split_first_chunk()?;
        let (rtp_timestamp, rest) = split_u32(rest)?;
        let (packet_count, rest) = split_u32(rest)?;
        let (octet_count, rest) = split_u32(rest)?;
        let ntp = NtpTime(u64::from_be_bytes(*ntp));
        let info = SenderInfo { ssrc, ntp, rtp_timestamp, packet_count, octet_count };
        Some(Self { info, blocks: blocks(count, rest)? })
    }

    /// About the streams that the sender receives.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().filter_map(ReportBlock::read)
    }
}

/// A receiver report.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverReport<'a> {
    /// Who reports.
    pub ssrc: u32,
    blocks: &'a [[u8; BLOCK_BYTES]],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn read(count: u8, content: &'a [u8]) -> Option<Self> {
        let (ssrc, rest) = split_u32(content)?;
        Some(Self { ssrc, blocks: blocks(count, rest)? })
    }

    /// About the streams that it receives.
    pub fn blocks(&self) -> impl Iterator<Item = ReportBlock> + use<'a> {
        self.blocks.iter().filter_map(ReportBlock::read)
    }
}

/// The report blocks; a profile's extension may follow them (RFC 3550 §6.4.3).
fn blocks(count: u8, bytes: &[u8]) -> Option<&[[u8; BLOCK_BYTES]]> {
    bytes.as_chunks().0.get(..usize::from(count))
}

/// A goodbye; its reason is not read.
#[derive(Debug, Clone, Copy)]
pub struct Bye<'a> {
    ssrcs: &'a [[u8; 4]],
}

impl<'a> Bye<'a> {
    pub(super) fn read(count: u8, content: &'a [u8]) -> Option<Self> {
        Some(Self { ssrcs: content.as_chunks().0.get(..usize::from(count))? })
    }

    /// Which streams end.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.ssrcs.iter().map(|ssrc| u32::from_be_bytes(*ssrc))
    }
}
