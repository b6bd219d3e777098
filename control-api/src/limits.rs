//! Bounds of the control API.

use std::time::Duration;

/// Largest request body.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a ticket opens the door when the caller does not say.
pub const TICKET_LIFETIME_DEFAULT: Duration = Duration::from_secs(5 * 60);
/// How long a ticket may be valid at most.
pub const TICKET_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a request waits for the database.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// What a connection to SQLite keeps of the database in memory; below zero is KiB
/// (<https://www.sqlite.org/pragma.html#pragma_cache_size>).
pub const PAGE_CACHE_KIB: &str = "-256";
/// How long a broken glass opens one patient's door.
pub const BREAK_GLASS_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Shortest reason for breaking the glass: a word is not enough.
pub const BREAK_GLASS_REASON_CHARS_MIN: usize = 10;
/// Longest reason for breaking the glass.
pub const BREAK_GLASS_REASON_CHARS_MAX: usize = 500;
