//! `POST /v1/oauth2/token`

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use media_model::Pii;
use serde::Serialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::{
    ControlApi,
    app::{Attempt, oauth::NoToken},
    auth::Request,
    limits::ACCESS_TOKEN_LIFETIME,
    permissions::Scope,
    problem::Problem,
};

pub(super) const PATH: &str = "/v1/oauth2/token";

const INVALID_CLIENT: &str = "invalid_client";

const FORM: &str = "application/x-www-form-urlencoded";

/// RFC 6749 §5.1
#[derive(Serialize)]
struct TokenBody {
    access_token: Pii<String>,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
}

/// RFC 6749 §5.2
#[derive(Debug, Clone, Copy)]
enum Fault {
    InvalidRequest,
    InvalidClient,
    UnsupportedGrantType,
    InvalidScope,
    Other(Problem),
}

impl From<NoToken> for Fault {
    fn from(no: NoToken) -> Self {
        match no {
            NoToken::InvalidClient => Self::InvalidClient,
            NoToken::InvalidScope => Self::InvalidScope,
            NoToken::Failed(problem) => Self::Other(problem),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, INVALID_CLIENT),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::InvalidScope => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::Other(problem) => return problem.into_response(),
        };
        let mut response = (status, axum::Json(json!({"error": error}))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"consilium\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// What was asked for. Only what RFC 6749 names is read, and none of it twice (§3.2).
#[derive(Default)]
struct Form {
    grant_type: Option<String>,
    scope: Option<String>,
    client_id: Option<String>,
    client_secret: Option<Pii<String>>,
}

impl Form {
    fn parse(body: &[u8]) -> Option<Self> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            let value = value.into_owned();
            let before = match &*name {
                "grant_type" => form.grant_type.replace(value),
                "scope" => form.scope.replace(value),
                "client_id" => form.client_id.replace(value),
                "client_secret" => form.client_secret.replace(Pii::new(value)).map(|_| String::new()),
                _ => None,
            };
            if before.is_some() {
                return None;
            }
        }
        Some(form)
    }
}

/// Id and secret in the header (RFC 6749 §2.3.1), each form-encoded before.
fn basic(headers: &HeaderMap) -> Option<(String, Pii<String>)> {
    let (scheme, encoded) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |text: &str| {
        let pair = format!("x={text}");
        form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
    };
    Some((decoded(id)?, Pii::new(decoded(secret)?)))
}

/// One way of saying who asks, never two (RFC 6749 §2.3).
fn credentials(headers: &HeaderMap, form: &mut Form) -> Result<(String, Pii<String>), Fault> {
    let in_form = form.client_secret.take();
    if headers.contains_key(header::AUTHORIZATION) {
        let (id, secret) = basic(headers).ok_or(Fault::InvalidClient)?;
        let is_twice = in_form.is_some() || form.client_id.take().is_some_and(|other| other != id);
        return if is_twice { Err(Fault::InvalidRequest) } else { Ok((id, secret)) };
    }
    let id = form.client_id.take().ok_or(Fault::InvalidClient)?;
    Ok((id, in_form.ok_or(Fault::InvalidClient)?))
}

pub(super) async fn token(
    State(api): State<ControlApi>,
    Extension(request): Extension<Request>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(_) => return Problem::BodyTooLarge.into_response(),
    };
    answer(&api, request, &headers, &body).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    api: &ControlApi,
    request: Request,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Fault> {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case(FORM) {
        return Err(Fault::InvalidRequest);
    }
    let mut form = Form::parse(body).ok_or(Fault::InvalidRequest)?;
    let grant = form.grant_type.take().ok_or(Fault::InvalidRequest)?;
    if grant != "client_credentials" {
        return Err(Fault::UnsupportedGrantType);
    }
    let told = credentials(headers, &mut form);
    let (id, secret) = told.inspect_err(|_| api.turned_away(None, INVALID_CLIENT, &request))?;
    let attempt = Attempt {
        request: &request,
        tenant: id.split_once('.').and_then(|(tenant, _)| tenant.parse().ok()),
        client: Some(&id),
        credential: Some(secret.reveal()),
    };
    let issued = api.issue_token(&id, secret.reveal(), form.scope.as_deref(), request.clone());
    let is_unknown = |no: &NoToken| (*no == NoToken::InvalidClient).then_some(INVALID_CLIENT);
    let issued = api.identify(attempt, issued, is_unknown).await?;
    let body = TokenBody {
        access_token: issued.token,
        token_type: "Bearer",
        expires_in: ACCESS_TOKEN_LIFETIME.as_secs(),
        scope: issued.scopes.to_string(),
    };
    Ok(axum::Json(body).into_response())
}

/// What the OpenAPI document says of it: it takes a form and fails as OAuth 2 does, unlike the rest.
pub(super) fn path_item(problems: serde_json::Map<String, Value>) -> Value {
    let error = |codes: &[&str]| {
        let schema = json!({
            "type": "object",
            "properties": {"error": {"type": "string", "enum": codes}},
            "required": ["error"],
        });
        json!({"description": "No token (RFC 6749 §5.2)", "content": {"application/json": {"schema": schema}}})
    };
    let text = json!({"type": "string"});
    let form = json!({
        "type": "object",
        "properties": {
            "grant_type": {"type": "string", "const": "client_credentials"},
            "scope": {"type": "string", "description": "Names with a space between them; all that the client has by default"},
            "client_id": text,
            "client_secret": text,
        },
        "required": ["grant_type"],
    });
    let given = json!({
        "type": "object",
        "properties": {
            "access_token": text,
            "token_type": {"type": "string", "const": "Bearer"},
            "expires_in": {"type": "integer", "const": ACCESS_TOKEN_LIFETIME.as_secs()},
            "scope": text,
        },
        "required": ["access_token", "token_type", "expires_in", "scope"],
    });
    let mut responses = problems;
    responses.insert(
        "200".into(),
        json!({"description": "Done", "content": {"application/json": {"schema": given}}}),
    );
    responses.insert("400".into(), error(&["invalid_request", "unsupported_grant_type", "invalid_scope"]));
    responses.insert("401".into(), error(&["invalid_client"]));
    json!({"post": {
        "operationId": "issueToken",
        "summary": "An access token for ten minutes (OAuth 2 client credentials)",
        "description": "The client says who it is in the header (client_secret_basic) or in the form (client_secret_post).",
        "security": [{"basic": []}, {}],
        "requestBody": {"required": true, "content": {FORM: {"schema": form}}},
        "responses": responses,
    }})
}

/// The ways to be let in, for the OpenAPI document.
pub(super) fn security_schemes() -> Value {
    let scopes: serde_json::Map<_, _> =
        Scope::ALL.iter().map(|scope| (scope.to_string(), json!(""))).collect();
    json!({
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "The key of one of the tenant's API clients, and the scope that it needs",
        },
        "accessToken": {
            "type": "oauth2",
            "description": "A token of POST /v1/oauth2/token, which is a bearer token as well",
            "flows": {"clientCredentials": {"tokenUrl": "/v1/oauth2/token", "scopes": scopes}},
        },
        "visitToken": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "What `welcome` of the signaling protocol gives whoever is in a visit, for that visit alone",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-consilium_session",
            "description": "Somebody who signed in. What changes something comes from a page of this server (Origin)",
        },
        "basic": {"type": "http", "scheme": "basic", "description": "An API client's id and key"},
    })
}
