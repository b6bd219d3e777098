//! What values look like in the OpenAPI document: the bounds that the parsers check, as JSON Schema (draft 2020-12).

use media_model::Role;
use schemars::{Schema, SchemaGenerator, json_schema};
use signaling_protocol::limits::{CHAT_CHARS_MAX, DISPLAY_NAME_CHARS_MAX, PERSON_ID_BYTES_MAX};

use crate::limits::{
    APPOINTMENT_PEOPLE_MAX, BREAK_GLASS_REASON_CHARS_MAX, BREAK_GLASS_REASON_CHARS_MIN,
    HOLD_REASON_CHARS_MAX, HOLD_REASON_CHARS_MIN, INSTANT_BYTES_MAX, NOTES_CHARS_MAX,
    PORTAL_ORIGIN_BYTES_MAX, PORTAL_ORIGINS_MAX, PRESCRIPTION_ID_BYTES_MAX, PRESCRIPTIONS_MAX,
    PROVIDER_URL_BYTES_MAX, SUBJECT_BYTES_MAX, TICKET_LIFETIME_DEFAULT, TICKET_LIFETIME_MAX,
    VISIT_REASON_CHARS_MAX, WEBHOOK_URL_BYTES_MAX,
};
use crate::permissions::GlassState;
use crate::webhooks::EventKind;

/// 128 random bits.
pub const ID_PATTERN: &str = "^[0-9a-f]{32}$";

/// An API client's id.
pub const CLIENT_PATTERN: &str = "^[A-Za-z0-9-]{1,40}-[0-9a-f]{8}$";

/// The id of a thing of ours.
pub fn id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": ID_PATTERN})
}

/// An API client's id: its name, and eight random digits.
pub fn client(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": CLIENT_PATTERN})
}

/// An id of ours, or none.
pub fn id_if_any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "pattern": ID_PATTERN})
}

/// A person's id of the EHR's.
pub fn external_id(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "description": "The EHR's opaque id of a person: printable ASCII without spaces. Personal.",
        "minLength": 1,
        "maxLength": PERSON_ID_BYTES_MAX,
        "pattern": "^[!-~]+$",
    })
}

/// The same, or none for a guest of whom the EHR knows nothing.
pub fn external_id_of_guest(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "description": "The EHR's opaque id of somebody who is booked; none for a guest who only watches. Personal.",
        "minLength": 1,
        "maxLength": PERSON_ID_BYTES_MAX,
        "pattern": "^[!-~]+$",
    })
}

/// As what somebody may come by a link.
pub fn guest_role(_: &mut SchemaGenerator) -> Schema {
    let roles = Role::ALL.into_iter().filter(|role| !role.admits_others());
    let names: Vec<_> = roles.map(Role::as_str).collect();
    json_schema!({"type": "string", "enum": names})
}

/// What a guest link has behind its `#`.
pub fn guest_code(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "description": "Whose tenant's, and 128 random bits. A secret.",
        "pattern": r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\.[A-Za-z0-9_-]{22}$",
    })
}

/// The whole of a guest link.
pub fn guest_link(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "format": "uri",
        "description": "To be sent: the node's own page with the code. A secret.",
    })
}

/// The same, or none once the person was erased.
pub fn external_id_if_any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "description": "The EHR's opaque id; null once the person was erased. Personal.",
    })
}

/// A date and time that a request has.
pub fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "format": "date-time",
        "maxLength": INSTANT_BYTES_MAX,
        "description": "Date and time with its offset from UTC (RFC 3339)",
    })
}

/// A date and time that an answer has.
pub fn utc(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time", "pattern": "Z$"})
}

/// The same, or none if it has not come.
pub fn utc_if_any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": ["string", "null"], "format": "date-time", "pattern": "Z$"})
}

/// How well a visit went.
pub fn grade(_: &mut SchemaGenerator) -> Schema {
    let grades: Vec<_> = crate::appointments::Grade::ALL.iter().map(|grade| grade.as_str()).collect();
    json_schema!({"type": "string", "enum": grades})
}

/// The same, or nothing where nobody measured.
pub fn grade_or_none(_: &mut SchemaGenerator) -> Schema {
    let grades = crate::appointments::Grade::ALL.iter().map(|grade| Some(grade.as_str()));
    let grades: Vec<_> = grades.chain([None]).collect();
    json_schema!({"type": ["string", "null"], "enum": grades})
}

/// One of the states of an appointment.
pub fn state(_: &mut SchemaGenerator) -> Schema {
    let states: Vec<_> = crate::appointments::State::ALL.iter().map(|state| state.as_str()).collect();
    json_schema!({"type": "string", "enum": states})
}

/// Why the patient comes. Characters at either end that are spaces do not count.
pub fn visit_reason(_: &mut SchemaGenerator) -> Schema {
    free_text(
        "Why the patient comes: some lines of text without control characters. Personal.",
        VISIT_REASON_CHARS_MAX,
    )
}

fn free_text(description: &str, chars_max: usize) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "description": description,
        "minLength": 1,
        "maxLength": chars_max,
        "pattern": r"^[^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u0008\u000b-\u001f\u007f-\u009f]*$",
    })
}

/// A line of chat that a request has.
pub fn chat_text(_: &mut SchemaGenerator) -> Schema {
    let mut schema = free_text(
        "A line of chat: text without control characters but tab and line feed. Personal.",
        CHAT_CHARS_MAX,
    );
    schema.insert("type".to_owned(), "string".into());
    schema
}

/// The same in an answer, or none once the person was erased whom it is about.
pub fn chat_text_if_any(_: &mut SchemaGenerator) -> Schema {
    free_text("A line of chat; null once the patient was erased. Personal.", CHAT_CHARS_MAX)
}

/// Why somebody breaks the glass.
pub fn break_glass_reason(_: &mut SchemaGenerator) -> Schema {
    let bounds = (BREAK_GLASS_REASON_CHARS_MIN, BREAK_GLASS_REASON_CHARS_MAX);
    line("Why it cannot wait: one line of text. Personal.", bounds)
}

/// Why somebody holds the audit log.
pub fn hold_reason(_: &mut SchemaGenerator) -> Schema {
    line(
        "Why nothing of it may go: one line of text. May be personal.",
        (HOLD_REASON_CHARS_MIN, HOLD_REASON_CHARS_MAX),
    )
}

fn line(description: &str, (chars_min, chars_max): (usize, usize)) -> Schema {
    json_schema!({
        "type": "string",
        "description": description,
        "minLength": chars_min,
        "maxLength": chars_max,
        "pattern": r"^[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f]$",
    })
}

/// Where a break-glass is.
pub fn break_glass_state(_: &mut SchemaGenerator) -> Schema {
    let states: Vec<_> = GlassState::ALL.iter().map(|state| state.as_str()).collect();
    json_schema!({"type": "string", "enum": states})
}

/// What the provider put down.
pub fn notes(_: &mut SchemaGenerator) -> Schema {
    free_text(
        "What the provider put down: lines of text without control characters. Personal.",
        NOTES_CHARS_MAX,
    )
}

/// What was prescribed.
pub fn prescriptions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "description": "Prescriptions, by the EHR's ids: printable ASCII without spaces. Personal.",
        "maxItems": PRESCRIPTIONS_MAX,
        "uniqueItems": true,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": PRESCRIPTION_ID_BYTES_MAX,
            "pattern": "^[!-~]+$",
        },
    })
}

/// When the patient should come again.
pub fn follow_up(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "format": "date",
        "maxLength": 10,
        "description": "The day on which the patient should come again (RFC 3339, full-date), from the visit's day on. Personal.",
    })
}

/// By which name others know somebody.
pub fn display_name(_: &mut SchemaGenerator) -> Schema {
    name("By which name others know them: one line, not only spaces; null for none. Personal.")
}

/// What the others see of somebody.
pub fn shown_name(_: &mut SchemaGenerator) -> Schema {
    name(
        "What the others see: one line, not only spaces; where nobody says, the name by which the person is known. Personal.",
    )
}

fn name(description: &str) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "description": description,
        "minLength": 1,
        "maxLength": DISPLAY_NAME_CHARS_MAX,
        "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*[^\s\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$",
    })
}

/// How long a ticket opens the door.
pub fn expires_in_s(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["integer", "null"],
        "description": "How long the ticket opens the door, in seconds",
        "minimum": 1,
        "maximum": TICKET_LIFETIME_MAX.as_secs(),
        "default": TICKET_LIFETIME_DEFAULT.as_secs(),
    })
}

/// Who is booked: exactly one patient, nobody twice.
pub fn booked_people(generator: &mut SchemaGenerator) -> Schema {
    let person = generator.subschema_for::<super::appointments::BookedBody>();
    json_schema!({
        "type": "array",
        "description": "Who is booked: exactly one is the patient, and nobody is there twice",
        "items": person,
        "minItems": 1,
        "maxItems": APPOINTMENT_PEOPLE_MAX,
        "uniqueItems": true,
        "contains": {"properties": {"role": {"const": "patient"}}, "required": ["role"]},
        "minContains": 1,
        "maxContains": 1,
    })
}

/// Where messages go.
pub fn webhook_url(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "format": "uri",
        "description": "`https`, without user name, password and fragment; not a private address. May hold a secret.",
        "maxLength": WEBHOOK_URL_BYTES_MAX,
    })
}

/// What messages are signed with.
pub fn webhook_secret(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "description": "Behind `whsec_` stands the key of HMAC-SHA256 in base64.",
        "pattern": "^whsec_[A-Za-z0-9+/]{43}=$",
    })
}

/// Where a tenant's own pages are.
pub fn portal_origins(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "description": "Scheme, host and port of each, by `https`; `http` only on this machine",
        "maxItems": PORTAL_ORIGINS_MAX,
        "items": {"type": "string", "format": "uri", "maxLength": PORTAL_ORIGIN_BYTES_MAX},
    })
}

/// Something that a webhook may be told of.
pub fn event(_: &mut SchemaGenerator) -> Schema {
    let kinds: Vec<_> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
    json_schema!({"type": "string", "enum": kinds})
}

/// Some of them.
pub fn events(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": event(generator)})
}

/// Where an account is.
pub fn issuer(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "description": "The provider as it calls itself, which has to be where the tenant's people sign in",
        "pattern": "^https?:[/]{2}[!-~]+$",
        "maxLength": PROVIDER_URL_BYTES_MAX,
    })
}

/// What the provider calls somebody.
pub fn subject(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "description": "What the provider calls the person (`sub`). Personal.",
        "minLength": 1,
        "maxLength": SUBJECT_BYTES_MAX,
        "pattern": "^[ -~]+$",
    })
}

/// What the clinic knows somebody as.
pub fn standing(_: &mut SchemaGenerator) -> Schema {
    let names = media_model::Role::ALL.map(media_model::Role::as_str);
    let mut names: Vec<_> = names.into_iter().map(serde_json::Value::from).collect();
    names.push(serde_json::Value::Null);
    json_schema!({"type": ["string", "null"], "description": "What the clinic knows them as", "enum": names})
}

/// What somebody is for the whole tenant.
pub fn tenant_role(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "null"],
        "description": "What they are for the whole tenant",
        "enum": ["admin", "auditor", null],
    })
}
