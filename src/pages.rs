//! Pages for people: the visit alone, for a frame in a clinic's portal, and the one that guest links lead to.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use control_api::{ControlApi, PortalOrigin};
use media_model::TenantId;

use crate::web::{self, EMBED, GUEST};

/// Where a page of a portal's frame is told whom it may listen to: there are no inline scripts.
const LISTED_NOWHERE: &str = "<meta name=\"consilium-portals\" content=\"\">";

/// `/embed/{tenant}` and `/guest`.
pub fn router(api: ControlApi) -> Router {
    Router::new().route(EMBED, get(embed)).with_state(api).route(GUEST, get(guest))
}

/// For pages of this node and of the tenant's portals.
async fn embed(State(api): State<ControlApi>, Path(tenant): Path<String>) -> Response {
    let origins = match tenant.parse::<TenantId>() {
        Ok(tenant) => api.portals_of(tenant).await,
        Err(_) => None,
    };
    let Some(origins) = origins else {
        return (StatusCode::NOT_FOUND, "There is no such tenant.\n").into_response();
    };
    let Some(page) = web::file(EMBED) else { return web::widget_missing() };
    let listed = listed(&origins);
    let page =
        page.replace(LISTED_NOWHERE, &format!("<meta name=\"consilium-portals\" content=\"{listed}\">"));
    framed_by(&format!("'self' {listed}"), Html(page).into_response())
}

/// With a space between them. What a portal's origin is made of needs no escaping, here or in a policy.
fn listed(origins: &Arc<[PortalOrigin]>) -> String {
    origins.iter().map(PortalOrigin::as_str).collect::<Vec<_>>().join(" ")
}

/// For nobody's frame: a button in it could be pressed by somebody who sees another page.
async fn guest() -> Response {
    let Some(page) = web::file(GUEST) else { return web::widget_missing() };
    let mut response = framed_by("'none'", Html(page).into_response());
    response.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

fn framed_by(ancestors: &str, mut response: Response) -> Response {
    let policy = HeaderValue::try_from(web::content_security_policy(ancestors.trim_end()));
    let Ok(policy) = policy else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
