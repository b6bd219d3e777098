//! The transports of a thread, each in memory of its own, and the timers of those.

use std::{cmp::Reverse, collections::BinaryHeap, time::Instant};

use prefetch::prefetch;

use super::{
    Connects,
    context::Context,
    socket::Route,
    transport::{Outcome, Transport},
};

/// When each of them is due at the earliest, soonest first; of one that was moved, there is an old entry, too.
pub type Timers = BinaryHeap<Reverse<(u64, u32)>>;

/// One transport and what belongs to it.
pub struct Entry {
    pub transport: Transport,
    pub route: Route,
    pub connects: Option<Connects>,
    /// The moment for which it stands in the timers.
    pub scheduled_ns: u64,
}

/// By index, which is given out upwards.
#[derive(Default)]
pub struct Entries(Vec<Option<Box<Entry>>>);

impl Entries {
    pub fn get_mut(&mut self, id: u32) -> Option<&mut Entry> {
        self.0.get_mut(id as usize)?.as_deref_mut()
    }

    pub fn insert(&mut self, id: u32, entry: Entry) {
        if self.0.len() <= id as usize {
            self.0.resize_with(id as usize + 1, || None);
        }
        self.0[id as usize] = Some(Box::new(entry));
    }

    pub fn remove(&mut self, id: u32) -> Option<Box<Entry>> {
        self.0.get_mut(id as usize)?.take()
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Entry)> {
        let numbered = (0..).zip(&mut self.0);
        numbered.filter_map(|(id, entry)| Some((id, entry.as_deref_mut()?)))
    }

    /// Has the processor fetch side by side what these touch when something comes for them or is due.
    pub fn expect(&self, ids: impl Iterator<Item = u32> + Clone) {
        let entries = || ids.clone().filter_map(|id| self.0.get(id as usize)?.as_deref());
        entries().for_each(|entry| {
            entry.transport.prefetch();
            prefetch(&entry.scheduled_ns);
        });
        entries().for_each(|entry| entry.transport.prefetch_session());
        entries().for_each(|entry| entry.transport.prefetch_streams());
    }
}

impl Entry {
    /// Takes a datagram in.
    pub fn take(
        &mut self,
        datagram: &mut [u8],
        arrival_ns: u64,
        context: &mut Context<'_>,
        timers: &mut Timers,
    ) {
        let outcome = self.transport.handle_datagram(datagram, arrival_ns, context);
        self.tell(outcome);
        self.schedule(context.transport, context.now_ns, context.instant, timers);
    }

    /// Tells whoever waits for it what became of it.
    pub fn tell(&mut self, outcome: Outcome) {
        let result = match outcome {
            Outcome::Nothing => return,
            Outcome::Connected(ice) => Ok(ice),
            Outcome::Failed(why) => Err(why),
        };
        if let Some(connects) = self.connects.take() {
            // The one who waited may have given up.
            let _ = connects.send(result);
        }
    }

    /// Puts it into the timers where it is due earlier than it stands there.
    pub fn schedule(&mut self, id: u32, now_ns: u64, instant: Instant, timers: &mut Timers) {
        let at = self.transport.poll_timeout(now_ns, instant);
        if at < self.scheduled_ns {
            // A moment later at the earliest: what asks again and again must not keep the loop from receiving.
            self.scheduled_ns = at.max(now_ns + 1);
            timers.push(Reverse((self.scheduled_ns, id)));
        }
    }
}
