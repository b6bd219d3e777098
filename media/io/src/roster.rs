//! Which transports a shard has, as far as its thread has heard: whoever is lost with a failed engine must be told.

use std::collections::BTreeSet;

use media_engine::api::{Command, Event};
use media_model::TransportId;

/// The transports that the control plane believes to be there.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    /// Sent to the engine, which has not answered yet.
    joining: BTreeSet<TransportId>,
    joined: BTreeSet<TransportId>,
}

impl Roster {
    /// Notes a command before the engine gets it.
    pub fn note_command(&mut self, command: &Command) {
        if let Command::Join(join) = command {
            self.joining.insert(join.transport);
        }
    }

    /// Notes an event before the control plane gets it.
    pub fn note_event(&mut self, event: &Event) {
        match event {
            Event::Joined(transport) => {
                self.joining.remove(transport);
                self.joined.insert(*transport);
            }
            Event::Refused(transport, _) => {
                self.joining.remove(transport);
            }
            Event::Left(transport, _) => {
                self.joining.remove(transport);
                self.joined.remove(transport);
            }
            Event::Connected(_) | Event::Layout(_) | Event::ReofferNeeded(..) | Event::Measured(..) => {}
        }
    }

    /// Everyone; afterwards nobody is there.
    pub fn take(&mut self) -> BTreeSet<TransportId> {
        let mut everyone = std::mem::take(&mut self.joined);
        everyone.append(&mut self.joining);
        everyone
    }
}

#[cfg(test)]
mod tests {
    use media_engine::api::{LeaveReason, Refusal};

    use super::*;

    #[test]
    fn those_who_are_joining_or_have_joined_and_not_left_are_there() {
        let mut roster = Roster::default();
        let id = TransportId;
        roster.joining.extend((1..=5).map(id));
        for joined in [2, 3, 4] {
            roster.note_event(&Event::Joined(id(joined)));
        }
        roster.note_event(&Event::Left(id(3), LeaveReason::Requested));
        roster.note_event(&Event::Refused(id(4), Refusal::InvalidParameters));
        roster.note_event(&Event::Refused(id(5), Refusal::ConsultFull));
        assert_eq!(roster.take(), BTreeSet::from([1, 2, 4].map(id)));
        assert!(roster.take().is_empty());
    }
}
