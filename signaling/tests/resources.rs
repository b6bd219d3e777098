//! WHIP (RFC 9725) and WHEP over real HTTP.

mod common;

use common::{Node, sdp, transport};
use media_engine::api::{Event, LeaveReason};
use media_model::Role;

const SDP: (&str, &str) = ("content-type", "application/sdp");
const FRAGMENT: (&str, &str) = ("content-type", "application/trickle-ice-sdpfrag");
const RESTART: &str = "a=ice-ufrag:wxyz\r\na=ice-pwd:abcdefghijklmnopqrstuvwxyz\r\n";

fn header<'a>(response: &'a str, name: &str) -> &'a str {
    let line = response.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
    line.and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
}

fn status(response: &str) -> &str {
    response.get(9..12).unwrap_or_default()
}

#[tokio::test]
async fn a_camera_publishes_by_whip_until_it_deletes_its_session() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", node.ticket("exam-camera", Role::Observer));
    let auth = ("authorization", bearer.as_str());
    let created = node.http("POST", "/v1/whip", &[SDP, auth], &sdp(1, "sendonly")).await;
    assert_eq!(status(&created), "201", "{created}");
    assert_eq!(header(&created, "content-type"), "application/sdp");
    assert!(created.contains("a=recvonly") && created.contains("a=candidate:"), "{created}");
    let location = header(&created, "location").to_owned();
    assert!(location.starts_with("/v1/whip/") && header(&created, "etag").starts_with('"'));
    let again = node.http("POST", "/v1/whip", &[SDP, auth], &sdp(1, "sendonly")).await;
    assert_eq!(status(&again), "409", "one WHIP a ticket at a time");
    let watched = node.http("POST", "/v1/whep", &[SDP, auth], &sdp(2, "recvonly")).await;
    assert_eq!(status(&watched), "201", "one WHEP may share it: {watched}");
    let other = format!("Bearer {}", node.ticket("other", Role::Observer));
    let foreign = node.http("DELETE", &location, &[("authorization", &other)], "").await;
    assert_eq!(status(&foreign), "401");
    assert_eq!(status(&node.http("DELETE", &location, &[auth], "").await), "200");
    assert_eq!(status(&node.http("DELETE", &location, &[auth], "").await), "404");
    let expected = ["join 0 as 1 admitted true", "join 1 as 1 admitted true", "leave 0"];
    assert_eq!(node.media.commands(), expected);
    assert_eq!(node.signaling.headcount().participants, 1, "its WHEP is still there");
    node.media.says(Event::Left(transport(1), LeaveReason::ConsentExpired)).await;
    node.until("it is gone", |node| node.signaling.headcount().participants == 0).await;
    let back = node.http("POST", "/v1/whip", &[SDP, auth], &sdp(1, "sendonly")).await;
    assert_eq!(status(&back), "201", "an encoder comes back with its bearer token");
}

#[tokio::test]
async fn candidates_are_accepted_and_ice_restarts_under_their_preconditions() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", node.ticket("camera", Role::Observer));
    let auth = ("authorization", bearer.as_str());
    let created = node.http("POST", "/v1/whip", &[SDP, auth], &sdp(1, "sendonly")).await;
    let (location, etag) = (header(&created, "location").to_owned(), header(&created, "etag").to_owned());
    let patch = async |headers: &[(&str, &str)], body: &str| {
        node.http("PATCH", &location, &[headers, &[auth]].concat(), body).await
    };
    let candidate = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\na=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n";
    assert_eq!(status(&patch(&[FRAGMENT], candidate).await), "428");
    assert_eq!(status(&patch(&[FRAGMENT, ("if-match", "\"old\"")], candidate).await), "412");
    assert_eq!(status(&patch(&[SDP, ("if-match", &etag)], candidate).await), "415");
    assert_eq!(status(&patch(&[FRAGMENT, ("if-match", &etag)], "rubbish").await), "422");
    assert_eq!(status(&patch(&[FRAGMENT, ("if-match", &etag)], candidate).await), "204");
    for any in ["*", "\"*\""] {
        assert_eq!(status(&patch(&[FRAGMENT, ("if-match", any)], candidate).await), "422", "no credentials");
    }
    let restarted = patch(&[FRAGMENT, ("if-match", "*")], RESTART).await;
    assert_eq!(status(&restarted), "200", "{restarted}");
    assert!(restarted.contains("a=ice-ufrag:") && restarted.contains("a=candidate:"), "{restarted}");
    assert_ne!(header(&restarted, "etag"), etag);
    assert_eq!(status(&patch(&[FRAGMENT, ("if-match", &etag)], candidate).await), "412", "the old session");
    assert_eq!(node.media.commands(), ["join 0 as 1 admitted true", "renegotiate 0 ice true"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_request_has_its_own_status_and_code() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", node.ticket("camera", Role::Observer));
    let auth = ("authorization", bearer.as_str());
    let waits = signaling_protocol::ticket::Ticket { waits: true, ..node.claims("w", Role::Patient) };
    let waits = format!("Bearer {}", node.sign(&waits));
    let offer = sdp(1, "sendonly");
    let large = "x".repeat(200 * 1024);
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str, &'a str);
    let cases: [Case<'_>; 8] = [
        (&[SDP], &offer, "401", "ticket_invalid"),
        (&[SDP, ("authorization", "Bearer rubbish")], &offer, "401", "ticket_invalid"),
        (&[SDP, ("authorization", &waits)], &offer, "403", "forbidden"),
        (&[("content-type", "text/plain"), auth], &offer, "415", "content_type_unsupported"),
        (&[SDP, auth, ("accept", "text/html")], &offer, "406", "not_acceptable"),
        (&[SDP, auth], "no sdp", "422", "offer_invalid"),
        (&[SDP, auth, ("origin", "https://evil.example")], &offer, "403", "origin_refused"),
        (&[SDP, auth], &large, "413", ""),
    ];
    for (headers, body, expected, code) in cases {
        let response = node.http("POST", "/v1/whip", headers, body).await;
        assert_eq!(status(&response), expected, "{response}");
        assert!(response.contains(code), "{response}");
    }
    let refused = node.signaling.counters().requests_refused();
    let expected = [
        ("content_type_unsupported", 1),
        ("forbidden", 1),
        ("not_acceptable", 1),
        ("offer_invalid", 1),
        ("ticket_invalid", 2),
    ];
    assert_eq!(refused, expected, "counted by code");
    assert!(node.media.commands().is_empty());
    assert_eq!(node.signaling.headcount(), signaling::Headcount::default());
    assert_eq!(status(&node.http("GET", "/v1/whip", &[], "").await), "405");
    let options = node.http("OPTIONS", "/v1/whip", &[], "").await;
    assert_eq!((status(&options), header(&options, "accept-post")), ("204", "application/sdp"));
}

#[tokio::test]
async fn a_new_session_never_touches_a_running_one_and_one_that_fails_leaves_nothing() {
    let node = Node::start().await;
    let bearer = |node: &Node| format!("Bearer {}", node.ticket("exam-camera", Role::Observer));
    let (first, second) = (bearer(&node), bearer(&node));
    let post = async |bearer: &str, offer: &str| {
        node.http("POST", "/v1/whip", &[SDP, ("authorization", bearer)], offer).await
    };
    let unanswerable = sdp(1, "sendonly").replace("a=rtcp-mux\r\n", "");
    assert_eq!(status(&post(&first, &unanswerable).await), "422");
    assert_eq!(node.signaling.headcount().participants, 0);
    let running = post(&first, &sdp(1, "sendonly")).await;
    assert_eq!(status(&running), "201");
    node.media.says(Event::Connected(transport(0))).await;
    assert_eq!(status(&post(&second, &unanswerable).await), "422");
    assert_eq!(node.signaling.headcount().participants, 1, "the first goes on");
    assert_eq!(status(&post(&second, &sdp(1, "sendonly")).await), "201");
    let headers = [FRAGMENT, ("if-match", "*"), ("authorization", first.as_str())];
    assert_eq!(status(&node.http("PATCH", header(&running, "location"), &headers, RESTART).await), "200");
    node.media.says(Event::Connected(transport(1))).await;
    node.until("the first gives way", |node| node.media.commands().contains(&"leave 0".into())).await;
    let joins = [0, 1].map(|id| format!("join {id} as 1 admitted true"));
    assert_eq!(node.media.commands()[..2], joins, "the same certificate, and yet no renegotiation");
    assert_eq!(node.media.commands()[2..], ["renegotiate 0 ice true", "leave 0"], "each restarts its own");
}

#[tokio::test]
async fn every_session_is_written_down_when_it_starts_and_when_it_ends() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", node.ticket("exam-camera", Role::Observer));
    let auth = ("authorization", bearer.as_str());
    let published = node.http("POST", "/v1/whip", &[SDP, auth], &sdp(1, "sendonly")).await;
    node.http("POST", "/v1/whep", &[SDP, auth], &sdp(2, "recvonly")).await;
    node.http("DELETE", header(&published, "location"), &[auth], "").await;
    node.media.says(Event::Left(transport(1), LeaveReason::ConsentExpired)).await;
    node.until("both have left", |node| node.journal.entries().len() == 4).await;
    let expected = ["1 Joined(Whip)", "1 Joined(Whep)", "1 Left(Left)", "1 Left(Lost)"];
    assert_eq!(node.journal.entries(), expected);
    let by: Vec<_> = node.journal.calls().iter().map(|(_, request)| request.expect("a request")).collect();
    assert!(by[0] != by[1] && by[..2] == by[2..], "each by its own: {by:?}");
}

#[tokio::test]
async fn each_session_ends_as_itself_whichever_ends_first() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", node.ticket("exam-camera", Role::Observer));
    let auth = ("authorization", bearer.as_str());
    node.http("POST", "/v1/whip", &[SDP, auth], &sdp(1, "sendonly")).await;
    let watched = node.http("POST", "/v1/whep", &[SDP, auth], &sdp(2, "recvonly")).await;
    node.http("DELETE", header(&watched, "location"), &[auth], "").await;
    node.media.says(Event::Left(transport(0), LeaveReason::ConsentExpired)).await;
    node.until("both have left", |node| node.journal.entries().len() == 4).await;
    let by: Vec<_> = node.journal.calls().iter().map(|(_, request)| request.expect("a request")).collect();
    assert_eq!(by[2..], [by[1], by[0]]);
}

#[tokio::test]
async fn a_camera_that_staff_has_muted_stays_so_when_its_network_changes() {
    let node = Node::start().await;
    let bearer = format!("Bearer {}", node.ticket("exam-camera", Role::Observer));
    let auth = ("authorization", bearer.as_str());
    let created = node.http("POST", "/v1/whip", &[SDP, auth], &sdp(1, "sendonly")).await;
    node.media.says(Event::Connected(transport(0))).await;
    let mut nurse = node.join("nurse", Role::Nurse).await;
    for _ in 0..2 {
        nurse.says(r#"{"type":"mute_other","participant":1,"source":"microphone"}"#).await;
    }
    let mute = "mute 0 Microphone true".to_owned();
    node.until("it is muted", |node| node.media.commands().contains(&mute)).await;
    let headers = [FRAGMENT, ("if-match", "*"), auth];
    assert_eq!(status(&node.http("PATCH", header(&created, "location"), &headers, RESTART).await), "200");
    let commands = node.media.commands();
    assert_eq!(
        commands[1..],
        [mute, "renegotiate 0 ice true muted [Microphone]".into()],
        "once, and for good"
    );
    let muted = node.journal.entries().into_iter().filter(|entry| entry.contains("Muted")).count();
    assert_eq!(muted, 1);
}
