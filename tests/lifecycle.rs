//! A node's life: health and metrics, an orderly end, a restart, a configuration file, IPv6.

mod support;

use std::{
    ffi::OsStr,
    fs,
    net::UdpSocket,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use support::{
    control::{BackEnd, PATIENT, PROVIDER},
    eventually, http,
    metrics::Metrics,
    node::{Node, consilium},
    participant::Participant,
    peer::Plan,
    sdp::candidates,
    signal::{Heard, Signal},
};
use tempfile::TempDir;

/// What others script against.
const METRICS: [&str; 7] = [
    "consilium_consults",
    "consilium_participants",
    "consilium_rtp_packets_received_total",
    "consilium_rtp_packets_forwarded_total",
    "consilium_packets_dropped_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
];

#[tokio::test(flavor = "multi_thread")]
async fn health_readiness_and_metrics_say_how_it_is() {
    let node = Node::dev();
    let address = node.address();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(http::get(address, path).await.status, 200, "{path}");
    }
    let idle = Metrics::of(address).await;
    for family in METRICS {
        assert!(idle.has(family), "{family} is missing");
    }
    assert_eq!((idle.value("consilium_consults"), idle.value("consilium_participants")), (0.0, 0.0));

    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let mut two = Vec::new();
    for (person, mark) in [(PATIENT, 1), (PROVIDER, 2)] {
        let ticket = back_end.ticket(&consult, person).await;
        two.push(Participant::join(address, &ticket.token, Plan::publisher(mark, 2)).await);
    }
    let numbers = [two[0].number, two[1].number];
    for (one, other) in two.iter_mut().zip([numbers[1], numbers[0]]) {
        one.expect_publishers(&[other]).await;
        one.expect_media().await;
    }
    let busy = Metrics::of(address).await;
    assert_eq!((busy.value("consilium_consults"), busy.value("consilium_participants")), (1.0, 2.0));
    for kind in ["audio", "video"] {
        for family in ["received", "forwarded"] {
            let sample = format!("consilium_rtp_packets_{family}_total{{kind=\"{kind}\"}}");
            assert!(busy.value(&sample) > 0.0, "{sample}");
        }
    }
    for total in ["consilium_media_bytes_received_total", "consilium_media_bytes_sent_total"] {
        assert!(busy.value(total) > 0.0, "{total}");
    }
    for one in two {
        one.leave().await;
    }
    let left = Metrics::of(address).await;
    assert_eq!(left.value("consilium_participants"), 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_says_goodbye_to_everyone_and_ends_in_time() {
    let node = Node::dev();
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let ticket = back_end.ticket(&consult, PATIENT).await;
    let mut patient = Participant::join(node.address(), &ticket.token, Plan::publisher(1, 2)).await;
    let mut stranger = Signal::open(node.address()).await;
    node.interrupt();
    for signal in [&mut patient.signal, &mut stranger] {
        assert_eq!(signal.expect("leave").await["reason"], "server_shutdown");
        assert_eq!(signal.expect_close().await, 1001);
    }
    let ended = node.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_api_key_and_what_was_taken_back() {
    let folder = TempDir::new().expect("a folder");
    let node = Node::dev_in(folder.path());
    let (key, back_end) = (node.api_key(), BackEnd::of(&node));
    let (consult, ended) = (back_end.consult().await, back_end.consult().await);
    let good = back_end.ticket(&consult, PATIENT).await;
    let revoked = back_end.ticket(&consult, PROVIDER).await;
    back_end.revoke(&consult, &revoked).await;
    let too_late = back_end.ticket(&ended, PROVIDER).await;
    back_end.end(&ended).await;
    assert!(node.stop().status.success());

    let node = Node::dev_in(folder.path());
    assert_eq!(node.api_key(), key);
    BackEnd::with_key(node.address(), &key).ticket(&consult, PROVIDER).await;
    for refused in [&revoked, &too_late] {
        let mut signal = Signal::open(node.address()).await;
        signal.hello(&refused.token).await;
        assert_eq!(signal.expect_fatal().await, ("ticket_revoked".into(), 4405));
    }
    let mut signal = Signal::open(node.address()).await;
    signal.hello(&good.token).await;
    assert_eq!(signal.expect("welcome").await["consult"], json!(consult));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_has_opened_once_does_not_open_a_node_that_was_killed_and_started_again() {
    let folder = TempDir::new().expect("a folder");
    let node = Node::dev_in(folder.path());
    let (key, back_end) = (node.api_key(), BackEnd::of(&node));
    let consult = back_end.consult().await;
    let (used, removed) =
        (back_end.ticket(&consult, PATIENT).await, back_end.ticket(&consult, PROVIDER).await);
    let mut tokens = Vec::new();
    for ticket in [&used, &removed] {
        let mut signal = Signal::open(node.address()).await;
        signal.hello(&ticket.token).await;
        let welcome = signal.expect("welcome").await;
        tokens.push(welcome["resume_token"].as_str().expect("a token").to_owned());
    }
    back_end.revoke(&consult, &removed).await;
    // Without SIGINT: nothing is tidied up.
    drop(node);

    let node = Node::dev_in(folder.path());
    assert_eq!(node.api_key(), key);
    let mut signal = Signal::open(node.address()).await;
    signal.hello(&used.token).await;
    assert_eq!(signal.expect_fatal().await, ("ticket_in_use".into(), 4409));
    let mut signal = Signal::open(node.address()).await;
    signal.say(&json!({ "type": "hello", "resume_token": tokens[1] })).await;
    assert_eq!(signal.expect_fatal().await, ("ticket_revoked".into(), 4405));
    let mut signal = Signal::open(node.address()).await;
    signal.say(&json!({ "type": "hello", "resume_token": tokens[0] })).await;
    assert_eq!(signal.expect("welcome").await["consult"], json!(consult), "who was in comes back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_token_that_was_followed_by_another_is_no_good_either_when_the_node_was_killed() {
    let folder = TempDir::new().expect("a folder");
    let node = Node::dev_in(folder.path());
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let ticket = back_end.ticket(&consult, PATIENT).await;
    let log = folder.path().join("tickets.log");
    let bytes = || fs::metadata(&log).expect("the log").len();
    let (mut hello, mut tokens) = (json!({ "type": "hello", "ticket": ticket.token }), Vec::new());
    for _ in 0..2 {
        let mut signal = Signal::open(node.address()).await;
        signal.say(&hello).await;
        tokens.push(signal.expect("welcome").await["resume_token"].clone());
        let before = bytes();
        signal.say(&json!({ "type": "chat", "text": "here I am" })).await;
        eventually("that the token arrived is written down", || bytes() != before).await;
        hello = json!({ "type": "hello", "resume_token": tokens.last() });
    }
    drop(node);
    let node = Node::dev_in(folder.path());
    let mut signal = Signal::open(node.address()).await;
    signal.say(&json!({ "type": "hello", "resume_token": tokens[0] })).await;
    assert_eq!(signal.expect_fatal().await, ("ticket_in_use".into(), 4409));
    let mut signal = Signal::open(node.address()).await;
    signal.say(&json!({ "type": "hello", "resume_token": tokens[1] })).await;
    signal.expect("welcome").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_visit_is_good_after_a_restart_and_refused_as_soon_as_its_holder_is_removed() {
    let folder = TempDir::new().expect("a folder");
    let node = Node::dev_in(folder.path());
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let chat = format!("/v1/consults/{consult}/chat");
    let (mut signals, mut tickets, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    let mut resume_token = json!(null);
    for person in [PATIENT, PROVIDER] {
        let (ticket, mut signal) =
            (back_end.ticket(&consult, person).await, Signal::open(node.address()).await);
        signal.hello(&ticket.token).await;
        let welcome = signal.expect("welcome").await;
        let token = welcome["api_token"].as_str().expect("a token").to_owned();
        resume_token = welcome["resume_token"].clone();
        signals.push(signal);
        tickets.push(ticket);
        tokens.push(token);
    }
    let patient = BackEnd::with_key(node.address(), &tokens[0]);
    let written = patient.call("POST", &chat, &json!({ "text": "my knee" })).await;
    assert_eq!(written.status, 201, "{written:?}");
    let heard = signals[1].expect("chat").await;
    assert_eq!((&heard["id"], &heard["from"]), (&written.json()["id"], &json!(1)));
    signals[1].say(&json!({ "type": "chat", "text": "since when?" })).await;
    let heard = signals[1].expect("chat").await;
    let read = patient.call("GET", &chat, &json!({})).await.json();
    let (line, id) = (&read["lines"][1], &heard["id"]);
    assert_eq!((&line["id"], &line["participant"], &line["text"]), (id, &json!(2), &json!("since when?")));
    back_end.revoke(&consult, &tickets[0]).await;
    assert_eq!(patient.call("GET", &chat, &json!({})).await.problem(), (401, "visit_over".into()));
    drop(node);
    let node = Node::dev_in(folder.path());
    let of = |at: usize| BackEnd::with_key(node.address(), &tokens[at]);
    assert_eq!(
        of(1).call("GET", &chat, &json!({})).await.problem(),
        (401, "visit_over".into()),
        "not back yet"
    );
    let mut back = Signal::open(node.address()).await;
    back.say(&json!({ "type": "hello", "resume_token": resume_token })).await;
    back.expect("welcome").await;
    assert_eq!(of(1).call("GET", &chat, &json!({})).await.status, 200, "the key was kept");
    assert_eq!(of(0).call("GET", &chat, &json!({})).await.problem(), (401, "visit_over".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_log_that_is_damaged_stops_the_start_and_is_named() {
    let folder = TempDir::new().expect("a folder");
    assert!(Node::dev_in(folder.path()).stop().status.success());
    let log = folder.path().join("tickets.log");
    fs::write(&log, "not what was there").expect("another file");
    let arguments = ["serve", "--dev", "--listen", "127.0.0.1:0", "--data"].map(OsStr::new);
    let failed = consilium(arguments.into_iter().chain([folder.path().as_os_str()])).output();
    let failed = failed.expect("the binary runs");
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(!failed.status.success() && said.contains("tickets.log is not a node log"), "{said}");
}

/// A port that was free a moment ago.
fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("its address").port()
}

/// A configuration file in a folder of its own, with something added.
fn configuration(folder: &TempDir, media_port: u16, added: &str) -> PathBuf {
    let data = folder.path().join("data");
    let text = format!(
        "{added}\nlisten = \"127.0.0.1:0\"\ndata = {data:?}\nshards = 1\n\
         allowed_origins = [\"https://portal.example\"]\n\
         [media]\nport = {media_port}\nbind_v4 = \"127.0.0.1\"\nbind_v6 = \"::1\"\nadvertise = [\"127.0.0.1\"]\n"
    );
    let path = folder.path().join("consilium.toml");
    fs::write(&path, text).expect("a file");
    path
}

fn arguments<'a>(words: &'a [&'a str], file: &'a Path) -> Vec<&'a OsStr> {
    words.iter().map(OsStr::new).chain([file.as_os_str()]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_file_is_obeyed() {
    let folder = TempDir::new().expect("a folder");
    let media_port = free_udp_port();
    let file = configuration(&folder, media_port, "");
    let create = arguments(&["tenant", "create", "clinic", "--config"], &file);
    let created = consilium(create).output().expect("the binary runs");
    assert!(created.status.success(), "{created:?}");
    let create = arguments(&["client", "create", "--tenant", "clinic", "--name", "ehr", "--config"], &file);
    let created = consilium(create).output().expect("the binary runs");
    assert!(created.status.success(), "{created:?}");
    let key = String::from_utf8(created.stdout).expect("text").trim().to_owned();

    let data = folder.path().join("data");
    let node = Node::serve(arguments(&["serve", "--config"], &file), &data);
    assert!(!data.join("dev-credentials.json").exists(), "that is for dev mode only");
    let back_end = BackEnd::with_key(node.address(), &key);
    let consult = back_end.consult().await;
    let ticket = back_end.ticket(&consult, PATIENT).await;
    let patient = Participant::join(node.address(), &ticket.token, Plan::publisher(1, 1)).await;
    let told = candidates(&patient.answer);
    assert!(!told.is_empty() && told.iter().all(|address| address.port() == media_port), "{told:?}");
    assert!(told.iter().all(|address| address.ip().is_loopback()), "only what is advertised: {told:?}");

    assert!(Signal::try_open(node.address(), Some("https://portal.example")).await.is_ok());
    assert!(Signal::try_open(node.address(), Some("https://evil.example")).await.is_err());
    let refused = Metrics::of(node.address()).await.value("consilium_signaling_origins_refused_total");
    assert_eq!(refused, 1.0);
    assert!(node.stop().status.success());
}

#[test]
fn a_key_that_does_not_exist_is_refused_by_name() {
    let folder = TempDir::new().expect("a folder");
    let file = configuration(&folder, 0, "listne = \"127.0.0.1:0\"");
    let ended = consilium(arguments(&["serve", "--config"], &file)).output().expect("the binary runs");
    assert!(!ended.status.success());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("listne"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_carries_everything() {
    let folder = TempDir::new().expect("a folder");
    let node = Node::dev_on("[::1]:0", folder.path());
    assert!(node.address().is_ipv6());
    let back_end = BackEnd::of(&node);
    let consult = back_end.consult().await;
    let mut two = Vec::new();
    for (person, mark) in [(PATIENT, 1), (PROVIDER, 2)] {
        let ticket = back_end.ticket(&consult, person).await;
        let plan = Plan { bind: "[::1]:0", ..Plan::publisher(mark, 2) };
        two.push(Participant::join(node.address(), &ticket.token, plan).await);
    }
    let numbers = [two[0].number, two[1].number];
    for (one, other) in two.iter_mut().zip([numbers[1], numbers[0]]) {
        one.expect_publishers(&[other]).await;
        one.expect_media().await;
        let arrivals = one.peer.arrivals();
        assert!(arrivals.iter().all(|arrival| arrival.csrcs == [other]));
        assert!(!one.signal.drain().iter().any(|heard| matches!(heard, Heard::Closed(_))));
    }
}
