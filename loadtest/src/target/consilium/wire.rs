//! What carries a participant's WebSocket: a TCP connection of their own, or a stream of one that many share.

use std::{
    io,
    net::SocketAddr,
    os::fd::AsRawFd as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use serde::{Deserialize, Serialize};
use signaling_protocol::SUBPROTOCOL;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        client::IntoClientRequest as _,
        http::{HeaderValue, header},
        protocol::{Role, WebSocketConfig},
    },
};

use super::http2::{Connections, Stream};

/// A connection's buffers: messages are small and there are many connections.
const BUFFER_BYTES: usize = 1024;

/// How participants reach signaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalingMode {
    /// A TCP connection each (RFC 6455).
    #[default]
    Http1,
    /// Streams of connections that they share (RFC 8441); requests to the control API go there, too.
    Http2,
}

/// Where WebSockets come from.
#[derive(Debug, Clone)]
pub(super) enum Signaling {
    Http1(SocketAddr),
    Http2(Arc<Connections>),
}

impl Signaling {
    /// Opens one.
    pub(super) async fn open(&self) -> io::Result<WebSocketStream<Wire>> {
        match self {
            Self::Http1(address) => open_http1(*address).await,
            Self::Http2(connections) => {
                let stream = connections.websocket("/v1/signal", SUBPROTOCOL).await?;
                let config = Some(config());
                Ok(WebSocketStream::from_raw_socket(Wire::Stream(stream), Role::Client, config).await)
            }
        }
    }
}

async fn open_http1(address: SocketAddr) -> io::Result<WebSocketStream<Wire>> {
    let url = format!("ws://{address}/v1/signal");
    let mut request = url.into_client_request().map_err(io::Error::other)?;
    request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let opened = client_async_with_config(request, Wire::Tcp(stream), Some(config())).await;
    opened.map(|(socket, _)| socket).map_err(io::Error::other)
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(0)
}

/// The bytes below a WebSocket.
pub(super) enum Wire {
    Tcp(TcpStream),
    Stream(Stream),
    /// Nothing any more: it broke.
    Gone,
}

impl Wire {
    /// Sends a last frame without waiting, where there is nothing to wait with.
    pub(super) fn leave(&mut self, frame: Vec<u8>) {
        match self {
            Self::Tcp(stream) => {
                let (fd, flags) = (stream.as_raw_fd(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL);
                // SAFETY: the bytes live until after the call and their length is told; the socket is open.
                let _ = unsafe { libc::send(fd, frame.as_ptr().cast(), frame.len(), flags) };
            }
            Self::Stream(stream) => stream.leave(frame),
            Self::Gone => {}
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Stream(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Stream(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Stream(stream) => Pin::new(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Stream(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Ok(())),
        }
    }
}
