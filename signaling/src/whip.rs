//! `POST /v1/whip` (RFC 9725 §4.2): publishes into the consult. Exam cameras, encoders.

use std::sync::Arc;

use axum::{Extension, body::Bytes, extract::State, http::HeaderMap, response::Response};

use crate::{Shared, journal::Way, origin::Page, resource, sdp::whip_offer};

/// Takes an offer with lines that send.
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(page): Extension<Page>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    resource::create(&shared, Way::Whip, &page, &headers, &body, whip_offer).await
}
