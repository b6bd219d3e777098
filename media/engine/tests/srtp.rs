//! SRTP as it must behave towards a network: roll-over, replay, forgery, bounds, rubbish.

mod random;

use media_engine::{
    DropReason,
    transport::srtp::{OVERHEAD_BYTES_MAX, Profile, SrtpInbound, SrtpOutbound},
};
use media_model::limits::TRANSPORT_SSRCS_MAX;
use random::Random;

fn pair(profile: Profile) -> (SrtpOutbound, SrtpInbound) {
    let (key, salt) = (vec![7; profile.key_len()], vec![9; profile.salt_len()]);
    (SrtpOutbound::new(profile, &key, &salt).unwrap(), SrtpInbound::new(profile, &key, &salt).unwrap())
}

fn rtp(ssrc: u32, index: u64) -> Vec<u8> {
    let [.., s0, s1] = index.to_be_bytes();
    [&[0x80, 96, s0, s1, 0, 0, 0, 0][..], &ssrc.to_be_bytes(), b"payload"].concat()
}

fn sealed(outbound: &SrtpOutbound, ssrc: u32, index: u64) -> Vec<u8> {
    let mut packet = rtp(ssrc, index);
    let plain_len = packet.len();
    packet.resize(plain_len + outbound.profile().rtp_overhead(), 0);
    assert_eq!(outbound.seal_rtp(index, &mut packet, plain_len), Some(packet.len()));
    packet
}

fn sealed_rtcp(outbound: &mut SrtpOutbound, ssrc: u32) -> Vec<u8> {
    let mut packet = [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes()].concat();
    packet.resize(8 + outbound.profile().rtcp_overhead(), 0);
    assert_eq!(outbound.seal_rtcp(&mut packet, 8), Some(packet.len()));
    packet
}

/// RFC 3711 §3.3.1
#[test]
fn the_roll_over_counter_follows_the_sender_and_late_packets_keep_the_old_one() {
    for profile in Profile::PREFERENCE {
        let (outbound, mut inbound) = pair(profile);
        let around = |roll_over: u64| roll_over << 16;
        for index in
            [65_530, around(1) + 2, 65_535, around(1), 65_531, around(1) + 30_000, around(1) + 60_000]
                .into_iter()
                .chain([around(2) + 5, around(2) - 1, around(2)])
        {
            let mut packet = sealed(&outbound, 1, index);
            let opened = inbound.open_rtp(&mut packet).unwrap();
            assert_eq!(opened.index, index, "{profile:?}");
            assert_eq!(packet[..opened.payload.end], rtp(1, index), "{profile:?}");
            assert_eq!(&packet[opened.payload.clone()], b"payload");
        }
    }
}

#[test]
fn a_gap_of_more_than_half_the_numbers_right_after_the_start_is_no_step_before_the_start() {
    let (outbound, mut inbound) = pair(Profile::AeadAes128Gcm);
    for index in [10, 40_000, 65_536 + 3] {
        assert_eq!(inbound.open_rtp(&mut sealed(&outbound, 1, index)).map(|o| o.index), Ok(index));
    }
}

/// RFC 3711 §3.3.2
#[test]
fn nothing_is_opened_twice_and_nothing_from_before_the_window() {
    for profile in Profile::PREFERENCE {
        let (mut outbound, mut inbound) = pair(profile);
        for index in [5_000, 5_010, 5_005, 5_010 - 1_023] {
            assert!(inbound.open_rtp(&mut sealed(&outbound, 1, index)).is_ok());
            assert_eq!(inbound.open_rtp(&mut sealed(&outbound, 1, index)), Err(DropReason::RtpReplayed));
        }
        assert_eq!(inbound.open_rtp(&mut sealed(&outbound, 1, 5_010 - 1_024)), Err(DropReason::RtpReplayed));
        assert!(inbound.open_rtp(&mut sealed(&outbound, 2, 5_010)).is_ok(), "another stream");

        let first = sealed_rtcp(&mut outbound, 1);
        assert_eq!(inbound.open_rtcp(&mut first.clone()), Ok(8));
        assert_eq!(inbound.open_rtcp(&mut first.clone()), Err(DropReason::RtcpReplayed));
        for _ in 0..128 {
            assert_eq!(inbound.open_rtcp(&mut sealed_rtcp(&mut outbound, 1)), Ok(8));
        }
        assert_eq!(inbound.open_rtcp(&mut first.clone()), Err(DropReason::RtcpReplayed));
    }
}

#[test]
fn a_forged_packet_leaves_no_state() {
    for profile in Profile::PREFERENCE {
        let (mut outbound, mut inbound) = pair(profile);
        for ssrc in 0..100 {
            for flipped in [1, 11, 14, 18] {
                let mut packet = sealed(&outbound, ssrc, 7);
                packet[flipped] ^= 1;
                assert_eq!(inbound.open_rtp(&mut packet), Err(DropReason::RtpUnauthenticated));
            }
            let mut packet = sealed_rtcp(&mut outbound, ssrc);
            packet[10] ^= 1;
            assert_eq!(inbound.open_rtcp(&mut packet), Err(DropReason::RtcpUnauthenticated));
        }
        assert_eq!(inbound.ssrcs(), (0, 0));
        // A forged sequence number moves neither roll-over counter nor window of a stream that is known.
        assert!(inbound.open_rtp(&mut sealed(&outbound, 1, 7)).is_ok());
        let mut forged = sealed(&outbound, 1, 60_000);
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(inbound.open_rtp(&mut forged), Err(DropReason::RtpUnauthenticated));
        assert_eq!(inbound.open_rtp(&mut sealed(&outbound, 1, 8)).map(|o| o.index), Ok(8));
    }
}

#[test]
fn a_transport_has_only_so_many_ssrcs() {
    let (mut outbound, mut inbound) = pair(Profile::AeadAes128Gcm);
    for ssrc in 0..TRANSPORT_SSRCS_MAX as u32 {
        assert!(inbound.open_rtp(&mut sealed(&outbound, ssrc, 7)).is_ok());
        assert!(inbound.open_rtcp(&mut sealed_rtcp(&mut outbound, ssrc)).is_ok());
    }
    assert_eq!(inbound.open_rtp(&mut sealed(&outbound, 1_000, 7)), Err(DropReason::SsrcTooMany));
    assert_eq!(inbound.open_rtcp(&mut sealed_rtcp(&mut outbound, 1_000)), Err(DropReason::SsrcTooMany));
    assert!(inbound.open_rtp(&mut sealed(&outbound, 0, 8)).is_ok(), "those that are known go on");
    assert_eq!(inbound.ssrcs(), (TRANSPORT_SSRCS_MAX, TRANSPORT_SSRCS_MAX));
}

/// A PLI that nobody authenticated must not get through, whether its tag fits or not.
#[test]
fn rtcp_that_is_not_encrypted_is_refused() {
    for profile in Profile::PREFERENCE {
        let (_, mut inbound) = pair(profile);
        let tag_len = profile.rtp_overhead();
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        for index in 0_u32..4 {
            let (trailer, tag) = (index.to_be_bytes(), vec![0; tag_len]);
            let mut packet = match profile {
                Profile::Aes128CmSha1_80 => [&pli[..], &trailer, &tag].concat(),
                _ => [&pli[..], &tag, &trailer].concat(),
            };
            assert_eq!(inbound.open_rtcp(&mut packet), Err(DropReason::RtcpUnauthenticated));
        }
        assert_eq!(inbound.ssrcs(), (0, 0));
    }
}

#[test]
fn csrcs_and_extensions_stay_readable_and_are_authenticated() {
    let mut random = Random::new(1);
    for profile in Profile::PREFERENCE {
        let (outbound, mut inbound) = pair(profile);
        for index in 0..200 {
            let plain = random.rtp(1, index as u16);
            let mut packet = [&plain[..], &[0; OVERHEAD_BYTES_MAX]].concat();
            let length = outbound.seal_rtp(index, &mut packet, plain.len()).unwrap();
            packet.truncate(length);
            let mut forged = packet.clone();
            let opened = inbound.open_rtp(&mut packet).unwrap();
            let header_len = opened.header.header_len();
            assert_eq!((&forged[..header_len], &packet[..plain.len()]), (&plain[..header_len], &plain[..]));
            // Not its number, which would be a replay, nor what tells the header's length.
            forged[2..4].copy_from_slice(&(index as u16 + 300).to_be_bytes());
            assert_eq!(inbound.open_rtp(&mut forged), Err(DropReason::RtpUnauthenticated));
        }
    }
}

#[test]
fn random_and_truncated_packets_never_open_and_never_panic() {
    let mut random = Random::new(0xfeed);
    for profile in Profile::PREFERENCE {
        let (mut outbound, mut inbound) = pair(profile);
        for round in 0..20_000 {
            let length = random.below(90) as usize;
            let mut bytes = random.bytes(length);
            if let Some(first) = bytes.first_mut().filter(|_| round % 2 == 0) {
                *first = *first & 0x3f | 0x80;
            }
            assert!(inbound.open_rtp(&mut bytes.clone()).is_err());
            assert!(inbound.open_rtcp(&mut bytes.clone()).is_err());
            let plain_len = random.below(100) as usize;
            let room = length.checked_sub(profile.rtp_overhead());
            let fits = room.is_some_and(|room| plain_len <= room);
            assert!(fits || outbound.seal_rtp(0, &mut bytes.clone(), plain_len).is_none());
            assert!(fits || outbound.seal_rtcp(&mut bytes, plain_len).is_none());
        }
        let (rtp, rtcp) = (sealed(&outbound, 1, 7), sealed_rtcp(&mut outbound, 1));
        for cut in 0..rtp.len() {
            assert!(inbound.open_rtp(&mut rtp[..cut].to_vec()).is_err());
        }
        for cut in 0..rtcp.len() {
            assert!(inbound.open_rtcp(&mut rtcp[..cut].to_vec()).is_err());
        }
        assert_eq!(inbound.ssrcs(), (0, 0));
    }
}
