//! Every bound of the shell around the engines.

use std::time::Duration;

/// Shards of one node: threads, and UDP ports.
pub const SHARDS_MAX: u16 = 256;

/// Datagrams that one system call takes in.
pub(crate) const RECEIVE_BATCH: usize = 32;

/// Batches taken from one socket before timers, commands and the other socket get their turn.
pub(crate) const RECEIVE_BATCHES_PER_TURN_MAX: usize = 8;

/// Datagrams that one system call gives out.
pub(crate) const SEND_BATCH: usize = 64;

/// What an engine may write before it is flushed.
pub(crate) const TRANSMIT_BYTES: usize = 1024 * 1024;

/// How many datagrams an engine may write before it is flushed.
pub(crate) const TRANSMIT_DATAGRAMS: usize = 1024;

/// Commands that wait for a shard; more are refused as overload.
pub(crate) const MAILBOX_COMMANDS_MAX: usize = 1024;

/// Commands that a shard carries out before it looks at its sockets again.
pub(crate) const COMMANDS_PER_TURN_MAX: usize = 64;

/// Events that wait for the control plane; the engine keeps the rest as state.
pub(crate) const EVENTS_MAX: usize = 4096;

/// Consults that are placed at one time, on all shards together.
pub(crate) const PLACED_CONSULTS_MAX: usize = 10_000;

/// Asked of the kernel for each direction of each socket: 100 ms of 300 Mbit/s.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Tries to find a port that is free for both address families, where any port will do.
pub(crate) const BIND_ATTEMPTS_MAX: usize = 16;

/// A shard looks up at least so often.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(1);

/// How soon a shard tries again to hand over events or counters that were not taken.
pub(crate) const HAND_OVER_RETRY: Duration = Duration::from_millis(10);

/// How long a shard waits after a fault, so that a fault on every datagram does not burn a core.
pub(crate) const FAULT_PAUSE: Duration = Duration::from_millis(20);
