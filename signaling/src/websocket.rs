//! `GET /v1/signal`, and `CONNECT` over HTTP/2: the shell around [`Session`]. It waits, reads clocks and moves frames; it decides nothing.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use futures_util::{SinkExt, StreamExt};
use hyper::{ext::Protocol, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use media_model::{ParticipantNumber, Source};
use signaling_protocol::{
    SUBPROTOCOL, error::ErrorCode, limits::MESSAGE_BYTES_MAX, server::GoodbyeReason, server::ServerMessage,
};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    time::timeout,
};
use tokio_tungstenite::WebSocketStream;
use tungstenite::{
    Error, Message,
    handshake::server::create_response,
    protocol::{CloseFrame, Role, WebSocketConfig},
};

use crate::{
    Shared, chat,
    consult::{Moment, Seat},
    counters::Counters,
    door,
    frames::FrameByFrame,
    journal::{JournalUnavailable, Way},
    limits::{CLOSE_TIMEOUT, OUTBOX_NOTICES_MAX, SEND_TIMEOUT},
    negotiation,
    origin::Page,
    problem::Problem,
    session::{Notice, Output, Session},
};

/// A message just above the limit still gets an error of its own; far above it the WebSocket layer refuses to read on.
const FRAME_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;

/// Room for what one read takes in: messages are short, but for offers.
const READ_BUFFER_BYTES: usize = 1024;

/// A message so long has left buffers behind that are worth giving back.
const LONG_MESSAGE_BYTES: usize = 4 * READ_BUFFER_BYTES;

type Socket = WebSocketStream<FrameByFrame<TokioIo<Upgraded>>>;

/// Upgrades to a WebSocket that speaks [`SUBPROTOCOL`].
pub(crate) async fn signal(
    State(shared): State<Arc<Shared>>,
    Extension(page): Extension<Page>,
    mut request: Request,
) -> Response {
    let (parts, body) = std::mem::take(&mut request).into_parts();
    let request_head = axum::http::Request::from_parts(parts, ());
    let Some(response) = agree(&request_head) else {
        let title = "this is for WebSockets (RFC 6455 §4.2.1, RFC 8441 §5)";
        return refuse(&shared, Problem::new(StatusCode::BAD_REQUEST, "not_a_websocket", title));
    };
    if !offers_subprotocol(request_head.headers()) {
        let title = "the WebSocket subprotocol consilium.v1 is needed";
        return refuse(&shared, Problem::new(StatusCode::BAD_REQUEST, "subprotocol_missing", title));
    }
    let Ok(permit) = Arc::clone(&shared.connections).try_acquire_owned() else {
        let title = "the node has as many connections as it can have";
        return refuse(&shared, Problem::new(StatusCode::SERVICE_UNAVAILABLE, "connections_full", title));
    };
    Counters::add(&shared.counters.connections);
    let (parts, ()) = request_head.into_parts();
    let upgrade = hyper::upgrade::on(Request::from_parts(parts, body));
    tokio::spawn(async move {
        // Fails when the client hangs up first.
        let Ok(upgraded) = upgrade.await else { return };
        let socket = open(FrameByFrame::new(TokioIo::new(upgraded))).await;
        Connection::new(shared, page, socket, permit).run().await;
    });
    let mut response = response.map(|()| Body::empty());
    response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    response
}

/// The answer to somebody who wants a WebSocket; None where a request is for something else.
fn agree(head: &axum::http::Request<()>) -> Option<axum::http::Response<()>> {
    if head.version() != Version::HTTP_2 {
        return create_response(head).ok();
    }
    // RFC 8441 §5: no key and no accept, they are about intermediaries that HTTP/2 does not have.
    let is_websocket = head.extensions().get::<Protocol>().is_some_and(|name| name.as_str() == "websocket");
    let version = head.headers().get(header::SEC_WEBSOCKET_VERSION);
    let is_wanted = head.method() == Method::CONNECT && is_websocket && version.is_some_and(|v| v == "13");
    is_wanted.then(axum::http::Response::default)
}

/// The WebSocket layer, with nothing in its buffers.
async fn open(stream: FrameByFrame<TokioIo<Upgraded>>) -> Socket {
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await
}

fn offers_subprotocol(headers: &HeaderMap) -> bool {
    let offered =
        headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).any(|protocol| protocol.trim() == SUBPROTOCOL)
}

fn refuse(shared: &Shared, problem: Problem) -> Response {
    shared.counters.request_refused(problem.code);
    tracing::info!(code = problem.code, "WebSocket refused");
    problem.into_response()
}

struct Connection {
    shared: Arc<Shared>,
    page: Page,
    session: Session,
    /// `None` only while it is made anew.
    socket: Option<Socket>,
    /// The longest message since then.
    longest_bytes: usize,
    /// The stream ended at something unreadable: nothing after it can be read, though it goes on coming.
    is_unreadable: bool,
    /// The sender is handed to the consult with `hello`.
    notices: (Option<mpsc::Sender<Notice>>, mpsc::Receiver<Notice>),
    seat: Option<Seat>,
    _permit: OwnedSemaphorePermit,
}

/// Whether the connection goes on.
type GoesOn = bool;

impl Connection {
    fn new(shared: Arc<Shared>, page: Page, socket: Socket, permit: OwnedSemaphorePermit) -> Self {
        let (sender, notices) = mpsc::channel(OUTBOX_NOTICES_MAX);
        Self {
            shared,
            page,
            session: Session::new(Instant::now()),
            socket: Some(socket),
            longest_bytes: 0,
            is_unreadable: false,
            notices: (Some(sender), notices),
            seat: None,
            _permit: permit,
        }
    }

    async fn run(mut self) {
        let mut closing = self.shared.closing.subscribe();
        while self.perform().await && self.slim().await && self.wait(&mut closing).await {}
        // A connection that ended without a word from the client may come back: its media goes on for a while.
        self.depart(false);
    }

    /// Waits for whatever comes first and tells the session. False when the socket is gone.
    async fn wait(&mut self, closing: &mut tokio::sync::watch::Receiver<bool>) -> GoesOn {
        let deadline = tokio::time::Instant::from_std(self.session.poll_timeout());
        let Some(socket) = &mut self.socket else { return false };
        tokio::select! {
            biased;
            Ok(_) = closing.wait_for(|closing| *closing) => {
                self.session.handle_notice(Instant::now(), Notice::Goodbye(GoodbyeReason::ServerShutdown));
            }
            notice = self.notices.1.recv() => match notice {
                Some(notice) => self.session.handle_notice(Instant::now(), notice),
                None => self.session.handle_cut(),
            },
            () = tokio::time::sleep_until(deadline) => self.session.handle_timeout(Instant::now()),
            frame = socket.next() => match frame {
                Some(Ok(frame)) => return self.handle_frame(frame),
                Some(Err(error)) => return self.handle_broken(&error),
                None => return false,
            },
        }
        true
    }

    fn handle_frame(&mut self, frame: Message) -> GoesOn {
        let now = Instant::now();
        match frame {
            Message::Text(text) => {
                Counters::add(&self.shared.counters.messages_received);
                self.longest_bytes = self.longest_bytes.max(text.len());
                self.session.handle_text(now, &text);
            }
            Message::Binary(_) => self.session.handle_binary(now),
            Message::Ping(_) | Message::Pong(_) => self.session.handle_control(now),
            Message::Close(_) | Message::Frame(_) => return false,
        }
        true
    }

    fn handle_broken(&mut self, error: &Error) -> GoesOn {
        match error {
            Error::Capacity(_) => self.session.handle_oversize(),
            Error::Utf8(_) => self.session.handle_binary(Instant::now()),
            _ => return false,
        }
        self.is_unreadable = true;
        true
    }

    /// Gives back what a long message has left in the WebSocket layer, where no message is under way. False when the
    /// socket is gone.
    async fn slim(&mut self) -> GoesOn {
        let is_at_rest = self.socket.as_ref().is_some_and(|socket| socket.get_ref().is_between_messages());
        if self.longest_bytes < LONG_MESSAGE_BYTES || !is_at_rest || self.is_unreadable {
            return true;
        }
        self.longest_bytes = 0;
        let Some(socket) = self.socket.take() else { return false };
        self.socket = Some(open(socket.into_inner()).await);
        true
    }

    /// Does what the session wants done. False when that was to close.
    async fn perform(&mut self) -> GoesOn {
        while let Some(output) = self.session.poll_output() {
            let goes_on = match output {
                Output::Send(message) => self.send(&message).await,
                Output::Ping => self.write(Message::Ping(Default::default())).await,
                Output::Close { code, departed } => {
                    self.depart(departed);
                    self.close(code).await;
                    false
                }
                Output::Erred(code) => self.erred(code),
                Output::Enter(hello) => self.enter(&hello).await,
                Output::Welcome { by } => self.welcome(by).await,
                seated => self.perform_seated(seated).await,
            };
            if !goes_on {
                return false;
            }
        }
        true
    }

    async fn enter(&mut self, hello: &signaling_protocol::client::Hello) -> GoesOn {
        let Some(notices) = self.notices.0.take() else { return false };
        let entry = match door::enter(&self.shared, &self.page, hello, notices).await {
            Ok((seat, entry)) => {
                self.seat = Some(seat);
                Ok(entry)
            }
            Err(code) => Err(code),
        };
        self.finish_entry(entry);
        true
    }

    async fn welcome(&mut self, by: media_model::ParticipantNumber) -> GoesOn {
        let Some(seat) = self.seat else { return false };
        let entry = door::welcome_admitted(&self.shared, seat, by).await;
        self.finish_entry(entry);
        true
    }

    fn finish_entry(&mut self, entry: Result<crate::session::Entry, ErrorCode>) {
        let is_in = matches!(entry, Ok(crate::session::Entry::Welcome(_)));
        self.session.handle_entry(entry);
        if let (true, Some(seat)) = (is_in, self.seat) {
            tracing::info!(consult = %seat.consult, participant = seat.participant.csrc(), "joined");
            self.shared.registry().greet(seat);
        }
    }

    /// What only somebody who is in a consult can want.
    async fn perform_seated(&mut self, output: Output) -> GoesOn {
        let Some(seat) = self.seat else { return false };
        self.shared.registry().confirm(Moment::now(), seat);
        match output {
            Output::Negotiate(offer) => {
                let answered = negotiation::negotiate(&self.shared, seat, Way::WebSocket, None, &offer).await;
                let is_answered = answered.is_ok();
                let answer = answered.map(|answered| {
                    let told = |notice| self.session.handle_notice(Instant::now(), notice);
                    answered.muted.into_iter().for_each(told);
                    answered.sdp
                });
                self.session.handle_answer(Instant::now(), answer);
                if is_answered {
                    self.shared.registry().relay_layout(seat);
                }
            }
            Output::Mute { source, muted: true, .. } => self.shared.registry().mute(seat, source),
            Output::Mute { source, muted_by, .. } => self.shared.registry().unmute(seat, source, muted_by),
            Output::Chat(text) => {
                if let Err(code) = chat::take(&self.shared, seat, text) {
                    self.session.handle_notice(Instant::now(), Notice::Objected(code));
                }
            }
            Output::Admit(participant) => {
                let admitted = self.shared.registry().admit(Moment::now(), seat, participant);
                self.object_where_forbidden(admitted);
            }
            Output::Remove(participant) => {
                let removed = self.shared.registry().remove(Moment::now(), seat, participant);
                self.object_where_forbidden(removed);
            }
            Output::MuteOther(participant, source) => {
                self.mute_other(seat, participant, source).await;
            }
            // The others are dealt with where no seat is needed.
            _ => {}
        }
        true
    }

    /// What staff does to others is kept before it is done.
    async fn mute_other(&mut self, seat: Seat, participant: ParticipantNumber, source: Source) {
        let asked = self.shared.registry().wants_to_mute(Moment::now(), seat, participant, source);
        let entry = match asked {
            Ok(Some(entry)) => entry,
            Ok(None) => return,
            Err(code) => return self.object_where_forbidden(Err(code)),
        };
        match self.shared.scribe.write(entry).await {
            Ok(()) => self.shared.registry().mute_other(seat, participant, source),
            Err(JournalUnavailable) => {
                self.session.handle_notice(Instant::now(), Notice::Objected(ErrorCode::Internal));
            }
        }
    }

    fn object_where_forbidden(&mut self, done: Result<(), ErrorCode>) {
        if done == Err(ErrorCode::Forbidden) {
            self.session.handle_forbidden();
        }
    }

    fn erred(&self, code: ErrorCode) -> GoesOn {
        self.shared.counters.erred(code);
        let consult = self.seat.map(|seat| seat.consult);
        let participant = self.seat.map(|seat| seat.participant.csrc());
        tracing::info!(?consult, participant, code = code.as_str(), "signaling error");
        true
    }

    fn depart(&mut self, said_goodbye: bool) {
        if let Some(seat) = self.seat.take() {
            self.shared.registry().depart(Moment::now(), seat, said_goodbye);
        }
    }

    async fn send(&mut self, message: &ServerMessage) -> GoesOn {
        let Ok(json) = serde_json::to_string(message) else { return false };
        Counters::add(&self.shared.counters.messages_sent);
        self.longest_bytes = self.longest_bytes.max(json.len());
        self.write(Message::Text(json.into())).await
    }

    async fn write(&mut self, frame: Message) -> GoesOn {
        let Some(socket) = &mut self.socket else { return false };
        match timeout(SEND_TIMEOUT, socket.send(frame)).await {
            Ok(sent) => sent.is_ok(),
            Err(_) => {
                Counters::add(&self.shared.counters.slow_readers);
                false
            }
        }
    }

    /// Sends the close frame and reads on for a moment: a socket that is dropped with unread bytes in it is reset, and
    /// the client would lose our last words (RFC 6455 §7.1.1).
    async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: Default::default() };
        if !self.write(Message::Close(Some(frame))).await {
            return;
        }
        let (Some(socket), is_unreadable) = (&mut self.socket, self.is_unreadable) else { return };
        let drain = async {
            while let Some(Ok(_)) = socket.next().await {}
            if is_unreadable {
                std::future::pending().await
            }
        };
        // A client that does not close its side in time is dropped.
        let _ = timeout(CLOSE_TIMEOUT, drain).await;
    }
}
