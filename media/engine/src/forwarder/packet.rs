//! A packet as a slot sends it: everything it is made of, and its bytes.
//!
//! The MID (RFC 8843 §15) is left out. The answer names every slot's SSRC, which is what receivers go by then
//! (RFC 8843 §9.2); and a MID on the first packets only would make the bytes of a packet depend on when it is sent.

use media_model::Codec;

use super::rewriter::{Numbers, PictureIds, Rewritten};
use crate::{
    codec::vp8,
    rtp::{ExtensionBlock, HeaderWriter},
    transport::srtp::Plain,
};

/// What stays the same of a source's packet, however often and to whomever it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// The source's own.
    pub numbers: Numbers,
    /// How the payload is coded.
    pub codec: Codec,
    /// The M bit.
    pub marker: bool,
    /// A decoder that has seen nothing can start here.
    pub starts_picture: bool,
    /// Where a VP8 payload counts, and what.
    pub vp8: Option<vp8::Descriptor>,
    /// Plain, without padding.
    pub payload: &'a [u8],
}

/// The stream that a packet leaves in.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Its SSRC.
    pub ssrc: u32,
    /// By the subscriber's mapping.
    pub payload_type: u8,
    /// The publisher's number in the consult.
    pub csrc: u32,
    /// Roll-over counter and sequence number.
    pub index: u64,
}

impl Content<'_> {
    /// Most bytes that the packet takes, unsealed.
    pub fn bytes_max(&self) -> usize {
        HeaderWriter::BYTES_MAX + ORIGINAL_SEQUENCE_BYTES + self.payload.len()
    }

    /// Writes the plain packet. A pure function of its arguments, as a repeated index demands.
    ///
    /// `original` is the sequence number that a retransmission stands for (RFC 4588 §4).
    pub fn write(
        &self,
        stream: &Stream,
        rewritten: &Rewritten,
        original: Option<u16>,
        extensions: &ExtensionBlock,
        out: &mut [u8],
    ) -> Option<Plain> {
        let header = HeaderWriter {
            marker: self.marker,
            payload_type: stream.payload_type,
            sequence: stream.index as u16,
            timestamp: rewritten.timestamp,
            ssrc: stream.ssrc,
            csrc: Some(stream.csrc),
        };
        let header_len = header.write_with(extensions, out)?;
        let mut length = header_len;
        if let Some(original) = original {
            *out.get_mut(length..)?.first_chunk_mut()? = original.to_be_bytes();
            length += ORIGINAL_SEQUENCE_BYTES;
        }
        let payload = out.get_mut(length..length.checked_add(self.payload.len())?)?;
        payload.copy_from_slice(self.payload);
        if let Some(descriptor) = &self.vp8 {
            let PictureIds { picture, tl0 } = rewritten.pictures;
            vp8::rewrite(payload, descriptor, picture.unwrap_or_default(), tl0.unwrap_or_default());
        }
        let length = length + self.payload.len();
        Some(Plain { ssrc: stream.ssrc, index: stream.index, header_len, length })
    }
}

/// OSN of RFC 4588 §4.
const ORIGINAL_SEQUENCE_BYTES: usize = 2;
