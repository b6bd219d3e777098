//! What a published track does with packets, in virtual time.

use super::*;
use crate::rtp::rtcp::{Compound, Packet};

const MS: fn(u64) -> Duration = Duration::from_millis;
const SSRC: u32 = 0x1111;
const RTX_SSRC: u32 = 0x2222;
const VP8: u8 = 96;
const VP8_RTX: u8 = 97;
const H264: u8 = 102;
const NONE: Extensions = Extensions { mid: None, audio_level: None, transport_cc: None, orientation: None };
/// A VP8 interframe's first packet and a key frame's.
const DELTA: &[u8] = &[0x10, 0x01, 1, 2, 3];
const KEY: &[u8] = &[0x10, 0x00, 1, 2, 3];

fn video() -> (PublishedTrack, Instant) {
    let start = Instant::now();
    (PublishedTrack::new(&params(), start), start)
}

fn params() -> TrackParams {
    let feedback = Feedback { nack: true, pli: true, fir: false, transport_cc: true };
    let format =
        |payload_type, codec, rtx| CodecParams { payload_type, codec, rtx_payload_type: rtx, feedback };
    TrackParams {
        mid: "1".parse().expect("a token"),
        source: Source::Camera,
        codecs: vec![
            format(VP8, Codec::Vp8, Some(VP8_RTX)),
            format(H264, Codec::H264 { packetization_mode: 1, profile: 0x42e0 }, None),
        ],
        ssrc: None,
        rtx_ssrc: None,
        muted: false,
    }
}

fn header(ssrc: u32, payload_type: u8, sequence: u64) -> RtpHeader {
    let mut packet = [0; 12];
    packet[..2].copy_from_slice(&[0x80, payload_type]);
    packet[2..4].copy_from_slice(&(sequence as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&(sequence as u32).wrapping_mul(3_000).to_be_bytes());
    packet[8..].copy_from_slice(&ssrc.to_be_bytes());
    RtpHeader::parse(&packet).expect("a fixed header")
}

fn receive(track: &mut PublishedTrack, now: Instant, index: u64, payload: &[u8]) -> Result<u64, DropReason> {
    track.receive(now, index, &header(SSRC, VP8, index), &NONE, payload).map(|p| {
        track.keep(&p);
        p.sequence
    })
}

fn receive_rtx(track: &mut PublishedTrack, now: Instant, index: u64) -> Result<u64, DropReason> {
    let payload = [&(index as u16).to_be_bytes(), DELTA].concat();
    let recovered = track.receive_rtx(now, &header(RTX_SSRC, VP8_RTX, 7), &NONE, &payload)?;
    assert_eq!((recovered.payload, recovered.codec), (DELTA, Codec::Vp8));
    track.keep(&recovered);
    Ok(recovered.sequence)
}

/// What the publisher is asked for: sequence numbers, and whether for a key frame.
fn asked(track: &mut PublishedTrack, now: Instant) -> (Vec<u16>, bool) {
    let mut buffer = [0; 1_200];
    let mut writer = CompoundWriter::new(&mut buffer);
    track.poll_rtcp(now, 1, &mut writer);
    let length = writer.len();
    let (mut sequences, mut keyframe) = (Vec::new(), false);
    for packet in Compound::new(&buffer[..length]) {
        match packet.expect("well-formed") {
            Packet::Nack(nack) => sequences.extend(nack.sequences()),
            Packet::Pli(pli) => keyframe |= pli.media_ssrc == SSRC,
            other => panic!("not asked for: {other:?}"),
        }
    }
    (sequences, keyframe)
}

#[test]
fn a_packet_after_its_retransmission_is_a_duplicate_and_the_other_way_round() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 10, KEY), Ok(10));
    assert_eq!(receive(&mut track, now, 13, DELTA), Ok(13));
    assert_eq!(receive_rtx(&mut track, now, 11), Ok(11));
    assert_eq!(receive(&mut track, now, 11, DELTA), Err(DropReason::Duplicate));
    assert_eq!(receive(&mut track, now, 12, DELTA), Ok(12));
    assert_eq!(receive_rtx(&mut track, now, 12), Err(DropReason::Duplicate));
}

#[test]
fn a_retransmission_of_what_was_never_sent_moves_nothing() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 10, KEY), Ok(10));
    assert_eq!(receive_rtx(&mut track, now, 30_000), Err(DropReason::RetransmissionAhead));
    assert_eq!(receive(&mut track, now, 11, DELTA), Ok(11));
    assert_eq!(track.poll_timeout(), None, "nothing is missing");
}

#[test]
fn numbers_go_on_where_sixteen_bits_wrap() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 65_534, KEY), Ok(65_534));
    assert_eq!(receive(&mut track, now, 65_538, DELTA), Ok(65_538));
    assert_eq!(asked(&mut track, now).0, [65_535]);
    assert_eq!(asked(&mut track, now + MS(20)).0, [0, 1]);
    assert_eq!(receive_rtx(&mut track, now + MS(30), 65_536), Ok(65_536));
    assert_eq!(receive_rtx(&mut track, now + MS(30), 65_535), Ok(65_535));
}

#[test]
fn padding_that_took_a_number_keeps_it_and_nothing_is_asked_for() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 1, KEY), Ok(1));
    assert_eq!(receive(&mut track, now, 2, &[]), Ok(2));
    assert_eq!(track.cached(now, 2).map(|p| (p.payload, p.facts)), Ok((&[][..], Facts::default())));
    assert_eq!(receive(&mut track, now, 2, &[]), Err(DropReason::Duplicate));
    assert_eq!(receive(&mut track, now, 3, DELTA), Ok(3));
    assert_eq!(track.poll_timeout(), None);
    let probe = track.receive_rtx(now, &header(RTX_SSRC, VP8_RTX, 8), &NONE, &[]);
    assert_eq!(probe.map(|p| p.sequence), Err(DropReason::PaddingOnly));
}

#[test]
fn the_codec_is_the_one_of_the_payload_type() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 1, KEY), Ok(1));
    let switched = track.receive(now, 2, &header(SSRC, H264, 2), &NONE, &[0x67, 0x42]);
    assert!(switched.is_ok_and(|p| p.facts.keyframe && matches!(p.codec, Codec::H264 { .. })));
    let unknown = track.receive(now, 3, &header(SSRC, 111, 3), &NONE, DELTA);
    assert_eq!(unknown, Err(DropReason::PayloadTypeUnknown));
    assert_eq!(receive(&mut track, now, 4, &[0x90]), Err(DropReason::PayloadMalformed));
}

#[test]
fn recovered_packets_can_be_sent_again_like_any_other() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 1, KEY), Ok(1));
    assert_eq!(receive(&mut track, now, 3, DELTA), Ok(3));
    assert_eq!(receive_rtx(&mut track, now, 2), Ok(2));
    assert_eq!(track.cached(now, 1).map(|p| (p.payload, p.facts.keyframe)), Ok((KEY, true)));
    assert_eq!(track.cached(now, 2).map(|p| p.payload), Ok(DELTA));
    assert_eq!(track.cached(now + MS(1_001), 2), Err(DropReason::RetransmissionExpired));
}

#[test]
fn an_outage_asks_for_a_key_frame_instead_of_packets() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 1, KEY), Ok(1));
    assert_eq!(receive(&mut track, now, 1_000, DELTA), Ok(1_000));
    assert_eq!(track.poll_timeout(), Some(now));
    assert_eq!(asked(&mut track, now), (vec![], true));
    assert_eq!(receive(&mut track, now, 1_001, KEY), Ok(1_001));
    assert_eq!(track.poll_timeout(), None);
}

#[test]
fn another_ssrc_goes_on_above_the_one_before_whose_late_packets_are_dropped() {
    let (mut track, now) = video();
    assert_eq!(receive(&mut track, now, 500, KEY), Ok(500));
    assert_eq!(receive(&mut track, now, 502, DELTA), Ok(502));
    assert_eq!(receive_rtx(&mut track, now, 501), Ok(501));
    let taken_over = track.receive(now, 40, &header(0x3333, VP8, 40), &NONE, KEY);
    assert_eq!(taken_over.map(|p| (p.sequence, p.restarts)), Ok((503, 1)));
    let early = track.receive(now, 39, &header(0x3333, VP8, 39), &NONE, KEY);
    assert_eq!(early, Err(DropReason::TooOld));
    assert_eq!(receive(&mut track, now, 503, DELTA), Err(DropReason::PreviousSource));
    assert_eq!(receive_rtx(&mut track, now, 501), Err(DropReason::PreviousSource));
    let next = track.receive(now, 41, &header(0x3333, VP8, 41), &NONE, DELTA);
    assert_eq!(next.map(|p| p.sequence), Ok(504));
}

#[test]
fn no_sequence_number_ever_comes_out_twice() {
    let (mut track, now) = video();
    let mut seed = 7_u64;
    let mut seen = std::collections::HashSet::new();
    for n in 0..20_000_u64 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let index = 3_000 + n / 4 - (seed >> 33) % 2_500;
        let outcome = if seed & 1 == 0 {
            receive(&mut track, now, index, DELTA)
        } else {
            receive_rtx(&mut track, now, index)
        };
        if let Ok(sequence) = outcome {
            assert!(seen.insert(sequence), "{sequence} twice");
        }
    }
    assert!(seen.len() > 3_000);
}

#[test]
fn a_format_that_was_given_up_is_refused_though_the_last_packet_came_in_it() {
    let (mut track, start) = video();
    assert_eq!(receive(&mut track, start, 1, KEY), Ok(1));
    let mut params = params();
    track.update(&params);
    assert_eq!(receive(&mut track, start, 2, DELTA), Ok(2));
    params.codecs.retain(|format| format.payload_type == H264);
    track.update(&params);
    assert_eq!(track.codec(), None);
    assert_eq!(receive(&mut track, start, 3, DELTA), Err(DropReason::PayloadTypeUnknown));
}
