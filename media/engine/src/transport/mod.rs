//! One ICE + DTLS + SRTP association. The only place, with the SDP answerer, that names an `rtc_…` crate.

pub(crate) mod connection;
pub mod dtls;
pub mod feedback;
pub mod ice_lite;
pub mod srtp;
pub mod stun;
