//! Opening what a transport receives: authenticated first, remembered afterwards.

use std::{mem::offset_of, ops::Range};

use prefetch::{prefetch, prefetch_front};

use super::{
    cipher::{CmSha1Keys, GCM_TAG_BYTES, GcmKeys, SHA1_TAG_BYTES, SessionKeys, Unauthenticated},
    keys::{InvalidKey, Label, MasterKey, Profile},
    replay::SsrcTable,
};
use crate::{
    DropReason,
    rtp::{RtpHeader, nearest_sequence},
};

/// RTP replay window: 1024 packets, so that what a NACK brings back a second later at 8 Mbit/s still passes.
const RTP_WINDOW_WORDS: usize = 16;
/// RTCP replay window: 128 packets, twice what RFC 3711 §3.3.2 asks for.
const RTCP_WINDOW_WORDS: usize = 2;
/// What SRTCP leaves in the clear: the first packet's header and its SSRC (RFC 3711 §3.4).
const RTCP_CLEAR_BYTES: usize = 8;
/// E flag and index.
const RTCP_INDEX_BYTES: usize = 4;

/// An RTP packet that was opened in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Roll-over counter and sequence number: `roc << 16 | sequence`. Never given out twice for one SSRC.
    pub index: u64,
    /// Its header, CSRCs and extensions: authenticated.
    pub header: RtpHeader,
    /// Where the plain payload stands, RTP padding included; the plain packet ends where it ends.
    pub payload: Range<usize>,
}

/// Keys and replay windows of one direction: from the client to the server.
#[repr(C, align(64))]
pub struct SrtpInbound {
    rtp_keys: SessionKeys,
    profile: Profile,
    /// Apart from what every packet needs.
    rtcp: Box<Rtcp>,
    rtp: SsrcTable<RTP_WINDOW_WORDS>,
}

struct Rtcp {
    keys: SessionKeys,
    windows: SsrcTable<RTCP_WINDOW_WORDS>,
}

impl SrtpInbound {
    /// Derives the session keys.
    ///
    /// # Errors
    /// [`InvalidKey`] when key or salt are not as long as the profile wants them.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, InvalidKey> {
        let master = MasterKey::new(profile, key, salt)?;
        let rtp_keys = SessionKeys::derive(profile, &master, 0)?;
        let rtcp_keys = SessionKeys::derive(profile, &master, Label::SRTCP)?;
        Ok(Self::with_session_keys(profile, rtp_keys, rtcp_keys))
    }

    pub(super) fn with_session_keys(profile: Profile, rtp_keys: SessionKeys, rtcp_keys: SessionKeys) -> Self {
        let rtcp = Box::new(Rtcp { keys: rtcp_keys, windows: SsrcTable::new() });
        Self { profile, rtp_keys, rtp: SsrcTable::new(), rtcp }
    }

    /// Authenticates and decrypts an SRTP packet in place.
    ///
    /// A packet that is refused leaves no trace but in its own bytes, which may have been overwritten.
    /// A stream that was never heard of is taken to be at roll-over counter 0 (RFC 3711 §3.3.1).
    ///
    /// # Errors
    /// [`DropReason::RtpMalformed`], [`DropReason::RtpReplayed`], [`DropReason::RtpUnauthenticated`],
    /// [`DropReason::SsrcTooMany`].
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<Opened, DropReason> {
        let header = RtpHeader::parse(packet)?;
        let clear = header.header_len();
        let plain_len =
            packet.len().checked_sub(self.profile.rtp_overhead()).ok_or(DropReason::RtpMalformed)?;
        if plain_len < clear {
            return Err(DropReason::RtpMalformed);
        }
        // RFC 3711 §3.3.1: the index nearest to the highest that was authenticated.
        let index = match self.rtp.window(header.ssrc) {
            None => u64::from(header.sequence),
            Some(window) => {
                let index = nearest_sequence(window.highest(), header.sequence);
                if !window.is_new(index) {
                    return Err(DropReason::RtpReplayed);
                }
                index
            }
        };
        match &self.rtp_keys {
            SessionKeys::Gcm(keys) => open_rtp_gcm(keys, &header, index, packet),
            SessionKeys::CmSha1(keys) => open_rtp_cm(keys, &header, index, packet),
        }
        .map_err(|Unauthenticated| DropReason::RtpUnauthenticated)?;
        if !self.rtp.accept(header.ssrc, index) {
            return Err(DropReason::SsrcTooMany);
        }
        Ok(Opened { index, header, payload: clear..plain_len })
    }

    /// Authenticates and decrypts an SRTCP packet in place; the length of the plain compound packet.
    ///
    /// A packet that is refused leaves no trace but in its own bytes, which may have been overwritten.
    ///
    /// # Errors
    /// [`DropReason::RtcpMalformed`], [`DropReason::RtcpReplayed`], [`DropReason::SsrcTooMany`];
    /// [`DropReason::RtcpUnauthenticated`] also for a packet that is not encrypted: DTLS-SRTP never agrees on that.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, DropReason> {
        let plain_len =
            packet.len().checked_sub(self.profile.rtcp_overhead()).ok_or(DropReason::RtcpMalformed)?;
        let (ssrc, trailer) = read_rtcp_ends(packet, &self.rtcp.keys).ok_or(DropReason::RtcpMalformed)?;
        if plain_len < RTCP_CLEAR_BYTES {
            return Err(DropReason::RtcpMalformed);
        }
        if trailer >> 31 == 0 {
            return Err(DropReason::RtcpUnauthenticated);
        }
        let index = u64::from(trailer & 0x7fff_ffff);
        if self.rtcp.windows.window(ssrc).is_some_and(|window| !window.is_new(index)) {
            return Err(DropReason::RtcpReplayed);
        }
        match &self.rtcp.keys {
            SessionKeys::Gcm(keys) => open_rtcp_gcm(keys, ssrc, trailer, packet),
            SessionKeys::CmSha1(keys) => open_rtcp_cm(keys, ssrc, index, packet),
        }
        .map_err(|Unauthenticated| DropReason::RtcpUnauthenticated)?;
        if !self.rtcp.windows.accept(ssrc, index) {
            return Err(DropReason::SsrcTooMany);
        }
        Ok(plain_len)
    }

    /// Has the processor fetch what opening an RTP packet takes, if there is something …
    pub fn prefetch(of: &Option<Self>) {
        prefetch_front(of, offset_of!(Self, rtp) + SsrcTable::<RTP_WINDOW_WORDS>::FRONT_BYTES);
    }

    /// … and, when that is there, the replay window.
    pub fn prefetch_window(&self, ssrc: u32) {
        self.rtp.window(ssrc).into_iter().for_each(prefetch);
    }

    /// Has the processor fetch what opening RTCP takes …
    pub fn prefetch_rtcp(&self) {
        prefetch(&*self.rtcp);
    }

    /// … and, when that is there, the replay window.
    pub fn prefetch_rtcp_window(&self, ssrc: u32) {
        self.rtcp.windows.window(ssrc).into_iter().for_each(prefetch);
    }

    /// How many SSRCs sent authenticated RTP or RTCP; what the replay windows cost in memory follows from it.
    pub fn ssrcs(&self) -> (usize, usize) {
        (self.rtp.len(), self.rtcp.windows.len())
    }
}

impl std::fmt::Debug for SrtpInbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SrtpInbound").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// RFC 7714 §8: header ‖ ciphertext ‖ tag.
fn open_rtp_gcm(
    keys: &GcmKeys,
    header: &RtpHeader,
    index: u64,
    packet: &mut [u8],
) -> Result<(), Unauthenticated> {
    let (clear, sealed) = packet.split_at_mut_checked(header.header_len()).ok_or(Unauthenticated)?;
    keys.open(header.ssrc, index, clear, sealed)
}

/// RFC 3711 §3.1, §4.2: header ‖ ciphertext ‖ tag, the tag over both and the roll-over counter.
fn open_rtp_cm(
    keys: &CmSha1Keys,
    header: &RtpHeader,
    index: u64,
    packet: &mut [u8],
) -> Result<(), Unauthenticated> {
    let (protected, tag) = packet.split_last_chunk_mut::<SHA1_TAG_BYTES>().ok_or(Unauthenticated)?;
    let roll_over_counter = (index >> 16) as u32;
    keys.verify([protected, &roll_over_counter.to_be_bytes()], tag)?;
    let ciphertext = protected.get_mut(header.header_len()..).ok_or(Unauthenticated)?;
    keys.apply(header.ssrc, index, ciphertext).ok_or(Unauthenticated)
}

/// The sender's SSRC, and the word of the E flag and the index; `None` for what cannot be SRTCP.
fn read_rtcp_ends(packet: &[u8], keys: &SessionKeys) -> Option<(u32, u32)> {
    let ([first, _, _, _, ssrc @ ..], _) = packet.split_first_chunk::<RTCP_CLEAR_BYTES>()?;
    if first >> 6 != 2 {
        return None;
    }
    let before_tag = match keys {
        SessionKeys::Gcm(_) => packet,
        SessionKeys::CmSha1(_) => packet.split_last_chunk::<SHA1_TAG_BYTES>()?.0,
    };
    let (_, trailer) = before_tag.split_last_chunk::<RTCP_INDEX_BYTES>()?;
    Some((u32::from_be_bytes(*ssrc), u32::from_be_bytes(*trailer)))
}

/// RFC 7714 §9: header ‖ ciphertext ‖ tag ‖ E and index; authenticated are the first and the last.
fn open_rtcp_gcm(keys: &GcmKeys, ssrc: u32, trailer: u32, packet: &mut [u8]) -> Result<(), Unauthenticated> {
    let (rest, _) = packet.split_last_chunk_mut::<RTCP_INDEX_BYTES>().ok_or(Unauthenticated)?;
    let (clear, sealed) = rest.split_first_chunk_mut::<RTCP_CLEAR_BYTES>().ok_or(Unauthenticated)?;
    if sealed.len() < GCM_TAG_BYTES {
        return Err(Unauthenticated);
    }
    keys.open(ssrc, u64::from(trailer & 0x7fff_ffff), &rtcp_authenticated(clear, trailer), sealed)
}

/// RFC 3711 §3.4: header ‖ ciphertext ‖ E and index ‖ tag, the tag over all before it.
fn open_rtcp_cm(keys: &CmSha1Keys, ssrc: u32, index: u64, packet: &mut [u8]) -> Result<(), Unauthenticated> {
    let (protected, tag) = packet.split_last_chunk_mut::<SHA1_TAG_BYTES>().ok_or(Unauthenticated)?;
    keys.verify([protected, &[]], tag)?;
    let (rest, _) = protected.split_last_chunk_mut::<RTCP_INDEX_BYTES>().ok_or(Unauthenticated)?;
    let ciphertext = rest.get_mut(RTCP_CLEAR_BYTES..).ok_or(Unauthenticated)?;
    keys.apply(ssrc, index, ciphertext).ok_or(Unauthenticated)
}

/// The associated data of RFC 7714 §9.2.
pub(super) fn rtcp_authenticated(clear: &[u8; RTCP_CLEAR_BYTES], trailer: u32) -> [u8; 12] {
    let [c0, c1, c2, c3, c4, c5, c6, c7] = *clear;
    let [t0, t1, t2, t3] = trailer.to_be_bytes();
    [c0, c1, c2, c3, c4, c5, c6, c7, t0, t1, t2, t3]
}
