//! A signaling WebSocket, as a client has it.

use std::net::SocketAddr;

use futures_util::{SinkExt as _, StreamExt as _, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::mpsc};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        error::Error,
        http::{HeaderValue, header},
    },
};

use super::within_patience;

/// What the server said or did.
#[derive(Debug, Clone)]
pub enum Heard {
    Message(Value),
    /// It closed, with this code.
    Closed(u16),
}

/// The standard's code for a connection that ended without a close frame (RFC 6455 §7.4.1).
pub const CLOSED_ABNORMALLY: u16 = 1006;

/// A connection. What is said is taken in even while nobody listens.
pub struct Signal {
    sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    heard: mpsc::UnboundedReceiver<Heard>,
}

impl Signal {
    pub async fn open(address: SocketAddr) -> Self {
        within_patience("a WebSocket", Self::try_open(address, None)).await.expect("a WebSocket")
    }

    /// As a page of this origin would.
    pub async fn try_open(address: SocketAddr, origin: Option<&str>) -> Result<Self, Error> {
        let mut request = format!("ws://{address}/v1/signal").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("consilium.v1"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin)?);
        }
        let (socket, response) = client_async(request, TcpStream::connect(address).await?).await?;
        assert_eq!(response.headers()[header::SEC_WEBSOCKET_PROTOCOL], "consilium.v1");
        let (sink, mut stream) = socket.split();
        let (hears, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut closed = CLOSED_ABNORMALLY;
            while let Some(Ok(frame)) = stream.next().await {
                match frame {
                    Message::Text(text) => {
                        let message = serde_json::from_str(&text).expect("the server says JSON");
                        let _ = hears.send(Heard::Message(message));
                    }
                    Message::Close(frame) => closed = frame.map_or(closed, |frame| frame.code.into()),
                    _ => {}
                }
            }
            let _ = hears.send(Heard::Closed(closed));
        });
        Ok(Self { sink, heard })
    }

    pub async fn say(&mut self, message: &Value) {
        self.say_frame(Message::text(message.to_string())).await;
    }

    /// Sends anything. That the server hung up meanwhile is for the reader to find out.
    pub async fn say_frame(&mut self, frame: Message) {
        let _ = self.sink.send(frame).await;
    }

    pub async fn hello(&mut self, ticket: &str) {
        self.say(&json!({ "type": "hello", "ticket": ticket })).await;
    }

    /// The next thing, whatever it is.
    pub async fn hear(&mut self) -> Heard {
        within_patience("a word from the server", self.heard.recv()).await.expect("the reader runs")
    }

    /// The next message of this type; others are passed over.
    pub async fn expect(&mut self, wanted: &str) -> Value {
        loop {
            match self.hear().await {
                Heard::Message(message) if message["type"] == wanted => return message,
                Heard::Message(_) => {}
                Heard::Closed(code) => panic!("closed with {code} instead of {wanted}"),
            }
        }
    }

    /// The error and the close code with which the server ends the connection.
    pub async fn expect_fatal(&mut self) -> (String, u16) {
        let error = self.expect("error").await;
        assert_eq!(error["fatal"], true, "{error}");
        (error["code"].as_str().expect("a code").to_owned(), self.expect_close().await)
    }

    /// The close code; messages before it are passed over.
    pub async fn expect_close(&mut self) -> u16 {
        loop {
            if let Heard::Closed(code) = self.hear().await {
                return code;
            }
        }
    }

    /// What has come so far and nobody took.
    pub fn drain(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}
