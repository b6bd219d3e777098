//! The load harness: clients that know nothing of Consilium but `signaling-protocol`, and what they measure.
//!
//! Two planes. The **control plane** is one thread with a single-threaded runtime: it speaks the target's signaling and
//! comes to a [`plan::TransportPlan`] for each transport. The **media plane** is a few pinned threads that carry the plans
//! out: ICE, DTLS, SRTP, RTP, RTCP and every check of what comes back. Between the two go plans one way and "connected" the
//! other; a packet never wakes a task.
//!
//! | file | holds |
//! |---|---|
//! | `plan.rs` | the border between the planes: what a transport is to do |
//! | `media/` | the media plane |
//! | `srtp/`, `wire/` | the bytes |
//! | `target/` | what load is put on: Consilium, the bare floor, Janus |
//! | `scenario/` | what is to happen, from TOML |
//! | `run/` | how it happens: joins, window, ramp |
//! | `findings.rs` | what must not happen to a packet, by name |
//! | `measure.rs`, `usage.rs`, `host.rs` | what is counted, what it cost, what the machine did meanwhile |
//! | `awake.rs` | cores that do not halt while something is measured |
//! | `compare.rs`, `capacity.rs` | two reports side by side; what so many consults need |
//! | `progress.rs`, `report/` | what is told meanwhile, and what it comes to |

pub mod awake;
pub mod capacity;
pub mod compare;
pub mod findings;
pub mod host;
pub mod measure;
pub mod media;
pub mod plan;
pub mod progress;
pub mod report;
pub mod run;
pub mod scenario;
pub mod srtp;
pub mod target;
pub mod usage;
pub mod wire;
