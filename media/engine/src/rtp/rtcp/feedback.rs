//! NACK, PLI (RFC 4585 §6) and FIR (RFC 5104 §4.3.1).

use super::split_u32;

/// Packets that a receiver misses (RFC 4585 §6.2.1).
#[derive(Debug, Clone, Copy)]
pub struct Nack<'a> {
    /// Who misses them.
    pub sender_ssrc: u32,
    /// Of which stream.
    pub media_ssrc: u32,
    entries: &'a [[u8; 4]],
}

impl<'a> Nack<'a> {
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let (sender_ssrc, rest) = split_u32(content)?;
        let (media_ssrc, rest) = split_u32(rest)?;
        let (entries, []) = rest.as_chunks() else { return None };
        (!entries.is_empty()).then_some(Self { sender_ssrc, media_ssrc, entries })
    }

    /// The sequence numbers, as they stand: at most 17 for each four bytes of the packet.
    pub fn sequences(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.entries.iter().flat_map(|[p0, p1, b0, b1]| {
            let (first, following) = (u16::from_be_bytes([*p0, *p1]), u16::from_be_bytes([*b0, *b1]));
            let missing = (0..16_u16).filter(move |bit| following >> bit & 1 != 0);
            std::iter::once(first).chain(missing.map(move |bit| first.wrapping_add(bit + 1)))
        })
    }
}

/// A receiver needs a key frame (RFC 4585 §6.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pli {
    /// Who needs it.
    pub sender_ssrc: u32,
    /// Of which stream.
    pub media_ssrc: u32,
}

impl Pli {
    pub(super) fn read(content: &[u8]) -> Option<Self> {
        let (sender_ssrc, rest) = split_u32(content)?;
        let (media_ssrc, _) = split_u32(rest)?;
        Some(Self { sender_ssrc, media_ssrc })
    }
}

/// A receiver asks for key frames of several streams (RFC 5104 §4.3.1).
#[derive(Debug, Clone, Copy)]
pub struct Fir<'a> {
    /// Who asks.
    pub sender_ssrc: u32,
    entries: &'a [[u8; 8]],
}

/// One stream of a [`Fir`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirEntry {
    /// Of which stream.
    pub ssrc: u32,
    /// Counts requests; the same number again is the same request again.
    pub number: u8,
}

impl<'a> Fir<'a> {
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let (sender_ssrc, rest) = split_u32(content)?;
        // RFC 5104 §4.3.1.1: the SSRC of the media source is not used here.
        let (_, rest) = split_u32(rest)?;
        let (entries, []) = rest.as_chunks() else { return None };
        (!entries.is_empty()).then_some(Self { sender_ssrc, entries })
    }

    /// The streams.
    pub fn entries(&self) -> impl Iterator<Item = FirEntry> + use<'a> {
        self.entries.iter().map(|[s0, s1, s2, s3, number, ..]| FirEntry {
            ssrc: u32::from_be_bytes([*s0, *s1, *s2, *s3]),
            number: *number,
        })
    }
}
