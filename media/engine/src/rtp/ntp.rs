//! NTP timestamps of RTCP (RFC 3550 §4), on a clock that is told what time it was once.

use std::time::{Duration, Instant};

/// Seconds from the NTP era's start in 1900 to the Unix epoch (RFC 5905 A.4).
const UNIX_EPOCH_SECONDS: u64 = 2_208_988_800;

/// Wall-clock time: seconds since 1900 in the upper 32 bits, their fraction in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// From the time since 1970-01-01 00:00 UTC. Wraps in 2036, as the format does (RFC 3550 §4).
    pub fn from_unix(since_unix_epoch: Duration) -> Self {
        Self((UNIX_EPOCH_SECONDS << 32).wrapping_add(to_fixed_point(since_unix_epoch)))
    }

    /// The middle 32 bits: units of 1/65536 s, for LSR (RFC 3550 §6.4.1).
    pub const fn middle32(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// This much later, wrapping.
    #[must_use]
    pub fn wrapping_add(self, duration: Duration) -> Self {
        Self(self.0.wrapping_add(to_fixed_point(duration)))
    }

    /// From `earlier` to this, as a signed count of nanoseconds; right within 68 years.
    pub fn nanos_since(self, earlier: Self) -> i64 {
        let difference = i128::from(self.0.wrapping_sub(earlier.0) as i64);
        ((difference * 1_000_000_000) >> 32) as i64
    }
}

/// One moment on both clocks, which ties the engine's monotonic time to wall-clock time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    /// The moment, monotonic.
    pub instant: Instant,
    /// The same moment, wall clock.
    pub ntp: NtpTime,
}

impl Epoch {
    /// The wall-clock time at `instant`, before or after the epoch.
    pub fn ntp_at(&self, instant: Instant) -> NtpTime {
        match instant.checked_duration_since(self.instant) {
            Some(after) => self.ntp.wrapping_add(after),
            None => NtpTime(self.ntp.0.wrapping_sub(to_fixed_point(self.instant.duration_since(instant)))),
        }
    }

    /// The monotonic time at `ntp`; `None` where this machine's clock has no such moment.
    pub fn instant_at(&self, ntp: NtpTime) -> Option<Instant> {
        let nanos = ntp.nanos_since(self.ntp);
        let distance = Duration::from_nanos(nanos.unsigned_abs());
        if nanos < 0 { self.instant.checked_sub(distance) } else { self.instant.checked_add(distance) }
    }
}

/// 32.32 fixed point, rounded to nearest; wraps after 136 years.
fn to_fixed_point(duration: Duration) -> u64 {
    let fraction = ((u64::from(duration.subsec_nanos()) << 32) + 500_000_000) / 1_000_000_000;
    (duration.as_secs() << 32).wrapping_add(fraction)
}

/// A time span in units of 1/65536 s, for DLSR (RFC 3550 §6.4.1); the largest value when it is too long.
pub fn duration_to_compact(duration: Duration) -> u32 {
    u32::try_from((duration.as_nanos() << 16) / 1_000_000_000).unwrap_or(u32::MAX)
}

/// The time span that a count of 1/65536 s stands for.
pub fn duration_from_compact(compact: u32) -> Duration {
    Duration::from_nanos((u64::from(compact) * 1_000_000_000) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unix_epoch_is_seventy_years_into_the_era() {
        assert_eq!(NtpTime::from_unix(Duration::ZERO).0, 0x83aa_7e80_0000_0000);
        assert_eq!(NtpTime::from_unix(Duration::from_millis(500)).0, 0x83aa_7e80_8000_0000);
        assert_eq!(NtpTime(0x1234_5678_9abc_def0).middle32(), 0x5678_9abc);
    }

    #[test]
    fn both_clocks_agree_before_and_after_the_epoch() {
        let start = Instant::now() + Duration::from_secs(100_000);
        let epoch = Epoch { instant: start, ntp: NtpTime::from_unix(Duration::from_secs(1_800_000_000)) };
        for ms in [0, 1, 999, 86_400_123] {
            let span = Duration::from_millis(ms);
            for instant in [start - span, start + span] {
                let back = epoch.instant_at(epoch.ntp_at(instant)).unwrap();
                let error = back.max(instant) - back.min(instant);
                assert!(error <= Duration::from_nanos(2), "{ms} ms: off by {error:?}");
            }
        }
    }

    #[test]
    fn spans_in_reports_count_65536ths_of_a_second() {
        assert_eq!(duration_to_compact(Duration::from_millis(1_500)), 0x1_8000);
        assert_eq!(duration_from_compact(0x1_8000), Duration::from_millis(1_500));
        assert_eq!(duration_to_compact(Duration::from_secs(1 << 20)), u32::MAX);
    }
}
