//! Identifiers of the control API's nouns: 128 random bits each, unlike any id of the EHR.

pub use media_model::BreakGlassId;
use media_model::random_id;

random_id! {
    /// A person of a tenant: the internal id, which says nothing about who it is.
    PersonId, "person"
}

random_id! {
    /// An appointment. Its consult's id is another one, so that knowing this opens no door.
    AppointmentId, "appointment"
}

random_id! {
    /// One way in which a person signs in: an issuer's subject, linked to them.
    IdentityId, "identity"
}

random_id! {
    /// A link that somebody is sent; its code is another one.
    GuestLinkId, "guest link"
}
