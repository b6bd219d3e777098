//! Webhooks: what a clinic's systems are told, signed, and where it may be sent. No SQL, no HTTP but the one that sends.
//!
//! The messages follow Standard Webhooks (<https://www.standardwebhooks.com>). They carry ids only: who wants to know more
//! asks the API, which puts down who asked.
//!
//! | file | holds |
//! |---|---|
//! | `event.rs` | what may happen, and how a message says so |
//! | `secret.rs` | signing |
//! | `schedule.rs` | when a message is tried again, and when it is given up |
//! | `target.rs` | URLs that a message may go to |
//! | `sender.rs` | the one HTTP request |

mod event;
mod schedule;
mod secret;
mod sender;
mod target;

pub use event::{Event, EventKind, EventKinds};
pub use schedule::pause_after;
pub use secret::WebhookSecret;
pub use sender::{NotSent, WebhookSender};
pub use target::WebhookUrl;

use media_model::random_id;

random_id! {
    /// Where a tenant has messages sent.
    WebhookId, "webhook"
}

random_id! {
    /// One message; the same in every attempt to deliver it.
    MessageId, "message"
}
