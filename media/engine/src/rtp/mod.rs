//! RTP and RTCP on the wire: views without allocation, header extensions, sequence arithmetic (RFC 3550, 8285).
//!
//! | file | holds |
//! |---|---|
//! | `packet.rs` | the fixed header and the CSRC list, read and written |
//! | `extension.rs` | header extensions: one table row each says pass, rewrite or strip |
//! | `sequence.rs` | 16-bit sequence numbers and 32-bit timestamps that no longer wrap |
//! | `ntp.rs` | the 64-bit and 32-bit NTP formats of reports, on a clock that is told |
//! | `rtcp/` | compound packets: reports, NACK, PLI, FIR, BYE, transport-wide feedback |

mod extension;
mod ntp;
mod packet;
pub mod rtcp;
mod sequence;

pub use extension::{
    AudioLevel, EXTENSIONS, ExtensionBlock, ExtensionBlocks, ExtensionRow, Extensions, Handling,
};
pub use ntp::{Epoch, NtpTime, duration_from_compact, duration_to_compact};
pub use packet::{HeaderWriter, RtpHeader};
pub use sequence::{SequenceExtender, TimestampExtender, nearest_sequence, nearest_timestamp};
