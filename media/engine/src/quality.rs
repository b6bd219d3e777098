//! How well a transport was connected, summed up from the reports of both sides (RFC 3550 §6.4.1).

use std::time::Duration;

use crate::{api::Quality, rtp::rtcp::ReportBlock};

/// The share of a new sample in the smoothed round trip (RFC 6298 §2.3).
const ROUND_TRIP_SHARE: u32 = 8;
/// A longer round trip is an error of somebody's clock, or made up.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(10);

/// What reports have said of one SSRC.
#[derive(Debug, Clone, Copy)]
pub struct Reported {
    ssrc: u32,
    highest: u32,
    lost: i32,
    sent: u32,
}

/// The sums of one transport.
#[derive(Debug, Default)]
pub struct Tally {
    expected: u64,
    lost: i64,
    round_trip: Option<Duration>,
}

impl Tally {
    /// Adds what a report says beyond the one before on the same SSRC; `sent` counts the packets on it, and who reports more has made
    /// it up. The first says from where on.
    pub fn note(&mut self, known: &mut Option<Reported>, block: &ReportBlock, sent: u32) {
        let now =
            Reported { ssrc: block.ssrc, highest: block.highest_sequence, lost: block.cumulative_lost, sent };
        let Some(before) = known.filter(|before| before.ssrc == now.ssrc) else {
            *known = Some(now);
            return;
        };
        let ahead = now.highest.wrapping_sub(before.highest);
        // One that came late tells nothing new.
        if ahead >= 1 << 31 {
            return;
        }
        *known = Some(now);
        let expected = ahead.min(now.sent.wrapping_sub(before.sent));
        self.expected += u64::from(expected);
        let lost = i64::from(now.lost) - i64::from(before.lost);
        self.lost += lost.clamp(-i64::from(expected), expected.into());
    }

    /// Adds a round trip.
    pub fn note_round_trip(&mut self, sample: Duration) {
        if sample > ROUND_TRIP_MAX {
            return;
        }
        let smoothed = match self.round_trip {
            None => sample,
            Some(smoothed) => (smoothed * (ROUND_TRIP_SHARE - 1) + sample) / ROUND_TRIP_SHARE,
        };
        self.round_trip = Some(smoothed);
    }

    /// The sums; nothing where no report has said anything.
    pub fn quality(&self) -> Option<Quality> {
        let lost = u64::try_from(self.lost).unwrap_or(0).min(self.expected);
        let (expected, round_trip) = (self.expected, self.round_trip);
        (expected > 0 || round_trip.is_some()).then_some(Quality { expected, lost, round_trip })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(ssrc: u32, highest_sequence: u32, cumulative_lost: i32) -> ReportBlock {
        ReportBlock { ssrc, highest_sequence, cumulative_lost, ..ReportBlock::default() }
    }

    #[test]
    fn what_reports_say_is_summed_up_for_each_source_from_its_first_report_on() {
        let (mut tally, mut sound, mut picture) = (Tally::default(), None, None);
        assert_eq!(tally.quality(), None);
        tally.note(&mut sound, &block(1, 65_500, 3), 500);
        tally.note(&mut picture, &block(2, 10, 0), 10);
        assert_eq!(tally.quality(), None);
        tally.note(&mut sound, &block(1, 65_600, 5), 600);
        tally.note(&mut picture, &block(2, 210, 10), 210);
        // Nine of the ten were late.
        tally.note(&mut picture, &block(2, 310, 1), 310);
        // Another source begins anew.
        tally.note(&mut sound, &block(3, 9, 900), 700);
        tally.note(&mut sound, &block(3, 19, 900), 710);
        tally.note_round_trip(Duration::from_millis(80));
        tally.note_round_trip(Duration::from_millis(160));
        tally.note_round_trip(Duration::from_secs(11));
        let round_trip = Some(Duration::from_millis(90));
        assert_eq!(tally.quality(), Some(Quality { expected: 410, lost: 3, round_trip }));
    }

    #[test]
    fn reports_that_came_late_or_were_made_up_add_nothing() {
        let (mut tally, mut stream) = (Tally::default(), None);
        for (highest, lost) in [(1_000, 0), (1_100, 4), (1_000, 0), (1_200, 6)] {
            tally.note(&mut stream, &block(1, highest, lost), highest);
        }
        assert_eq!(tally.quality(), Some(Quality { expected: 200, lost: 6, round_trip: None }));
        // No more was sent meanwhile.
        for (highest, lost) in [(1_200 + (1 << 20), 0x7f_ffff), (1_200, 0), (u32::MAX / 2, -0x80_0000)] {
            tally.note(&mut stream, &block(1, highest, lost), 1_200);
        }
        assert_eq!(tally.quality(), Some(Quality { expected: 200, lost: 6, round_trip: None }));
    }
}
