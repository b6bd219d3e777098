//! Which packets of a track a slot takes: one file a kind of layering.

mod single;

pub use single::{Pass, Single};
