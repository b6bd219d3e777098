//! Packet for packet against somebody else's SRTP: what one seals the other opens, and the bytes are the same.

mod random;

use media_engine::transport::srtp::{OVERHEAD_BYTES_MAX, Profile, SrtpInbound, SrtpOutbound};
use random::Random;
use rtc_srtp::{context::Context, protection_profile::ProtectionProfile};

/// The other implementation's name of each profile.
const PROFILES: [(Profile, ProtectionProfile); 3] = [
    (Profile::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Profile::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
    (Profile::Aes128CmSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
];

struct Pairs {
    outbound: SrtpOutbound,
    inbound: SrtpInbound,
    their_outbound: Context,
    their_inbound: Context,
}

fn pairs(random: &mut Random, (profile, theirs): (Profile, ProtectionProfile)) -> Pairs {
    let (key, salt) = (random.bytes(profile.key_len()), random.bytes(profile.salt_len()));
    let provider = rtc_srtp::crypto::default_provider().unwrap();
    let context = || Context::new(&key, &salt, theirs, None, None, provider.crypto()).unwrap();
    Pairs {
        outbound: SrtpOutbound::new(profile, &key, &salt).unwrap(),
        inbound: SrtpInbound::new(profile, &key, &salt).unwrap(),
        their_outbound: context(),
        their_inbound: context(),
    }
}

fn with_room(plain: &[u8]) -> Vec<u8> {
    [plain, &[0; OVERHEAD_BYTES_MAX]].concat()
}

#[test]
fn rtp_is_the_same_both_ways_over_two_roll_overs() {
    let mut random = Random::new(0x5170);
    for profile in PROFILES {
        let mut pairs = pairs(&mut random, profile);
        let mut index = 30_000;
        while index < 2 << 16 | 1_000 {
            let plain = random.rtp(0xcafe, index as u16);
            let theirs = pairs.their_outbound.encrypt_rtp(&plain).unwrap();
            let mut ours = with_room(&plain);
            let length = pairs.outbound.seal_rtp(index, &mut ours, plain.len()).unwrap();
            assert_eq!(ours[..length], theirs, "{profile:?} sealed, index {index}");

            assert_eq!(pairs.their_inbound.decrypt_rtp(&ours[..length]).unwrap(), plain, "{profile:?}");
            let opened = pairs.inbound.open_rtp(&mut ours[..length]).unwrap();
            assert_eq!((opened.index, &ours[..opened.payload.end]), (index, &plain[..]), "{profile:?}");
            index += random.below(100) + 1;
        }
    }
}

#[test]
fn rtcp_is_the_same_both_ways() {
    let mut random = Random::new(0x5171);
    for profile in PROFILES {
        let mut pairs = pairs(&mut random, profile);
        // They begin to count at 1; RFC 3711 §3.4 says 0.
        let first = random.rtcp(0xcafe);
        assert!(pairs.outbound.seal_rtcp(&mut with_room(&first), first.len()).is_some());
        for _ in 0..500 {
            let plain = random.rtcp(0xcafe);
            let theirs = pairs.their_outbound.encrypt_rtcp(&plain).unwrap();
            let mut ours = with_room(&plain);
            let length = pairs.outbound.seal_rtcp(&mut ours, plain.len()).unwrap();
            assert_eq!(ours[..length], theirs, "{profile:?} sealed");

            assert_eq!(pairs.their_inbound.decrypt_rtcp(&ours[..length]).unwrap(), plain, "{profile:?}");
            assert_eq!(pairs.inbound.open_rtcp(&mut ours[..length]), Ok(plain.len()), "{profile:?}");
            assert_eq!(ours[..plain.len()], plain, "{profile:?} opened");
        }
    }
}
