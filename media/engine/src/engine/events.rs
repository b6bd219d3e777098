//! What the control plane has yet to hear. Layouts are only noted here: whoever asks gets the newest.

use std::collections::VecDeque;

use media_model::TransportId;

use crate::api::{Event, ReofferReason};

/// Something to be told.
#[derive(Debug)]
pub enum Queued {
    /// As it stands.
    Event(Event),
    /// The layout that is the newest by then.
    Layout(TransportId),
}

/// The queue. A command adds a few entries at most, a datagram none but a transport's `Connected` and `Left`; so it is
/// bounded by what the control plane asked for.
#[derive(Debug, Default)]
pub struct Events {
    queue: VecDeque<Queued>,
}

impl Events {
    /// Tells this after everything else.
    pub fn push(&mut self, event: Event) {
        self.queue.push_back(Queued::Event(event));
    }

    /// Tells the newest layout of a transport, whose `queued` remembers that it is going to be told.
    pub fn layout(&mut self, transport: TransportId, queued: &mut bool) {
        if !std::mem::replace(queued, true) {
            self.queue.push_back(Queued::Layout(transport));
        }
    }

    /// Asks for another offer; a need that has grown takes the place of what was to be told of it.
    pub fn reoffer(&mut self, transport: TransportId, reason: ReofferReason) {
        let same_need = |queued: &Queued| match queued {
            Queued::Event(Event::ReofferNeeded(whose, earlier)) => {
                *whose == transport && std::mem::discriminant(earlier) == std::mem::discriminant(&reason)
            }
            _ => false,
        };
        self.queue.retain(|queued| !same_need(queued));
        self.push(Event::ReofferNeeded(transport, reason));
    }

    /// The oldest entry.
    pub fn pop(&mut self) -> Option<Queued> {
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_and_needs_coalesce() {
        let (mut events, who, mut queued) = (Events::default(), TransportId(1), false);
        for camera in 2..5 {
            events.layout(who, &mut queued);
            events.reoffer(who, ReofferReason::Slots { camera, screen: 0 });
        }
        events.reoffer(who, ReofferReason::Codec);
        assert!(matches!(events.pop(), Some(Queued::Layout(TransportId(1)))));
        let needs: Vec<_> = std::iter::from_fn(|| events.pop()).collect();
        assert!(matches!(
            needs[..],
            [
                Queued::Event(Event::ReofferNeeded(_, ReofferReason::Slots { camera: 4, screen: 0 })),
                Queued::Event(Event::ReofferNeeded(_, ReofferReason::Codec))
            ]
        ));
    }
}
