//! RTP headers and header extensions, as written and as read from anybody.

mod random;

use media_engine::{
    DropReason,
    api::ExtensionIds,
    rtp::{AudioLevel, EXTENSIONS, Extensions, Handling, HeaderWriter, RtpHeader},
};
use random::Random;

const IDS: ExtensionIds =
    ExtensionIds { mid: Some(4), audio_level: Some(1), transport_cc: Some(3), orientation: Some(13) };

fn everything() -> Extensions {
    Extensions {
        mid: "sixteen-letters!".parse().ok(),
        audio_level: Some(AudioLevel { voice: true, level_dbov: 42 }),
        transport_cc: Some(0xbeef),
        orientation: Some(3),
    }
}

const HEADER: HeaderWriter = HeaderWriter {
    marker: true,
    payload_type: 111,
    sequence: 0x1234,
    timestamp: 0x5678_9abc,
    ssrc: 0xdead_beef,
    csrc: Some(7),
};

fn extension(profile: u16, elements: &[u8]) -> Extensions {
    let mut packet = vec![0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    packet.extend(profile.to_be_bytes());
    packet.extend((elements.len().div_ceil(4) as u16).to_be_bytes());
    packet.extend(elements);
    packet.resize(packet.len().next_multiple_of(4), 0);
    Extensions::parse(&RtpHeader::parse(&packet).unwrap(), &packet, &IDS)
}

#[test]
fn a_header_reads_as_it_was_written() {
    let two_byte = ExtensionIds { mid: Some(15), ..IDS };
    for (ids, extensions) in [(IDS, everything()), (two_byte, everything()), (IDS, Extensions::default())] {
        let mut packet = [0xff; HeaderWriter::BYTES_MAX];
        let length = HEADER.write(&extensions, &ids, &mut packet).unwrap();
        let header = RtpHeader::parse(&packet).unwrap();
        assert_eq!((header.header_len(), header.marker, header.padding), (length, true, false));
        assert_eq!((header.payload_type, header.sequence), (111, 0x1234));
        assert_eq!((header.timestamp, header.ssrc), (0x5678_9abc, 0xdead_beef));
        assert_eq!(header.csrcs(&packet).collect::<Vec<_>>(), [7]);
        assert_eq!(Extensions::parse(&header, &packet, &ids), extensions);
        assert!((0..length).all(|room| HEADER.write(&extensions, &ids, &mut packet[..room]).is_none()));
    }
}

#[test]
fn only_what_the_receiver_has_an_id_for_is_written() {
    let ids = ExtensionIds { transport_cc: Some(3), ..ExtensionIds::default() };
    let mut out = [0; 32];
    assert_eq!(everything().write(&ids, &mut out), Some(8));
    assert_eq!(out[..8], [0xbe, 0xde, 0, 1, 0x31, 0xbe, 0xef, 0]);
    assert_eq!(everything().write(&ExtensionIds::default(), &mut out), Some(0));
}

#[test]
fn the_longest_block_is_as_long_as_promised() {
    let ids = ExtensionIds { orientation: Some(200), ..IDS };
    assert_eq!(everything().write(&ids, &mut [0; 64]), Some(Extensions::BYTES_MAX));
}

#[test]
fn a_subscriber_gets_level_and_orientation_of_the_publisher_and_nothing_else() {
    let passed = Extensions { mid: None, transport_cc: None, ..everything() };
    assert_eq!(everything().passed(), passed);
    let stripped = EXTENSIONS.iter().filter(|row| matches!(row.handling, Handling::Strip));
    assert!(stripped.clone().any(|row| row.uri.ends_with("abs-send-time")));
    assert_eq!(EXTENSIONS.len() - stripped.count(), 4);
}

/// RFC 8285 §4.2, §4.3
#[test]
fn padding_between_elements_is_skipped_and_what_ends_a_list_ends_it() {
    let level = Some(AudioLevel { voice: false, level_dbov: 5 });
    assert_eq!(extension(0xbede, &[0, 0, 0x10, 5, 0, 0x31, 1, 2]).audio_level, level);
    assert_eq!(extension(0xbede, &[0, 0, 0x10, 5, 0, 0x31, 1, 2]).transport_cc, Some(0x0102));
    assert_eq!(extension(0xbede, &[0xf0, 0, 0x10, 5]), Extensions::default(), "id 15 ends the list");
    assert_eq!(extension(0xbede, &[0x01, 0, 0x10, 5]), Extensions::default(), "id 0 with a length, too");
    assert_eq!(extension(0xbede, &[0x10, 5, 0x3f, 1]).transport_cc, None, "cut short");
    assert_eq!(extension(0x1007, &[0, 1, 1, 5, 13, 0, 3, 2, 9, 9]).audio_level, level);
    assert_eq!(extension(0x1007, &[0, 1, 1, 5, 13, 0, 3, 2, 9, 9]).orientation, None, "empty");
    assert_eq!(extension(0x1000, &[1, 200, 5]), Extensions::default(), "cut short");
    assert_eq!(extension(0xabcd, &[0x10, 5]), Extensions::default(), "another form");
    assert_eq!(extension(0xbede, &[0x42, b'a', b' ', b'b']).mid, None, "no token");
}

/// RFC 3550 §5.1
#[test]
fn padding_is_no_payload() {
    let packet = |tail: &[u8]| [&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], tail].concat();
    let range = |tail: &[u8]| {
        let packet = packet(tail);
        RtpHeader::parse(&packet).unwrap().payload_range(&packet)
    };
    assert_eq!(range(&[9, 9, 0, 2]), Ok(12..14));
    assert_eq!(range(&[0, 0, 3]), Ok(12..12), "padding only");
    for malformed in [&[][..], &[9, 0], &[9, 3]] {
        assert_eq!(range(malformed), Err(DropReason::RtpMalformed));
    }
}

#[test]
fn random_and_truncated_headers_never_panic_and_never_point_outside() {
    let mut random = Random::new(0xabad);
    let mut parsed = 0;
    for round in 0..200_000 {
        let length = random.below(120) as usize;
        let mut bytes = random.bytes(length);
        if length > 16 && round % 2 == 0 {
            bytes[0] = 0x90 | bytes[0] & 0x2f;
            let place = 12 + usize::from(bytes[0] & 0xf) * 4;
            let form = if round % 4 == 0 { [0xbe, 0xde] } else { [0x10, 0x00] };
            let word = [form[0], form[1], 0, random.below(8) as u8];
            bytes.iter_mut().skip(place).zip(word).for_each(|(byte, value)| *byte = value);
        }
        let Ok(header) = RtpHeader::parse(&bytes) else { continue };
        parsed += 1;
        assert!(header.header_len() <= length);
        assert!(header.extension(&bytes).len() <= length);
        assert_eq!(header.csrcs(&bytes).count(), usize::from(header.csrc_count));
        assert!(header.payload_range(&bytes).is_ok_and(|range| range.end <= length) || header.padding);
        let extensions = Extensions::parse(&header, &bytes, &IDS);
        assert!(extensions.write(&IDS, &mut [0; 64]).is_some());
    }
    assert!(parsed > 10_000, "{parsed}");
}
