//! A node without media: real HTTP on a port of its own, a media plane and a journal that only remember.

#![allow(dead_code, reason = "each test binary uses another part")]

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use futures_util::{SinkExt, StreamExt};
use media_model::{ConsultId, Pii, RequestId, Role, TenantId, TransportId};
use serde_json::{Value, json};
use signaling::{
    ApiTokens, BoxFuture, Config, Entry, Journal, JournalUnavailable, Measured, OriginPolicy, Portals,
    Signaling, Visitor, What,
};
use signaling_protocol::{
    error::ErrorCode,
    server::LineId,
    ticket::{ResumeSigner, Ticket, TicketId, TicketSigner, TicketVerifier},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, mpsc},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

pub mod media;

use self::media::{FakeMedia, FakePlane};

pub const CONSULT: ConsultId = ConsultId::from_bytes([9; 16]);

/// Remembers entries, or refuses them.
#[derive(Default)]
pub struct FakeJournal {
    entries: Mutex<Vec<String>>,
    calls: Mutex<Vec<(What, Option<RequestId>)>>,
    people: Mutex<Vec<(Option<TenantId>, String)>>,
    lines: Mutex<Vec<String>>,
    measured: Mutex<Vec<(String, Measured)>>,
    next_line: AtomicU64,
    /// Those who were turned away and only counted.
    pub turned_away: AtomicU64,
    pub is_down: AtomicBool,
    /// Writes of lines of chat that are let through; without it, all are.
    pub lines_may_pass: Mutex<Option<Arc<Semaphore>>>,
}

impl FakeJournal {
    pub fn entries(&self) -> Vec<String> {
        self.entries.lock().expect("not poisoned").clone()
    }

    /// What was done by which connection, but for lines of chat.
    pub fn calls(&self) -> Vec<(What, Option<RequestId>)> {
        self.calls.lock().expect("not poisoned").clone()
    }

    /// Whose doing each entry was, lines of chat included.
    pub fn people(&self) -> Vec<(Option<TenantId>, String)> {
        self.people.lock().expect("not poisoned").clone()
    }

    /// How connections were, and whose.
    pub fn measured(&self) -> Vec<(String, Measured)> {
        self.measured.lock().expect("not poisoned").clone()
    }

    /// Lines of chat that it has.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("not poisoned").clone()
    }

    fn keep(&self, entry: Entry) {
        let person = entry.who.as_ref().map_or(String::new(), |who| who.person.reveal().clone());
        if let What::Measured(measured) = entry.what {
            return self.measured.lock().expect("not poisoned").push((person, measured));
        }
        self.people.lock().expect("not poisoned").push((entry.tenant, person));
        let who = entry.who.and_then(|who| who.participant).map_or(0, |number| number.csrc());
        let request = entry.call.map(|call| call.request);
        self.calls.lock().expect("not poisoned").push((entry.what.clone(), request));
        let (kept, line) = match entry.what {
            What::Wrote(_, text) => (&self.lines, format!("{who} {}", text.reveal())),
            what => (&self.entries, format!("{who} {what:?}")),
        };
        kept.lock().expect("not poisoned").push(line);
    }
}

impl Journal for FakeJournal {
    fn next_line(&self) -> LineId {
        LineId::from_bytes(
            self.next_line.fetch_add(1, SeqCst).to_be_bytes().repeat(2).try_into().expect("16"),
        )
    }

    fn turned_away(&self, _: ErrorCode, _: Option<Pii<std::net::IpAddr>>) {
        self.turned_away.fetch_add(1, SeqCst);
    }

    fn record(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), JournalUnavailable>> {
        Box::pin(async move {
            if self.is_down.load(SeqCst) {
                return Err(JournalUnavailable);
            }
            let gate = self.lines_may_pass.lock().expect("not poisoned").clone();
            if let (Some(gate), true) =
                (gate, entries.iter().any(|entry| matches!(entry.what, What::Wrote(..))))
            {
                gate.acquire().await.expect("not closed").forget();
            }
            entries.into_iter().for_each(|entry| self.keep(entry));
            Ok(())
        })
    }
}

/// Where the pages of the tenant `clinic` are.
pub const OF_CLINIC: &str = "https://portal.clinic.example";
/// Where those of the tenant `other` are.
pub const OF_OTHER: &str = "https://portal.other.example";

struct TwoPortals;

impl Portals for TwoPortals {
    fn is_any(&self, origin: &str) -> bool {
        [OF_CLINIC, OF_OTHER].contains(&origin)
    }

    fn is_of(&self, tenant: TenantId, origin: &str) -> bool {
        matches!((tenant.as_str(), origin), ("clinic", OF_CLINIC) | ("other", OF_OTHER))
    }
}

/// Tokens that say what is in them. Of whom a portal made up there is none.
struct PlainTokens;

impl ApiTokens for PlainTokens {
    fn issue(&self, visitor: &Visitor<'_>) -> Option<Pii<String>> {
        let Visitor { tenant, consult, ticket, person, role, .. } = visitor;
        let person = person.reveal();
        let token = format!("{tenant} {consult} {ticket} {person} {}", role.as_str());
        (person != "made-up").then(|| Pii::new(token))
    }
}

pub struct Node {
    pub signaling: Signaling,
    pub media: Arc<FakeMedia>,
    pub journal: Arc<FakeJournal>,
    pub address: SocketAddr,
    signer: TicketSigner,
    next_ticket: Mutex<u8>,
}

impl Node {
    pub async fn start() -> Self {
        let signer = TicketSigner::generate().expect("key");
        let (events, received) = mpsc::channel(1024);
        let media = Arc::new(FakeMedia::new(events));
        let journal = Arc::new(FakeJournal::default());
        let config = Config {
            tickets: TicketVerifier::new([signer.public_key()]).expect("key"),
            resume: ResumeSigner::generate().expect("key"),
            origins: OriginPolicy::SameHost,
            portals: Arc::new(TwoPortals),
            api_tokens: Arc::new(PlainTokens),
            consult_participants_max: 32,
            ticket_log: None,
        };
        let plane = Arc::new(FakePlane(Arc::clone(&media)));
        let signaling =
            Signaling::start(config, plane, received, Arc::clone(&journal) as _).expect("signaling starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let address = listener.local_addr().expect("address");
        let router = signaling.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { signaling, media, journal, address, signer, next_ticket: Mutex::new(0) }
    }

    pub fn ticket(&self, person: &str, role: Role) -> String {
        self.signer.sign(&self.claims(person, role))
    }

    pub fn sign(&self, ticket: &Ticket) -> String {
        self.signer.sign(ticket)
    }

    pub fn claims(&self, person: &str, role: Role) -> Ticket {
        let mut next = self.next_ticket.lock().expect("not poisoned");
        *next += 1;
        Ticket {
            id: TicketId::from_bytes([*next; 16]),
            tenant: TenantId::SYSTEM,
            consult: CONSULT,
            person: Pii::new(person.to_owned()),
            role,
            display_name: Pii::new(format!("{person}'s name")),
            node: None,
            waits: false,
            break_glass: None,
            issued_at_unix_s: unix_s(),
            not_before_unix_s: None,
            expires_at_unix_s: unix_s() + 600,
        }
    }

    /// A connection that has said nothing yet.
    pub async fn connect(&self) -> Peer {
        self.connect_from(None).await
    }

    /// The same of a page.
    pub async fn connect_from(&self, origin: Option<&str>) -> Peer {
        let mut request = format!("ws://{}/v1/signal", self.address).into_client_request().expect("request");
        request.headers_mut().insert("sec-websocket-protocol", "consilium.v1".parse().expect("header"));
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("header"));
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("upgrade");
        Peer { socket }
    }

    /// Somebody who has been welcomed.
    pub async fn join(&self, person: &str, role: Role) -> Peer {
        let mut peer = self.connect().await;
        peer.hello(&self.ticket(person, role)).await;
        assert_eq!(peer.hears("welcome").await["role"], role.as_str());
        peer
    }

    /// Somebody whose media was agreed, too.
    pub async fn join_with_media(&self, person: &str, role: Role) -> Peer {
        let mut peer = self.join(person, role).await;
        peer.offer(1).await;
        peer.hears("answer").await;
        peer
    }

    /// One HTTP request. Returns the whole response as text.
    pub async fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("connect");
        let length = body.len();
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n", self.address);
        if headers.iter().all(|(name, _)| *name != "connection") {
            request.push_str("connection: close\r\n");
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        stream.write_all(request.as_bytes()).await.expect("write");
        let mut response = String::new();
        stream.read_to_string(&mut response).await.expect("response");
        response
    }

    /// Waits until this holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..500 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never: {what}; commands {:?}; journal {:?}", self.media.commands(), self.journal.entries());
    }
}

pub fn unix_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}

pub fn transport(id: u64) -> TransportId {
    TransportId(id)
}

/// The client's end of a WebSocket.
pub struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Peer {
    pub async fn says(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("open");
    }

    pub async fn sends(&mut self, message: Message) {
        self.socket.send(message).await.expect("open");
    }

    pub async fn hello(&mut self, ticket: &str) {
        self.says(&json!({"type": "hello", "ticket": ticket}).to_string()).await;
    }

    pub async fn resume(&mut self, token: &Value) {
        self.says(&json!({"type": "hello", "resume_token": token}).to_string()).await;
    }

    pub async fn offer(&mut self, certificate: u8) {
        self.offer_muted(certificate, false).await;
    }

    /// An offer with the microphone in this state.
    pub async fn offer_muted(&mut self, certificate: u8, muted: bool) {
        let tracks = [json!({"mid": "0", "source": "microphone", "muted": muted})];
        self.says(
            &json!({"type": "offer", "sdp": sdp(certificate, "sendonly"), "tracks": tracks}).to_string(),
        )
        .await;
    }

    /// An offer with microphone and camera, both in this state.
    pub async fn offer_both(&mut self, certificate: u8, muted: bool) {
        let audio = sdp(certificate, "sendonly").replace("BUNDLE 0", "BUNDLE 0 1");
        let (_, line) = audio.split_once("m=audio").expect("a line");
        let video = line.replace("111", "96").replace("mid:0", "mid:1").replace("opus/48000/2", "VP8/90000");
        let track = |mid: &str, source: &str| json!({"mid": mid, "source": source, "muted": muted});
        let tracks = [track("0", "microphone"), track("1", "camera")];
        self.says(
            &json!({"type": "offer", "sdp": format!("{audio}m=video{video}"), "tracks": tracks}).to_string(),
        )
        .await;
    }

    /// The next message, which has to be of this type.
    pub async fn hears(&mut self, kind: &str) -> Value {
        let value = self.hears_any().await;
        assert_eq!(value["type"], kind, "{value}");
        value
    }

    /// The next message, whichever it is.
    pub async fn hears_any(&mut self) -> Value {
        let message = self.next().await;
        let Message::Text(text) = &message else { panic!("a message expected, not {message:?}") };
        serde_json::from_str(text).expect("JSON")
    }

    /// The close code, which has to be next.
    pub async fn is_closed(&mut self) -> u16 {
        match self.next().await {
            Message::Close(Some(frame)) => frame.code.into(),
            other => panic!("a close frame expected, not {other:?}"),
        }
    }

    /// An error and the close code that belongs to it.
    pub async fn is_refused(&mut self, code: &str) -> u16 {
        let error = self.hears("error").await;
        assert_eq!((error["code"].as_str(), error["fatal"].as_bool()), (Some(code), Some(true)));
        self.is_closed().await
    }

    /// That nothing came, shown by what a message to oneself finds in front of it.
    pub async fn has_noticed_nothing(&mut self) {
        self.says(r#"{"type":"chat","text":"anybody?"}"#).await;
        assert_eq!(self.hears("chat").await["text"], "anybody?");
    }

    async fn next(&mut self) -> Message {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(5), self.socket.next()).await;
            match frame.expect("in time").expect("not the end").expect("a frame") {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }
}

/// The least that can be answered: one Opus line. `certificate` tells clients apart.
pub fn sdp(certificate: u8, direction: &str) -> String {
    let fingerprint = vec![format!("{certificate:02X}"); 32].join(":");
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na={direction}\r\na=rtcp-mux\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=fingerprint:sha-256 {fingerprint}\r\n\
         a=setup:actpass\r\na=rtpmap:111 opus/48000/2\r\n"
    )
}
