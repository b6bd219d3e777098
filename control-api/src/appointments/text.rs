//! What people and back ends write about a visit. All of it is personal.

use std::fmt;

use media_model::Pii;
use time::{Date, Duration, Month, OffsetDateTime};

use crate::limits::{
    FOLLOW_UP_DAYS_MAX, NOTES_CHARS_MAX, PRESCRIPTION_ID_BYTES_MAX, PRESCRIPTIONS_MAX, VISIT_REASON_CHARS_MAX,
};

/// Why the patient comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitReason(Pii<String>);

impl VisitReason {
    /// Takes what says something, in so many characters.
    pub fn parse(text: &str) -> Option<Self> {
        free_text(text, VISIT_REASON_CHARS_MAX).map(Self)
    }

    /// The text.
    pub const fn text(&self) -> &Pii<String> {
        &self.0
    }
}

/// What the provider put down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notes(Pii<String>);

impl Notes {
    /// Takes what says something, in so many characters.
    pub fn parse(text: &str) -> Option<Self> {
        free_text(text, NOTES_CHARS_MAX).map(Self)
    }

    /// The text.
    pub const fn text(&self) -> &Pii<String> {
        &self.0
    }
}

/// Text of several lines without control characters; lines end in `\n` whatever they ended in.
fn free_text(text: &str, chars_max: usize) -> Option<Pii<String>> {
    // Bounds the work before anything is copied.
    if text.len() > 4 * chars_max {
        return None;
    }
    let text = text.trim().replace("\r\n", "\n");
    let is_odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    let is_sound = !text.is_empty() && text.chars().count() <= chars_max && !text.chars().any(is_odd);
    is_sound.then(|| Pii::new(text))
}

/// A prescription, by the EHR's id. Consilium prescribes nothing; it hands the id on to billing and the chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrescriptionId(Pii<String>);

impl PrescriptionId {
    /// Takes printable ASCII without spaces.
    pub fn parse(text: &str) -> Option<Self> {
        let is_sound = (1..=PRESCRIPTION_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        is_sound.then(|| Self(Pii::new(text.to_owned())))
    }

    /// The text.
    pub const fn text(&self) -> &Pii<String> {
        &self.0
    }
}

/// The prescriptions of one visit: not too many, each once, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PrescriptionIds(Vec<PrescriptionId>);

impl PrescriptionIds {
    /// Takes a list without repetitions.
    pub fn parse<T: AsRef<str>>(ids: &[T]) -> Option<Self> {
        if ids.len() > PRESCRIPTIONS_MAX {
            return None;
        }
        let ids: Vec<_> = ids.iter().map(|id| PrescriptionId::parse(id.as_ref())).collect::<Option<_>>()?;
        let is_repeated = ids.iter().enumerate().any(|(i, id)| ids[..i].contains(id));
        (!is_repeated).then_some(Self(ids))
    }

    /// Reads what [`PrescriptionIds::to_text`] wrote.
    pub fn read(text: &str) -> Option<Self> {
        let ids: Vec<&str> = text.split(' ').collect();
        Self::parse(&ids)
    }

    /// Them all with a space between them, which none has in it, for the store.
    pub fn to_text(&self) -> Pii<String> {
        let ids: Vec<&str> = self.0.iter().map(|id| id.text().reveal().as_str()).collect();
        Pii::new(ids.join(" "))
    }

    /// Each of them.
    pub fn as_slice(&self) -> &[PrescriptionId] {
        &self.0
    }
}

/// The day on which the patient should come again, as the clinic's calendar has it.
#[derive(Clone, PartialEq, Eq)]
pub struct FollowUpDate(Pii<Date>);

impl FollowUpDate {
    /// Takes `YYYY-MM-DD` (RFC 3339 §5.6, `full-date`) from the day of the visit on.
    pub fn parse(text: &str, visit_at_ms: i64) -> Option<Self> {
        let date = Self::read(text)?;
        let visit = OffsetDateTime::from_unix_timestamp(visit_at_ms.div_euclid(1000)).ok()?.date();
        // West of Greenwich the visit's day is still the one before.
        let first = visit.checked_sub(Duration::days(1))?;
        let last = visit.checked_add(Duration::days(FOLLOW_UP_DAYS_MAX))?;
        let date_is_sound = first <= *date.0.reveal() && *date.0.reveal() <= last;
        date_is_sound.then_some(date)
    }

    /// Reads what [`FollowUpDate::to_text`] wrote, whenever the visit was.
    pub fn read(text: &str) -> Option<Self> {
        let is_shaped = text.len() == 10
            && text.bytes().enumerate().all(|(i, byte)| match i {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_shaped {
            return None;
        }
        let mut parts = text.split('-');
        let year = parts.next()?.parse().ok()?;
        let month = Month::try_from(parts.next()?.parse::<u8>().ok()?).ok()?;
        let day = parts.next()?.parse().ok()?;
        Date::from_calendar_date(year, month, day).ok().map(|date| Self(Pii::new(date)))
    }

    /// `YYYY-MM-DD`, for the store and the answer.
    pub fn to_text(&self) -> Pii<String> {
        let date = self.0.reveal();
        Pii::new(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
    }
}

impl fmt::Debug for FollowUpDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FollowUpDate([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-02T02:00:00Z: in New York it is still the first.
    const VISIT_AT_MS: i64 = 1_772_416_800_000;

    #[test]
    fn text_is_trimmed_bounded_and_free_of_control_characters() {
        let reason = VisitReason::parse("  cough\r\nsince Monday\n").expect("a reason");
        assert_eq!(reason.text().reveal(), "cough\nsince Monday");
        assert!(VisitReason::parse(&"é".repeat(1_000)).is_some());
        for bad in ["", " \n ", "bell \u{7}", "nul \0", &"é".repeat(1_001), &"x".repeat(1 << 20)] {
            assert!(VisitReason::parse(bad).is_none());
        }
        assert!(Notes::parse(&"x".repeat(8_000)).is_some() && Notes::parse(&"x".repeat(8_001)).is_none());
    }

    #[test]
    fn prescriptions_are_few_and_each_named_once() {
        let ids = PrescriptionIds::parse(&["rx-1", "rx-2"]).expect("two ids");
        assert_eq!(ids.as_slice().len(), 2);
        assert_eq!(PrescriptionIds::parse::<&str>(&[]), Some(PrescriptionIds::default()));
        assert_eq!(PrescriptionIds::parse(&["rx-1", "rx-1"]), None);
        assert_eq!(PrescriptionIds::parse(&["rx 1"]), None);
        assert_eq!(PrescriptionIds::parse(&[""]), None);
        assert_eq!(PrescriptionIds::parse(&["x".repeat(129)]), None);
        let many: Vec<String> = (0..51).map(|i| format!("rx-{i}")).collect();
        assert!(PrescriptionIds::parse(&many[..50]).is_some() && PrescriptionIds::parse(&many).is_none());
    }

    #[test]
    fn a_follow_up_is_a_day_from_the_visit_on() {
        for sound in ["2026-03-01", "2026-03-02", "2028-02-29", "2031-03-06"] {
            let date = FollowUpDate::parse(sound, VISIT_AT_MS).expect(sound);
            assert_eq!(date.to_text().reveal(), sound);
            assert_eq!(FollowUpDate::read(sound), Some(date));
        }
        let bad =
            ["2026-02-28", "2031-03-07", "2026-02-30", "2026-3-2", "+026-03-02", "2026-03-02T00:00:00Z", ""];
        for bad in bad {
            assert_eq!(FollowUpDate::parse(bad, VISIT_AT_MS), None, "{bad}");
        }
    }

    #[test]
    fn nothing_written_about_a_patient_is_printed() {
        let printed = format!(
            "{:?} {:?} {:?} {:?}",
            VisitReason::parse("chest pain"),
            Notes::parse("chest pain"),
            PrescriptionIds::parse(&["pain"]),
            FollowUpDate::read("2026-03-02"),
        );
        assert!(!printed.contains("pain") && !printed.contains("2026"), "{printed}");
    }
}
