//! From when to when: text of RFC 3339 outside, milliseconds since 1970 inside.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::limits::{APPOINTMENT_LENGTH_MAX, APPOINTMENT_LENGTH_MIN, INSTANT_BYTES_MAX};

/// Times that are no appointment's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeRangeError {
    /// The beginning is no RFC 3339 date and time.
    #[error("starts_at is not a date and time of RFC 3339")]
    StartMalformed,
    /// The end is none.
    #[error("ends_at is not a date and time of RFC 3339")]
    EndMalformed,
    /// It ends before it begins, or too soon after.
    #[error("an appointment takes at least {} minutes", APPOINTMENT_LENGTH_MIN.as_secs() / 60)]
    TooShort,
    /// It takes too long.
    #[error("an appointment takes at most {} hours", APPOINTMENT_LENGTH_MAX.as_secs() / 3600)]
    TooLong,
}

impl TimeRangeError {
    /// The field of the request that is wrong.
    pub const fn field(self) -> &'static str {
        match self {
            Self::StartMalformed => "starts_at",
            Self::EndMalformed | Self::TooShort | Self::TooLong => "ends_at",
        }
    }
}

/// When an appointment is to be: from its beginning up to, not including, its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    starts_at_ms: i64,
    ends_at_ms: i64,
}

impl TimeRange {
    /// A range between two instants, in milliseconds since 1970.
    pub fn new(starts_at_ms: i64, ends_at_ms: i64) -> Result<Self, TimeRangeError> {
        let length_ms = i128::from(ends_at_ms) - i128::from(starts_at_ms);
        if length_ms < APPOINTMENT_LENGTH_MIN.as_millis() as i128 {
            return Err(TimeRangeError::TooShort);
        }
        if length_ms > APPOINTMENT_LENGTH_MAX.as_millis() as i128 {
            return Err(TimeRangeError::TooLong);
        }
        Ok(Self { starts_at_ms, ends_at_ms })
    }

    /// Reads both ends as a request has them.
    pub fn parse(starts_at: &str, ends_at: &str) -> Result<Self, TimeRangeError> {
        let starts_at_ms = instant_ms(starts_at).ok_or(TimeRangeError::StartMalformed)?;
        let ends_at_ms = instant_ms(ends_at).ok_or(TimeRangeError::EndMalformed)?;
        Self::new(starts_at_ms, ends_at_ms)
    }

    /// The first millisecond, since 1970.
    pub const fn starts_at_ms(self) -> i64 {
        self.starts_at_ms
    }

    /// The first millisecond after it, since 1970.
    pub const fn ends_at_ms(self) -> i64 {
        self.ends_at_ms
    }

    /// Whether both share a moment. One that begins when the other ends does not overlap it.
    pub const fn overlaps(self, other: Self) -> bool {
        self.starts_at_ms < other.ends_at_ms && other.starts_at_ms < self.ends_at_ms
    }
}

/// Reads a date and time with its offset from UTC (RFC 3339 §5.6) into milliseconds since 1970; what is finer is cut off.
pub fn instant_ms(text: &str) -> Option<i64> {
    if text.len() > INSTANT_BYTES_MAX {
        return None;
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str) -> TimeRange {
        TimeRange::parse(&format!("2026-03-02T{from}:00Z"), &format!("2026-03-02T{to}:00Z")).expect("a range")
    }

    #[test]
    fn times_are_read_with_their_offset_and_cut_to_milliseconds() {
        assert_eq!(instant_ms("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(instant_ms("1970-01-01T01:00:00.0019+01:00"), Some(1));
        assert_eq!(instant_ms("1969-12-31T23:59:59.9999Z"), Some(-1));
        assert_eq!(instant_ms("2026-03-02T09:00:00-05:00"), instant_ms("2026-03-02T14:00:00Z"));
        let long = format!("2026-03-02T09:00:00.{}Z", "0".repeat(60));
        for bad in ["", "2026-03-02", "2026-03-02T09:00:00", "1772442000", "2026-02-30T09:00:00Z", &long] {
            assert_eq!(instant_ms(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_appointment_has_a_length_within_bounds() {
        let length = |minutes: i64| TimeRange::new(0, minutes * 60_000).map(|_| ());
        assert_eq!(length(5), Ok(()));
        assert_eq!(length(12 * 60), Ok(()));
        for too_short in [4, 0, -30] {
            assert_eq!(length(too_short), Err(TimeRangeError::TooShort), "{too_short}");
        }
        assert_eq!(length(12 * 60 + 1), Err(TimeRangeError::TooLong));
        assert_eq!(TimeRange::new(i64::MIN, i64::MAX), Err(TimeRangeError::TooLong));
        assert_eq!(TimeRange::new(i64::MAX, i64::MIN), Err(TimeRangeError::TooShort));
    }

    #[test]
    fn the_field_that_is_wrong_is_named() {
        let field = |from, to| TimeRange::parse(from, to).map_err(TimeRangeError::field);
        assert_eq!(field("soon", "2026-03-02T09:00:00Z"), Err("starts_at"));
        assert_eq!(field("2026-03-02T09:00:00Z", "later"), Err("ends_at"));
        assert_eq!(field("2026-03-02T09:00:00Z", "2026-03-02T08:00:00Z"), Err("ends_at"));
    }

    #[test]
    fn ranges_that_touch_do_not_overlap() {
        let nine = range("09:00", "09:30");
        assert!(!nine.overlaps(range("09:30", "10:00")) && !range("09:30", "10:00").overlaps(nine));
        for other in [range("09:00", "09:30"), range("09:10", "09:20"), range("08:00", "10:00")] {
            assert!(nine.overlaps(other) && other.overlaps(nine), "{other:?}");
        }
        for other in [range("08:45", "09:01"), range("09:25", "09:45")] {
            assert!(nine.overlaps(other) && other.overlaps(nine), "{other:?}");
        }
    }
}
