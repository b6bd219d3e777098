//! HTTP errors as problem details (RFC 9457 §3).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use signaling_protocol::error::ErrorCode;

use crate::session::explain;

/// An HTTP error: a status and a code that programs can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) title: &'static str,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, code: &'static str, title: &'static str) -> Self {
        Self { status, code, title }
    }
}

impl From<ErrorCode> for Problem {
    fn from(code: ErrorCode) -> Self {
        let status = match code {
            ErrorCode::TicketInvalid | ErrorCode::TicketExpired | ErrorCode::TicketRevoked => {
                StatusCode::UNAUTHORIZED
            }
            ErrorCode::Forbidden => StatusCode::FORBIDDEN,
            ErrorCode::TicketInUse => StatusCode::CONFLICT,
            ErrorCode::MessageTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::OfferInvalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::TooManyMessages | ErrorCode::ChatBusy => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::ConsultFull | ErrorCode::NodeFull | ErrorCode::ChatNotKept => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ErrorCode::HelloTimeout => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::MessageMalformed | ErrorCode::MessageUnknown | ErrorCode::MessageUnexpected => {
                StatusCode::BAD_REQUEST
            }
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, code.as_str(), explain(code))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({ "title": self.title, "status": self.status.as_u16(), "code": self.code });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §11.6.1, RFC 6750 §3.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
