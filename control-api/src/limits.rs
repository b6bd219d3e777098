//! Bounds of the control API.

use std::time::Duration;

/// Largest request body.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// How long a ticket opens the door when the caller does not say.
pub const TICKET_LIFETIME_DEFAULT: Duration = Duration::from_secs(5 * 60);
/// How long a ticket may be valid at most.
pub const TICKET_LIFETIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// How often nodes look which keys others have published, and whether theirs is still among them.
pub const SIGNING_KEYS_INTERVAL: Duration = Duration::from_secs(2);
/// How long a key is published before its owner turns to it.
pub const SIGNING_KEY_KNOWN_FIRST: Duration = Duration::from_secs(60);
/// How long a key is good after the last ticket that it can have signed has expired: clocks differ, nodes turn late.
pub const SIGNING_KEY_OUTLASTS: Duration = Duration::from_secs(60 * 60);
/// Longest name of an API client.
pub const API_CLIENT_NAME_BYTES_MAX: usize = 40;
/// Audit entries of reads that are committed together.
pub const READS_BATCH_MAX: usize = 256;
/// Audit entries of one tenant's reads that wait to be committed; with more, reads are refused.
pub const READS_WAITING_MAX: usize = 4_096;
/// People's keys that are wrapped anew in one transaction.
pub const RENEWAL_PAGE_KEYS: i64 = 200;
/// How long a tenant's keys are believed to be the newest: then they are read again.
pub const KEYS_KNOWN_FOR: Duration = Duration::from_secs(60);
/// How long an old key stays at least after its successor was made.
pub const KEY_REST: Duration = Duration::from_secs(60 * 60);
/// How often it is looked what other processes took back.
pub const ORDERS_INTERVAL: Duration = Duration::from_secs(1);
/// So late an act may be committed after its time, on a clock that is so wrong.
pub const ORDERS_OVERLAP: Duration = Duration::from_secs(60);
/// How often committed audit entries are sealed.
pub const SEAL_INTERVAL: Duration = Duration::from_millis(500);
/// How often every tenant is looked at for entries that another process left unsealed.
pub const SEAL_SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// Committed audit entries of a tenant that are kept in memory until they are sealed; of more, all are read back.
pub const SEAL_ENTRIES_KEPT_MAX: usize = 16_384;
/// Audit entries that are sealed in one transaction.
pub const SEAL_BATCH_ENTRIES_MAX: i64 = 500;
/// Links that are read at a time to verify them.
pub const VERIFY_PAGE_LINKS: i64 = 1_000;
/// Tenants whose unwrapped keys are kept in memory.
pub const TENANTS_KEYS_CACHED_MAX: usize = 10_000;
/// How long the answer to a request with an idempotency key is kept.
pub const ANSWER_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How often answers that were kept long enough are deleted.
pub const ANSWER_SWEEP_INTERVAL: Duration = Duration::from_secs(10 * 60);
/// Longest idempotency key.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;
/// Proxies that are looked past to find where a request came from.
pub const FORWARDED_HOPS_MAX: usize = 16;
/// Requests a second of one API client, and from one address, where the configuration does not say.
pub const API_REQUESTS_PER_S: u32 = 1_000;
/// Requests a second of one person in one visit, by the token of it: more than a page in the visit ever makes.
pub const VISITOR_REQUESTS_PER_S: u32 = 10;
/// As many may come at once: pages of the chat after a long visit.
pub const VISITOR_REQUESTS_BURST: u32 = 60;
/// Kinds of refusals of people in visits that are counted at a time.
pub const VISITOR_REFUSALS_MAX: usize = 10_000;
/// How many seconds' worth of requests may come at once.
pub const BURST_S: f64 = 4.0;
/// API clients, and addresses, whose requests are counted each.
pub const BUCKETS_MAX: usize = 10_000;
/// Failures a second of one address to show who asks, where the configuration does not say.
pub const API_FAILURES_PER_S: u32 = 5;
/// How long it is remembered that a credential was good.
pub const CREDENTIAL_KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// Credentials of which that is remembered.
pub const CREDENTIALS_KNOWN_MAX: usize = 10_000;
/// How often it is put down how many were refused of whom nothing is known.
pub const ANONYMOUS_INTERVAL: Duration = Duration::from_secs(60);
/// Tenants, surfaces and reasons by which those are counted; tenants beyond that count as none.
pub const ANONYMOUS_KINDS_MAX: usize = 1_000;
/// Different addresses that are counted of one of them.
pub const ANONYMOUS_ADDRESSES_MAX: usize = 256;
/// How long an access token is good.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long the token of a visit is good at most; who is welcomed again, as after a broken connection, gets another one.
pub const VISIT_TOKEN_LIFETIME: Duration = Duration::from_secs(4 * 60 * 60);
/// How long after its consult's end a visit's token is good still: the last lines are read.
pub const VISIT_TOKEN_GRACE: Duration = Duration::from_secs(15 * 60);
/// How long a request waits for the database.
pub const STORE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection to the database is kept that nobody uses.
pub const STORE_IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// Connections to PostgreSQL of one process, for reading.
pub const POSTGRES_READERS_MAX: u32 = 8;
/// The same for writing.
pub const POSTGRES_WRITERS_MAX: u32 = 8;
/// Connections to SQLite for reading.
pub const SQLITE_READERS_MAX: u32 = 4;
/// What a connection to SQLite that reads keeps of the database in memory: 256 KiB
/// (<https://www.sqlite.org/pragma.html#pragma_cache_size>). Rows are looked up one by one, and the system keeps the file.
pub(crate) const READER_CACHE_KIB: &str = "PRAGMA cache_size = -256";
/// The same of the one that writes: 4 MiB, the ends of all the indexes into which an audit entry goes.
pub(crate) const WRITER_CACHE_KIB: &str = "PRAGMA cache_size = -4096";
/// When SQLite takes its write-ahead log into the database: after 8,192 pages, 32 MiB, which keeps it from flushing the database
/// many times a second while many read what is audited.
pub(crate) const CHECKPOINT_PAGES: &str = "PRAGMA wal_autocheckpoint = 8192";
/// How long a broken glass opens one patient's door.
pub const BREAK_GLASS_LIFETIME: Duration = Duration::from_secs(60 * 60);
/// Shortest reason for breaking the glass: a word is not enough.
pub const BREAK_GLASS_REASON_CHARS_MIN: usize = 10;
/// Longest reason for breaking the glass.
pub const BREAK_GLASS_REASON_CHARS_MAX: usize = 500;
/// Break-glasses in one answer.
pub const BREAK_GLASSES_LISTED_MAX: i64 = 100;
/// Months for which an audit log is kept unless the tenant says otherwise: six years, 45 CFR 164.316(b)(2)(i).
pub const RETENTION_MONTHS_DEFAULT: i64 = 72;
/// The least that a tenant may say: in less, nobody could look into what happened last year.
pub const RETENTION_MONTHS_MIN: i64 = 12;
/// The most that a tenant may say.
pub const RETENTION_MONTHS_MAX: i64 = 1_200;
/// Links that are dropped in one transaction, while everybody else waits for SQLite's only writer.
pub const DROP_BATCH_LINKS: i64 = 500;
/// Shortest reason for a legal hold.
pub const HOLD_REASON_CHARS_MIN: usize = 10;
/// Longest reason for a legal hold.
pub const HOLD_REASON_CHARS_MAX: usize = 500;
/// People who are booked for one appointment.
pub const APPOINTMENT_PEOPLE_MAX: usize = 16;
/// Appointments of one patient in one answer.
pub const APPOINTMENTS_LISTED_MAX: i64 = 100;
/// Shortest appointment.
pub const APPOINTMENT_LENGTH_MIN: Duration = Duration::from_secs(5 * 60);
/// Longest appointment.
pub const APPOINTMENT_LENGTH_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// How far in the past an appointment may begin when it is booked: clocks differ, and people walk in.
pub const APPOINTMENT_BACKDATED_MAX: Duration = Duration::from_secs(5 * 60);
/// How far ahead appointments are booked: two years, one of them a leap year.
pub const APPOINTMENT_AHEAD_MAX: Duration = Duration::from_secs(731 * 24 * 60 * 60);
/// How long after its appointment's end a guest link still opens the door: longer than that may start late.
pub const GUEST_LINK_GRACE: Duration = Duration::from_secs(6 * 60 * 60);
/// How long a guest link rests after it was redeemed: whoever presses twice is not sent away by the second time.
pub const GUEST_LINK_REST: Duration = Duration::from_secs(2);
/// Guest links of one appointment that were not taken back.
pub const GUEST_LINKS_MAX: i64 = 32;
/// Lines of chat in one answer.
pub const CHAT_LINES_LISTED_MAX: i64 = 200;
/// Connections of one person to one consult of which it is kept how they were.
pub const CONNECTIONS_KEPT_MAX: i64 = 200;
/// Comings and goings of one consult that are read.
pub const PASSAGES_MAX: i64 = 10_000;
/// How long before its beginning an appointment may start.
pub const START_EARLY_MAX: Duration = Duration::from_secs(30 * 60);
/// How long after its end an appointment may still start: clinics run late.
pub const START_LATE_MAX: Duration = Duration::from_secs(4 * 60 * 60);
/// How long to wait for a patient before they count as not having come.
pub const NO_SHOW_AFTER: Duration = Duration::from_secs(10 * 60);
/// Longest date and time that is read; RFC 3339 leaves the digits after the second open.
pub const INSTANT_BYTES_MAX: usize = 40;
/// Longest reason for a visit.
pub const VISIT_REASON_CHARS_MAX: usize = 1_000;
/// Longest notes of a visit.
pub const NOTES_CHARS_MAX: usize = 8_000;
/// Longest id of a prescription in the EHR.
pub const PRESCRIPTION_ID_BYTES_MAX: usize = 128;
/// Prescriptions of one visit.
pub const PRESCRIPTIONS_MAX: usize = 50;
/// How far ahead a follow-up is planned: five years.
pub const FOLLOW_UP_DAYS_MAX: i64 = 5 * 366;
/// Lost packets, in thousandths, up to which a visit went well, and up to which one could follow it.
pub const LOSS_PERMILLE_GOOD_FAIR: (u16, u16) = (20, 80);
/// Round trip up to which a visit went well, and up to which people did not talk over each other.
pub const ROUND_TRIP_MS_GOOD_FAIR: (u32, u32) = (250, 500);
/// Interruptions up to which a visit went well, and up to which it was bearable.
pub const INTERRUPTIONS_GOOD_FAIR: (u32, u32) = (0, 2);

/// Longest value that is sealed; it bounds what a damaged row makes us allocate.
pub const SEALED_PLAINTEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest name of a master key; the longest that services give are near 200.
pub const MASTER_NAME_BYTES_MAX: usize = 256;
/// Longest form of a tenant's key as a master key wrapped it; AWS KMS's ciphertexts are up to 6 KiB.
pub const WRAPPED_KEY_BYTES_MAX: usize = 8 * 1024;
/// Most master keys in one file or token: the one that wraps and those that still unwrap.
pub const MASTER_KEYS_MAX: usize = 16;
/// Longest file of master keys, comments included.
pub const MASTER_FILE_BYTES_MAX: usize = 8 * 1024;
/// How long a token may take for one call, with the login before it where there has to be one.
pub const TOKEN_CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Calls that wait for one PKCS #11 library at most.
pub const TOKEN_ORDERS_MAX: usize = 64;
/// Longest label of a token (PKCS #11, `CK_TOKEN_INFO`).
pub const TOKEN_LABEL_BYTES_MAX: usize = 32;
/// Longest PIN of a token.
pub const TOKEN_PIN_BYTES_MAX: usize = 255;
/// Longest line of the list of erasures.
pub const ERASURE_LINE_BYTES_MAX: usize = 512;

/// Audit entries in one answer, and where nobody says how many.
pub const AUDIT_ENTRIES_LISTED_MAX: i64 = 1_000;
/// The same of an export, which is taken in parts.
pub const AUDIT_LINES_EXPORTED_MAX: i64 = 10_000;
/// Longest line of the anchor file that is read.
pub const ANCHOR_LINE_BYTES_MAX: usize = 512;
/// Findings of one verification that are kept; more are counted.
pub const AUDIT_FINDINGS_MAX: usize = 1_000;
/// Entries that verification keeps while it finds out where they belong.
pub const AUDIT_SUSPECTS_MAX: usize = 32;
/// How far from its place an entry is looked for, in both directions.
pub const AUDIT_DISPLACEMENT_MAX: i64 = 256;
/// Entries that are looked for in one verification; after so many there is no doubt that something is wrong.
pub const AUDIT_SEARCHES_MAX: u32 = 1_024;
/// How long an entry may wait to be sealed before it counts as a finding; sealing takes a second.
pub const AUDIT_UNSEALED_AGE_MAX: Duration = Duration::from_secs(60);

/// Webhooks of one tenant.
pub const WEBHOOKS_MAX: usize = 32;
/// Longest URL of a webhook.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2_048;
/// How long a connection to a webhook may take.
pub const WEBHOOK_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a webhook may take to answer.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an attempt is this process's alone: longer than it can take.
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(30);
/// Messages of one tenant that are under way at one time.
pub const WEBHOOK_BATCH_MESSAGES_MAX: i64 = 16;
/// Tenants whose messages are under way at one time.
pub const WEBHOOK_TENANTS_MAX: usize = 64;
/// How often it is looked whether a message is due.
pub const WEBHOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How often every tenant is asked for messages that another process left.
pub const WEBHOOK_SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// How long a message that was given up can still be sent by hand.
pub const DEAD_LETTERS_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Dead letters in one answer.
pub const DEAD_LETTERS_LISTED_MAX: i64 = 100;

/// Origins of one tenant's pages.
pub const PORTAL_ORIGINS_MAX: usize = 32;
/// Longest origin: with all of a tenant's a header stays below 4 KiB, which proxies take.
pub const PORTAL_ORIGIN_BYTES_MAX: usize = 120;
/// How long a tenant that was not there is not looked for again.
pub const TENANT_MISSING_FOR: Duration = Duration::from_secs(2);
/// Tenants that are looked for in that time.
pub const TENANTS_MISSING_MAX: usize = 50;
/// How often it is looked what other processes changed in them.
pub const PORTALS_INTERVAL: Duration = Duration::from_secs(10);

/// Longest URL of a provider that people sign in with.
pub const PROVIDER_URL_BYTES_MAX: usize = 2_048;
/// How long a connection to a provider may take.
pub const PROVIDER_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a provider may take to answer; somebody waits in front of an empty page.
pub const PROVIDER_TIMEOUT: Duration = Duration::from_secs(8);
/// Longest answer of a provider that is read.
pub const PROVIDER_ANSWER_BYTES_MAX: usize = 128 * 1024;
/// How long what a provider says of itself, and its keys, are believed.
pub const PROVIDER_KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// How long a provider is not asked for its keys again because one is unknown.
pub const PROVIDER_KEYS_REST: Duration = Duration::from_secs(30);
/// Keys of one provider.
pub const PROVIDER_KEYS_MAX: usize = 64;
/// Providers that are remembered.
pub const PROVIDERS_MAX: usize = 1_000;
/// Longest ID token.
pub const ID_TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest subject: OpenID Connect Core §2 has 255 ASCII characters.
pub const SUBJECT_BYTES_MAX: usize = 255;
/// How far a provider's clock may differ from ours.
pub const ID_TOKEN_LEEWAY: Duration = Duration::from_secs(60);
/// How long somebody may take to sign in.
pub const SIGN_IN_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Longest code, state or other parameter with which a browser comes back.
pub const CALLBACK_PARAMETER_BYTES_MAX: usize = 4_096;
/// Longest path to go to after signing in.
pub const RETURN_PATH_BYTES_MAX: usize = 512;
/// Longest id of an OAuth 2 client at a provider.
pub const CLIENT_ID_BYTES_MAX: usize = 255;
/// Longest secret of such a client.
pub const CLIENT_SECRET_BYTES_MAX: usize = 1_024;
/// `acr` values that a tenant takes for a second factor.
pub const MFA_ACR_VALUES_MAX: usize = 8;
/// Ways to sign in of one person.
pub const IDENTITIES_MAX: usize = 16;
/// After how long somebody who does nothing is logged off, where the tenant does not say.
pub const SESSION_IDLE_DEFAULT: Duration = Duration::from_secs(15 * 60);
/// The least that a tenant may say.
pub const SESSION_IDLE_MIN: Duration = Duration::from_secs(60);
/// The most that a tenant may say.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(120 * 60);
/// How long somebody is signed in at most.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);
/// How exactly it is kept when somebody was active last: not every request writes.
pub const SESSION_SEEN_STEP: Duration = Duration::from_secs(10);
/// How often sessions that have run out are put down as ended.
pub const SESSION_SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// Sessions that are ended in one transaction.
pub const SESSION_SWEEP_MAX: i64 = 200;
