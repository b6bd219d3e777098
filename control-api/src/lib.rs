//! The control API: what a clinic's back end talks to. It creates consults, mints tickets and keeps the audit log.
//!
//! ```text
//! routes/        HTTP: one file a noun; parses into types, answers with problem+json (RFC 9457)
//! app/           the rules: what an act means, and that its audit entry commits with it
//! appointments/  how an appointment goes, and what it is made of; no SQL, no HTTP
//! permissions/   who may do what: one table
//! audit/         what an entry says, and the chain that nobody changes unnoticed
//! keys/          keys at rest: sealed columns, erased people; no SQL, no HTTP
//! sign_in/       how people sign in by OpenID Connect; no SQL
//! retention.rs   for how long the audit log is kept; no SQL
//! webhooks/      what a clinic's systems are told, and where it may be sent; no SQL
//! store/         the only SQL of the product
//! ```
//!
//! It never imports `signaling`; what a running consult has to learn (an ended consult, a revoked ticket) goes out
//! through [`RunningConsults`], which the binary wires up.

mod access;
mod anonymous;
mod answer;
mod app;
pub mod appointments;
pub mod audit;
mod auth;
#[cfg(feature = "bench")]
mod bench;
mod failures;
pub mod ids;
pub mod keys;
pub mod limits;
pub mod line_file;
pub mod named;
mod networks;
mod one_line;
mod outbound;
mod own_origin;
pub mod permissions;
mod portal_origin;
mod problem;
mod proxies;
mod published_key;
mod rate;
mod retain;
mod retention;
mod rfc3339;
mod routes;
mod shell_user;
mod sign_in;
mod store;
mod verify;
mod visit_token;
pub mod webhooks;
pub mod whole_file;

pub use access::{AccessSigner, AccessToken, AccessTokenId};
pub use app::{
    BootstrapError, ClientSummary, ControlApi, MasterKeyChange, NewTicket, Portals, Refused, Renewed,
    ReplayError, Resealed, RoleChange, RunningConsults, Said, Seen, new_entry_id,
};
pub use appointments::Connection;
pub use auth::ApiKey;
pub use networks::Networks;
pub use own_origin::{OwnOrigin, WebOrigin};
pub use portal_origin::{InvalidPortalOrigin, PortalOrigin};
pub use proxies::TrustedProxies;
pub use published_key::{KeyUse, NotPublished, PublishedKey};
pub use rate::{Refused as RateLimited, network_of};
pub use retain::{Retain, RetainError, Retained, RetainedLog};
pub use retention::{HoldReason, InvalidRetention, RetentionMonths};
pub use rfc3339::rfc3339;
pub use routes::openapi;
pub use shell_user::ShellUser;
pub use sign_in::{InvalidSignIn, SignInCounts, SignInRefusal, SignInSettings};
pub use store::{
    Database, PostgresSnapshot, Store, StoreError, back_up_sqlite, migrate_postgres, restore_sqlite,
};
pub use verify::{Verified, VerifyError, verify};
pub use visit_token::{VisitSigner, VisitToken, VisitTokenId, VisitVerifier};
