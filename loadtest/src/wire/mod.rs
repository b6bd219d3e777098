//! Bytes on the wire, written and read by hand so that a packet costs the harness little.
//!
//! | file | holds |
//! |---|---|
//! | `rtp.rs` | RTP headers and their extensions |
//! | `rtcp.rs` | reports, NACK, PLI, FIR |
//! | `twcc.rs` | transport-wide feedback |
//! | `stun.rs` | ICE checks and their answers |
//! | `vp8.rs` | VP8 payload descriptors and headers |
//! | `stamp.rs` | who sent what when, in each payload |

pub mod rtcp;
pub mod rtp;
pub mod stamp;
pub mod stun;
pub mod twcc;
pub mod vp8;

/// Two bytes at an offset.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_be_bytes)
}

/// Four bytes at an offset.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}
