//! Which shard a consult lives on: the least loaded one when it begins, and the same one until it is released.

use std::collections::HashMap;

use media_model::ConsultId;

use crate::{
    Load, Overloaded,
    limits::{PLACED_CONSULTS_MAX, SHARD_TRANSPORTS_PLACED_MAX},
};

/// What a consult is taken to cost before anything is known: 250 of them fill a core.
const CONSULT_SHARE_MIN: f64 = 0.004;

/// A consult's people take some seconds to come, and the measured share takes some to follow: with every sample, this
/// part of what was allowed for new consults is taken to be measured by now.
const ALLOWANCE_MEASURED: f64 = 0.2;

/// Shares that differ by less are alike; then transports decide.
const SHARE_STEP: f64 = 0.01;

/// Where consults are, by the shard's place in the node's list.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    shard_of: HashMap<ConsultId, usize>,
    shards: Vec<Placed>,
}

/// What was placed on one shard.
#[derive(Debug, Default, Clone)]
struct Placed {
    consults: u64,
    /// For consults whose cost does not show in the measured share yet, as a share of a core.
    allowance: f64,
    /// The newest sample that was taken into account.
    samples: u64,
}

impl Placement {
    /// The shard of a consult. `loads` says what each shard carries now.
    ///
    /// # Errors
    /// [`Overloaded`] when every shard is full or has no time left: no call is better than a bad one.
    pub fn place(&mut self, consult: ConsultId, loads: &[Load]) -> Result<usize, Overloaded> {
        if let Some(shard) = self.shard_of.get(&consult) {
            return Ok(*shard);
        }
        if self.shard_of.len() == PLACED_CONSULTS_MAX {
            return Err(Overloaded);
        }
        self.shards.resize(loads.len(), Placed::default());
        for (placed, load) in self.shards.iter_mut().zip(loads) {
            let news = load.samples.saturating_sub(placed.samples).min(100) as i32;
            placed.allowance *= (1.0 - ALLOWANCE_MEASURED).powi(news);
            placed.samples = load.samples;
        }
        let candidates = loads.iter().zip(&self.shards).enumerate();
        let shard = candidates
            .filter(|(_, (load, _))| !load.is_saturated() && load.transports < SHARD_TRANSPORTS_PLACED_MAX)
            .min_by_key(|(_, (load, placed))| {
                let step = ((load.share + placed.allowance) / SHARE_STEP) as u64;
                (step, load.transports, placed.consults)
            })
            .map(|(shard, _)| shard)
            .ok_or(Overloaded)?;
        let expected = self.consult_share(loads);
        if let Some(placed) = self.shards.get_mut(shard) {
            placed.consults += 1;
            placed.allowance += expected;
        }
        self.shard_of.insert(consult, shard);
        Ok(shard)
    }

    /// Forgets a consult that has ended.
    pub fn release(&mut self, consult: ConsultId) {
        let placed = self.shard_of.remove(&consult).and_then(|shard| self.shards.get_mut(shard));
        if let Some(placed) = placed {
            placed.consults = placed.consults.saturating_sub(1);
        }
    }

    /// The consults of one shard.
    pub fn consults_on(&self, shard: usize) -> Vec<ConsultId> {
        self.shard_of.iter().filter(|(_, on)| **on == shard).map(|(consult, _)| *consult).collect()
    }

    /// What a consult costs on this node, going by those that are here.
    fn consult_share(&self, loads: &[Load]) -> f64 {
        let share: f64 = loads.iter().map(|load| load.share).sum();
        (share / self.shard_of.len().max(1) as f64).clamp(CONSULT_SHARE_MIN, 10.0 * CONSULT_SHARE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consult(number: usize) -> ConsultId {
        ConsultId::from_bytes((number as u128).to_be_bytes())
    }

    fn idle(transports: u64) -> Load {
        Load { transports, ..Load::default() }
    }

    fn busy(share: f64, samples: u64) -> Load {
        Load { share, samples, ..Load::default() }
    }

    #[test]
    fn a_consult_goes_to_the_least_loaded_shard_and_stays_there() {
        let mut placement = Placement::default();
        assert_eq!(placement.place(consult(1), &[busy(0.5, 1), busy(0.2, 1), busy(0.8, 1)]), Ok(1));
        assert_eq!(placement.place(consult(1), &[busy(0.1, 2), busy(0.8, 2), busy(0.1, 2)]), Ok(1));
        placement.release(consult(1));
        assert_eq!(placement.place(consult(1), &[busy(0.1, 3), busy(0.8, 3), busy(0.3, 3)]), Ok(0));
        assert_eq!(placement.consults_on(0), [consult(1)]);
    }

    #[test]
    fn measured_cost_counts_for_more_than_transports_which_break_ties() {
        let mut placement = Placement::default();
        let [few, many] = [Load { transports: 3, ..busy(0.4, 1) }, Load { transports: 90, ..busy(0.1, 1) }];
        assert_eq!(placement.place(consult(1), &[few, many]), Ok(1));
        let mut placement = Placement::default();
        assert_eq!(placement.place(consult(1), &[idle(5), idle(2), idle(9)]), Ok(1));
    }

    #[test]
    fn consults_that_are_placed_before_anything_is_measured_are_spread() {
        let mut placement = Placement::default();
        let shards: Vec<_> = (0..6).map(|number| placement.place(consult(number), &[idle(0); 3])).collect();
        assert_eq!(shards, [0, 1, 2, 0, 1, 2].map(Ok));
    }

    #[test]
    fn a_burst_goes_to_the_idle_shard_until_it_is_as_loaded_and_then_to_both() {
        let mut placement = Placement::default();
        let loads = [busy(0.4, 1), busy(0.0, 1)];
        // The hundred that cost shard 0 what it is measured at.
        placement.shard_of.extend((0..100).map(|n| (consult(n), 0)));
        let mut burst = |numbers: std::ops::Range<usize>| {
            let shards = numbers.map(|n| placement.place(consult(n), &loads));
            shards.filter(|shard| *shard == Ok(1)).count()
        };
        assert_eq!(burst(100..150), 50);
        burst(150..250);
        let to_second = burst(250..350);
        assert!((40..=60).contains(&to_second), "{to_second}");
    }

    #[test]
    fn what_was_allowed_for_new_consults_gives_way_to_what_is_measured() {
        let mut placement = Placement::default();
        placement.shard_of.extend((200..400).map(|n| (consult(n), 1)));
        for n in 0..100 {
            assert_eq!(placement.place(consult(n), &[busy(0.0, 1), busy(0.8, 1)]), Ok(0));
        }
        // Nobody ever came to those hundred.
        assert_eq!(placement.place(consult(100), &[busy(0.0, 30), busy(0.05, 30)]), Ok(0));
    }

    #[test]
    fn when_every_shard_is_full_or_saturated_the_node_says_so() {
        let mut placement = Placement::default();
        let full = idle(SHARD_TRANSPORTS_PLACED_MAX);
        let behind = Load { video_withheld: 1, ..Load::default() };
        assert_eq!(placement.place(consult(1), &[full, busy(0.95, 1), behind]), Err(Overloaded));
        assert_eq!(placement.place(consult(1), &[full, busy(0.95, 1), idle(9)]), Ok(2));
        assert_eq!(placement.place(consult(1), &[full, behind, behind]), Ok(2), "who is there stays there");
    }

    #[test]
    fn there_is_a_bound() {
        let mut placement = Placement::default();
        for number in 0..PLACED_CONSULTS_MAX {
            placement.shard_of.insert(consult(number), 0);
        }
        assert_eq!(placement.place(consult(PLACED_CONSULTS_MAX), &[idle(0)]), Err(Overloaded));
        assert_eq!(placement.place(consult(0), &[idle(0)]), Ok(0));
    }
}
