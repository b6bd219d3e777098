//! Which shard a consult lives on: the least loaded one when it begins, and the same one until it is released.

use std::collections::HashMap;

use media_model::ConsultId;

use crate::{Overloaded, limits::PLACED_CONSULTS_MAX};

/// Where consults are, by the shard's place in the node's list.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    shard_of: HashMap<ConsultId, usize>,
}

impl Placement {
    /// The shard of a consult. `transports` says how many each shard carries now.
    pub fn place(&mut self, consult: ConsultId, transports: &[u64]) -> Result<usize, Overloaded> {
        if let Some(shard) = self.shard_of.get(&consult) {
            return Ok(*shard);
        }
        if self.shard_of.len() == PLACED_CONSULTS_MAX {
            return Err(Overloaded);
        }
        // Transports come some time after their consult was placed; consults of the same load are spread evenly.
        let mut consults = vec![0_usize; transports.len()];
        for shard in self.shard_of.values() {
            consults[*shard] += 1;
        }
        let shard = (0..transports.len())
            .min_by_key(|shard| (transports[*shard], consults[*shard]))
            .ok_or(Overloaded)?;
        self.shard_of.insert(consult, shard);
        Ok(shard)
    }

    /// Forgets a consult that has ended.
    pub fn release(&mut self, consult: ConsultId) {
        self.shard_of.remove(&consult);
    }

    /// The consults of one shard.
    pub fn consults_on(&self, shard: usize) -> Vec<ConsultId> {
        self.shard_of.iter().filter(|(_, on)| **on == shard).map(|(consult, _)| *consult).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consult(number: usize) -> ConsultId {
        ConsultId::from_bytes((number as u128).to_be_bytes())
    }

    #[test]
    fn a_consult_goes_to_the_least_loaded_shard_and_stays_there() {
        let mut placement = Placement::default();
        assert_eq!(placement.place(consult(1), &[5, 2, 9]), Ok(1));
        assert_eq!(placement.place(consult(1), &[0, 100, 0]), Ok(1));
        placement.release(consult(1));
        assert_eq!(placement.place(consult(1), &[0, 100, 7]), Ok(0));
        assert_eq!(placement.consults_on(0), [consult(1)]);
    }

    #[test]
    fn consults_that_are_placed_before_anybody_joins_are_spread() {
        let mut placement = Placement::default();
        let shards: Vec<_> = (0..6).map(|number| placement.place(consult(number), &[0, 0, 0])).collect();
        assert_eq!(shards, [Ok(0), Ok(1), Ok(2), Ok(0), Ok(1), Ok(2)]);
    }

    #[test]
    fn there_is_a_bound() {
        let mut placement = Placement::default();
        for number in 0..PLACED_CONSULTS_MAX {
            placement.shard_of.insert(consult(number), 0);
        }
        assert_eq!(placement.place(consult(PLACED_CONSULTS_MAX), &[0]), Err(Overloaded));
        assert_eq!(placement.place(consult(0), &[0]), Ok(0));
    }
}
