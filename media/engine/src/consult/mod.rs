//! A consult: who is in it (`roster.rs`), and who may be seen by whom (`routes.rs`). Pure.

mod roster;
mod routes;

pub use roster::{Consult, Member, News};
pub use routes::Route;
