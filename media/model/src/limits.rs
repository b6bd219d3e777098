//! Every bound of the media plane, in one place. What exceeds one is refused or dropped, counted and named.

use std::time::Duration;

/// Largest UDP payload that is read; larger datagrams are cut by the socket and then fail authentication.
pub const DATAGRAM_BYTES_MAX: usize = 1_500;

/// Largest RTP packet that is sent, sealed. RFC 8834 leaves the figure open; browsers keep to 1200 bytes of payload.
pub const RTP_PACKET_BYTES_MAX: usize = 1_500;

/// Transports of one consult; bounds the fan-out of a hot consult on its shard. How many people may come is configured
/// below it.
pub const CONSULT_TRANSPORTS_MAX: usize = 128;

/// Transports of one shard.
pub const SHARD_TRANSPORTS_MAX: usize = 32_768;

/// Published tracks and slots of one transport together.
pub const TRANSPORT_MEDIA_MAX: usize = 80;

/// SSRCs that a transport may send from, authenticated ones only.
pub const TRANSPORT_SSRCS_MAX: usize = 32;

/// Remote addresses that have passed an authenticated STUN check, per transport; the oldest goes.
pub const TRANSPORT_ADDRESSES_MAX: usize = 8;

/// Retransmission cache of one published track.
pub const CACHE_BYTES_MAX: usize = 256 * 1024;

/// Age of the oldest packet that is retransmitted.
pub const CACHE_AGE_MAX: Duration = Duration::from_secs(1);

/// A transport that nobody vouched for by an authenticated check for so long is closed (RFC 7675 §5.1).
pub const CONSENT_EXPIRY: Duration = Duration::from_secs(30);

/// From `Join` to a finished DTLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Longest name of a tenant.
pub const TENANT_ID_BYTES_MAX: usize = 40;
