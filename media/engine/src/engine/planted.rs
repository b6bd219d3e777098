//! Packets that go to somebody of another consult instead of to the one whose turn it is. In a test build only, to show
//! that the load harness finds it: the packet is sealed with the wrong person's key, in a stream that he receives.

use std::num::NonZeroU32;

use super::{Engine, routing::Target};
use crate::{
    api::TransmitBuffer,
    forwarder::Content,
    rtp::{ExtensionBlocks, Extensions},
    subscriber::Slot,
};

/// When a packet is misrouted.
#[derive(Debug, Default)]
pub struct Misrouting {
    /// One in so many; None: none.
    every: Option<NonZeroU32>,
    /// Packets until the next one.
    countdown: u32,
}

impl Engine {
    /// From now on one forwarded packet in about so many goes to the wrong person.
    pub fn plant_misrouting(&mut self, every: NonZeroU32) {
        self.planted = Misrouting { every: Some(every), countdown: every.get() / 2 };
    }

    /// Sends a packet to somebody else than `target`, if it is time for that. Says whether it did.
    pub(super) fn misroute(
        &mut self,
        target: &Target,
        content: &Content<'_>,
        out: &mut TransmitBuffer,
    ) -> bool {
        let Some(every) = self.planted.every else { return false };
        if let Some(rest) = self.planted.countdown.checked_sub(1) {
            self.planted.countdown = rest;
            return false;
        }
        let Some(right) = self.peers.get(target.place).and_then(Option::as_ref) else { return false };
        let kind = right.slots.get(target.slot).map(|slot| slot.key().1);
        let consult = right.consult;
        let wrong = self.peers.iter_mut().flatten().filter(|p| p.consult != consult && p.admitted);
        for peer in wrong {
            let Some(slot) = peer.slots.iter_mut().find(|s| Some(s.key().1) == kind && s.shown().is_some())
            else {
                continue;
            };
            let Some(departure) = slot.plant(content) else { continue };
            let mut blocks = ExtensionBlocks::new(Extensions::default());
            let block = blocks.of(&peer.extensions);
            let write = |space: &mut [u8]| Slot::write(&departure, content, block, space);
            if peer.connection.send_rtp(content.bytes_max(), out, write).is_ok() {
                // In step with no stream.
                self.planted.countdown = every.get() - 1 + departure.stream.index as u32 % 7;
                return true;
            }
        }
        false
    }
}
