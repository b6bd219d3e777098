//! The conversation against texts as Janus 1.1.2 writes them.

use std::net::SocketAddrV4;

use super::*;
use crate::plan::IceCredentials;

const HOME: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(10, 77, 0, 1), 41938);
const FINGERPRINT: &str =
    "72:0C:CD:F8:A5:D5:DE:F1:BF:15:2C:F4:FF:A9:84:24:EB:F6:85:34:4C:94:51:04:20:A1:BB:99:3D:C6:13:70";

/// A description by Janus with an audio and a video line of each publisher.
fn sdp(direction: &str, publishers: u32) -> String {
    let mut sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=VideoRoom 1\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {FINGERPRINT}\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS *\r\na=ice-lite\r\n"
    );
    for line in 0..2 * publishers {
        let (media, format, ssrcs) = match line % 2 {
            0 => ("audio 9 UDP/TLS/RTP/SAVPF 111", "111 opus/48000/2", String::new()),
            _ => (
                "video 9 UDP/TLS/RTP/SAVPF 96 97",
                "96 VP8/90000",
                format!("a=ssrc:{} cname:janus\r\n", 900 + line),
            ),
        };
        sdp.push_str(&format!(
            "m={media}\r\nc=IN IP4 127.0.0.1\r\na={direction}\r\na=mid:{line}\r\na=rtcp-mux\r\na=ice-ufrag:YfaD\r\n\
             a=ice-pwd:DO9gVi3nmyWsTMn6A2x6m3\r\na=ice-options:trickle\r\na=setup:actpass\r\na=rtpmap:{format}\r\n\
             a=msid:janus janus{line}\r\na=ssrc:{} cname:janus\r\n{ssrcs}\
             a=candidate:1 1 udp 2015363327 10.77.0.1 41938 typ host\r\na=end-of-candidates\r\n",
            500 + line
        ));
    }
    sdp
}

fn near() -> Near {
    let ice = IceCredentials { ufrag: "ours".to_owned(), password: "0123456789012345678901".to_owned() };
    Near { ice, fingerprint: [0xAB; 32] }
}

fn seat() -> Seat {
    Seat {
        room: 1,
        number: 11,
        publishers: BTreeSet::from([12, 13]),
        uplink: near(),
        downlink: near(),
        tracks: vec![(Kind::Audio, 7), (Kind::Video, 8)],
    }
}

fn said(step: &Step) -> Value {
    let Step::Say(text) = step else { panic!("not a text: {step:?}") };
    serde_json::from_str(text).expect("JSON")
}

/// Hands a text over and takes the only thing that is said to it.
fn answer(dialogue: &mut Dialogue, message: Value) -> Value {
    let steps = dialogue.handle(&message.to_string()).expect("understood");
    let [step] = &steps[..] else { panic!("not one step: {steps:?}") };
    said(step)
}

fn event(data: Value) -> Value {
    json!({ "janus": "event", "sender": 2, "plugindata": { "plugin": "janus.plugin.videoroom", "data": data } })
}

/// As far as the publishing transport: what comes next are the others.
fn published(seat: Seat) -> Dialogue {
    let (mut dialogue, first) = Dialogue::begin(seat);
    assert_eq!(said(&first)["janus"], "create");
    let attach = answer(&mut dialogue, json!({ "janus": "success", "data": { "id": 1 } }));
    assert_eq!((&attach["janus"], &attach["session_id"]), (&json!("attach"), &json!(1)));
    let create = answer(&mut dialogue, json!({ "janus": "success", "data": { "id": 2 } }));
    assert_eq!((&create["body"]["request"], &create["handle_id"]), (&json!("create"), &json!(2)));
    assert_eq!(create["body"]["transport_wide_cc_ext"], false);
    let exists = json!({ "videoroom": "event", "error_code": 427, "error": "Room 1 already exists" });
    let join = answer(&mut dialogue, json!({ "janus": "success", "plugindata": { "data": exists } }));
    assert_eq!((&join["body"]["ptype"], &join["body"]["id"]), (&json!("publisher"), &json!(11)));
    let publish =
        answer(&mut dialogue, event(json!({ "videoroom": "joined", "publishers": [{ "id": 12 }] })));
    let offer = publish["jsep"]["sdp"].as_str().expect("an offer");
    assert!(offer.contains("a=ssrc:8 cname:") && offer.contains("a=setup:active"), "{offer}");
    let mut configured = event(json!({ "videoroom": "event", "configured": "ok" }));
    configured["jsep"] = json!({ "type": "answer", "sdp": sdp("recvonly", 1) });
    let steps = dialogue.handle(&configured.to_string()).expect("understood");
    let [Step::ConnectUplink(description)] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(description.far.address, HOME);
    assert_eq!(description.far.fingerprint[..3], [0x72, 0x0C, 0xCD]);
    dialogue
}

#[test]
fn a_participant_publishes_waits_for_the_others_and_receives_each_under_its_number() {
    let mut dialogue = published(seat());
    assert_eq!(dialogue.handle(r#"{"janus":"webrtcup","sender":2}"#).expect("understood"), []);
    let attach = answer(&mut dialogue, event(json!({ "videoroom": "event", "publishers": [{ "id": 13 }] })));
    assert_eq!(attach["janus"], "attach");
    let subscribe = answer(&mut dialogue, json!({ "janus": "success", "data": { "id": 3 } }));
    assert_eq!(subscribe["body"]["streams"], json!([{ "feed": 12 }, { "feed": 13 }]));
    let owner = |line: u64| json!({ "mid": line.to_string(), "feed_id": 12 + line / 2 });
    let streams: Vec<Value> = (0..4).map(owner).collect();
    let mut attached = event(json!({ "videoroom": "attached", "streams": streams }));
    attached["jsep"] = json!({ "type": "offer", "sdp": sdp("sendonly", 2) });
    let steps = dialogue.handle(&attached.to_string()).expect("understood");
    let [start, Step::ConnectDownlink(_, incoming)] = &steps[..] else { panic!("{steps:?}") };
    let answered = said(start)["jsep"]["sdp"].as_str().expect("an answer").to_owned();
    assert_eq!(answered.matches("a=recvonly").count(), 4, "{answered}");
    let came: Vec<(u64, Kind, u32)> = incoming.iter().map(|s| (s.number, s.kind, s.ssrc)).collect();
    let (audio, video) = (Kind::Audio, Kind::Video);
    assert_eq!(came, [(12, audio, 500), (12, video, 501), (13, audio, 502), (13, video, 503)]);
    let started = event(json!({ "videoroom": "event", "room": 1, "started": "ok" }));
    assert_eq!(dialogue.handle(&started.to_string()).expect("understood"), [Step::Subscribed]);
}

#[test]
fn who_receives_nobody_is_done_once_published() {
    let (mut dialogue, _) = Dialogue::begin(Seat { publishers: BTreeSet::new(), ..seat() });
    for id in [1, 2] {
        answer(&mut dialogue, json!({ "janus": "success", "data": { "id": id } }));
    }
    answer(
        &mut dialogue,
        json!({ "janus": "success", "plugindata": { "data": { "videoroom": "created" } } }),
    );
    answer(&mut dialogue, event(json!({ "videoroom": "joined" })));
    let mut configured = event(json!({ "videoroom": "event", "configured": "ok" }));
    configured["jsep"] = json!({ "type": "answer", "sdp": sdp("recvonly", 1) });
    let steps = dialogue.handle(&configured.to_string()).expect("understood");
    assert!(matches!(&steps[..], [Step::ConnectUplink(_), Step::Subscribed]), "{steps:?}");
}

#[test]
fn a_refusal_is_told_with_janus_own_words() {
    let mut dialogue = published(seat());
    let refusal = event(json!({ "videoroom": "event", "error_code": 428, "error": "No such feed (12)" }));
    let told = dialogue.handle(&refusal.to_string()).expect_err("refused").to_string();
    assert!(told.contains("428") && told.contains("No such feed"), "{told}");
    assert!(dialogue.handle("<html>").is_err(), "not JSON");
}

#[test]
fn a_description_without_a_candidate_is_refused_by_name() {
    let whole = sdp("recvonly", 1);
    let bare: String = whole
        .lines()
        .filter(|line| !line.starts_with("a=candidate"))
        .map(|line| format!("{line}\r\n"))
        .collect();
    assert!(description::read(&whole).is_ok());
    let told = description::read(&bare).expect_err("no candidate").to_string();
    assert!(told.contains("candidate"), "{told}");
}
