//! RTCP: compound packets read without allocation and written into a buffer.
//!
//! | file | holds |
//! |---|---|
//! | `report.rs` | sender and receiver reports, BYE (RFC 3550 §6.4, §6.6) |
//! | `feedback.rs` | NACK, PLI, FIR (RFC 4585 §6, RFC 5104 §4.3.1) |
//! | `transport_cc.rs` | transport-wide feedback, read and written |
//! | `writer.rs` | compounds that leave |

mod feedback;
mod report;
mod transport_cc;
mod writer;

pub use feedback::{Fir, FirEntry, Nack, Pli};
pub use report::{Bye, ReceiverReport, ReportBlock, SenderInfo, SenderReport};
pub use transport_cc::{PacketStatus, TransportCc, TransportCcWriter, Written};
pub use writer::CompoundWriter;

use crate::DropReason;

/// Packet types (RFC 3550 §12.1, RFC 4585 §6.1) and feedback message types.
pub(crate) mod types {
    pub const SENDER_REPORT: u8 = 200;
    pub const RECEIVER_REPORT: u8 = 201;
    pub const SDES: u8 = 202;
    pub const BYE: u8 = 203;
    pub const TRANSPORT_FEEDBACK: u8 = 205;
    pub const PAYLOAD_FEEDBACK: u8 = 206;
    /// Of transport feedback (RFC 4585 §6.2.1).
    pub const FORMAT_NACK: u8 = 1;
    /// Of transport feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
    pub const FORMAT_TRANSPORT_CC: u8 = 15;
    /// Of payload feedback (RFC 4585 §6.3.1).
    pub const FORMAT_PLI: u8 = 1;
    /// Of payload feedback (RFC 5104 §4.3.1).
    pub const FORMAT_FIR: u8 = 4;
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy)]
pub enum Packet<'a> {
    /// RFC 3550 §6.4.1
    SenderReport(SenderReport<'a>),
    /// RFC 3550 §6.4.2
    ReceiverReport(ReceiverReport<'a>),
    /// RFC 3550 §6.6
    Bye(Bye<'a>),
    /// RFC 4585 §6.2.1
    Nack(Nack<'a>),
    /// RFC 4585 §6.3.1
    Pli(Pli),
    /// RFC 5104 §4.3.1
    Fir(Fir<'a>),
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1
    TransportCc(TransportCc<'a>),
}

/// The packets of a plain compound (RFC 3550 §6.1), reduced-size ones included (RFC 5506).
///
/// SDES and what is not known are skipped. [`DropReason::RtcpMalformed`] is the last that comes.
#[derive(Debug, Clone)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Compound<'a> {
    /// Walks the packets of `compound`.
    pub fn new(compound: &'a [u8]) -> Self {
        Self { rest: compound }
    }

    /// The next packet's type, format or count, and content without padding.
    fn split_packet(&mut self) -> Option<(u8, u8, &'a [u8])> {
        let ([first, packet_type, l0, l1], after) = self.rest.split_first_chunk::<4>()?;
        if first >> 6 != 2 {
            return None;
        }
        let words = u16::from_be_bytes([*l0, *l1]);
        let (mut content, rest) = after.split_at_checked(usize::from(words) * 4)?;
        if first & 0x20 != 0 {
            // RFC 3550 §6.4.1: the count includes itself. It should be a multiple of four, but libwebrtc pads
            // transport-wide feedback by 1 to 3, and not only in the last packet.
            let padding = usize::from(*content.last()?);
            if padding == 0 {
                return None;
            }
            content = content.get(..content.len().checked_sub(padding)?)?;
        }
        self.rest = rest;
        Some((*packet_type, first & 0x1f, content))
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Packet<'a>, DropReason>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let parsed = self.split_packet().and_then(|(kind, count, content)| read(kind, count, content));
            match parsed {
                Some(Some(packet)) => return Some(Ok(packet)),
                Some(None) => {}
                None => {
                    self.rest = &[];
                    return Some(Err(DropReason::RtcpMalformed));
                }
            }
        }
        None
    }
}

/// `None` where it is malformed, `Some(None)` where it is not known.
fn read(packet_type: u8, count: u8, content: &[u8]) -> Option<Option<Packet<'_>>> {
    let packet = match (packet_type, count) {
        (types::SENDER_REPORT, _) => Packet::SenderReport(SenderReport::read(count, content)?),
        (types::RECEIVER_REPORT, _) => Packet::ReceiverReport(ReceiverReport::read(count, content)?),
        (types::BYE, _) => Packet::Bye(Bye::read(count, content)?),
        (types::TRANSPORT_FEEDBACK, types::FORMAT_NACK) => Packet::Nack(Nack::read(content)?),
        (types::TRANSPORT_FEEDBACK, types::FORMAT_TRANSPORT_CC) => {
            Packet::TransportCc(TransportCc::read(content)?)
        }
        (types::PAYLOAD_FEEDBACK, types::FORMAT_PLI) => Packet::Pli(Pli::read(content)?),
        (types::PAYLOAD_FEEDBACK, types::FORMAT_FIR) => Packet::Fir(Fir::read(content)?),
        _ => return Some(None),
    };
    Some(Some(packet))
}

/// A big-endian number of 32 bits at the start, and what follows.
fn split_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u32::from_be_bytes(*number), rest))
}
