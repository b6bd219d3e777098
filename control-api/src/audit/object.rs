//! What an entry is about where that is neither a person nor a consult.

use std::fmt;

use signaling_protocol::ticket::TicketId;

use crate::{keys::MasterName, webhooks::WebhookId};

/// Something of a tenant's or the operator's, by its id. It stands behind the code: `webhook_deleted webhook:ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    /// An API client.
    Client(String),
    /// A master key, by the name that says nothing of it.
    MasterKey(MasterName),
    /// A ticket.
    Ticket(TicketId),
    /// A webhook.
    Webhook(WebhookId),
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client:{id}"),
            Self::MasterKey(name) => write!(f, "master_key:{name}"),
            Self::Ticket(id) => write!(f, "ticket:{id}"),
            Self::Webhook(id) => write!(f, "webhook:{id}"),
        }
    }
}
