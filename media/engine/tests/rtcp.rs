//! RTCP compounds, as written and as read from anybody.

mod random;

use media_engine::{
    DropReason,
    rtp::{
        NtpTime,
        rtcp::{Compound, CompoundWriter, FirEntry, Packet, Pli, ReportBlock, SenderInfo},
    },
};
use random::Random;

fn block(ssrc: u32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 17,
        cumulative_lost: -3,
        highest_sequence: 0x1_0005,
        jitter: 99,
        last_sr: 0x1234_5678,
        delay_since_last_sr: 0x8000,
    }
}

const INFO: SenderInfo = SenderInfo {
    ssrc: 1,
    ntp: NtpTime(0x0102_0304_0506_0708),
    rtp_timestamp: 9,
    packet_count: 10,
    octet_count: 11,
};

fn written(write: impl FnOnce(&mut CompoundWriter<'_>)) -> Vec<u8> {
    let mut buffer = [0xff; 2_000];
    let mut writer = CompoundWriter::new(&mut buffer);
    write(&mut writer);
    let length = writer.len();
    buffer[..length].to_vec()
}

#[test]
fn a_compound_reads_as_it_was_written() {
    let bytes = written(|w| {
        assert!(w.sender_report(&INFO, [block(5)]) && w.sdes(1, "cname") && w.pli(1, 2) && w.fir(1, 3, 77));
        assert!(w.receiver_report(4, [block(6), block(7)]) && w.bye(&[8, 9]));
    });
    let packets: Vec<_> = Compound::new(&bytes).map(Result::unwrap).collect();
    let [
        Packet::SenderReport(sr),
        Packet::Pli(pli),
        Packet::Fir(fir),
        Packet::ReceiverReport(rr),
        Packet::Bye(bye),
    ] = packets[..]
    else {
        panic!("{packets:?}")
    };
    assert_eq!((sr.info, sr.blocks().collect::<Vec<_>>()), (INFO, vec![block(5)]));
    assert_eq!(pli, Pli { sender_ssrc: 1, media_ssrc: 2 });
    assert_eq!(fir.entries().collect::<Vec<_>>(), [FirEntry { ssrc: 3, number: 77 }]);
    assert_eq!((rr.ssrc, rr.blocks().collect::<Vec<_>>()), (4, vec![block(6), block(7)]));
    assert_eq!(bye.ssrcs().collect::<Vec<_>>(), [8, 9]);
}

#[test]
fn more_blocks_than_a_report_holds_go_on_in_the_next() {
    let bytes = written(|w| assert!(w.sender_report(&INFO, (0..70).map(block))));
    let mut ssrcs = vec![];
    for packet in Compound::new(&bytes) {
        match packet.unwrap() {
            Packet::SenderReport(report) => ssrcs.extend(report.blocks().map(|b| b.ssrc)),
            Packet::ReceiverReport(report) => ssrcs.extend(report.blocks().map(|b| b.ssrc)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(ssrcs, (0..70).collect::<Vec<_>>());
}

/// RFC 4585 §6.2.1
#[test]
fn a_nack_names_what_is_missing_over_a_wrap() {
    let missing = [65_530, 65_535, 0, 10, 11, 26, 27, 28, 500];
    let bytes = written(|w| assert!(w.nack(1, 2, missing) && !w.nack(1, 2, [])));
    assert_eq!(bytes.len(), 12 + 4 * 4);
    let Some(Ok(Packet::Nack(nack))) = Compound::new(&bytes).next() else { panic!("{bytes:?}") };
    assert_eq!((nack.sender_ssrc, nack.media_ssrc), (1, 2));
    assert_eq!(nack.sequences().collect::<Vec<_>>(), missing);
}

#[test]
fn a_packet_that_does_not_fit_is_left_out_as_a_whole() {
    let mut buffer = [0; 30];
    let mut writer = CompoundWriter::new(&mut buffer);
    assert!(!writer.sender_report(&INFO, [block(1)]) && writer.is_empty());
    assert!(writer.pli(1, 2) && writer.pli(1, 3) && !writer.pli(1, 4));
    assert_eq!(writer.len(), 24);
    assert_eq!(Compound::new(&buffer[..24]).count(), 2);
}

#[test]
fn loss_that_24_bits_cannot_hold_is_clamped() {
    for (lost, told) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1), (5, 5)] {
        let bytes = written(|w| {
            assert!(w.receiver_report(1, [ReportBlock { cumulative_lost: lost, ..block(2) }]));
        });
        let Some(Ok(Packet::ReceiverReport(report))) = Compound::new(&bytes).next() else { panic!() };
        assert_eq!(report.blocks().map(|b| b.cumulative_lost).collect::<Vec<_>>(), [told]);
    }
}

#[test]
fn unknown_packets_are_skipped_padding_is_taken_off_and_malformed_ends_it() {
    let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
    let unknown = [0x85, 210, 0, 1, 1, 2, 3, 4];
    let padded = [0xa1, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4];
    let packets = |bytes: &[u8]| Compound::new(bytes).map(|p| p.map(drop)).collect::<Vec<_>>();
    let malformed = Err(DropReason::RtcpMalformed);
    assert_eq!(packets(&[&unknown[..], &padded, &pli].concat()), [Ok(()), Ok(())]);
    for bad in [
        &[0x81, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2][..],
        &[0x41, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2],
        &[0xa1, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0],
        &[0xa1, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 13],
        &[0x82, 201, 0, 1, 0, 0, 0, 1],
        &[0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2],
        &[0x81],
    ] {
        assert_eq!(packets(&[&pli[..], bad].concat()), [Ok(()), malformed], "{bad:?}");
    }
    assert_eq!(packets(&[]), []);
}

#[test]
fn random_and_truncated_compounds_never_panic() {
    let mut random = Random::new(0xbad);
    let (mut known, mut malformed) = (0_u32, 0_u32);
    for _ in 0..300_000 {
        let length = random.below(80) as usize;
        let mut bytes = random.bytes(length);
        let starts = [0x80 | random.below(64) as u8, 200 + random.below(8) as u8, 0, random.below(20) as u8];
        bytes.iter_mut().zip(starts).for_each(|(byte, start)| *byte = start);
        for packet in Compound::new(&bytes) {
            match packet {
                Ok(Packet::SenderReport(report)) => known += report.blocks().count() as u32,
                Ok(Packet::ReceiverReport(report)) => known += report.blocks().count() as u32,
                Ok(Packet::Bye(bye)) => known += bye.ssrcs().count() as u32,
                Ok(Packet::Nack(nack)) => known += nack.sequences().count() as u32,
                Ok(Packet::Fir(fir)) => known += fir.entries().count() as u32,
                Ok(Packet::TransportCc(feedback)) => {
                    assert_eq!(feedback.statuses().count(), usize::from(feedback.status_count));
                }
                Ok(Packet::Pli(_)) => known += 1,
                Err(reason) => {
                    assert_eq!(reason, DropReason::RtcpMalformed);
                    malformed += 1;
                }
            }
        }
    }
    assert!(known > 10_000 && malformed > 10_000, "{known} {malformed}");
}
