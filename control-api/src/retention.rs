//! For how long a tenant's audit log is kept, and why it may be kept for longer. Pure: no store, no clock.

use media_model::Pii;
use time::{Date, Month, OffsetDateTime};

use crate::{
    limits::{
        HOLD_REASON_CHARS_MAX, HOLD_REASON_CHARS_MIN, RETENTION_MONTHS_DEFAULT, RETENTION_MONTHS_MAX,
        RETENTION_MONTHS_MIN,
    },
    one_line::one_line,
};

/// A period that no tenant may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRetention {
    /// Nobody said that it may be so short.
    #[error(
        "less than {RETENTION_MONTHS_DEFAULT} months is less than 45 CFR 164.316(b)(2)(i) asks for: say so if the clinic accepts that"
    )]
    LessThanSixYears,
    /// It is too short or too long for anybody.
    #[error("an audit log is kept for {RETENTION_MONTHS_MIN} to {RETENTION_MONTHS_MAX} months")]
    OutOfBounds,
}

/// For how many months an audit log is kept, besides the one that is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionMonths(i64);

impl Default for RetentionMonths {
    fn default() -> Self {
        Self(RETENTION_MONTHS_DEFAULT)
    }
}

impl RetentionMonths {
    /// Takes a period: six years or more, or less where the clinic says that it accepts that.
    pub fn new(months: i64, accepts_less_than_six_years: bool) -> Result<Self, InvalidRetention> {
        if !(RETENTION_MONTHS_MIN..=RETENTION_MONTHS_MAX).contains(&months) {
            return Err(InvalidRetention::OutOfBounds);
        }
        if months < RETENTION_MONTHS_DEFAULT && !accepts_less_than_six_years {
            return Err(InvalidRetention::LessThanSixYears);
        }
        Ok(Self(months))
    }

    /// How many.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// When the first month began (UTC) of which anything is kept, in milliseconds since 1970. What is not older by all of the
    /// period stays, so that a month goes as a whole.
    pub fn kept_from_ms(self, now_ms: i64) -> i64 {
        // A time that is none keeps everything.
        month_begun_ms(now_ms, self.0).unwrap_or(i64::MIN)
    }
}

/// When the month began (UTC) that was so many months ago, in milliseconds since 1970.
pub fn month_begun_ms(now_ms: i64, months_ago: i64) -> Option<i64> {
    let now = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1000)).ok()?;
    let months = i64::from(now.year()) * 12 + i64::from(u8::from(now.month())) - 1 - months_ago;
    let month = Month::try_from(u8::try_from(months.rem_euclid(12)).ok()? + 1).ok()?;
    let first = Date::from_calendar_date(i32::try_from(months.div_euclid(12)).ok()?, month, 1).ok()?;
    first.midnight().assume_utc().unix_timestamp().checked_mul(1000)
}

/// Why nothing of an audit log goes, in the words of whoever holds it. It may name a case, and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldReason(Pii<String>);

impl HoldReason {
    /// Takes one line that says something.
    pub fn parse(text: &str) -> Option<Self> {
        one_line(text, HOLD_REASON_CHARS_MIN..=HOLD_REASON_CHARS_MAX).map(Self)
    }

    /// The text, for the store and the auditor.
    pub const fn text(&self) -> &Pii<String> {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rfc3339::rfc3339;

    #[test]
    fn six_years_are_kept_unless_the_clinic_says_that_it_accepts_less() {
        assert_eq!(RetentionMonths::new(72, false).map(RetentionMonths::get), Ok(72));
        assert_eq!(RetentionMonths::new(71, false), Err(InvalidRetention::LessThanSixYears));
        assert_eq!(RetentionMonths::new(71, true).map(RetentionMonths::get), Ok(71));
        for months in [-1, 0, 11, 1_201, i64::MAX] {
            assert_eq!(RetentionMonths::new(months, true), Err(InvalidRetention::OutOfBounds), "{months}");
        }
    }

    #[test]
    fn what_is_kept_begins_with_a_month_and_is_never_less_than_the_period() {
        let from = |months, now_s: i64| {
            rfc3339(RetentionMonths::new(months, true).expect("a period").kept_from_ms(now_s * 1000))
        };
        // 2026-11-23, 2026-01-01 at midnight and the second before.
        assert_eq!(from(72, 1_795_400_000), "2020-11-01T00:00:00Z");
        assert_eq!(from(72, 1_767_225_600), "2020-01-01T00:00:00Z");
        assert_eq!(from(72, 1_767_225_599), "2019-12-01T00:00:00Z");
        assert_eq!(from(12, 1_767_225_599), "2024-12-01T00:00:00Z");
        assert_eq!(from(1_200, 1_795_400_000), "1926-11-01T00:00:00Z");
        let longest = RetentionMonths::new(1_200, true).expect("a period");
        assert_eq!(longest.kept_from_ms(i64::MAX), i64::MIN, "no time at all");
    }

    #[test]
    fn a_hold_has_a_reason_that_says_something() {
        assert_eq!(
            HoldReason::parse("  Doe v. Clinic, 26-cv-104 ").map(|r| r.text().reveal().clone()).as_deref(),
            Some("Doe v. Clinic, 26-cv-104")
        );
        for bad in ["", "court", "two\nlines of it", &"x".repeat(501)] {
            assert_eq!(HoldReason::parse(bad), None, "{bad}");
        }
    }
}
