//! When a message that was not taken is sent again: after seconds at first, for three days in all.

use std::time::Duration;

/// Pauses after the first, second, … attempt, as Standard Webhooks recommends.
const PAUSES_S: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

/// How long to wait after so many attempts; `None` once the message is given up. Up to a tenth is added by lot, so that a
/// receiver that comes back is not met by everything at one time.
pub fn pause_after(attempts: u32, lot: u8) -> Option<Duration> {
    let place = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let pause = Duration::from_secs(*PAUSES_S.get(place)?);
    Some(pause + pause.mul_f64(f64::from(lot) / 2_560.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_for_three_days_and_then_it_is_given_up() {
        let pauses: Vec<Duration> = (1..).map_while(|attempts| pause_after(attempts, 0)).collect();
        assert!(pauses.windows(2).all(|pair| pair[0] < pair[1]), "{pauses:?}");
        let days = pauses.iter().sum::<Duration>().as_secs_f64() / 86_400.0;
        assert!((3.0..4.0).contains(&days), "{days}");
        assert_eq!(pause_after(0, 0), None);
        let longest = pause_after(1, u8::MAX).expect("a pause");
        assert!(longest > Duration::from_secs(5) && longest < Duration::from_millis(5_501), "{longest:?}");
    }
}
