//! What a shard thread needs of an engine, so that the thread can be tested with engines that misbehave.

use std::time::Instant;

use media_engine::{
    Coming, Counters, Engine,
    api::{Command, Datagram, Event, TransmitBuffer},
};

/// A sans-I/O machine: see the contract in `media_engine`.
pub(crate) trait Machine {
    fn expect<'a>(&self, now: Instant, coming: impl Iterator<Item = Coming<'a>> + Clone);
    fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut TransmitBuffer);
    fn handle_command(&mut self, now: Instant, command: Command, out: &mut TransmitBuffer);
    fn handle_timeout(&mut self, now: Instant, out: &mut TransmitBuffer);
    fn withhold_video(&mut self, now: Instant, quarters: u8);
    fn poll_timeout(&self) -> Option<Instant>;
    fn poll_event(&mut self) -> Option<Event>;
    fn counters(&self) -> &Counters;
}

impl Machine for Engine {
    fn expect<'a>(&self, now: Instant, coming: impl Iterator<Item = Coming<'a>> + Clone) {
        Engine::expect(self, now, coming);
    }

    fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>, out: &mut TransmitBuffer) {
        Engine::handle_datagram(self, now, datagram, out);
    }

    fn handle_command(&mut self, now: Instant, command: Command, out: &mut TransmitBuffer) {
        Engine::handle_command(self, now, command, out);
    }

    fn handle_timeout(&mut self, now: Instant, out: &mut TransmitBuffer) {
        Engine::handle_timeout(self, now, out);
    }

    fn withhold_video(&mut self, now: Instant, quarters: u8) {
        Engine::withhold_video(self, now, quarters);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Engine::poll_timeout(self)
    }

    fn poll_event(&mut self) -> Option<Event> {
        Engine::poll_event(self)
    }

    fn counters(&self) -> &Counters {
        Engine::counters(self)
    }
}
