//! RTCP as far as the harness speaks it (RFC 3550 §6.4, RFC 4585 §6, RFC 5104 §4.3.1).

use super::{u16_at, u32_at};

/// Seconds from 1900 to 1970 (RFC 868).
const NTP_EPOCH_S: u64 = 2_208_988_800;

/// Something in a compound that the harness acts on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// A sender report, with the middle 32 bits of its NTP time.
    SenderReport {
        /// Whose.
        ssrc: u32,
        /// What comes back as LSR.
        ntp_middle: u32,
    },
    /// A receiver report.
    ReceiverReport,
    /// Packets of `ssrc` are missing: this one, and those of the mask behind it.
    Nack {
        /// The stream.
        ssrc: u32,
        /// The first one.
        sequence: u16,
        /// Bit i: sequence + i + 1 too.
        mask: u16,
    },
    /// A key frame is wanted (PLI or FIR).
    Keyframe {
        /// Of this stream.
        ssrc: u32,
    },
    /// Transport-wide feedback.
    TransportCc,
}

/// Calls `found` for each item of a compound; what is malformed ends it.
pub fn read(compound: &[u8], mut found: impl FnMut(Item)) {
    let mut rest = compound;
    while let (Some([first, kind, ..]), Some(words)) = (rest.first_chunk::<4>(), u16_at(rest, 2)) {
        let Some((packet, tail)) = rest.split_at_checked(4 * (usize::from(words) + 1)) else { return };
        rest = tail;
        let content = packet.get(4..).unwrap_or_default();
        match (kind, first & 0x1f) {
            (200, _) => {
                if let (Some(ssrc), Some(ntp_middle)) = (u32_at(content, 0), u32_at(content, 6)) {
                    found(Item::SenderReport { ssrc, ntp_middle });
                }
            }
            (201, _) => found(Item::ReceiverReport),
            (205, 1) => read_nack(content, &mut found),
            (205, 15) => found(Item::TransportCc),
            (206, 1) => {
                if let Some(ssrc) = u32_at(content, 4) {
                    found(Item::Keyframe { ssrc });
                }
            }
            (206, 4) => {
                let entries = content.get(8..).unwrap_or_default().as_chunks::<8>().0;
                entries.iter().filter_map(|e| u32_at(e, 0)).for_each(|ssrc| found(Item::Keyframe { ssrc }));
            }
            _ => {}
        }
    }
}

fn read_nack(content: &[u8], found: &mut impl FnMut(Item)) {
    let Some(ssrc) = u32_at(content, 4) else { return };
    for entry in content.get(8..).unwrap_or_default().as_chunks::<4>().0 {
        let [s0, s1, m0, m1] = *entry;
        let (sequence, mask) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([m0, m1]));
        found(Item::Nack { ssrc, sequence, mask });
    }
}

/// What is reported about a stream (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: u32,
    /// Lost in all.
    pub lost: u32,
    /// The highest sequence number, with the cycles above it.
    pub highest: u32,
    /// LSR.
    pub last_report: u32,
    /// DLSR, in 1/65536 s.
    pub since_report: u32,
}

/// Figures of a sender report.
#[derive(Debug, Clone, Copy)]
pub struct SenderInfo {
    /// The stream.
    pub ssrc: u32,
    /// Now, in nanoseconds since 1970.
    pub now_ns: u64,
    /// The RTP timestamp of now.
    pub rtp_timestamp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub bytes: u32,
}

/// Writes a compound.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    length: usize,
}

impl<'a> Writer<'a> {
    /// Writes to the beginning of `buffer`; a packet that finds no room is left out.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Bytes written.
    pub fn finish(self) -> usize {
        self.length
    }

    fn packet(&mut self, count: u8, kind: u8, words: &[u32]) {
        let end = self.length + 4 + 4 * words.len();
        let Some(place) = self.buffer.get_mut(self.length..end) else { return };
        let [l0, l1] = (words.len() as u16).to_be_bytes();
        place[..4].copy_from_slice(&[0x80 | count, kind, l0, l1]);
        for (to, word) in place[4..].chunks_exact_mut(4).zip(words) {
            to.copy_from_slice(&word.to_be_bytes());
        }
        self.length = end;
    }

    /// A sender report without blocks.
    pub fn sender_report(&mut self, info: &SenderInfo) {
        let seconds = info.now_ns / 1_000_000_000 + NTP_EPOCH_S;
        let fraction = ((info.now_ns % 1_000_000_000) << 32) / 1_000_000_000;
        let words =
            [info.ssrc, seconds as u32, fraction as u32, info.rtp_timestamp, info.packets, info.bytes];
        self.packet(0, 200, &words);
    }

    /// A receiver report with at most 31 blocks.
    pub fn receiver_report(&mut self, own: u32, blocks: impl Iterator<Item = ReportBlock>) {
        let mut words = [0; 1 + 6 * 31];
        words[0] = own;
        let mut count = 0;
        for (block, to) in blocks.zip(words[1..].chunks_exact_mut(6)) {
            let highest = block.highest;
            to.copy_from_slice(&[
                block.ssrc,
                block.lost & 0x7f_ffff,
                highest,
                0,
                block.last_report,
                block.since_report,
            ]);
            count += 1;
        }
        self.packet(count, 201, &words[..1 + 6 * usize::from(count)]);
    }

    /// A source description with a CNAME (RFC 3550 §6.5.1).
    pub fn cname(&mut self, own: u32) {
        // Item 1 with 4 bytes of name, the null item behind it.
        self.packet(1, 202, &[own, 0x0104_6c6f, 0x6164_0000]);
    }

    /// A NACK with these (sequence, mask) entries.
    pub fn nack(&mut self, own: u32, ssrc: u32, entries: &[(u16, u16)]) {
        let mut words = [0; 2 + 64];
        words[..2].copy_from_slice(&[own, ssrc]);
        let count = entries.len().min(64);
        for (to, (sequence, mask)) in words[2..].iter_mut().zip(entries) {
            *to = u32::from(*sequence) << 16 | u32::from(*mask);
        }
        self.packet(1, 205, &words[..2 + count]);
    }

    /// A picture loss indication.
    pub fn pli(&mut self, own: u32, ssrc: u32) {
        self.packet(1, 206, &[own, ssrc]);
    }

    /// Feedback whose content (from the sender's SSRC on) was written elsewhere.
    pub fn transport_cc(&mut self, content: &[u8]) {
        let end = self.length + 4 + content.len();
        let Some(place) = self.buffer.get_mut(self.length..end) else { return };
        let [l0, l1] = ((content.len() / 4) as u16).to_be_bytes();
        place[..4].copy_from_slice(&[0x8f, 205, l0, l1]);
        place[4..].copy_from_slice(content);
        self.length = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let mut buffer = [0; 400];
        let mut writer = Writer::new(&mut buffer);
        let info = SenderInfo { ssrc: 5, now_ns: 1_500_000_000, rtp_timestamp: 3, packets: 2, bytes: 1 };
        writer.sender_report(&info);
        writer.receiver_report(1, std::iter::empty());
        writer.cname(1);
        writer.nack(1, 6, &[(9, 0b101)]);
        writer.pli(1, 7);
        let length = writer.finish();
        let mut items = Vec::new();
        read(&buffer[..length], |item| items.push(item));
        let ntp_middle = (NTP_EPOCH_S as u32 + 1) << 16 | 0x8000;
        let wanted = [
            Item::SenderReport { ssrc: 5, ntp_middle },
            Item::ReceiverReport,
            Item::Nack { ssrc: 6, sequence: 9, mask: 0b101 },
            Item::Keyframe { ssrc: 7 },
        ];
        assert_eq!(items, wanted);
    }
}
