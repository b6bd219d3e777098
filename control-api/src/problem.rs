//! Errors as `application/problem+json` (RFC 9457), with a stable `code` for programs.

use std::time::Duration;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{StoreError, appointments::Refusal, keys::Whose, permissions::Reason};

/// Why a request was refused. `docs/control-api.md` has a row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// No valid API key.
    Unauthorized,
    /// The cookie is no good, or no longer.
    SignedOut,
    /// The token is genuine, and what it was given for is over.
    VisitOver,
    /// A page of somebody else's asks for somebody who is signed in here.
    OriginRefused,
    /// The account is linked to somebody.
    LinkedAlready,
    /// An auditor has looked into it before.
    ClosedAlready,
    /// The body is not the JSON that the endpoint takes.
    BodyMalformed,
    /// The body is longer than allowed.
    BodyTooLarge,
    /// A field's value is out of bounds; its name.
    FieldInvalid(&'static str),
    /// No such consult or ticket.
    NotFound,
    /// The consult has ended.
    ConsultEnded,
    /// The appointment is not where this change could be made, or it is not time.
    AppointmentRefused(Refusal),
    /// Provider or interpreter has another appointment at that time.
    BookedTwice,
    /// The patient does not consent to telehealth, or no longer.
    ConsentMissing,
    /// The caller may not do this.
    Forbidden(Reason),
    /// The person is not booked for the appointment in that role.
    NotBooked,
    /// Somebody else changed it at the same time; nothing was done.
    ChangedMeanwhile,
    /// Too many requests; seconds until the next is taken.
    TooManyRequests(u32),
    /// The idempotency key has a form that none has.
    IdempotencyKeyMalformed,
    /// Another request had this key.
    IdempotencyKeyReused,
    /// A request with this key is being done.
    IdempotencyKeyInUse,
    /// There are as many of these as there may be.
    TooMany,
    /// The database did not answer; nothing was done.
    StoreUnavailable,
    /// What the database holds was changed, or moved from another place; nothing was done.
    StoredValueDamaged,
}

#[derive(Serialize)]
struct Body {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
}

impl Problem {
    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        self.parts().0
    }

    /// The stable name.
    pub const fn code(self) -> &'static str {
        self.parts().1
    }

    /// What a person reads.
    pub const fn title(self) -> &'static str {
        self.parts().2
    }

    /// In whole seconds, rounded up, as `Retry-After` has them (RFC 9110 §10.2.3).
    pub fn too_fast(wait: Duration) -> Self {
        Self::TooManyRequests(u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX))
    }

    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "A valid API key is needed"),
            Self::SignedOut => (StatusCode::UNAUTHORIZED, "signed_out", "Nobody is signed in, or no longer"),
            Self::VisitOver => (StatusCode::UNAUTHORIZED, "visit_over", "The visit is over for this token"),
            Self::OriginRefused => (StatusCode::FORBIDDEN, "origin_refused", "Only our own pages may"),
            Self::LinkedAlready => (StatusCode::CONFLICT, "linked_already", "The account is linked already"),
            Self::ClosedAlready => (StatusCode::CONFLICT, "closed_already", "Somebody has closed it before"),
            Self::BodyMalformed => {
                (StatusCode::BAD_REQUEST, "body_malformed", "The body is not the expected JSON object")
            }
            Self::BodyTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large"),
            Self::FieldInvalid(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "field_invalid", "A field is out of bounds")
            }
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is no such thing"),
            Self::AppointmentRefused(refusal) => {
                (StatusCode::CONFLICT, refusal.as_str(), "The appointment does not change so")
            }
            Self::BookedTwice => {
                (StatusCode::CONFLICT, "booked_twice", "Provider or interpreter is booked at that time")
            }
            Self::ConsentMissing => {
                (StatusCode::CONFLICT, "consent_missing", "The patient's consent to telehealth is needed")
            }
            Self::Forbidden(reason) => (StatusCode::FORBIDDEN, reason.as_str(), "This is not allowed"),
            Self::NotBooked => {
                (StatusCode::FORBIDDEN, "not_booked", "This person is not booked in this role")
            }
            Self::ChangedMeanwhile => {
                (StatusCode::CONFLICT, "changed_meanwhile", "Somebody else changed it; read it again")
            }
            Self::TooMany => (StatusCode::CONFLICT, "too_many", "There are as many as there may be"),
            Self::ConsultEnded => (StatusCode::CONFLICT, "consult_ended", "The consult has ended"),
            Self::TooManyRequests(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Requests come too fast; wait")
            }
            Self::IdempotencyKeyMalformed => (
                StatusCode::BAD_REQUEST,
                "idempotency_key_malformed",
                "An Idempotency-Key is 1 to 128 printable ASCII characters",
            ),
            Self::IdempotencyKeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency_key_reused",
                "Another request had this Idempotency-Key",
            ),
            Self::IdempotencyKeyInUse => (
                StatusCode::CONFLICT,
                "idempotency_key_in_use",
                "A request with this Idempotency-Key is being done",
            ),
            Self::StoredValueDamaged => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "stored_value_damaged",
                "What is kept here is damaged; tell the operator",
            ),
            Self::StoreUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "store_unavailable",
                "The database did not answer; try again",
            ),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::BookedTwice) {
            return Self::BookedTwice;
        }
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Malformed(_) => Self::StoredValueDamaged,
            StoreError::Keys(fault) if fault.whose() == Whose::Stored => Self::StoredValueDamaged,
            _ => Self::StoreUnavailable,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, code, title) = self.parts();
        let field = match self {
            Self::FieldInvalid(field) => Some(field),
            _ => None,
        };
        let body = Body { r#type: "about:blank", title, status: status.as_u16(), code, field };
        let json = serde_json::to_string(&body).unwrap_or_default();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], json).into_response();
        response.extensions_mut().insert(self);
        if let Self::TooManyRequests(wait_s) = self {
            response.headers_mut().insert(header::RETRY_AFTER, wait_s.into());
        }
        if matches!(self, Self::Unauthorized | Self::SignedOut | Self::VisitOver) {
            // RFC 6750 §3
            let challenge = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
