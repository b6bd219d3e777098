//! RTCP compounds that leave, written into a buffer packet by packet.

use super::{
    report::{ReportBlock, SenderInfo},
    types,
};

/// Five bits count report blocks and sources (RFC 3550 §6.4.1).
const COUNT_MAX: usize = 31;

/// Appends packets to a compound. One that does not fit is left out as a whole, and the method says false.
#[derive(Debug)]
pub struct CompoundWriter<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> CompoundWriter<'a> {
    /// What a sender report without blocks takes (RFC 3550 §6.4.1).
    pub const SENDER_REPORT_BYTES: usize = 28;
    /// Blocks of one report (RFC 3550 §6.4.1).
    pub const REPORT_BLOCKS_MAX: usize = COUNT_MAX;

    /// What [`Self::sdes`] takes.
    pub fn sdes_bytes(cname: &str) -> usize {
        // Header, SSRC, item header, name, and the zero byte that ends the chunk.
        (4 + 4 + 2 + cname.len() + 1).next_multiple_of(4)
    }

    /// Writes to the start of `buffer`.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Bytes written.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Bytes left.
    pub fn bytes_free(&self) -> usize {
        self.buffer.len() - self.length
    }

    /// Appends what `build` writes and measures; `None` from it means no room.
    pub fn append(&mut self, build: impl FnOnce(&mut [u8]) -> Option<usize>) -> bool {
        let Some(space) = self.buffer.get_mut(self.length..) else { return false };
        let Some(length) = build(space) else { return false };
        self.length += length;
        true
    }

    /// A sender report (RFC 3550 §6.4.1). What exceeds 31 blocks goes on in receiver reports.
    pub fn sender_report(
        &mut self,
        info: &SenderInfo,
        blocks: impl IntoIterator<Item = ReportBlock>,
    ) -> bool {
        let mut blocks = blocks.into_iter().peekable();
        let written = self.packet(types::SENDER_REPORT, |body| {
            body.words(&info.to_words())?;
            body.blocks(blocks.by_ref().take(COUNT_MAX))
        });
        written && (blocks.peek().is_none() || self.receiver_report(info.ssrc, blocks))
    }

    /// A receiver report (RFC 3550 §6.4.2), or as many as it takes for all blocks.
    pub fn receiver_report(&mut self, ssrc: u32, blocks: impl IntoIterator<Item = ReportBlock>) -> bool {
        let mut blocks = blocks.into_iter().peekable();
        loop {
            let written = self.packet(types::RECEIVER_REPORT, |body| {
                body.words(&[ssrc])?;
                body.blocks(blocks.by_ref().take(COUNT_MAX))
            });
            if !written || blocks.peek().is_none() {
                return written;
            }
        }
    }

    /// A source description of one chunk with a CNAME (RFC 3550 §6.5.1); the name is at most 255 bytes.
    pub fn sdes(&mut self, ssrc: u32, cname: &str) -> bool {
        self.packet(types::SDES, |body| {
            body.words(&[ssrc])?;
            // Item 1 is CNAME. At least one zero byte ends the chunk.
            body.bytes(&[1, u8::try_from(cname.len()).ok()?])?;
            body.bytes(cname.as_bytes())?;
            body.bytes(&[0])?;
            Some(1)
        })
    }

    /// Says that streams end (RFC 3550 §6.6); of more than 31 the first 31.
    pub fn bye(&mut self, ssrcs: &[u32]) -> bool {
        self.packet(types::BYE, |body| {
            let ssrcs = ssrcs.get(..COUNT_MAX).unwrap_or(ssrcs);
            body.words(ssrcs)?;
            Some(ssrcs.len() as u8)
        })
    }

    /// Asks for packets again (RFC 4585 §6.2.1). `sequences` ascend; false also when there are none.
    pub fn nack(
        &mut self,
        sender_ssrc: u32,
        media_ssrc: u32,
        sequences: impl IntoIterator<Item = u16>,
    ) -> bool {
        let mut sequences = sequences.into_iter().peekable();
        if sequences.peek().is_none() {
            return false;
        }
        self.packet(types::TRANSPORT_FEEDBACK, |body| {
            body.words(&[sender_ssrc, media_ssrc])?;
            while let Some(first) = sequences.next() {
                let mut following = 0_u16;
                let near = |sequence: &u16| (1..=16).contains(&sequence.wrapping_sub(first));
                while let Some(sequence) = sequences.next_if(near) {
                    following |= 1 << (sequence.wrapping_sub(first) - 1);
                }
                body.words(&[u32::from(first) << 16 | u32::from(following)])?;
            }
            Some(types::FORMAT_NACK)
        })
    }

    /// Asks for a key frame (RFC 4585 §6.3.1).
    pub fn pli(&mut self, sender_ssrc: u32, media_ssrc: u32) -> bool {
        self.packet(types::PAYLOAD_FEEDBACK, |body| {
            body.words(&[sender_ssrc, media_ssrc])?;
            Some(types::FORMAT_PLI)
        })
    }

    /// Asks for a key frame by its own number (RFC 5104 §4.3.1).
    pub fn fir(&mut self, sender_ssrc: u32, media_ssrc: u32, number: u8) -> bool {
        self.packet(types::PAYLOAD_FEEDBACK, |body| {
            body.words(&[sender_ssrc, 0, media_ssrc, u32::from(number) << 24])?;
            Some(types::FORMAT_FIR)
        })
    }

    /// One packet; `body` says what the header counts.
    fn packet(&mut self, packet_type: u8, body: impl FnOnce(&mut Body<'_>) -> Option<u8>) -> bool {
        self.append(|space| {
            let (header, rest) = space.split_first_chunk_mut::<4>()?;
            let mut written = Body { space: rest, length: 0 };
            let count = body(&mut written)?;
            let padding = written.length.next_multiple_of(4) - written.length;
            written.bytes(&[0; 3][..padding])?;
            let [w0, w1] = u16::try_from(written.length / 4).ok()?.to_be_bytes();
            *header = [0x80 | count, packet_type, w0, w1];
            Some(4 + written.length)
        })
    }
}

/// A packet's content while it is written.
struct Body<'a> {
    space: &'a mut [u8],
    length: usize,
}

impl Body<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length + bytes.len();
        self.space.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }

    fn words(&mut self, words: &[u32]) -> Option<()> {
        words.iter().try_for_each(|word| self.bytes(&word.to_be_bytes()))
    }

    fn blocks(&mut self, blocks: impl Iterator<Item = ReportBlock>) -> Option<u8> {
        let mut count = 0;
        for block in blocks {
            self.words(&block.to_words())?;
            count += 1;
        }
        Some(count)
    }
}
