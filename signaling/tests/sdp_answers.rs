//! Recorded offers of real browsers, and what is answered.
//!
//! `chromium-*`: Chromium 156, `firefox-*`: Firefox 153; both took the answers. `safari-*` is from public test data
//! (rtc-sdp 0.21.1) and has not been tried against a Safari.

mod sdp_common;

use std::collections::HashSet;

use media_engine::api::{ExtensionIds, Feedback};
use media_model::{Codec, MediaKind, SlotPool, Source};
use sdp_common::{consult, fixture, lines, negotiate, negotiate_again, with_decodable};
use signaling::sdp::{SdpError, whep_offer, whip_offer};

const H264_CONSTRAINED_BASELINE: Codec = Codec::H264 { packetization_mode: 1, profile: 0x42e0 };

#[test]
fn browsers_offers_become_four_tracks_and_eight_slots() {
    for browser in ["chromium", "firefox"] {
        let agreed = negotiate(&consult(browser, "consult", 3)).unwrap();
        let sources: Vec<Source> = agreed.media.tracks.iter().map(|track| track.source).collect();
        assert_eq!(sources, Source::ALL, "{browser}");
        assert_eq!(agreed.media.slots.len(), 8, "{browser}");
        for (place, slot) in agreed.media.slots.iter().enumerate() {
            let (pool, index) = if place < 6 { (SlotPool::Camera, place / 2) } else { (SlotPool::Screen, 0) };
            let kind = if place % 2 == 0 { MediaKind::Audio } else { MediaKind::Video };
            assert_eq!(
                (slot.slot.pool, usize::from(slot.slot.index), slot.kind),
                (pool, index, kind),
                "{browser}"
            );
        }
        let directions: Vec<&str> = agreed
            .answer
            .lines()
            .filter(|l| l.starts_with("a=recvonly") || l.starts_with("a=sendonly"))
            .collect();
        assert_eq!(directions, [vec!["a=recvonly"; 4], vec!["a=sendonly"; 8]].concat(), "{browser}");
    }
}

#[test]
fn every_ssrc_of_the_server_is_its_own() {
    let agreed = negotiate(&consult("chromium", "consult", 3)).unwrap();
    let ssrcs: HashSet<u32> = agreed.media.slots.iter().flat_map(|slot| [slot.ssrc, slot.rtx_ssrc]).collect();
    assert_eq!(ssrcs.len(), 16);
    assert!(!ssrcs.contains(&0));
}

#[test]
fn payload_types_are_the_clients_and_only_served_formats_are_answered() {
    let chromium = negotiate(&consult("chromium", "consult", 3)).unwrap();
    let firefox = negotiate(&consult("firefox", "consult", 3)).unwrap();
    let first = |agreed: &signaling::sdp::Negotiated| agreed.media.tracks[1].codecs[0];
    assert_eq!((first(&chromium).payload_type, first(&chromium).codec), (96, Codec::Vp8));
    assert_eq!((first(&firefox).payload_type, first(&firefox).codec), (120, Codec::Vp8));
    assert_eq!((first(&chromium).rtx_payload_type, first(&firefox).rtx_payload_type), (Some(97), Some(124)));
    let all = Feedback { nack: true, pli: true, fir: true, transport_cc: true };
    assert_eq!(first(&chromium).feedback, all);
    assert!(chromium.decodes().contains(&H264_CONSTRAINED_BASELINE));
    let answers = [chromium.answer, firefox.answer].concat();
    let never = [
        "red/",
        "ulpfec",
        "flexfec",
        "telephone-event",
        "CN/",
        "PCMU",
        "G722",
        "goog-remb",
        "rrtr",
        "stereo",
        "a=rid",
        "simulcast",
    ];
    for unserved in never {
        assert!(!answers.contains(unserved), "{unserved}");
    }
}

#[test]
fn transport_feedback_is_agreed_only_where_the_client_sends() {
    for browser in ["chromium", "firefox"] {
        let agreed = negotiate(&consult(browser, "consult", 3)).unwrap();
        let all = |codecs: &[media_engine::api::CodecParams], wanted| {
            codecs.iter().all(|c| c.feedback.transport_cc == wanted)
        };
        assert!(agreed.media.tracks.iter().all(|track| all(&track.codecs, true)), "{browser}");
        assert!(agreed.media.slots.iter().all(|slot| all(&slot.codecs, false)), "{browser}");
        assert_eq!(agreed.answer.matches("transport-wide-cc-extensions").count(), 4, "{browser}");
    }
}

#[test]
fn the_mid_travels_only_where_the_client_sends() {
    for browser in ["chromium", "firefox"] {
        let agreed = negotiate(&consult(browser, "consult", 3)).unwrap();
        assert_eq!(agreed.answer.matches("hdrext:sdes:mid").count(), agreed.media.tracks.len(), "{browser}");
    }
}

#[test]
fn header_extensions_have_one_mapping() {
    let chromium = negotiate(&consult("chromium", "consult", 3)).unwrap().media.extensions;
    let ids =
        ExtensionIds { mid: Some(4), audio_level: Some(1), transport_cc: Some(3), orientation: Some(13) };
    assert_eq!(chromium, ids);
    let firefox = negotiate(&consult("firefox", "consult", 3)).unwrap().media.extensions;
    let ids = ExtensionIds { mid: Some(3), audio_level: Some(1), transport_cc: Some(7), orientation: None };
    assert_eq!(firefox, ids);
}

#[test]
fn both_halves_of_a_slot_pair_have_one_stream() {
    let answer = negotiate(&consult("firefox", "consult", 3)).unwrap().answer;
    for (stream, kinds) in [
        ("slot-camera-2", ["audio-camera-2", "video-camera-2"]),
        ("slot-screen-0", ["audio-screen-0", "video-screen-0"]),
    ] {
        for track in kinds {
            assert!(answer.contains(&format!("a=msid:{stream} {track}\r\n")), "{track}");
        }
    }
    assert_eq!(
        answer.matches("a=ssrc-group:FID ").count(),
        4,
        "video slots have retransmissions, audio slots none"
    );
}

#[test]
fn another_offer_keeps_what_there_was_and_adds_slots() {
    for browser in ["chromium", "firefox"] {
        let first = negotiate(&consult(browser, "consult", 3)).unwrap();
        let second = negotiate_again(&consult(browser, "consult-more-slots", 5), &first).unwrap();
        assert!(!second.ice_restarted, "{browser}");
        assert_eq!(second.ice_local, first.ice_local, "{browser}");
        let ssrcs = |agreed: &signaling::sdp::Negotiated| {
            agreed.media.slots.iter().map(|slot| (slot.mid, slot.ssrc, slot.rtx_ssrc)).collect::<Vec<_>>()
        };
        assert_eq!(ssrcs(&second)[..8], ssrcs(&first), "{browser}");
        assert_eq!(second.media.slots.len(), 12, "{browser}");
        assert_eq!(second.media.cname, first.media.cname, "{browser}");
        let origin = |answer: &str| answer.lines().nth(1).unwrap().to_owned();
        assert_eq!(origin(&second.answer), origin(&first.answer).replace(" 1 IN", " 2 IN"), "{browser}");
    }
}

#[test]
fn an_ice_restart_brings_new_credentials_on_both_sides() {
    for browser in ["chromium", "firefox"] {
        let first = negotiate(&consult(browser, "consult-more-slots", 5)).unwrap();
        let second = negotiate_again(&consult(browser, "consult-ice-restart", 5), &first).unwrap();
        assert!(second.ice_restarted, "{browser}");
        assert_ne!(second.ice_local, first.ice_local, "{browser}");
        assert_ne!(second.ice_remote, first.ice_remote, "{browser}");
        assert_eq!(second.fingerprint, first.fingerprint, "{browser}");
    }
}

#[test]
fn another_certificate_is_no_continuation() {
    let first = negotiate(&consult("chromium", "consult", 3)).unwrap();
    let other = consult("firefox", "consult", 3);
    assert_eq!(negotiate_again(&other, &first).map(|_| ()), Err(SdpError::FingerprintChanged));
}

#[test]
fn a_new_connection_with_a_certificate_that_was_kept_is_no_continuation() {
    let first = negotiate(&consult("chromium", "consult", 3)).unwrap();
    let mut other = consult("chromium", "consult", 3);
    let origin = other.sdp.lines().nth(1).unwrap().to_owned();
    other.sdp = other.sdp.replace(&origin, "o=- 4711 2 IN IP4 127.0.0.1");
    assert_eq!(negotiate_again(&other, &first).map(|_| ()), Err(SdpError::SessionChanged));
}

#[test]
fn whip_takes_the_first_of_each_kind_and_leaves_out_the_data_channel() {
    for (name, rejected) in [("whip", 0), ("sendrecv-data", 1), ("simulcast", 0)] {
        for browser in ["chromium", "firefox"] {
            let offer = whip_offer(fixture(&format!("{browser}-{name}"))).unwrap();
            let agreed = negotiate(&offer).unwrap();
            let sources: Vec<Source> = agreed.media.tracks.iter().map(|track| track.source).collect();
            assert_eq!(sources, [Source::Microphone, Source::Camera], "{browser} {name}");
            assert_eq!(agreed.answer.matches("a=recvonly").count(), 2, "{browser} {name}");
            assert_eq!(agreed.answer.matches("m=application 0 ").count(), rejected, "{browser} {name}");
            assert_eq!(lines(&agreed.answer), lines(&offer.sdp), "{browser} {name}");
        }
    }
}

#[test]
fn announced_ssrcs_are_known_and_others_left_to_the_mid() {
    let of = |name: &str| {
        let agreed = negotiate(&whip_offer(fixture(name)).unwrap()).unwrap();
        (
            agreed.media.tracks[0].ssrc.is_some(),
            agreed.media.tracks[1].ssrc.zip(agreed.media.tracks[1].rtx_ssrc).is_some(),
        )
    };
    assert_eq!(of("firefox-whip"), (true, true));
    assert_eq!(of("chromium-whip"), (true, true));
    assert_eq!(of("chromium-simulcast"), (true, false));
}

#[test]
fn whep_lines_are_slot_pairs_by_order() {
    for browser in ["chromium", "firefox"] {
        let agreed = negotiate(&whep_offer(fixture(&format!("{browser}-whep"))).unwrap()).unwrap();
        let slots: Vec<_> = agreed.media.slots.iter().map(|slot| (slot.slot.index, slot.kind)).collect();
        let (audio, video) = (MediaKind::Audio, MediaKind::Video);
        assert_eq!(slots, [(0, audio), (0, video), (1, audio), (1, video)], "{browser}");
        assert!(agreed.media.tracks.is_empty(), "{browser}");
    }
}

#[test]
fn a_whep_picture_without_a_sound_to_pair_with_is_for_a_screen() {
    let offer = fixture("chromium-whep");
    let (before, second_sound) = offer.split_at(offer.rfind("m=audio").expect("two sounds"));
    let offer = before.to_owned() + &second_sound.replacen("a=recvonly", "a=inactive", 1);
    let agreed = negotiate(&whep_offer(offer).unwrap()).unwrap();
    let slots: Vec<_> = agreed.media.slots.iter().map(|slot| (slot.slot.pool, slot.kind)).collect();
    let (audio, video) = (MediaKind::Audio, MediaKind::Video);
    assert_eq!(slots, [(SlotPool::Camera, audio), (SlotPool::Camera, video), (SlotPool::Screen, video)]);
}

#[test]
fn safari_untested() {
    let agreed = negotiate(&whip_offer(fixture("safari-sendrecv")).unwrap()).unwrap();
    assert_eq!(agreed.media.tracks.len(), 2);
    assert!(agreed.media.tracks[1].codecs.iter().any(|format| format.codec == H264_CONSTRAINED_BASELINE));
    assert_eq!(agreed.answer.matches("m=application 0 ").count(), 1);
}

#[test]
fn published_formats_are_what_everyone_decodes_else_vp8() {
    let offer = consult("chromium", "consult", 3);
    let codecs = |decodable: &[Codec]| -> Vec<Codec> {
        let agreed = with_decodable(&offer, &decodable.iter().copied().collect()).unwrap();
        assert_eq!(agreed.media.tracks[0].codecs[0].codec, Codec::Opus);
        assert!(agreed.media.slots[1].codecs.len() > 5, "what the client decodes is not narrowed");
        agreed.media.tracks[1].codecs.iter().map(|format| format.codec).collect()
    };
    let vp9 = Codec::Vp9 { profile: 0 };
    assert_eq!(
        codecs(&[vp9, H264_CONSTRAINED_BASELINE]),
        [H264_CONSTRAINED_BASELINE, vp9],
        "the client's order"
    );
    assert_eq!(codecs(&[Codec::Av1 { profile: 1 }]), [Codec::Vp8]);
}

#[test]
fn the_answers_transport_is_ice_lite_passive_and_complete() {
    let answer = negotiate(&consult("chromium", "consult", 3)).unwrap().answer;
    for once in [
        "a=ice-lite",
        "a=end-of-candidates",
        "a=group:BUNDLE 0 1 2 3 4 5 6 7 8 9 10 11",
        "a=extmap-allow-mixed",
    ] {
        assert_eq!(answer.matches(&format!("{once}\r\n")).count(), 1, "{once}");
    }
    assert!(answer.contains("a=candidate:1 1 udp 2130706431 192.0.2.1 3478 typ host\r\n"));
    assert!(answer.contains("a=candidate:2 1 udp 2130706175 2001:db8::1 3478 typ host\r\n"));
    assert_eq!(answer.matches("a=setup:passive\r\n").count(), 12);
}
