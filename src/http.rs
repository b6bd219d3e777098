//! How HTTP connections are served: HTTP/1.1 and HTTP/2 on one listener, over TLS by ALPN, in the clear by prior knowledge.
//!
//! Over HTTP/2 many WebSockets share a connection (RFC 8441 §5). What one connection may take up is bounded here; how
//! many WebSockets there may be in all is signaling's affair, whatever carries them.

use std::time::Duration;

use axum_server::accept::NoDelayAcceptor;
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};

/// Requests and WebSockets of one connection at one time.
pub const STREAMS_MAX: u32 = 256;
/// What a stream's sender may be ahead of its reader: a long offer arrives in two or three pieces.
const STREAM_WINDOW_BYTES: u32 = 64 * 1024;
/// The same for all streams of a connection together.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What waits to be sent on one stream.
const SEND_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// The longest headers of a request; a bearer ticket has room in it.
const HEADER_LIST_BYTES_MAX: u32 = 16 * 1024;
/// From one PING to the next (RFC 9113 §6.7).
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A connection that does not answer one by then is dead.
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// The headers of a request over HTTP/1.1 are there by then, and the next request's after an answer; what came over
/// HTTP/2 is bounded by its streams.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest pause within a request's body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// Sets the bounds of a server's connections.
pub fn bound(builder: &mut Builder<TokioExecutor>) {
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES_MAX)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
}

/// Takes connections whose small messages do not wait for each other.
pub fn acceptor() -> NoDelayAcceptor {
    NoDelayAcceptor::new()
}
