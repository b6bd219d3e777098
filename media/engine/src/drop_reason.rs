//! Every way a packet can die. Each has a counter and a row in `docs/runbook.md`.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a datagram or a packet went no further.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(usize)]
        pub enum DropReason { $($(#[doc = $doc])+ $variant,)+ }

        impl DropReason {
            /// Every reason, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The `reason` label of `consilium_packets_dropped_total`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

drop_reasons! {
    /// The first byte names no protocol that is spoken here (RFC 7983 §7), or the datagram is empty.
    UnknownProtocol = "unknown_protocol",
    /// Not a well-formed STUN message.
    StunMalformed = "stun_malformed",
    /// A STUN check for a user fragment that nobody here has.
    StunUnknownUser = "stun_unknown_user",
    /// A STUN check whose MESSAGE-INTEGRITY is wrong.
    StunUnauthenticated = "stun_unauthenticated",
    /// A STUN message that an ICE-lite agent has no use for.
    StunUnexpected = "stun_unexpected",
    /// DTLS, RTP or RTCP from an address that has passed no authenticated check.
    AddressUnknown = "address_unknown",
    /// More handshake datagrams wait than the shard works off before clients repeat them.
    HandshakeQueueFull = "handshake_queue_full",
    /// Not a well-formed DTLS record, or one that the association refused.
    DtlsRefused = "dtls_refused",
    /// RTP or RTCP before the handshake was done.
    BeforeDtls = "before_dtls",
    /// Not a well-formed RTP packet.
    RtpMalformed = "rtp_malformed",
    /// SRTP authentication failed.
    RtpUnauthenticated = "rtp_unauthenticated",
    /// SRTP replay window: seen already, or too old to tell.
    RtpReplayed = "rtp_replayed",
    /// Not a well-formed RTCP packet.
    RtcpMalformed = "rtcp_malformed",
    /// SRTCP authentication failed, or the packet was not encrypted.
    RtcpUnauthenticated = "rtcp_unauthenticated",
    /// SRTCP replay window.
    RtcpReplayed = "rtcp_replayed",
    /// An authenticated SSRC that belongs to no negotiated track.
    SsrcUnknown = "ssrc_unknown",
    /// A transport sends from more SSRCs than it may.
    SsrcTooMany = "ssrc_too_many",
    /// A payload type that was not accepted for this track.
    PayloadTypeUnknown = "payload_type_unknown",
    /// A retransmission of a packet that had come already, or the packet after its retransmission.
    Duplicate = "duplicate",
    /// Older than anything that could still be played.
    TooOld = "too_old",
    /// The codec's payload header cannot be parsed.
    PayloadMalformed = "payload_malformed",
    /// Padding only, in a stream for retransmissions: sent to probe bandwidth, carries nothing.
    PaddingOnly = "padding_only",
    /// The publisher has not been admitted.
    NotAdmitted = "not_admitted",
    /// Video that is withheld because the shard falls behind.
    Overload = "overload",
    /// The source is muted.
    Muted = "muted",
    /// The subscriber's slot waits for a key frame.
    AwaitingKeyframe = "awaiting_keyframe",
    /// A late packet of the source that a slot showed before.
    PreviousSource = "previous_source",
    /// The subscriber did not negotiate this codec.
    CodecNotNegotiated = "codec_not_negotiated",
    /// The subscriber has no address or keys yet.
    SubscriberNotConnected = "subscriber_not_connected",
    /// The send buffer of this batch is full.
    SendBufferFull = "send_buffer_full",
    /// A NACK for a packet that is no longer cached.
    RetransmissionExpired = "retransmission_expired",
    /// The same packet was retransmitted a moment ago.
    RetransmissionTooSoon = "retransmission_too_soon",
    /// A subscriber asks for more again than its share allows.
    RetransmissionOverBudget = "retransmission_over_budget",
    /// A publisher repeats a packet that is newer than its newest.
    RetransmissionAhead = "retransmission_ahead",
    /// The kernel would not take the datagram.
    SocketRefused = "socket_refused",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_in_order_and_named_apart() {
        let mut names: Vec<_> = DropReason::ALL.iter().map(|r| r.as_str()).collect();
        assert!(DropReason::ALL.iter().enumerate().all(|(i, r)| *r as usize == i));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::ALL.len());
    }
}
