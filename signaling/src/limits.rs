//! Bounds of the signaling shells: queues, times, tables. Sizes of messages are in `signaling_protocol::limits`.

use std::time::Duration;

/// Messages that wait for one connection; a client that lets more pile up is not reading and is closed.
pub const OUTBOX_NOTICES_MAX: usize = 256;
/// WebSocket connections of a node at one time: 30,000 people, and those who come back while their earlier connection is
/// not known to be dead.
pub const CONNECTIONS_MAX: usize = 40_000;
/// One WebSocket write; a client that takes longer is closed.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a closed connection is read for the peer's close frame, so that it still gets our last words.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// From one WebSocket ping to the next.
pub const PING_INTERVAL: Duration = Duration::from_secs(25);
/// A connection from which nothing at all came for so long is dead.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long the journal may take to write down a join.
pub const JOURNAL_TIMEOUT: Duration = Duration::from_secs(5);
/// Journal entries that nobody waits for and that are not written yet: a full node may leave at once, and each of its
/// 30,000 departures has to be written down.
pub const JOURNAL_BACKLOG_MAX: usize = 65_536;
/// Journal entries that are written at once.
pub const JOURNAL_BATCH_MAX: usize = 256;
/// How often an entry of the backlog is tried before it counts as lost.
pub const JOURNAL_TRIES: u32 = 4;
/// From one try to the next.
pub const JOURNAL_RETRY_INTERVAL: Duration = Duration::from_millis(500);
/// Lines of chat that wait to be written down on a node.
pub const CHAT_BACKLOG_MAX: usize = 4_096;
/// Lines of chat that are written at once: so many of the longest are a record of a log (`node_log::RECORD_BYTES_MAX`).
pub const CHAT_BATCH_MAX: usize = 12;
/// Entries about genuine tickets that came too late, at once: such a ticket can be shown again and again by whoever
/// found it.
pub const LATE_ENTRIES_BURST_MAX: u32 = 20;
/// Such entries a second in the long run.
pub const LATE_ENTRIES_PER_SECOND_MAX: u32 = 1;
/// From one entry about what somebody in a consult may not do to their next about the same: they can ask again and again.
pub const FORBIDDEN_INTERVAL: Duration = Duration::from_secs(60);
/// How long a shard may take to answer a `Join`.
pub const SHARD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long media goes on for someone whose WebSocket broke, so that coming back costs nobody a picture.
pub const RESUME_GRACE: Duration = Duration::from_secs(15);
/// Between two `reoffer` to one client.
pub const REOFFER_INTERVAL: Duration = Duration::from_secs(2);
/// How long a shutdown waits for goodbyes to be said.
pub const GOODBYE_TIMEOUT: Duration = Duration::from_secs(3);
/// How often what has run out is cleared away.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How often tickets that have expired are forgotten: looking through all of them takes a while.
pub const TICKETS_SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Consults that a node remembers: 10,000 that run, and those that have just emptied, whose numbers are kept.
pub const CONSULTS_MAX: usize = 40_000;
/// How long a consult without anybody keeps its numbers; a resume token brings its own even later.
pub const EMPTY_CONSULT_KEPT: Duration = Duration::from_secs(15 * 60);
/// People that ever came to one consult, those who have left included.
pub const CONSULT_PEOPLE_MAX: usize = 256;
/// Tickets that somebody came in with, one after the other, without saying a word after any `welcome`.
pub const EARLIER_TICKETS_MAX: usize = 16;
/// Tickets with which one person came to a consult that a node can take back together; the database takes back all.
pub const CAME_WITH_MAX: usize = 64;
/// How long a node knows who was in a consult when it was ended: for as long as they may read what was written last.
pub const ENDED_CONSULT_KEPT: Duration = Duration::from_secs(15 * 60);
/// Tickets remembered as used, and as many as revoked, and consults as ended.
pub const TICKETS_REMEMBERED_MAX: usize = 200_000;
/// Commands that full mailboxes refused and that are sent again: a full node may leave at once.
pub const COMMANDS_OWED_MAX: usize = 65_536;
/// How often it is looked, before the node goes, whether shards have said how everybody's connection was.
pub const PARTINGS_INTERVAL: Duration = Duration::from_millis(10);
