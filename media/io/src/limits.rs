//! Every bound of the shell around the engines.

use std::time::Duration;

/// Shards of one node: threads, and UDP ports.
pub const SHARDS_MAX: u16 = 256;

/// Messages that one system call takes in: datagrams, or trains of them.
pub(crate) const RECEIVE_BATCH: usize = 32;

/// Room for one message: the longest train that the kernel hands over. The odd part keeps the beginnings of the places
/// out of each other's cache lines.
pub(crate) const RECEIVE_PLACE_BYTES: usize = 64 * 1024 + 17 * 64;

/// Batches taken from one socket before timers, commands and the other socket get their turn.
pub(crate) const RECEIVE_BATCHES_PER_TURN_MAX: usize = 8;

/// Datagrams of one train that goes out: what every kernel since 4.18 takes.
pub(crate) const TRAIN_DATAGRAMS_MAX: usize = 64;

/// The payload of one train: what fits one IPv4 packet, as which it travels through the kernel.
pub(crate) const TRAIN_BYTES_MAX: usize = 65_507;

/// Receivers that the kernel sends no trains to and that are remembered; with more of them nobody gets any.
pub(crate) const TRAIN_REFUSERS_MAX: usize = 64;

/// What an engine may write before it is flushed.
pub(crate) const TRANSMIT_BYTES: usize = 1024 * 1024;

/// How many datagrams an engine may write before it is flushed: what one system call gives out at most (`UIO_MAXIOV`).
pub(crate) const TRANSMIT_DATAGRAMS: usize = 1024;

/// The longest sleep for which datagrams may gather between two batches; it is a part of the forwarding delay.
pub(crate) const GATHER_MAX: Duration = Duration::from_micros(500);

/// From one batch to the next, work included, where datagrams are let gather: what comes in at its beginning and waits for
/// the work on the next batch is to be out again within a millisecond.
pub(crate) const GATHER_CYCLE_MAX: Duration = Duration::from_micros(650);

/// Datagrams to gather: by then a batch has become cheap, and it still fits the processor's caches.
pub(crate) const GATHER_DATAGRAMS: f64 = 20.0;

/// With fewer messages than these in [`GATHER_MAX`] a sleep costs more than it saves.
pub(crate) const GATHER_DATAGRAMS_MIN: f64 = 2.0;

/// Over which time the rate of datagrams is taken.
pub(crate) const GATHER_RATE_WINDOW: Duration = Duration::from_millis(5);

/// Commands that wait for a shard; more are refused as overload.
pub(crate) const MAILBOX_COMMANDS_MAX: usize = 1024;

/// Commands that a shard carries out before it looks at its sockets again: a join takes tens of microseconds.
pub(crate) const COMMANDS_PER_TURN_MAX: usize = 8;

/// Events that wait for the control plane; the engine keeps the rest as state.
pub(crate) const EVENTS_MAX: usize = 4096;

/// Consults that are placed at one time, on all shards together: 10,000 that run, and as many again that come and go.
pub(crate) const PLACED_CONSULTS_MAX: usize = 20_000;

/// A shard with so many transports gets no further consults; those that it has may still grow, up to what its engine
/// takes ([`media_model::limits::SHARD_TRANSPORTS_MAX`]).
pub(crate) const SHARD_TRANSPORTS_PLACED_MAX: u64 = 31_000;

/// A shard whose thread takes so much of its core gets no further consults.
pub(crate) const SATURATED_SHARE: f64 = 0.9;

/// From one sample of a shard's CPU time to the next.
pub(crate) const LOAD_SAMPLE_INTERVAL: Duration = Duration::from_secs(1);

/// How often a shard looks at what waits in its sockets.
pub(crate) const RELIEF_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// A shard that leaves so much waiting at the end of a turn, or a quarter of what the socket holds if that is less, is
/// behind. In kernel memory, of which a packet of video takes 2.3 kB: some 3 ms of a full core's work.
pub(crate) const BACKLOG_BYTES_MAX: u64 = 1024 * 1024;

/// A shard that has fewer waiting by this part of what its socket holds than at the check before catches up.
pub(crate) const CATCHING_UP_PART: u64 = 32;

/// So many checks in a row have to find it behind: a machine that stood still for 100 ms catches up by itself.
pub(crate) const BEHIND_CHECKS: u32 = 12;

/// A check that finds that the kernel has dropped datagrams counts for so many: sound is among them.
pub(crate) const CHECKS_OF_A_DROP: u32 = 4;

/// From one quarter of the video that is withheld to the next.
pub(crate) const RELIEF_STEP_INTERVAL: Duration = Duration::from_millis(200);

/// A shard that took less of its core than this before it fell behind had time to spare: what it could not keep up with was not
/// its own load.
pub(crate) const FULL_SHARE: f64 = 0.85;

/// How long a shard with time to spare has to keep up before a quarter of the video goes on; [`RELIEF_HOLD_MIN`] when that
/// was too early again and again.
pub(crate) const RELIEF_HOLD_SHORT: Duration = Duration::from_millis(400);

/// How long a shard has to keep up before a quarter of the video goes on.
pub(crate) const RELIEF_HOLD_MIN: Duration = Duration::from_secs(3);

/// The same, when it was too early again and again.
pub(crate) const RELIEF_HOLD_MAX: Duration = Duration::from_secs(60);

/// Asked of the kernel for each direction of each socket: 100 ms of 300 Mbit/s.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Tries to find a port that is free for both address families, where any port will do.
pub(crate) const BIND_ATTEMPTS_MAX: usize = 16;

/// A shard looks up at least so often.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(1);

/// A busy shard publishes its counters so often.
pub(crate) const PUBLISH_INTERVAL: Duration = Duration::from_millis(20);

/// How soon a shard tries again to hand over events or counters that were not taken.
pub(crate) const HAND_OVER_RETRY: Duration = Duration::from_millis(10);

/// How long a shard waits after a fault, so that a fault on every datagram does not burn a core.
pub(crate) const FAULT_PAUSE: Duration = Duration::from_millis(20);
