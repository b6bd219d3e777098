//! HTTP/2 connections that many participants share: requests, and WebSockets as byte streams (RFC 8441).

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use h2::{
    Ping, RecvStream, SendStream,
    client::{Builder, SendRequest},
    ext::Protocol,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Mutex,
};
use tokio_tungstenite::tungstenite::{
    Bytes,
    http::{Method, Request, Response, Version, header},
};

/// What a stream's sender may be ahead of its reader: an answer fits.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// What may wait to be sent on a stream.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Connections to one server, as many as are needed.
#[derive(Debug)]
pub struct Connections {
    address: SocketAddr,
    streams_max: usize,
    open: Mutex<Vec<Connection>>,
}

/// One connection. Every holder of its place counts as a stream.
#[derive(Debug, Clone)]
struct Connection {
    requests: SendRequest<Bytes>,
    place: Arc<()>,
}

impl Connections {
    /// None yet; each is to have so many streams at most.
    pub fn new(address: SocketAddr, streams_max: usize) -> Self {
        Self { address, streams_max, open: Mutex::new(Vec::new()) }
    }

    /// How many are open.
    pub async fn count(&self) -> usize {
        self.open.lock().await.len()
    }

    /// A connection with room for another stream; a new one where there is none. One that has broken is forgotten.
    async fn connection(&self) -> io::Result<Connection> {
        let mut open = self.open.lock().await;
        // The list has one place more than there are streams.
        while let Some(at) = open.iter().position(|one| Arc::strong_count(&one.place) <= self.streams_max) {
            let mut found = open[at].clone();
            if std::future::poll_fn(|cx| found.requests.poll_ready(cx)).await.is_ok() {
                return Ok(found);
            }
            open.swap_remove(at);
        }
        let made = connect(self.address).await?;
        open.push(made.clone());
        Ok(made)
    }

    /// Opens a WebSocket's byte stream; its version and subprotocol go along (RFC 8441 §5).
    pub async fn websocket(&self, path: &str, subprotocol: &str) -> io::Result<Stream> {
        let request = Request::builder()
            .method(Method::CONNECT)
            .version(Version::HTTP_2)
            .uri(format!("http://{}{path}", self.address))
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_PROTOCOL, subprotocol)
            .extension(Protocol::from_static("websocket"))
            .body(())
            .map_err(io::Error::other)?;
        let mut connection = self.connection().await?;
        let (response, send) = connection.requests.send_request(request, false).map_err(io::Error::other)?;
        let response = response.await.map_err(io::Error::other)?;
        if !response.status().is_success() {
            return Err(io::Error::other(format!("the answer was {}", response.status())));
        }
        let receive = response.into_body();
        Ok(Stream { send, receive, read: Bytes::new(), _place: connection.place })
    }

    /// Posts JSON; the status and the body of the answer.
    pub async fn post(&self, path: &str, api_key: &str, body: String) -> io::Result<(u16, Vec<u8>)> {
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(format!("http://{}{path}", self.address))
            .header(header::AUTHORIZATION, format!("Bearer {api_key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(())
            .map_err(io::Error::other)?;
        let mut connection = self.connection().await?;
        let (response, mut send) =
            connection.requests.send_request(request, false).map_err(io::Error::other)?;
        send.send_data(body.into(), true).map_err(io::Error::other)?;
        let response = response.await.map_err(io::Error::other)?;
        let status = response.status().as_u16();
        Ok((status, read_all(response).await?))
    }
}

async fn read_all(response: Response<RecvStream>) -> io::Result<Vec<u8>> {
    let (mut body, mut bytes) = (response.into_body(), Vec::new());
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(io::Error::other)?;
        let _ = body.flow_control().release_capacity(chunk.len());
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Connects, by prior knowledge (RFC 9113 §3.3), and waits for the server's leave to open WebSockets (RFC 8441 §3).
async fn connect(address: SocketAddr) -> io::Result<Connection> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (requests, mut connection) = Builder::new()
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .enable_push(false)
        .handshake(stream)
        .await
        .map_err(io::Error::other)?;
    let pings = connection.ping_pong();
    tokio::spawn(async move {
        // Why it ended, its streams say.
        let _ = connection.await;
    });
    if let Some(mut pings) = pings {
        // The server's settings come before its answer to this.
        pings.ping(Ping::opaque()).await.map_err(io::Error::other)?;
    }
    if !requests.is_extended_connect_protocol_enabled() {
        return Err(io::Error::other("the server takes no WebSockets over HTTP/2"));
    }
    Ok(Connection { requests, place: Arc::new(()) })
}

/// The bytes of one WebSocket.
pub struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    read: Bytes,
    _place: Arc<()>,
}

impl Stream {
    /// Leaves bytes to be sent, without waiting; the connection's task sends them.
    pub fn leave(&mut self, bytes: Vec<u8>) {
        // Where the stream has ended, nobody waits for them.
        let _ = self.send.send_data(bytes.into(), true);
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.read.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(bytes)) => self.read = bytes,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read.split_to(length));
        if self.read.is_empty() {
            // An empty rest would keep the connection's whole buffer.
            self.read = Bytes::new();
        }
        let _ = self.receive.flow_control().release_capacity(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(bytes.len());
        while self.send.capacity() == 0 && !bytes.is_empty() {
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let part = bytes.get(..self.send.capacity()).unwrap_or(bytes);
        let sent = self.send.send_data(Bytes::copy_from_slice(part), false);
        Poll::Ready(sent.map(|()| part.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Fails where it has ended, which is what is wanted.
        let _ = self.send.send_data(Bytes::new(), true);
        Poll::Ready(Ok(()))
    }
}
