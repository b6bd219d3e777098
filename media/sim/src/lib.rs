//! A consult in virtual time: the real engine, model clients, a seeded network between them. No socket, no sleep.
//!
//! **Contract.** A [`World`] is a seed and what a test does to it; the same seed gives the same run. Time only passes
//! in [`World::run_for`]. Failing tests print the seed.
//!
//! | file | holds |
//! |---|---|
//! | `world.rs` | virtual time, the engine, who is connected |
//! | `network.rs` | loss, delay, jitter, duplicates, rate limit |
//! | `random.rs` | the seeded source of every chance |
//! | `client/` | a browser's share: checks, handshake, publishing, receiving, and what it measures |

pub mod client;
mod network;
mod random;
mod world;

pub use client::{Client, ClientClock, Received};
pub use network::Conditions;
pub use random::Random;
pub use world::World;
