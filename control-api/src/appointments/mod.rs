//! Appointments: what they are made of and how they go. Pure: no store, no HTTP, the time is an argument.
//!
//! | file | holds |
//! |---|---|
//! | `course.rs` | the state machine: from booked to done, called off or missed |
//! | `time_range.rs` | from when to when, and whether two of them overlap |
//! | `booking.rs` | nobody is booked twice at one time |
//! | `text.rs` | reason, notes, prescription ids and follow-up date, parsed at the border |
//! | `stays.rs` | who was there from when to when |
//! | `quality.rs` | how well people were connected |
//! | `summary.rs` | what ending returns: what billing and the chart need |
//!
//! Who may do what to an appointment stands in `permissions/`.

mod booking;
mod course;
mod quality;
mod stays;
mod summary;
mod text;
mod time_range;

pub use booking::{Booking, clash, is_booked_exclusively};
pub use course::{Change, Course, Refusal, State};
pub use quality::{Connection, Grade, Quality};
pub use stays::{Passage, stays};
pub use summary::{Attendance, Facts, NotEnded, Recording, RecordingId, Stay, Summary};
pub use text::{FollowUpDate, Notes, PrescriptionId, PrescriptionIds, VisitReason};
pub use time_range::{TimeRange, TimeRangeError, instant_ms};
