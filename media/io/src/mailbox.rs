//! Commands on their way to a shard: a bounded queue that wakes the thread.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::{Mutex, MutexGuard, PoisonError},
};

use media_engine::api::Command;
use media_model::ConsultId;

use crate::limits::{COMMANDS_PER_TURN_MAX, MAILBOX_COMMANDS_MAX};

/// More is asked than the node can carry: the mailbox of a shard is full, or too many consults are placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the media node is overloaded")]
pub struct Overloaded;

/// The queue. The lock is taken by a shard only after it was woken, never on a media packet's way.
#[derive(Debug)]
pub(crate) struct Mailbox {
    queue: Mutex<Queue>,
    wake: UnixStream,
    woken: UnixStream,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    /// Set once, with the consults that are to be ended first.
    stop: Option<Vec<ConsultId>>,
}

/// What a shard finds when it looks into its mailbox.
#[derive(Debug)]
pub(crate) struct Mail {
    pub commands: Vec<Command>,
    /// There are more commands than a turn takes.
    pub more: bool,
    /// The thread is to end, and these consults before it.
    pub stop: Option<Vec<ConsultId>>,
}

impl Mailbox {
    pub fn new() -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        Ok(Self { queue: Mutex::default(), wake, woken })
    }

    /// Queues a command and wakes the shard.
    pub fn send(&self, command: Command) -> Result<(), Overloaded> {
        let mut queue = self.lock();
        if queue.commands.len() == MAILBOX_COMMANDS_MAX || queue.stop.is_some() {
            return Err(Overloaded);
        }
        queue.commands.push_back(command);
        if queue.commands.len() == 1 {
            self.wake();
        }
        Ok(())
    }

    /// Tells the thread to end these consults and then itself, after what is queued already.
    pub fn stop(&self, consults: Vec<ConsultId>) {
        self.lock().stop.get_or_insert(consults);
        self.wake();
    }

    /// Takes a turn's worth of commands. Whoever is told of `more` comes back without being woken.
    pub fn take(&self) -> Mail {
        let mut drain = [0; 64];
        while matches!((&self.woken).read(&mut drain), Ok(1..)) {}
        let mut queue = self.lock();
        let count = queue.commands.len().min(COMMANDS_PER_TURN_MAX);
        let commands = queue.commands.drain(..count).collect();
        let more = !queue.commands.is_empty();
        Mail { commands, more, stop: if more { None } else { queue.stop.clone() } }
    }

    /// Takes out the commands that were meant for an engine that is no more.
    pub fn clear(&self) -> VecDeque<Command> {
        std::mem::take(&mut self.lock().commands)
    }

    /// Readable when there is mail.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    fn wake(&self) {
        // A full pipe means that the thread is being woken already.
        let _ = (&self.wake).write(&[1]);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use media_model::TransportId;

    use super::*;

    fn leave(number: usize) -> Command {
        Command::Leave(TransportId(number as u64))
    }

    #[test]
    fn commands_come_out_in_order_a_bounded_number_at_a_time() {
        let mailbox = Mailbox::new().unwrap();
        for number in 0..COMMANDS_PER_TURN_MAX + 1 {
            mailbox.send(leave(number)).unwrap();
        }
        mailbox.stop(vec![]);
        let mail = mailbox.take();
        assert_eq!((mail.commands.len(), mail.more, mail.stop), (COMMANDS_PER_TURN_MAX, true, None));
        let mail = mailbox.take();
        assert!(
            matches!(mail.commands[..], [Command::Leave(TransportId(n))] if n == COMMANDS_PER_TURN_MAX as u64)
        );
        assert_eq!((mail.more, mail.stop), (false, Some(vec![])));
    }

    #[test]
    fn a_full_mailbox_refuses_and_one_that_is_closing_does_too() {
        let mailbox = Mailbox::new().unwrap();
        for number in 0..MAILBOX_COMMANDS_MAX {
            mailbox.send(leave(number)).unwrap();
        }
        assert_eq!(mailbox.send(leave(0)), Err(Overloaded));
        assert_eq!(mailbox.clear().len(), MAILBOX_COMMANDS_MAX);
        assert_eq!(mailbox.send(leave(0)), Ok(()));
        mailbox.stop(vec![]);
        assert_eq!(mailbox.send(leave(0)), Err(Overloaded));
    }
}
