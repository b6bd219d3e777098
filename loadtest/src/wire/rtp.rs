//! RTP headers (RFC 3550 §5.1) with one-byte extensions (RFC 8285 §4.2).

use super::{u16_at, u32_at};

/// The fixed part of a header.
pub const HEADER_BYTES: usize = 12;
const ONE_BYTE_PROFILE: u16 = 0xbede;
/// Most extension bytes that are written: mid, audio level and transport-wide number, padded.
pub const EXTENSION_BYTES_MAX: usize = 4 + 28;

/// A header as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Whether padding stands at the end (RFC 3550 §5.1, P).
    pub padded: bool,
    /// The marker.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The SSRC.
    pub ssrc: u32,
    /// The first CSRC, if there is any.
    pub csrc: Option<u32>,
    /// Where the extension's elements begin and end; an empty range where there is none.
    extension: (usize, usize),
    /// Where the payload begins.
    pub length: usize,
}

impl Header {
    /// Reads the header of a packet. None where it is none.
    pub fn read(packet: &[u8]) -> Option<Self> {
        let [first, second, ..] = *packet else { return None };
        if first >> 6 != 2 {
            return None;
        }
        let csrcs = usize::from(first & 0x0f);
        let mut length = HEADER_BYTES + 4 * csrcs;
        let csrc = if csrcs > 0 { Some(u32_at(packet, HEADER_BYTES)?) } else { None };
        let mut extension = (0, 0);
        if first & 0x10 != 0 {
            let words = usize::from(u16_at(packet, length + 2)?);
            let start = length + 4;
            length = start + 4 * words;
            if u16_at(packet, start - 4)? == ONE_BYTE_PROFILE {
                extension = (start, length);
            }
        }
        if packet.len() < length {
            return None;
        }
        Some(Self {
            padded: first & 0x20 != 0,
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16_at(packet, 2)?,
            timestamp: u32_at(packet, 4)?,
            ssrc: u32_at(packet, 8)?,
            csrc,
            extension,
            length,
        })
    }

    /// The value of the one-byte extension with this id.
    pub fn extension<'a>(&self, packet: &'a [u8], id: u8) -> Option<&'a [u8]> {
        let mut rest = packet.get(self.extension.0..self.extension.1)?;
        while let [head, tail @ ..] = rest {
            if *head == 0 {
                rest = tail;
                continue;
            }
            let (value, tail) = tail.split_at_checked(usize::from(head & 0x0f) + 1)?;
            match head >> 4 {
                15 => return None,
                own if own == id => return Some(value),
                _ => rest = tail,
            }
        }
        None
    }
}

/// What a header that is sent says, without its extensions.
#[derive(Debug, Clone, Copy)]
pub struct Fields {
    /// The marker.
    pub marker: bool,
    /// The payload type.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The timestamp.
    pub timestamp: u32,
    /// The SSRC.
    pub ssrc: u32,
}

/// Extension elements, in one-byte form.
#[derive(Debug, Default, Clone, Copy)]
pub struct Elements {
    bytes: [u8; EXTENSION_BYTES_MAX],
    length: usize,
}

impl Elements {
    /// Adds one; what finds no room is left out. `value` has 1 to 16 bytes.
    pub fn add(&mut self, id: u8, value: &[u8]) {
        let end = self.length + 1 + value.len();
        // Four bytes stay free for padding.
        if value.is_empty() || value.len() > 16 || end + 4 > EXTENSION_BYTES_MAX {
            return;
        }
        self.bytes[self.length] = id << 4 | (value.len() - 1) as u8;
        self.bytes[self.length + 1..end].copy_from_slice(value);
        self.length = end;
    }
}

/// Writes a header to the beginning of `to` and tells its length.
pub fn write(to: &mut [u8], fields: &Fields, elements: &Elements) -> usize {
    let Some(head) = to.first_chunk_mut::<HEADER_BYTES>() else { return 0 };
    head[0] = 0x80 | if elements.length > 0 { 0x10 } else { 0 };
    head[1] = fields.payload_type | if fields.marker { 0x80 } else { 0 };
    head[2..4].copy_from_slice(&fields.sequence.to_be_bytes());
    head[4..8].copy_from_slice(&fields.timestamp.to_be_bytes());
    head[8..12].copy_from_slice(&fields.ssrc.to_be_bytes());
    if elements.length == 0 {
        return HEADER_BYTES;
    }
    let padded = elements.length.next_multiple_of(4);
    let end = HEADER_BYTES + 4 + padded;
    let Some(extension) = to.get_mut(HEADER_BYTES..end) else { return HEADER_BYTES };
    extension[..2].copy_from_slice(&ONE_BYTE_PROFILE.to_be_bytes());
    extension[2..4].copy_from_slice(&((padded / 4) as u16).to_be_bytes());
    extension[4..].copy_from_slice(&elements.bytes[..padded]);
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_extensions_comes_back() {
        let fields = Fields { marker: true, payload_type: 96, sequence: 65_535, timestamp: 1, ssrc: 9 };
        let mut elements = Elements::default();
        elements.add(1, b"cam");
        elements.add(3, &[1, 2]);
        let mut packet = [0xff; 64];
        let length = write(&mut packet, &fields, &elements);
        let header = Header::read(&packet[..length]).expect("a header");
        assert_eq!((header.length, header.sequence, header.ssrc, header.csrc), (length, 65_535, 9, None));
        assert!(header.marker && header.payload_type == 96);
        assert_eq!(header.extension(&packet, 1), Some(&b"cam"[..]));
        assert_eq!(header.extension(&packet, 3), Some(&[1, 2][..]));
        assert_eq!(header.extension(&packet, 2), None);
        assert_eq!(write(&mut packet, &fields, &Elements::default()), HEADER_BYTES);
    }

    #[test]
    fn cut_headers_are_refused() {
        let mut packet = vec![0x92, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5];
        packet.extend([0xbe, 0xde, 0, 1, 0x10, 7, 0, 0]);
        assert_eq!(Header::read(&packet).map(|h| (h.csrc, h.length)), Some((Some(4), 28)));
        for cut in 0..packet.len() {
            assert_eq!(Header::read(&packet[..cut]), None, "{cut}");
        }
    }
}
