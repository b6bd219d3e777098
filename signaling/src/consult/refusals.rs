//! What one person asks for and may not do. The first time is put down at once; how often it was asked again within a minute, after it.

use std::time::Instant;

use crate::{journal::Forbidden, limits::FORBIDDEN_INTERVAL};

/// One kind of it.
#[derive(Debug)]
struct Refused {
    what: Forbidden,
    /// When it was put down last.
    at: Instant,
    /// How often since.
    more: u64,
}

/// Each kind for itself, so that none hides another.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Vec<Refused>);

impl Refusals {
    /// Counts one; how many are to be put down now, if any.
    pub(crate) fn count(&mut self, now: Instant, what: Forbidden) -> Option<u64> {
        let Some(refused) = self.0.iter_mut().find(|refused| refused.what == what) else {
            self.0.push(Refused { what, at: now, more: 0 });
            return Some(1);
        };
        refused.more += 1;
        refused.is_due(now).then(|| refused.tell(now))
    }

    /// What has not been put down, and its minute is over.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(Forbidden, u64)> {
        self.tell(now, |refused| refused.is_due(now))
    }

    /// All that has not been put down.
    pub(crate) fn rest(&mut self, now: Instant) -> Vec<(Forbidden, u64)> {
        self.tell(now, |_| true)
    }

    fn tell(&mut self, now: Instant, is_told: impl Fn(&Refused) -> bool) -> Vec<(Forbidden, u64)> {
        let told = self.0.iter_mut().filter(|refused| refused.more > 0 && is_told(refused));
        told.map(|refused| (refused.what, refused.tell(now))).collect()
    }
}

impl Refused {
    fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= FORBIDDEN_INTERVAL
    }

    fn tell(&mut self, now: Instant) -> u64 {
        self.at = now;
        std::mem::take(&mut self.more)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn no_kind_hides_another_and_what_is_asked_again_is_counted() {
        let (mut refusals, start) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.count(start, Forbidden::Chat), Some(1));
        assert_eq!(refusals.count(start, Forbidden::Chat), None);
        assert_eq!(refusals.count(start, Forbidden::Removal), Some(1), "another act");
        let just_before = start + FORBIDDEN_INTERVAL - Duration::from_millis(1);
        assert_eq!(refusals.count(just_before, Forbidden::Chat), None);
        assert_eq!(refusals.due(just_before), []);
        let after = start + FORBIDDEN_INTERVAL;
        assert_eq!(refusals.due(after), [(Forbidden::Chat, 2)]);
        assert_eq!(refusals.due(after), []);
        assert_eq!(refusals.count(after, Forbidden::Removal), Some(1));
        assert_eq!(refusals.count(after, Forbidden::Removal), None);
        assert_eq!(refusals.count(after, Forbidden::Chat), None);
        let mut rest = refusals.rest(after);
        rest.sort_unstable_by_key(|(what, _)| what.as_str());
        assert_eq!(rest, [(Forbidden::Chat, 1), (Forbidden::Removal, 1)], "of who leaves");
    }
}
