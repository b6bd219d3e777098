//! One connection, every way it can go: no socket, no clock.

use std::time::Duration;

use media_model::{ConsultId, Role};
use signaling_protocol::server::SlotCounts;

use super::*;

const HELLO: &str = r#"{"type":"hello","ticket":"t"}"#;
const OFFER: &str = r#"{"type":"offer","sdp":"v=0"}"#;

struct Peer {
    session: Session,
    now: Instant,
}

impl Peer {
    fn new() -> Self {
        let now = Instant::now();
        Self { session: Session::new(now), now }
    }

    fn admitted() -> Self {
        let mut peer = Self::new();
        peer.says(HELLO);
        peer.session.handle_entry(Ok(Entry::Welcome(welcome())));
        peer.drain();
        peer
    }

    fn negotiated() -> Self {
        let mut peer = Self::admitted();
        peer.says(OFFER);
        peer.session.handle_answer(peer.now, Ok("answer".into()));
        peer.drain();
        peer
    }

    fn says(&mut self, text: &str) -> Vec<String> {
        self.session.handle_text(self.now, text);
        self.drain()
    }

    fn hears(&mut self, notice: Notice) -> Vec<String> {
        self.session.handle_notice(self.now, notice);
        self.drain()
    }

    fn after(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        self.session.handle_timeout(self.now);
        self.drain()
    }

    /// What it wants done, in short.
    fn drain(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.session.poll_output()).map(|output| short(&output)).collect()
    }
}

fn short(output: &Output) -> String {
    match output {
        Output::Send(ServerMessage::Error { code, fatal, .. }) => format!("error {} {fatal}", code.as_str()),
        Output::Send(message) => {
            let json = serde_json::to_value(message).unwrap_or_default();
            format!("send {}", json["type"].as_str().unwrap_or_default())
        }
        Output::Ping => "ping".into(),
        Output::Enter(_) => "enter".into(),
        Output::Welcome { by } => format!("welcome by {by}"),
        Output::Negotiate(_) => "negotiate".into(),
        Output::Mute { source, muted, muted_by: None } => format!("mute {source:?} {muted}"),
        Output::Mute { source, muted, muted_by: Some(by) } => format!("mute {source:?} {muted} after {by}"),
        Output::Admit(number) => format!("admit {number}"),
        Output::Remove(number) => format!("remove {number}"),
        Output::MuteOther(number, source) => format!("mute {source:?} of {number}"),
        Output::Chat(_) => "chat".into(),
        Output::Erred(code) => format!("erred {}", code.as_str()),
        Output::Close { code, departed } => format!("close {code} {departed}"),
    }
}

fn fatal(code: ErrorCode) -> Vec<String> {
    let name = code.as_str();
    vec![format!("erred {name}"), format!("error {name} true"), format!("close {} false", code.close_code())]
}

fn number(number: u32) -> ParticipantNumber {
    ParticipantNumber::new(number).expect("not zero")
}

fn welcome() -> Welcome {
    Welcome {
        consult: ConsultId::from_bytes([7; 16]),
        participant: number(1),
        role: Role::Provider,
        display_name: Pii::new("Dr".into()),
        slots: SlotCounts { camera: 3, screen: 1 },
        resume_token: Pii::new("r".into()),
        api_token: Some(Pii::new("a".into())),
    }
}

fn reoffer(camera: u8) -> Notice {
    let slots = SlotCounts { camera, screen: 1 };
    Notice::Reoffer(Reoffer { reason: ReofferReason::Slots, slots, ice_restart: false })
}

#[test]
fn a_consult_from_hello_to_leave() {
    let mut peer = Peer::new();
    assert_eq!(peer.says(HELLO), ["enter"]);
    peer.session.handle_entry(Ok(Entry::Welcome(welcome())));
    assert_eq!(peer.drain(), ["send welcome"]);
    assert_eq!(peer.says(OFFER), ["negotiate"]);
    peer.session.handle_answer(peer.now, Ok("answer".into()));
    assert_eq!(peer.drain(), ["send answer"]);
    assert_eq!(peer.says(r#"{"type":"mute","source":"camera","muted":true}"#), ["mute Camera true"]);
    let unmute = r#"{"type":"mute","source":"camera","muted":false,"muted_by":2}"#;
    assert_eq!(peer.says(unmute), ["mute Camera false after 2"]);
    assert_eq!(peer.says(r#"{"type":"chat","text":"hello"}"#), ["chat"]);
    assert_eq!(peer.says(r#"{"type":"admit","participant":2}"#), ["admit 2"]);
    assert_eq!(peer.says(r#"{"type":"leave"}"#), ["close 1000 true"]);
    assert!(peer.says(OFFER).is_empty(), "nothing after the end");
}

#[test]
fn whoever_waits_is_welcomed_once_admitted() {
    let mut peer = Peer::new();
    peer.says(HELLO);
    peer.session.handle_entry(Ok(Entry::Waiting));
    assert_eq!(peer.drain(), ["send waiting"]);
    assert_eq!(peer.hears(Notice::Admitted { by: number(2) }), ["welcome by 2"]);
    peer.session.handle_entry(Ok(Entry::Welcome(welcome())));
    assert_eq!(peer.drain(), ["send welcome"]);
}

#[test]
fn whoever_waits_may_only_leave() {
    for text in [OFFER, r#"{"type":"chat","text":"hi"}"#, r#"{"type":"admit","participant":1}"#, HELLO] {
        let mut peer = Peer::new();
        peer.says(HELLO);
        peer.session.handle_entry(Ok(Entry::Waiting));
        peer.drain();
        assert_eq!(peer.says(text), fatal(ErrorCode::MessageUnexpected), "{text}");
    }
}

#[test]
fn tickets_that_do_not_open_close_the_connection_each_with_its_code() {
    for code in [
        ErrorCode::TicketInvalid,
        ErrorCode::TicketExpired,
        ErrorCode::TicketRevoked,
        ErrorCode::TicketInUse,
        ErrorCode::ConsultFull,
        ErrorCode::NodeFull,
        ErrorCode::Internal,
    ] {
        let mut peer = Peer::new();
        peer.says(HELLO);
        peer.session.handle_entry(Err(code));
        assert_eq!(peer.drain(), fatal(code));
    }
}

#[test]
fn messages_that_cannot_be_read_close_the_connection_each_with_its_code() {
    let long = format!(r#"{{"type":"chat","text":"{}"}}"#, "x".repeat(300_000));
    for (text, code) in [
        ("nonsense", ErrorCode::MessageMalformed),
        (r#"{"type":"chat"}"#, ErrorCode::MessageMalformed),
        (r#"{"type":"hello","ticket":"a","resume_token":"b"}"#, ErrorCode::MessageMalformed),
        (r#"{"type":"dance"}"#, ErrorCode::MessageUnknown),
        (long.as_str(), ErrorCode::MessageTooLarge),
    ] {
        assert_eq!(Peer::new().says(text), fatal(code), "before hello");
        assert_eq!(Peer::negotiated().says(text), fatal(code), "in a consult");
    }
    let mut peer = Peer::negotiated();
    peer.session.handle_binary(peer.now);
    assert_eq!(peer.drain(), fatal(ErrorCode::MessageMalformed));
    let mut peer = Peer::negotiated();
    peer.session.handle_oversize();
    assert_eq!(peer.drain(), fatal(ErrorCode::MessageTooLarge));
}

#[test]
fn nothing_but_hello_comes_first_and_hello_comes_once() {
    for text in [OFFER, r#"{"type":"mute","source":"camera","muted":true}"#] {
        assert_eq!(Peer::new().says(text), fatal(ErrorCode::MessageUnexpected));
    }
    assert_eq!(Peer::admitted().says(HELLO), fatal(ErrorCode::MessageUnexpected));
}

#[test]
fn hello_is_not_waited_for_for_ever() {
    let mut peer = Peer::new();
    assert_eq!(peer.session.poll_timeout(), peer.now + HELLO_TIMEOUT);
    assert!(peer.after(HELLO_TIMEOUT - Duration::from_millis(1)).is_empty());
    assert_eq!(peer.after(Duration::from_millis(1)), fatal(ErrorCode::HelloTimeout));
}

#[test]
fn a_first_offer_that_cannot_be_answered_ends_the_connection_and_a_later_one_does_not() {
    let refused = Err(ErrorCode::OfferInvalid);
    let mut first = Peer::admitted();
    first.says(OFFER);
    first.session.handle_answer(first.now, refused.clone());
    assert_eq!(first.drain(), fatal(ErrorCode::OfferInvalid));
    let mut later = Peer::negotiated();
    later.says(OFFER);
    later.session.handle_answer(later.now, refused);
    assert_eq!(later.drain(), ["erred offer_invalid", "error offer_invalid false"]);
    assert_eq!(later.says(OFFER), ["negotiate"]);
}

#[test]
fn what_a_role_may_not_do_is_refused_and_the_connection_stays() {
    let mut peer = Peer::negotiated();
    peer.says(r#"{"type":"admit","participant":2}"#);
    peer.session.handle_forbidden();
    assert_eq!(peer.drain(), ["erred forbidden", "error forbidden false"]);
    assert_eq!(peer.says(r#"{"type":"chat","text":"still here"}"#), ["chat"]);
}

#[test]
fn a_flood_ends_the_connection_and_the_agreed_rate_does_not() {
    let mut calm = Peer::negotiated();
    for _ in 0..500 {
        calm.now += Duration::from_secs(1) / MESSAGES_PER_SECOND_MAX;
        assert_eq!(calm.says(r#"{"type":"chat","text":"x"}"#), ["chat"]);
    }
    let mut flood = Peer::negotiated();
    let said: Vec<_> = (0..1_000).flat_map(|_| flood.says(r#"{"type":"chat","text":"x"}"#)).collect();
    assert!(said.len() <= MESSAGES_BURST_MAX as usize + 3);
    assert!(said.ends_with(&fatal(ErrorCode::TooManyMessages)));
    let mut pings = Peer::negotiated();
    for _ in 0..1_000 {
        pings.session.handle_control(pings.now);
    }
    assert_eq!(pings.drain(), fatal(ErrorCode::TooManyMessages));
}

#[test]
fn a_connection_is_pinged_and_dies_when_nothing_comes_back() {
    let mut alive = Peer::negotiated();
    for _ in 0..20 {
        assert_eq!(alive.after(PING_INTERVAL), ["ping"]);
        alive.session.handle_control(alive.now);
    }
    let mut dead = Peer::negotiated();
    assert_eq!(dead.after(PING_INTERVAL), ["ping"]);
    assert_eq!(dead.after(PING_INTERVAL), ["ping"]);
    assert_eq!(dead.after(SILENCE_MAX - 2 * PING_INTERVAL), ["close 1001 false"]);
}

#[test]
fn requests_for_an_offer_are_merged_and_one_is_open_at_a_time() {
    let mut peer = Peer::negotiated();
    assert_eq!(peer.hears(reoffer(4)), ["send reoffer"]);
    assert!(peer.hears(reoffer(5)).is_empty() && peer.hears(reoffer(6)).is_empty());
    assert!(peer.after(Duration::from_secs(10)).is_empty(), "the first is still open");
    peer.says(OFFER);
    peer.session.handle_answer(peer.now, Ok("answer".into()));
    assert_eq!(peer.drain(), ["send answer", "send reoffer"], "one for both that came meanwhile");
    peer.says(OFFER);
    peer.session.handle_answer(peer.now, Ok("answer".into()));
    assert_eq!(peer.drain(), ["send answer"]);
    assert!(peer.hears(reoffer(7)).is_empty(), "too soon");
    assert_eq!(peer.session.poll_timeout(), peer.now + REOFFER_INTERVAL);
    assert_eq!(peer.after(REOFFER_INTERVAL), ["send reoffer"]);
}

#[test]
fn a_lost_transport_does_not_wait_for_the_answer_to_an_earlier_request() {
    let mut peer = Peer::negotiated();
    assert_eq!(peer.hears(reoffer(4)), ["send reoffer"]);
    let slots = SlotCounts { camera: 4, screen: 1 };
    let path = Reoffer { reason: ReofferReason::Path, slots, ice_restart: true };
    assert_eq!(peer.hears(Notice::Reoffer(path)), ["send reoffer"]);
}

#[test]
fn goodbyes_name_their_reason_and_close() {
    for (reason, close) in [
        (GoodbyeReason::Replaced, "close 4001 false"),
        (GoodbyeReason::ConsultEnded, "close 1000 false"),
        (GoodbyeReason::MediaLost, "close 4002 false"),
        (GoodbyeReason::ServerShutdown, "close 1001 false"),
    ] {
        let mut peer = Peer::negotiated();
        assert_eq!(peer.hears(Notice::Goodbye(reason)), ["send leave", close]);
        assert!(peer.hears(Notice::Goodbye(reason)).is_empty());
    }
    assert_eq!(
        Peer::negotiated().hears(Notice::Refused(ErrorCode::TicketRevoked)),
        fatal(ErrorCode::TicketRevoked)
    );
}

#[test]
fn no_output_prints_what_people_wrote() {
    let mut peer = Peer::negotiated();
    peer.session.handle_text(peer.now, r#"{"type":"chat","text":"sore throat"}"#);
    peer.session.handle_notice(
        peer.now,
        Notice::Chat {
            id: LineId::from_bytes([1; 16]),
            from: number(1),
            text: Pii::new("sore throat".into()),
            at_ms: 0,
        },
    );
    let outputs: Vec<_> = std::iter::from_fn(|| peer.session.poll_output()).collect();
    assert!(outputs.len() == 2 && !format!("{outputs:?}").contains("throat"));
}

#[test]
fn who_is_told_that_something_was_not_done_stays() {
    let mut peer = Peer::admitted();
    let told = peer.hears(Notice::Objected(ErrorCode::ChatNotKept));
    assert_eq!(told, ["erred chat_not_kept", "error chat_not_kept false"]);
    assert_eq!(peer.says(r#"{"type":"chat","text":"again"}"#), ["chat"]);
}
