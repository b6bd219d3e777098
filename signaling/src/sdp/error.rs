//! Why an offer cannot be answered. Never holds a piece of the SDP: that has addresses in it.

use signaling_protocol::error::ErrorCode;

/// What is wrong with an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SdpError {
    /// Larger than `SDP_BYTES_MAX`, or more m= lines than `TRANSPORT_MEDIA_MAX`.
    #[error("the offer is too large")]
    TooLarge,
    /// Not SDP (RFC 8866).
    #[error("the offer is not SDP")]
    NotSdp,
    /// A live audio or video line stands outside the first `a=group:BUNDLE` (RFC 9143 §7.2).
    #[error("every live line has to be in one BUNDLE group")]
    BundleRequired,
    /// A live line without `a=rtcp-mux` (RFC 8858 §3).
    #[error("every live line needs rtcp-mux")]
    RtcpMuxRequired,
    /// `a=mid` is missing, too long, no token, or there twice (RFC 5888 §4).
    #[error("every live line needs a mid of its own, a token of at most 16 bytes")]
    MidInvalid,
    /// `a=ice-ufrag` or `a=ice-pwd` is missing or out of bounds (RFC 8839 §5.4).
    #[error("the ICE credentials are missing or invalid")]
    IceCredentialsInvalid,
    /// No `a=fingerprint:sha-256` (RFC 8122 §5).
    #[error("a sha-256 fingerprint is needed")]
    FingerprintMissing,
    /// The certificate is another one than before: a new association, so a new transport (RFC 8842 §5.5).
    #[error("the fingerprint is another than before")]
    FingerprintChanged,
    /// The offer's `o=` line has another `sess-id` than before: a new connection of the client that has kept its
    /// certificate, so a new transport (RFC 8866 §5.2).
    #[error("the offer is of another session than before")]
    SessionChanged,
    /// `a=setup` is neither `actpass` nor `active` (RFC 8842 §5.2); the server is always passive.
    #[error("the offer has to be setup:actpass or setup:active")]
    SetupUnsupported,
    /// A track names a mid that is not there, or not of its kind, or that does not send; or a source comes twice.
    #[error("the offer's tracks do not match its lines")]
    TracksMismatch,
    /// Likewise for a slot: not there, already taken, out of range, or it does not receive.
    #[error("the offer's slots do not match its lines")]
    SlotsMismatch,
    /// No line is left that could carry media.
    #[error("nothing in the offer can be accepted")]
    NothingAccepted,
}

impl From<SdpError> for ErrorCode {
    fn from(_: SdpError) -> Self {
        Self::OfferInvalid
    }
}
