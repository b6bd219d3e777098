//! RTP and RTCP on the wire: views without allocation, header extensions, sequence arithmetic (RFC 3550, 8285).

