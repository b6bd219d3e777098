//! Who may hold a connection: so many from one address, and none that says nothing.
//!
//! A WebSocket may be silent for as long as it likes; whoever has just connected has to say what they want.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum_server::accept::Accept;
use control_api::{TrustedProxies, network_of};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// By then the first bytes of a request have to be there, by which HTTP/1.1 is told from HTTP/2.
pub const FIRST_BYTES_TIMEOUT: Duration = Duration::from_secs(10);
/// The preface of HTTP/2 (RFC 9113 §3.4).
const FIRST_BYTES: usize = 24;

/// The connections of a node.
#[derive(Debug, Clone)]
pub struct Connections(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    of_address_max: u32,
    /// May have as many as they need: they stand for many.
    proxies: TrustedProxies,
    by_address: Mutex<HashMap<IpAddr, u32>>,
    refused: AtomicU64,
}

impl Connections {
    /// So many from each address (IPv6: each /64) that is no proxy.
    pub fn new(of_address_max: u32, proxies: TrustedProxies) -> Self {
        let (by_address, refused) = (Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Counts { of_address_max, proxies, by_address, refused }))
    }

    /// How many were closed at once because their address had too many.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Has connections pass here before the acceptor that knows how to talk to them.
    pub fn before<A>(&self, acceptor: A) -> Doorkeeper<A> {
        Doorkeeper { connections: self.clone(), acceptor }
    }

    fn enter(&self, address: IpAddr) -> Option<Place> {
        if self.0.proxies.trusts(address.to_canonical()) {
            return Some(Place { connections: self.clone(), address: None });
        }
        let address = network_of(address);
        let mut by_address = self.0.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(address).or_default();
        if *count >= self.0.of_address_max {
            if self.0.refused.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!(
                    max = self.0.of_address_max,
                    "an address has as many connections as one may have"
                );
            }
            return None;
        }
        *count += 1;
        Some(Place { connections: self.clone(), address: Some(address) })
    }
}

/// A connection's place among those of its address, until it is dropped.
#[derive(Debug)]
struct Place {
    connections: Connections,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut by_address = self.connections.0.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = by_address.get_mut(&address) else { return };
        *count -= 1;
        if *count == 0 {
            by_address.remove(&address);
        }
    }
}

/// Lets a connection through to an acceptor.
#[derive(Debug, Clone)]
pub struct Doorkeeper<A> {
    connections: Connections,
    acceptor: A,
}

type Accepted<T, S> = Pin<Box<dyn Future<Output = io::Result<(T, S)>> + Send>>;

impl<A, S> Accept<TcpStream, S> for Doorkeeper<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
    S: Send + 'static,
{
    type Stream = Guarded<A::Stream>;
    type Service = A::Service;
    type Future = Accepted<Self::Stream, Self::Service>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().map(|peer| self.connections.enter(peer.ip()));
        let place = match place {
            Ok(Some(place)) => place,
            Ok(None) => return Box::pin(async { Err(io::ErrorKind::QuotaExceeded.into()) }),
            Err(error) => return Box::pin(async { Err(error) }),
        };
        let accepted = self.acceptor.accept(stream, service);
        Box::pin(async {
            let (stream, service) = accepted.await?;
            Ok((Guarded::new(stream, place), service))
        })
    }
}

/// A connection that fails if it says nothing at first.
#[derive(Debug)]
pub struct Guarded<T> {
    stream: T,
    /// Bytes that are still to come, and until when; `None` once it is known what the peer wants.
    awaited: Option<(usize, Pin<Box<Sleep>>)>,
    _place: Place,
}

impl<T> Guarded<T> {
    fn new(stream: T, place: Place) -> Self {
        let awaited = Some((FIRST_BYTES, Box::pin(sleep(FIRST_BYTES_TIMEOUT))));
        Self { stream, awaited, _place: place }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        let Some((missing, deadline)) = &mut self.awaited else { return polled };
        if polled.is_pending() {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        *missing = missing.saturating_sub(buf.filled().len() - before);
        if *missing == 0 {
            self.awaited = None;
        }
        polled
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // Who is answered has said enough.
        self.awaited = None;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.awaited = None;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
