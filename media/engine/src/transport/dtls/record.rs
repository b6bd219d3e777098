//! Records and handshake fragments of DTLS 1.2, read without allocation and written where we have to.

/// Bytes of a record's header (RFC 6347 §4.1).
pub(super) const RECORD_HEADER_BYTES: usize = 13;
/// Bytes of a handshake fragment's header (RFC 6347 §4.2.2).
pub(super) const HANDSHAKE_HEADER_BYTES: usize = 12;

/// What a record carries, as far as we have a use for it (RFC 5246 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentType {
    ChangeCipherSpec = 20,
    Alert = 21,
    Handshake = 22,
    ApplicationData = 23,
}

/// The kinds of handshake message that a client sends (RFC 5246 §7.4), Finished apart: that is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandshakeType {
    ClientHello = 1,
    Certificate = 11,
    CertificateVerify = 15,
    ClientKeyExchange = 16,
}

/// One record of a datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a> {
    pub content_type: ContentType,
    pub epoch: u16,
    pub payload: &'a [u8],
    /// The record as it came, header included.
    pub bytes: &'a [u8],
}

/// The records of a datagram, up to the first that is none.
pub(super) fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (record, tail) = split_record(rest)?;
        rest = tail;
        Some(record)
    })
}

fn split_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let [kind, version_major, _, epoch_high, epoch_low, _, _, _, _, _, _, length_high, length_low] =
        *bytes.first_chunk::<RECORD_HEADER_BYTES>()?;
    let content_type = match kind {
        20 => ContentType::ChangeCipherSpec,
        21 => ContentType::Alert,
        22 => ContentType::Handshake,
        23 => ContentType::ApplicationData,
        _ => return None,
    };
    // RFC 6347 §4.1: DTLS 1.0 and 1.2 both begin with 254, and a first ClientHello may say either.
    if version_major != 254 {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([length_high, length_low]));
    let (bytes, rest) = bytes.split_at_checked(RECORD_HEADER_BYTES + length)?;
    let payload = bytes.get(RECORD_HEADER_BYTES..)?;
    let epoch = u16::from_be_bytes([epoch_high, epoch_low]);
    Some((Record { content_type, epoch, payload, bytes }, rest))
}

/// A handshake message or a part of one (RFC 6347 §4.2.2).
#[derive(Debug, Clone, Copy)]
pub(super) struct Fragment<'a> {
    pub kind: u8,
    /// Length of the whole message's body.
    pub length: usize,
    /// The message's number in its direction.
    pub sequence: u16,
    /// Where in the message's body `data` belongs; `offset + data.len() <= length`.
    pub offset: usize,
    pub data: &'a [u8],
}

/// The fragments of a handshake record's payload, up to the first that is none.
pub(super) fn fragments(payload: &[u8]) -> impl Iterator<Item = Fragment<'_>> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (fragment, tail) = split_fragment(rest)?;
        rest = tail;
        Some(fragment)
    })
}

fn split_fragment(bytes: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HANDSHAKE_HEADER_BYTES>()?;
    let [kind, l0, l1, l2, s0, s1, o0, o1, o2, f0, f1, f2] = *header;
    let number = |a, b, c| u32::from_be_bytes([0, a, b, c]) as usize;
    let (length, offset) = (number(l0, l1, l2), number(o0, o1, o2));
    let (data, rest) = rest.split_at_checked(number(f0, f1, f2))?;
    if offset + data.len() > length {
        return None;
    }
    Some((Fragment { kind, length, sequence: u16::from_be_bytes([s0, s1]), offset, data }, rest))
}

/// A record of epoch 0 that holds one whole handshake message. None when the body does not fit a record.
pub(super) fn handshake_record(kind: u8, sequence: u16, record_number: u64, body: &[u8]) -> Option<Vec<u8>> {
    let payload = u16::try_from(HANDSHAKE_HEADER_BYTES + body.len()).ok()?;
    let [_, length @ ..] = u32::try_from(body.len()).ok()?.to_be_bytes();
    let mut record = record_header(ContentType::Handshake, record_number, payload);
    record.push(kind);
    record.extend_from_slice(&length);
    record.extend_from_slice(&sequence.to_be_bytes());
    record.extend_from_slice(&[0; 3]);
    record.extend_from_slice(&length);
    record.extend_from_slice(body);
    Some(record)
}

/// A ChangeCipherSpec of epoch 0 (RFC 5246 §7.1).
pub(super) fn change_cipher_spec(record_number: u64) -> Vec<u8> {
    let mut record = record_header(ContentType::ChangeCipherSpec, record_number, 1);
    record.push(1);
    record
}

fn record_header(content_type: ContentType, record_number: u64, payload: u16) -> Vec<u8> {
    let mut header = Vec::with_capacity(RECORD_HEADER_BYTES + usize::from(payload));
    header.extend_from_slice(&[content_type as u8, 254, 253]);
    // The number's upper 16 bits are the epoch, and that is 0.
    header.extend_from_slice(&record_number.to_be_bytes());
    header.extend_from_slice(&payload.to_be_bytes());
    header
}

/// Gives every record of epoch 0 the next number: a repeated record needs a new one, or the peer's replay window
/// may take it for a duplicate (RFC 6347 §4.1.2.6). Records of later epochs are authenticated with their number.
pub(super) fn renumber_epoch_zero(datagram: &mut [u8], next_number: &mut u64) {
    let mut rest = datagram;
    while let Some(header) = rest.first_chunk_mut::<RECORD_HEADER_BYTES>() {
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        if header[3..5] == [0, 0] {
            header[3..11].copy_from_slice(&next_number.to_be_bytes());
            *next_number += 1;
        }
        let Some((_, tail)) = rest.split_at_mut_checked(RECORD_HEADER_BYTES + length) else { return };
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_handshake_record_reads_back() {
        let bytes = [handshake_record(11, 2, 7, b"body").expect("fits"), change_cipher_spec(8)].concat();
        let read: Vec<_> = records(&bytes).collect();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].content_type, read[0].epoch), (ContentType::Handshake, 0));
        assert_eq!((read[1].content_type, read[1].payload), (ContentType::ChangeCipherSpec, &[1][..]));
        let fragment = fragments(read[0].payload).next().expect("one");
        assert_eq!((fragment.kind, fragment.sequence, fragment.offset), (11, 2, 0));
        assert_eq!((fragment.length, fragment.data), (4, &b"body"[..]));
    }

    #[test]
    fn repeated_records_of_epoch_zero_get_fresh_numbers_and_others_keep_theirs() {
        let mut encrypted = change_cipher_spec(5);
        encrypted[4] = 1;
        let mut bytes = [change_cipher_spec(0), encrypted.clone()].concat();
        let mut next = 9;
        renumber_epoch_zero(&mut bytes, &mut next);
        assert_eq!(bytes, [change_cipher_spec(9), encrypted].concat());
        assert_eq!(next, 10);
    }

    #[test]
    fn a_fragment_beyond_its_message_is_none() {
        let mut record = handshake_record(1, 0, 0, b"0123").expect("fits");
        record[RECORD_HEADER_BYTES + 8] = 1;
        assert_eq!(fragments(&record[RECORD_HEADER_BYTES..]).count(), 0);
    }
}
