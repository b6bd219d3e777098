//! Offers that are wrong, and offers that are strange but right.

mod sdp_common;

use sdp_common::{Seeded, consult, fixture, negotiate};
use signaling::sdp::{SdpError, whep_offer, whip_offer};
use signaling_protocol::{
    client::Offer,
    limits::{SDP_BYTES_MAX, SLOTS_MAX},
};

/// A recorded offer with one text replaced by another everywhere.
fn changed(from: &str, to: &str) -> Offer {
    let mut offer = consult("chromium", "consult", 3);
    assert!(offer.sdp.contains(from), "{from}");
    offer.sdp = offer.sdp.replace(from, to);
    offer
}

fn refusal(offer: &Offer) -> Option<SdpError> {
    negotiate(offer).err()
}

#[test]
fn each_wrong_offer_has_its_own_reason() {
    let cases = [
        ("v=0", "v=x", SdpError::NotSdp),
        ("a=group:BUNDLE", "a=group:LS", SdpError::BundleRequired),
        ("a=group:BUNDLE 0 1", "a=group:BUNDLE 0", SdpError::BundleRequired),
        ("a=rtcp-mux\r\n", "", SdpError::RtcpMuxRequired),
        ("a=mid:3\r\n", "a=mid:2\r\n", SdpError::MidInvalid),
        ("a=mid:3\r\n", "", SdpError::MidInvalid),
        ("a=ice-ufrag:", "a=x-ufrag:", SdpError::IceCredentialsInvalid),
        ("a=ice-pwd:", "a=ice-pwd:!", SdpError::IceCredentialsInvalid),
        ("a=fingerprint:sha-256 ", "a=fingerprint:sha-1 ", SdpError::FingerprintMissing),
        ("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 0", SdpError::FingerprintMissing),
        ("a=setup:actpass", "a=setup:passive", SdpError::SetupUnsupported),
        ("a=setup:actpass", "a=setup:holdconn", SdpError::SetupUnsupported),
        ("a=setup:actpass\r\n", "", SdpError::SetupUnsupported),
        ("a=sendonly", "a=recvonly", SdpError::TracksMismatch),
        ("a=recvonly", "a=sendonly", SdpError::SlotsMismatch),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP", SdpError::NothingAccepted),
    ];
    for (from, to, reason) in cases {
        assert_eq!(refusal(&changed(from, to)), Some(reason), "{from} as {to}");
    }
    assert_eq!(refusal(&changed("a=setup:actpass", "a=setup:active")), None);
}

#[test]
fn lists_that_do_not_match_the_lines_are_refused() {
    let change = |change: fn(&mut Offer)| {
        let mut offer = consult("chromium", "consult", 3);
        change(&mut offer);
        refusal(&offer)
    };
    assert_eq!(change(|offer| offer.tracks[0].mid = "99".into()), Some(SdpError::TracksMismatch));
    assert_eq!(change(|offer| offer.tracks[0].mid = "1".into()), Some(SdpError::TracksMismatch));
    assert_eq!(
        change(|offer| offer.tracks[2].source = offer.tracks[1].source),
        Some(SdpError::TracksMismatch)
    );
    assert_eq!(change(|offer| offer.slots[0].mid = "no token".into()), Some(SdpError::SlotsMismatch));
    assert_eq!(change(|offer| offer.slots[0].mid = "0".into()), Some(SdpError::SlotsMismatch));
    assert_eq!(change(|offer| offer.slots[2].index = 0), Some(SdpError::SlotsMismatch));
    assert_eq!(change(|offer| offer.slots[0].index = SLOTS_MAX.camera), Some(SdpError::SlotsMismatch));
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let long = changed("s=-", &format!("s={}", "x".repeat(SDP_BYTES_MAX)));
    assert_eq!(refusal(&long), Some(SdpError::TooLarge));
    let line = "m=audio 0 UDP/TLS/RTP/SAVPF 0\r\n";
    let sdp = format!("{}{}", fixture("chromium-whip"), line.repeat(79));
    assert_eq!(whip_offer(sdp).err(), Some(SdpError::TooLarge));
    let sdp = fixture("chromium-whip") + &"a=x\r\n".repeat(3_000);
    assert_eq!(whip_offer(sdp).err(), Some(SdpError::TooLarge));
}

#[test]
fn a_stopped_line_is_answered_with_port_0_and_a_bundle_only_line_lives() {
    let bundle_only = changed("m=video 9 ", "m=video 0 ");
    let stopped = negotiate(&bundle_only).unwrap();
    assert_eq!(stopped.answer.matches("m=video 0 ").count(), 6);
    assert_eq!(stopped.media.slots.len(), 4);
    assert!(stopped.answer.contains("a=group:BUNDLE 0 3 4 6 8 10\r\n"));
    let sdp = bundle_only.sdp.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=bundle-only\r\n");
    let alive = negotiate(&Offer { sdp, ..bundle_only }).unwrap();
    assert_eq!(alive.media.slots.len(), 8);
    assert!(!alive.answer.contains("m=video 0 "));
}

#[test]
fn a_line_that_rests_is_answered_inactive_and_carries_nothing() {
    let mut offer = changed("a=sendonly", "a=inactive");
    let agreed = negotiate(&offer).unwrap();
    assert!(agreed.media.tracks.is_empty());
    assert_eq!(agreed.answer.matches("a=inactive\r\n").count(), 4);
    offer.slots.clear();
    assert_eq!(negotiate(&offer).unwrap().answer.matches("a=inactive\r\n").count(), 12);
}

#[test]
fn feedback_without_a_format_or_for_all_formats_does_no_harm() {
    let offer = changed(
        "a=rtcp-fb:96 nack\r\n",
        "a=rtcp-fb:126 nack\r\na=rtcp-fb: nack\r\na=rtcp-fb nack\r\na=rtcp-fb:* nack\r\n",
    );
    let agreed = negotiate(&offer).unwrap();
    assert!(agreed.media.tracks[1].codecs.iter().all(|format| format.feedback.nack));
    assert!(!agreed.answer.contains("a=rtcp-fb:*") && !agreed.answer.contains("a=rtcp-fb:126"));
}

#[test]
fn a_video_line_without_any_served_format_is_refused_alone() {
    let sdp = fixture("firefox-whip").replace("VP8/", "H263/").replace("VP9/", "H265/").replace("AV1/", "X/");
    let agreed = negotiate(&whip_offer(sdp).unwrap()).unwrap();
    assert_eq!(agreed.media.tracks.len(), 1);
    assert!(agreed.answer.contains("m=video 0 "));
}

#[test]
fn a_refusal_says_nothing_of_the_offer() {
    for from in ["a=ice-pwd:", "a=mid:3\r\n", "v=0"] {
        let reason = refusal(&changed(from, "secret")).unwrap();
        assert!(!format!("{reason} {reason:?}").contains("secret"));
    }
}

#[test]
fn truncated_and_mutated_offers_never_panic() {
    const SEED: u64 = 20_261;
    const CHARACTERS: &[u8] = b"\r\n:= /;,*0129azAZ\xff\0-";
    println!("seed {SEED}");
    let mut random = Seeded(SEED);
    let mut answered = 0;
    for name in ["chromium-whip", "firefox-whip", "chromium-simulcast", "safari-sendrecv"] {
        let whole = fixture(name);
        for round in 0..1_500 {
            let mut bytes = whole.clone().into_bytes();
            match round % 3 {
                0 => bytes.truncate(random.below(whole.len())),
                1 => (0..1 + random.below(8)).for_each(|_| {
                    let at = random.below(bytes.len());
                    bytes[at] = CHARACTERS[random.below(CHARACTERS.len())];
                }),
                _ => {
                    let (from, to, length) =
                        (random.below(bytes.len()), random.below(bytes.len()), random.below(400));
                    let piece = bytes[from..(from + length).min(bytes.len())].to_vec();
                    bytes.splice(to..to, piece);
                }
            }
            let sdp = String::from_utf8_lossy(&bytes).into_owned();
            for offer in [whip_offer(sdp.clone()), whep_offer(sdp)].into_iter().flatten() {
                answered += usize::from(negotiate(&offer).is_ok());
            }
        }
    }
    assert!(answered > 100, "mutations left {answered} offers whole: they test nothing");
}
