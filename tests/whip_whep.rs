//! WHIP publishes and WHEP receives, with the ticket as bearer token: RFC 9725, spoken by the `webrtc` crate.

mod support;

use std::collections::HashSet;

use serde_json::json;
use support::{
    control::{BackEnd, NURSE, PATIENT, PROVIDER, Person},
    eventually, http,
    node::Node,
    participant::Participant,
    peer::{Peer, Plan},
    signal::Signal,
    whip::{self, Session},
};

const CAMERA: Person = Person { role: "observer", id: "ehr-device-77", name: "Exam Testcamera" };

async fn consult() -> (Node, BackEnd, String) {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    (node, back_end, consult)
}

/// Waits until this peer has seen pictures and heard voices of exactly these publishers, from now on.
async fn expect_marks(peer: &Peer, wanted: &[u32]) {
    peer.take_arrivals();
    let wanted: HashSet<u32> = wanted.iter().copied().collect();
    eventually(&format!("media of {wanted:?}"), || {
        let arrivals = peer.arrivals();
        let heard = |is_video| -> HashSet<u32> {
            let of_kind = arrivals.iter().filter(|arrival| arrival.is_video == is_video);
            of_kind.filter_map(|arrival| arrival.mark).map(|mark| mark.publisher).collect()
        };
        heard(true) == wanted && heard(false) == wanted
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_publishes_and_a_monitor_receives_everyone_else_latecomers_included() {
    let (node, back_end, consult) = consult().await;
    let address = node.address();
    let patient = back_end.ticket(&consult, PATIENT).await;
    let mut patient = Participant::join(address, &patient.token, Plan::publisher(1, 3)).await;

    let device = back_end.ticket(&consult, CAMERA).await;
    let camera = Session::publish(address, &device.token, 2).await;
    assert!(camera.location.starts_with("/v1/whip/"), "{}", camera.location);
    let monitor = Session::watch(address, &device.token, 3).await;
    assert!(monitor.location.starts_with("/v1/whep/"), "{}", monitor.location);
    expect_marks(&patient.peer, &[2]).await;
    expect_marks(&monitor.peer, &[1]).await;

    let latecomer = back_end.ticket(&consult, PROVIDER).await;
    let latecomer = Participant::join(address, &latecomer.token, Plan::publisher(3, 3)).await;
    expect_marks(&monitor.peer, &[1, 3]).await;
    expect_marks(&latecomer.peer, &[1, 2]).await;
    assert!(camera.peer.keyframes_asked() > 0, "a latecomer needs a key frame");

    assert_eq!(camera.request("DELETE", &[], "").await.status, 200);
    patient.expect_publishers(&[latecomer.number]).await;
    assert_eq!(camera.request("DELETE", &[], "").await.problem(), (404, "not_found".into()));
    expect_marks(&monitor.peer, &[1, 3]).await;
    assert_eq!(monitor.request("DELETE", &[], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whip_and_one_whep_share_a_ticket_and_nobody_else_does() {
    let (node, back_end, consult) = consult().await;
    let address = node.address();
    let ticket = back_end.ticket(&consult, CAMERA).await;
    let camera = Session::publish(address, &ticket.token, 1).await;
    let _monitor = Session::watch(address, &ticket.token, 1).await;
    let third = Peer::new(&Plan::publisher(2, 0)).await.offer().await;
    for path in ["/v1/whip", "/v1/whep"] {
        let refused = whip::post(address, path, &ticket.token, &third).await;
        assert_eq!(refused.problem(), (409, "ticket_in_use".into()), "{path}");
    }
    let mut signal = Signal::open(address).await;
    signal.hello(&ticket.token).await;
    assert_eq!(signal.expect_fatal().await, ("ticket_in_use".into(), 4409));

    // A session that is over gives its half of the ticket back: an encoder that restarts must come in again.
    assert_eq!(camera.request("DELETE", &[], "").await.status, 200);
    Session::publish(address, &ticket.token, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_refused_as_documented() {
    let (node, back_end, consult) = consult().await;
    let address = node.address();
    let ticket = back_end.ticket(&consult, CAMERA).await;
    let bearer = format!("Bearer {}", ticket.token);
    let offer = Peer::new(&Plan::publisher(1, 0)).await.offer().await;
    for path in ["/v1/whip", "/v1/whep"] {
        let json = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        let answer = http::request(address, "POST", path, &json, &offer).await;
        assert_eq!(answer.problem(), (415, "content_type_unsupported".into()));
        let html = [json[0], ("Content-Type", whip::SDP), ("Accept", "text/html")];
        let answer = http::request(address, "POST", path, &html, &offer).await;
        assert_eq!(answer.problem(), (406, "not_acceptable".into()));
        for bad in ["", "hello", "v=0\r\n", &offer.replace("a=fingerprint", "a=thumbprint")] {
            let answer = whip::post(address, path, &ticket.token, bad).await;
            assert_eq!(answer.problem(), (422, "offer_invalid".into()), "{path}: {bad}");
        }
        let answer = whip::post(address, path, "not-a-ticket", &offer).await;
        assert_eq!(answer.problem(), (401, "ticket_invalid".into()));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        let answer = http::request(address, "POST", path, &[("Content-Type", whip::SDP)], &offer).await;
        assert_eq!(answer.problem(), (401, "ticket_invalid".into()));
    }
    let guarded = back_end.consult_with(&json!({ "waiting_room": true })).await;
    let waits = back_end.ticket(&guarded, CAMERA).await;
    let answer = whip::post(address, "/v1/whip", &waits.token, &offer).await;
    assert_eq!(answer.problem(), (403, "forbidden".into()), "there is no waiting room over HTTP");

    // None of that used the ticket up.
    let camera = Session::publish(address, &ticket.token, 1).await;
    let other = back_end.ticket(&consult, NURSE).await;
    let stranger = format!("Bearer {}", other.token);
    let answer =
        http::request(address, "DELETE", &camera.location, &[("Authorization", &stranger)], "").await;
    assert_eq!(answer.problem(), (401, "ticket_invalid".into()), "somebody else's session");
}

#[tokio::test(flavor = "multi_thread")]
async fn options_say_what_may_be_sent() {
    let (node, ..) = consult().await;
    for path in ["/v1/whip", "/v1/whep"] {
        let answer = http::request(node.address(), "OPTIONS", path, &[], "").await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("accept-post"), Some(whip::SDP), "RFC 9725 §4.2");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ice_restarts_by_patch_and_media_goes_on() {
    let (node, back_end, consult) = consult().await;
    let address = node.address();
    let ticket = back_end.ticket(&consult, CAMERA).await;
    let mut camera = Session::publish(address, &ticket.token, 1).await;
    let ticket = back_end.ticket(&consult, NURSE).await;
    let monitor = Session::watch(address, &ticket.token, 1).await;
    expect_marks(&monitor.peer, &[1]).await;

    let trickle =
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n";
    let etag = camera.etag.clone();
    assert_eq!(camera.patch(Some(&etag), trickle).await.status, 204);
    assert_eq!(camera.patch(None, trickle).await.problem(), (428, "if_match_missing".into()));
    assert_eq!(camera.patch(Some("\"other\""), trickle).await.problem(), (412, "if_match_failed".into()));
    assert_eq!(camera.patch(Some("*"), "nonsense").await.problem(), (422, "fragment_invalid".into()));
    let unsupported = camera.request("PATCH", &[("Content-Type", whip::SDP)], trickle).await;
    assert_eq!(unsupported.problem(), (415, "content_type_unsupported".into()));

    camera.peer.restart_ice().await;
    let offer = camera.peer.offer().await;
    let (ufrag, password) = (whip::attribute(&offer, "ice-ufrag"), whip::attribute(&offer, "ice-pwd"));
    assert!(ufrag.len() >= 4 && password.len() >= 22, "{offer}");
    let fragment = format!("a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n");
    let restarted = camera.patch(Some("*"), &fragment).await;
    assert_eq!(restarted.status, 200, "{restarted:?}");
    assert_eq!(restarted.header("content-type"), Some(whip::FRAGMENT));
    assert!(restarted.header("etag").is_some_and(|etag| etag != camera.etag), "RFC 9725 §4.3.3");
    let ours = whip::attribute(&restarted.body, "ice-ufrag");
    assert_ne!(ours, whip::attribute(&camera.answer, "ice-ufrag"));
    let answer = whip::with_credentials(&camera.answer, ours, whip::attribute(&restarted.body, "ice-pwd"));
    camera.peer.accept(&answer).await;
    camera.peer.connected().await;
    expect_marks(&monitor.peer, &[1]).await;
    assert_eq!(camera.patch(Some(&etag), trickle).await.problem(), (412, "if_match_failed".into()));
}
