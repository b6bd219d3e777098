//! `/v1/session` and `/v1/sign-out`: who is signed in, and the end of that. `/v1/signed-in` and `/v1/signed-out` say so to people.

use axum::{
    Extension, Json,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use media_model::{Role, TenantId};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{cookies, rfc3339, schema, sign_in::sent_to, sign_in_page};
use crate::{
    ControlApi, app::sessions::Current, auth::Request, ids::PersonId, permissions::TenantRole,
    problem::Problem,
};

pub(super) const SESSION: &str = "/v1/session";
pub(super) const SIGN_OUT: &str = "/v1/sign-out";
/// Where somebody goes after signing in who did not say where to.
pub(super) const SIGNED_IN: &str = "/v1/signed-in";
/// Where somebody goes after signing out.
pub(super) const SIGNED_OUT: &str = "/v1/signed-out";

/// Somebody who is signed in.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct SessionBody {
    tenant: String,
    #[schemars(schema_with = "schema::id")]
    person: PersonId,
    /// What the clinic knows them as.
    #[schemars(schema_with = "schema::standing")]
    standing: Option<Role>,
    /// Whether they are the tenant's admin or auditor.
    #[schemars(schema_with = "schema::tenant_role")]
    tenant_role: Option<&'static str>,
    /// Whether there was a second factor.
    mfa: bool,
    #[schemars(schema_with = "schema::utc")]
    signed_in_at: String,
    /// When they are logged off if they do nothing; asking for this is nothing.
    #[schemars(schema_with = "schema::utc")]
    idle_at: String,
    /// When they are signed out whatever they do.
    #[schemars(schema_with = "schema::utc")]
    expires_at: String,
}

impl From<Current> for SessionBody {
    fn from(current: Current) -> Self {
        Self {
            tenant: current.tenant.to_string(),
            person: current.person.id,
            standing: current.person.standing,
            tenant_role: current.person.tenant_role.map(TenantRole::as_str),
            mfa: current.person.mfa,
            signed_in_at: rfc3339(current.signed_in_at_ms),
            idle_at: rfc3339(current.idle_at_ms),
            expires_at: rfc3339(current.expires_at_ms),
        }
    }
}

/// Who is signed in by this request's cookie, which is not looked at where it says by another way who asks.
async fn current(api: &ControlApi, headers: &HeaderMap, request: &Request) -> Result<Current, Problem> {
    let cookie = cookies::session(headers).filter(|_| !headers.contains_key(header::AUTHORIZATION));
    let current = match &cookie {
        None => Err(Problem::SignedOut),
        Some(cookie) => api.current_session(cookie, request).await,
    };
    current.inspect_err(|problem| {
        if *problem == Problem::SignedOut {
            api.turned_away(cookie.map(|cookie| cookie.tenant()), problem.code(), request);
        }
    })
}

pub(super) async fn read(
    State(api): State<ControlApi>,
    Extension(request): Extension<Request>,
    headers: HeaderMap,
) -> Result<Json<SessionBody>, Problem> {
    Ok(Json(current(&api, &headers, &request).await?.into()))
}

/// Signs out. Whoever is signed out already is told the same.
pub(super) async fn sign_out(
    State(api): State<ControlApi>,
    Extension(request): Extension<Request>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !api.own_origin().is_own_page(&uri, &headers) {
        api.turned_away(None, Problem::OriginRefused.code(), &request);
        return Err(Problem::OriginRefused);
    }
    let cookie = cookies::session(&headers);
    if let Some(cookie) = &cookie {
        api.sign_out(cookie, &request).await?;
    }
    // A form, or a script.
    if headers.get("sec-fetch-dest").is_some_and(|place| place == "document") {
        let tenant = cookie.map(|cookie| format!("{SIGNED_OUT}?tenant={}", cookie.tenant()));
        return Ok(sent_to(tenant.as_deref().unwrap_or(SIGNED_OUT), Some(cookies::forget_session())));
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookies::forget_session())]).into_response())
}

/// `GET /v1/signed-in`
pub(super) async fn signed_in(
    State(api): State<ControlApi>,
    Extension(request): Extension<Request>,
    headers: HeaderMap,
) -> Response {
    match current(&api, &headers, &request).await {
        Ok(current) => sign_in_page::signed_in(&current),
        Err(Problem::SignedOut) => {
            let tenant = cookies::session(&headers).map(|cookie| cookie.tenant());
            sign_in_page::signed_out(tenant)
        }
        Err(problem) => sign_in_page::guarded(problem.into_response()),
    }
}

/// `GET /v1/signed-out`
pub(super) async fn signed_out(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let tenant = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "tenant");
    let tenant: Option<TenantId> = tenant.and_then(|(_, tenant)| tenant.parse().ok());
    let mut response = sign_in_page::signed_out(tenant);
    // What scripts of this host kept of the person is gone as well.
    response.headers_mut().insert("clear-site-data", HeaderValue::from_static("\"storage\""));
    response
}

/// What the OpenAPI document says of both.
pub(super) fn path_items(
    problems: &Map<String, Value>,
    refused: &Map<String, Value>,
    schema: Value,
) -> [(&'static str, Value); 2] {
    let mut read = problems.clone();
    read.insert(
        "200".into(),
        json!({"description": "Done", "content": {"application/json": {"schema": schema}}}),
    );
    let mut out = refused.clone();
    out.insert("204".into(), json!({"description": "Done, as a script is told"}));
    out.insert("303".into(), json!({"description": "Done, as a form is told"}));
    let read = json!({"operationId": "readSession", "summary": "Who is signed in, and until when",
        "security": [{"session": []}], "responses": read});
    let out = json!({"operationId": "signOut", "summary": "Signs out whoever is signed in",
        "security": [{"session": []}, {}], "responses": out});
    [(SESSION, json!({"get": read})), (SIGN_OUT, json!({"post": out}))]
}
