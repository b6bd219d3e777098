//! The RTP header (RFC 3550 §5.1): parsed by value, written into the send buffer.

use std::ops::Range;

use super::extension::{ExtensionBlock, ExtensionBlocks, Extensions};
use crate::{DropReason, api::ExtensionIds};

/// The part of the header that every packet has.
const FIXED_HEADER_BYTES: usize = 12;

/// An RTP header, and where in the packet its parts stand.
///
/// Offsets are only good for the packet that was parsed, and were in its bounds then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// The P bit: the last byte of the payload says how much of it is padding.
    pub padding: bool,
    /// The M bit.
    pub marker: bool,
    /// Seven bits.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the codec's clock rate.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// How many contributing sources follow the fixed header, at most 15.
    pub csrc_count: u8,
    /// The "defined by profile" field of the header extension: the form of RFC 8285; 0 without extension.
    pub extension_profile: u16,
    /// Bytes of the header extension without its first four; they end where the header ends.
    extension_bytes: u16,
    /// Bytes from the packet's first to its payload's first.
    header_bytes: u16,
}

impl RtpHeader {
    /// Reads the header of a packet of any length, sealed or not.
    ///
    /// # Errors
    /// [`DropReason::RtpMalformed`]: another version than 2 (RFC 3550 A.1), or the header is longer than the packet.
    pub fn parse(packet: &[u8]) -> Result<Self, DropReason> {
        Self::parse_inner(packet).ok_or(DropReason::RtpMalformed)
    }

    fn parse_inner(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<FIXED_HEADER_BYTES>()?;
        let [first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3] = *fixed;
        if first >> 6 != 2 {
            return None;
        }
        let csrc_count = first & 0x0f;
        let after_csrcs = rest.get(usize::from(csrc_count) * 4..)?;
        let mut header_bytes = FIXED_HEADER_BYTES + usize::from(csrc_count) * 4;
        let (mut extension_profile, mut extension_bytes) = (0, 0);
        if first & 0x10 != 0 {
            // RFC 3550 §5.3.1: the length counts 32-bit words and leaves out the first.
            let ([p0, p1, l0, l1], elements) = after_csrcs.split_first_chunk::<4>()?;
            extension_profile = u16::from_be_bytes([*p0, *p1]);
            extension_bytes = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
            elements.get(..extension_bytes)?;
            header_bytes += 4 + extension_bytes;
        }
        Some(Self {
            padding: first & 0x20 != 0,
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            csrc_count,
            extension_profile,
            extension_bytes: u16::try_from(extension_bytes).ok()?,
            header_bytes: u16::try_from(header_bytes).ok()?,
        })
    }

    /// Bytes from the packet's first to its payload's first: what SRTP authenticates and does not encrypt.
    pub fn header_len(&self) -> usize {
        usize::from(self.header_bytes)
    }

    /// The elements of the header extension; empty where there is none.
    pub fn extension<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        let end = self.header_len();
        packet.get(end - usize::from(self.extension_bytes)..end).unwrap_or_default()
    }

    /// The contributing sources.
    pub fn csrcs<'a>(&self, packet: &'a [u8]) -> impl Iterator<Item = u32> + use<'a> {
        let bytes = FIXED_HEADER_BYTES..FIXED_HEADER_BYTES + usize::from(self.csrc_count) * 4;
        packet.get(bytes).unwrap_or_default().as_chunks().0.iter().map(|csrc| u32::from_be_bytes(*csrc))
    }

    /// Where the payload of a plain packet stands, without padding; empty for a packet that is padding only.
    ///
    /// # Errors
    /// [`DropReason::RtpMalformed`]: padding of no byte or of more than there are (RFC 3550 A.1).
    pub fn payload_range(&self, packet: &[u8]) -> Result<Range<usize>, DropReason> {
        let start = self.header_len();
        let payload = packet.get(start..).ok_or(DropReason::RtpMalformed)?;
        if !self.padding {
            return Ok(start..packet.len());
        }
        match payload.last() {
            Some(&count) if count > 0 && usize::from(count) <= payload.len() => {
                Ok(start..packet.len() - usize::from(count))
            }
            _ => Err(DropReason::RtpMalformed),
        }
    }
}

/// The header of a packet that leaves: version 2, no padding, at most one contributing source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderWriter {
    /// The M bit.
    pub marker: bool,
    /// By the receiver's mapping; below 128.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the codec's clock rate.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// The publisher's number in the consult.
    pub csrc: Option<u32>,
}

impl HeaderWriter {
    /// Most that a header takes: one contributing source and every extension in its longest form.
    pub const BYTES_MAX: usize = FIXED_HEADER_BYTES + 4 + Extensions::BYTES_MAX;

    /// Writes the header with those extensions that the receiver has an id for; its length in bytes.
    ///
    /// `None` when `out` is shorter than [`Self::BYTES_MAX`].
    pub fn write(&self, extensions: &Extensions, ids: &ExtensionIds, out: &mut [u8]) -> Option<usize> {
        self.write_with(ExtensionBlocks::new(*extensions).of(ids), out)
    }

    /// Writes the header with an extension block that is there already; its length in bytes. What follows it in the first
    /// [`Self::BYTES_MAX`] bytes is written over.
    ///
    /// `None` when `out` is shorter than that.
    pub fn write_with(&self, block: &ExtensionBlock, out: &mut [u8]) -> Option<usize> {
        let (fixed, rest) = out.split_first_chunk_mut::<FIXED_HEADER_BYTES>()?;
        let (csrc, after_csrc) = rest.split_first_chunk_mut::<4>()?;
        let mut length = FIXED_HEADER_BYTES;
        match self.csrc {
            Some(number) => {
                *csrc = number.to_be_bytes();
                *after_csrc.first_chunk_mut()? = *block.padded();
                length += 4;
            }
            None => *rest.first_chunk_mut()? = *block.padded(),
        }
        let x_bit = if block.length() > 0 { 0x10 } else { 0 };
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [i0, i1, i2, i3] = self.ssrc.to_be_bytes();
        let first = 0x80 | x_bit | u8::from(self.csrc.is_some());
        let second = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        *fixed = [first, second, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3];
        Some(length + block.length())
    }
}
