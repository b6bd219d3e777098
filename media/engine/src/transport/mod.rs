//! One ICE + DTLS + SRTP association. The only place, with the SDP answerer, that names an `rtc_…` crate.

