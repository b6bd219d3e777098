//! Master keys of a file and of a token keep the same promises; what only a token does; and what becomes of them when it is lost.
//!
//! A process of its own: SoftHSM reads where its tokens are from the environment.

mod alike;
mod lost;
mod odd;
#[path = "../suite/support/softhsm.rs"]
mod softhsm;
mod token;
