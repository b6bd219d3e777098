//! Loss and jitter of one SSRC, as receiver reports tell them (RFC 3550 §6.4.1, A.3, A.8).

use std::time::Instant;

use super::clock::ticks;
use crate::rtp::{NtpTime, RtpHeader, duration_to_compact, rtcp::ReportBlock};

/// Cumulative loss is a signed 24-bit number (RFC 3550 A.3).
const CUMULATIVE_LOST_MAX: i64 = 0x7f_ffff;
const CUMULATIVE_LOST_MIN: i64 = -0x80_0000;

/// What came of one SSRC.
#[derive(Debug)]
pub struct Reception {
    ssrc: u32,
    clock_rate_hz: u32,
    /// The first packet's arrival: arrival times count from here.
    start: Instant,
    first: u64,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// Arrival minus timestamp of the packet before, in timestamp units.
    transit: u32,
    /// Scaled by 16 (RFC 3550 A.8).
    jitter: u32,
    sender_report: Option<(NtpTime, Instant)>,
}

impl Reception {
    /// Begins with the first packet.
    pub fn new(now: Instant, clock_rate_hz: u32, index: u64, header: &RtpHeader) -> Self {
        Self {
            ssrc: header.ssrc,
            clock_rate_hz,
            start: now,
            first: index,
            highest: index,
            received: 1,
            expected_before: 0,
            received_before: 0,
            transit: 0_u32.wrapping_sub(header.timestamp),
            jitter: 0,
            sender_report: None,
        }
    }

    /// Counts another packet, lost and sent again or not; `index` is its extended sequence number.
    pub fn packet(&mut self, now: Instant, index: u64, timestamp: u32) {
        self.received += 1;
        self.highest = self.highest.max(index);
        let arrival = ticks(now.saturating_duration_since(self.start), self.clock_rate_hz) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        let difference = transit.wrapping_sub(self.transit) as i32;
        self.transit = transit;
        let decay = (u64::from(self.jitter) + 8) >> 4;
        self.jitter = (u64::from(self.jitter) + u64::from(difference.unsigned_abs()) - decay) as u32;
    }

    /// Notes the publisher's report of its own, for `LSR` and `DLSR`.
    pub fn sender_report(&mut self, now: Instant, ntp: NtpTime) {
        self.sender_report = Some((ntp, now));
    }

    /// The report at this time. The next one's fraction counts from here.
    pub fn report(&mut self, now: Instant) -> ReportBlock {
        let expected = self.highest - self.first.min(self.highest) + 1;
        let expected_now = expected - self.expected_before;
        let received_now = self.received - self.received_before;
        (self.expected_before, self.received_before) = (expected, self.received);
        let fraction = (expected_now.saturating_sub(received_now) << 8).checked_div(expected_now);
        let lost = (expected as i64 - self.received as i64).clamp(CUMULATIVE_LOST_MIN, CUMULATIVE_LOST_MAX);
        let (last_sr, delay_since_last_sr) = match self.sender_report {
            Some((ntp, at)) => (ntp.middle32(), duration_to_compact(now.saturating_duration_since(at))),
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction.unwrap_or(0).min(255) as u8,
            cumulative_lost: lost as i32,
            highest_sequence: self.highest as u32,
            jitter: self.jitter >> 4,
            last_sr,
            delay_since_last_sr,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn reception(clock_rate_hz: u32, index: u64, timestamp: u32) -> (Instant, Reception) {
        let mut packet = [0; 12];
        packet[0] = 0x80;
        packet[4..8].copy_from_slice(&timestamp.to_be_bytes());
        let header = RtpHeader::parse(&packet).expect("a fixed header");
        let start = Instant::now();
        (start, Reception::new(start, clock_rate_hz, index, &header))
    }

    #[test]
    fn loss_is_told_since_the_last_report_and_since_the_beginning() {
        let (start, mut reception) = reception(48_000, 65_534, 0);
        // 65534 … 65543 were expected, 65536 and 65540 never came: 2 of 10.
        for index in [65_535, 65_537, 65_538, 65_539, 65_541, 65_542, 65_543] {
            reception.packet(start, index, 0);
        }
        let report = reception.report(start);
        assert_eq!((report.fraction_lost, report.cumulative_lost), (51, 2));
        assert_eq!(report.highest_sequence, 1 << 16 | 7);
        // One of the two comes late, 2 more of 2: nothing was lost in this interval.
        for index in [65_536, 65_544, 65_545] {
            reception.packet(start, index, 0);
        }
        let report = reception.report(start);
        assert_eq!((report.fraction_lost, report.cumulative_lost), (0, 1));
        assert_eq!(reception.report(start).fraction_lost, 0, "nothing was expected");
    }

    #[test]
    fn jitter_follows_the_formula_of_the_rfc() {
        let (start, mut reception) = reception(8_000, 1, 1_000);
        // 20 ms of timestamps, 30 ms apart: |D| = 80. By hand: 80; 80 + 80 - 5 = 155; 155 + 80 - 10 = 225.
        for (n, expected) in [(1_u32, 80 >> 4), (2, 155 >> 4), (3, 225 >> 4)] {
            reception.packet(start + MS(30) * n, 1 + u64::from(n), 1_000 + 160 * n);
            assert_eq!(reception.report(start).jitter, expected);
        }
    }

    #[test]
    fn the_last_sender_report_is_named_with_its_age() {
        let (start, mut reception) = reception(48_000, 1, 0);
        let report = reception.report(start);
        assert_eq!((report.last_sr, report.delay_since_last_sr), (0, 0));
        reception.sender_report(start, NtpTime(0x1111_2222_3333_4444));
        let report = reception.report(start + MS(1_500));
        assert_eq!((report.last_sr, report.delay_since_last_sr), (0x2222_3333, 0x1_8000));
    }
}
