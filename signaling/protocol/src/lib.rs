//! What is said between a client and a node: the messages, the tickets, the error and close codes.
//!
//! Floor 1: serde types and pure checks. No clock, no socket; the time is an argument. A JSON Schema and
//! `docs/signaling.md` are generated from these types, so that the document cannot say something else.
//!
//! | file | holds |
//! |---|---|
//! | `client.rs` | what clients say |
//! | `server.rs` | what the server says |
//! | `error.rs` | error codes and WebSocket close codes |
//! | `limits.rs` | sizes that a message may have |
//! | `ticket/` | tickets and resume tokens: signed, typed, short-lived |

pub mod client;
pub mod error;
pub mod limits;
pub mod server;
pub mod ticket;

pub use client::parse_client_message;
/// The nouns in the messages, for clients that know nothing else of ours.
pub use media_model::{ConsultId, ParticipantNumber, Pii, Role, SlotIndex, SlotPool, Source};

/// The WebSocket subprotocol (RFC 6455 §1.9): name and version of everything in this crate.
pub const SUBPROTOCOL: &str = "consilium.v1";
