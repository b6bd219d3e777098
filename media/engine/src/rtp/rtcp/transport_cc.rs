//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1).
//!
//! Times are counted in ticks of 250 µs, the unit of the format's deltas; a reference time is 256 of them.

use std::time::Duration;

use super::{split_u32, types};

/// The unit of receive deltas.
const TICK: Duration = Duration::from_micros(250);
/// Ticks of the reference time's unit, 64 ms.
const REFERENCE_TICKS: u64 = 256;
/// The reference time has 24 bits.
const REFERENCE_MASK: u64 = 0xff_ffff;
/// RTCP header, two SSRCs, base, count, reference time and feedback count.
const HEADER_BYTES: usize = 20;
/// The longest run that a run length chunk tells (§3.1.3).
const RUN_MAX: usize = 0x1fff;
/// Statuses of a vector chunk, by bits a status (§3.1.4).
const ONE_BIT_STATUSES: usize = 14;
const TWO_BIT_STATUSES: usize = 7;

/// What became of a packet, as its two bits say (§3.1.1).
const NOT_RECEIVED: u8 = 0;
const SMALL_DELTA: u8 = 1;
const LARGE_DELTA: u8 = 2;

/// Which packets arrived when.
#[derive(Debug, Clone, Copy)]
pub struct TransportCc<'a> {
    /// Who received them.
    pub sender_ssrc: u32,
    /// A stream of the transport; any.
    pub media_ssrc: u32,
    /// The first packet's transport-wide number.
    pub base_sequence: u16,
    /// How many packets it tells of.
    pub status_count: u16,
    /// Counts these messages, so that lost ones are noticed.
    pub feedback_count: u8,
    /// On the receiver's clock, 64 ms a unit, signed 24 bits, wrapping.
    pub reference_time: i32,
    chunks: &'a [[u8; 2]],
    deltas: &'a [u8],
}

/// One packet of a [`TransportCc`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketStatus {
    /// Its transport-wide number.
    pub sequence: u16,
    /// When it arrived, in ticks of 250 µs since the message's reference time; `None` if it did not.
    pub arrival_ticks: Option<i64>,
}

impl<'a> TransportCc<'a> {
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let (sender_ssrc, rest) = split_u32(content)?;
        let (media_ssrc, rest) = split_u32(rest)?;
        let (base_and_count, rest) = split_u32(rest)?;
        let (reference_and_number, rest) = split_u32(rest)?;
        let status_count = base_and_count as u16;
        let chunk_count = count_chunks(rest, status_count)?;
        let (chunks, deltas) = rest.split_at_checked(chunk_count * 2)?;
        let parsed = Self {
            sender_ssrc,
            media_ssrc,
            base_sequence: (base_and_count >> 16) as u16,
            status_count,
            feedback_count: reference_and_number as u8,
            reference_time: reference_and_number.cast_signed() >> 8,
            chunks: chunks.as_chunks().0,
            deltas,
        };
        let delta_bytes: usize = parsed.symbols().map(|s| usize::from(s.min(LARGE_DELTA))).sum();
        (delta_bytes <= deltas.len()).then_some(parsed)
    }

    /// Every packet from the base on, in the order of their numbers.
    pub fn statuses(&self) -> impl Iterator<Item = PacketStatus> + use<'a> {
        let (mut sequence, mut deltas, mut ticks) = (self.base_sequence, self.deltas, 0);
        self.symbols().map(move |symbol| {
            let delta = match symbol {
                SMALL_DELTA => deltas.split_first().map(|(delta, rest)| (i64::from(*delta), rest)),
                LARGE_DELTA => {
                    deltas.split_first_chunk().map(|(d, rest)| (i64::from(i16::from_be_bytes(*d)), rest))
                }
                _ => None,
            };
            let arrival_ticks = delta.map(|(delta, rest)| {
                deltas = rest;
                ticks += delta;
                ticks
            });
            let status = PacketStatus { sequence, arrival_ticks };
            sequence = sequence.wrapping_add(1);
            status
        })
    }

    /// The packets' symbols. The reserved one, 3, reads as not received: it has no delta.
    fn symbols(&self) -> impl Iterator<Item = u8> + use<'a> {
        let symbols = self.chunks.iter().flat_map(|chunk| {
            let chunk = u16::from_be_bytes(*chunk);
            (0..chunk_statuses(chunk)).map(move |i| match chunk >> 14 {
                0 | 1 => (chunk >> 13 & 3) as u8,
                2 => (chunk >> (ONE_BIT_STATUSES - 1 - i) & 1) as u8,
                _ => (chunk >> (2 * (TWO_BIT_STATUSES - 1 - i)) & 3) as u8,
            })
        });
        symbols.map(|s| if s > LARGE_DELTA { NOT_RECEIVED } else { s }).take(self.status_count.into())
    }
}

/// How many statuses a chunk carries (§3.1.3, §3.1.4).
fn chunk_statuses(chunk: u16) -> usize {
    match chunk >> 14 {
        0 | 1 => usize::from(chunk) & RUN_MAX,
        2 => ONE_BIT_STATUSES,
        _ => TWO_BIT_STATUSES,
    }
}

/// How many chunks it takes to tell of `status_count` packets.
fn count_chunks(bytes: &[u8], status_count: u16) -> Option<usize> {
    let mut left = usize::from(status_count);
    let mut chunks = bytes.as_chunks().0.iter();
    let mut count = 0;
    while left > 0 {
        left = left.saturating_sub(chunk_statuses(u16::from_be_bytes(*chunks.next()?)));
        count += 1;
    }
    Some(count)
}

/// Writes such a message.
#[derive(Debug, Clone, Copy)]
pub struct TransportCcWriter {
    /// Who received the packets.
    pub sender_ssrc: u32,
    /// A stream of the transport; any.
    pub media_ssrc: u32,
    /// The first packet's transport-wide number.
    pub base_sequence: u16,
    /// Counts these messages.
    pub feedback_count: u8,
}

/// How far [`TransportCcWriter::write`] came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Bytes of the message.
    pub length: usize,
    /// Packets that it tells of, from the base on; the last of them arrived.
    pub statuses: usize,
}

impl TransportCcWriter {
    /// Most packets that one message tells of.
    pub const STATUSES_MAX: usize = 512;

    /// Span of time in the format's ticks.
    pub fn ticks(span: Duration) -> u64 {
        const TICKS_PER_SECOND: u64 = 1_000_000_000 / TICK.as_nanos() as u64;
        let part = u64::from(span.subsec_nanos()) / TICK.as_nanos() as u64;
        span.as_secs().saturating_mul(TICKS_PER_SECOND).saturating_add(part)
    }

    /// Tells of as many packets as fit, `arrivals` being when each came, in ticks, from the base on.
    ///
    /// `None` when none of them arrived or none fits.
    pub fn write(&self, arrivals: impl IntoIterator<Item = Option<u64>>, out: &mut [u8]) -> Option<Written> {
        let mut symbols = [NOT_RECEIVED; Self::STATUSES_MAX];
        let mut deltas = [0_u8; 2 * Self::STATUSES_MAX];
        let (mut statuses, mut delta_bytes) = (0, 0);
        let mut clock: Option<(u64, u64)> = None;
        for (i, (arrival, symbol)) in arrivals.into_iter().zip(&mut symbols).enumerate() {
            let Some(ticks) = arrival else { continue };
            let (reference, previous) =
                clock.unwrap_or((ticks / REFERENCE_TICKS, ticks & !(REFERENCE_TICKS - 1)));
            let delta = i64::try_from(ticks).ok()? - i64::try_from(previous).ok()?;
            // A delta that 16 bits cannot hold needs a reference time of its own: the next message.
            let Ok(delta) = i16::try_from(delta) else { break };
            let small = u8::try_from(delta).ok();
            let size = if small.is_some() { 1 } else { 2 };
            // Every chunk but the last tells of seven packets or more.
            let chunk_bytes_max = 2 * (i + 1).div_ceil(TWO_BIT_STATUSES);
            if (HEADER_BYTES + chunk_bytes_max + delta_bytes + size).next_multiple_of(4) > out.len() {
                break;
            }
            let space = deltas.get_mut(delta_bytes..delta_bytes + size)?;
            match small {
                Some(small) => space.copy_from_slice(&[small]),
                None => space.copy_from_slice(&delta.to_be_bytes()),
            }
            *symbol = if small.is_some() { SMALL_DELTA } else { LARGE_DELTA };
            clock = Some((reference, ticks));
            (statuses, delta_bytes) = (i + 1, delta_bytes + size);
        }
        let (reference, _) = clock?;
        self.assemble(reference, symbols.get(..statuses)?, deltas.get(..delta_bytes)?, out)
    }

    fn assemble(&self, reference: u64, symbols: &[u8], deltas: &[u8], out: &mut [u8]) -> Option<Written> {
        let mut length = HEADER_BYTES;
        let mut rest = symbols;
        while !rest.is_empty() {
            let (chunk, covered) = next_chunk(rest);
            out.get_mut(length..length + 2)?.copy_from_slice(&chunk.to_be_bytes());
            length += 2;
            rest = rest.get(covered..)?;
        }
        out.get_mut(length..length + deltas.len())?.copy_from_slice(deltas);
        length += deltas.len();
        let padding = length.next_multiple_of(4) - length;
        let padding_space = out.get_mut(length..length + padding)?;
        padding_space.fill(0);
        let mut first = 0x80 | types::FORMAT_TRANSPORT_CC;
        if let Some(last) = padding_space.last_mut() {
            // RFC 3550 §6.4.1: the last byte counts the padding. It need not be a multiple of four here.
            *last = padding as u8;
            first |= 0x20;
        }
        length += padding;
        let words = u32::try_from(length / 4 - 1).ok()?;
        let statuses = symbols.len();
        let header = [
            u32::from_be_bytes([first, types::TRANSPORT_FEEDBACK, 0, 0]) | words,
            self.sender_ssrc,
            self.media_ssrc,
            u32::from(self.base_sequence) << 16 | u32::try_from(statuses).ok()?,
            ((reference & REFERENCE_MASK) as u32) << 8 | u32::from(self.feedback_count),
        ];
        for (space, word) in out.as_chunks_mut().0.iter_mut().zip(header) {
            *space = word.to_be_bytes();
        }
        Some(Written { length, statuses })
    }
}

/// The chunk that tells of most of the packets to come, and of how many.
fn next_chunk(symbols: &[u8]) -> (u16, usize) {
    let first = symbols.first().copied().unwrap_or(NOT_RECEIVED);
    let run = symbols.iter().take(RUN_MAX).take_while(|s| **s == first).count();
    let one_bit = symbols.get(..ONE_BIT_STATUSES).unwrap_or(symbols);
    let two_bit = symbols.get(..TWO_BIT_STATUSES).unwrap_or(symbols);
    if run >= one_bit.len() || (run >= two_bit.len() && one_bit.contains(&LARGE_DELTA)) {
        return (u16::from(first) << 13 | run as u16, run);
    }
    // Statuses stand from the upper bits down; those past the end stay 0.
    let (mark, bits, chosen) =
        if one_bit.contains(&LARGE_DELTA) { (0b11 << 14, 2, two_bit) } else { (0b10 << 14, 1, one_bit) };
    let chunk = chosen
        .iter()
        .zip(1..)
        .fold(mark, |chunk, (symbol, place)| chunk | u16::from(*symbol) << (14 - bits * place));
    (chunk, chosen.len())
}
