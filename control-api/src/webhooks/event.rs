//! What a webhook tells.

use std::{collections::BTreeSet, fmt};

use media_model::{ConsultId, Role};
use serde::Serialize;

use crate::{
    ids::{AppointmentId, BreakGlassId, PersonId},
    named::{UnknownName, named},
};

named! {
    /// Something that a clinic's systems may want to know.
    pub enum EventKind {
        /// An appointment was made.
        AppointmentBooked = "appointment.booked",
        /// It was moved to another time.
        AppointmentMoved = "appointment.moved",
        /// It was confirmed.
        AppointmentConfirmed = "appointment.confirmed",
        /// It was called off.
        AppointmentCancelled = "appointment.cancelled",
        /// The visit began.
        AppointmentStarted = "appointment.started",
        /// The visit is over.
        AppointmentEnded = "appointment.ended",
        /// The patient did not come.
        AppointmentNoShow = "appointment.no_show",
        /// A consult was made that is no appointment's.
        ConsultCreated = "consult.created",
        /// A consult was ended for good.
        ConsultEnded = "consult.ended",
        /// Somebody came in.
        ParticipantJoined = "participant.joined",
        /// Somebody came to the waiting room.
        ParticipantWaiting = "participant.waiting",
        /// Somebody left or was sent away.
        ParticipantLeft = "participant.left",
        /// A clinician looks at a patient without an appointment.
        BreakGlassOpened = "break_glass.opened",
        /// An auditor has looked into that.
        BreakGlassClosed = "break_glass.closed",
        /// Somebody asked whether the webhook works.
        WebhookTested = "webhook.tested",
    }
}

/// Which events a webhook is for, written as names with one space between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventKinds(BTreeSet<EventKind>);

impl EventKinds {
    /// Takes names; none is every event. `None` where one is unknown.
    pub fn parse<T: AsRef<str>>(names: &[T]) -> Option<Self> {
        if names.is_empty() {
            return Some(Self(EventKind::ALL.iter().copied().collect()));
        }
        let kinds: Result<_, UnknownName> = names.iter().map(|name| name.as_ref().parse()).collect();
        kinds.ok().map(Self)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = EventKind> + '_ {
        self.0.iter().copied()
    }
}

impl fmt::Display for EventKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, kind) in self.iter().enumerate() {
            write!(f, "{}{kind}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// One thing that happened, by ids of ours. The body of a message is made of it once and kept as it is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Event {
    /// What.
    #[serde(skip)]
    pub kind: EventKind,
    /// To which appointment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appointment: Option<AppointmentId>,
    /// To which consult.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consult: Option<ConsultId>,
    /// To which break-glass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<BreakGlassId>,
    /// Which patient it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<PersonId>,
    /// Who came or went, opened or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// In which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    timestamp: &'a str,
    data: &'a Event,
}

impl Event {
    /// An event about nothing yet; set what is known.
    pub const fn of(kind: EventKind) -> Self {
        Self {
            kind,
            appointment: None,
            consult: None,
            break_glass: None,
            patient: None,
            person: None,
            role: None,
        }
    }

    /// The message: `{"type", "timestamp", "data"}`, where the timestamp is when it happened, in RFC 3339.
    pub fn body(&self, timestamp: &str) -> String {
        let body = Body { r#type: self.kind.as_str(), timestamp, data: self };
        serde_json::to_string(&body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_happened_to_which_ids_and_nothing_else() {
        let consult = ConsultId::from_bytes([7; 16]);
        let event = Event {
            consult: Some(consult),
            role: Some(Role::Patient),
            ..Event::of(EventKind::ParticipantJoined)
        };
        let body: serde_json::Value =
            serde_json::from_str(&event.body("2026-11-22T08:00:00Z")).expect("JSON");
        let expected = serde_json::json!({
            "type": "participant.joined",
            "timestamp": "2026-11-22T08:00:00Z",
            "data": {"consult": consult.to_string(), "role": "patient"},
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn kinds_are_read_as_they_are_written_and_none_is_all() {
        let two = EventKinds::parse(&["consult.ended", "appointment.booked"]).expect("two kinds");
        assert_eq!(two.to_string(), "appointment.booked consult.ended");
        let again: Vec<_> = two.to_string().split(' ').map(str::to_owned).collect();
        assert_eq!(EventKinds::parse(&again), Some(two));
        let all = EventKinds::parse::<&str>(&[]).expect("all");
        assert_eq!(all.iter().count(), EventKind::ALL.len());
        assert_eq!(EventKinds::parse(&["consult.exploded"]), None);
    }
}
