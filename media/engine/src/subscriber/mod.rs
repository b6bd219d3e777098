//! What one transport receives: its slots, who stands in them, and what becomes of a packet there.

mod assignment;
mod repair_budget;
mod slot;

pub use assignment::Assignment;
pub use repair_budget::RepairBudget;
pub use slot::{Shown, Slot};
