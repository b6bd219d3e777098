//! `POST /v1/whep` (draft-ietf-wish-whep): receives everyone else, latecomers included. Monitors, recorders of others.
//!
//! The offered lines are slots: the k-th audio and the k-th video line show the k-th publisher.

use std::sync::Arc;

use axum::{Extension, body::Bytes, extract::State, http::HeaderMap, response::Response};

use crate::{Shared, journal::Way, origin::Page, resource, sdp::whep_offer};

/// Takes an offer with lines that receive.
pub(crate) async fn create(
    State(shared): State<Arc<Shared>>,
    Extension(page): Extension<Page>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    resource::create(&shared, Way::Whep, &page, &headers, &body, whep_offer).await
}
