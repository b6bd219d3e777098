//! `/v1/sign-in/{tenant}`: people sign in at their clinic's provider and come back.

use axum::{
    Extension,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use media_model::{Pii, TenantId};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::{cookies, session::SIGNED_IN, sign_in_page};
use crate::{
    ControlApi,
    app::{
        Attempt,
        sign_in::{Callback, NotSignedIn},
    },
    auth::Request,
    limits::{CALLBACK_PARAMETER_BYTES_MAX, SIGN_IN_LIFETIME},
    problem::Problem,
    sign_in::{ReturnPath, SignInRefusal},
};

/// Begins a sign-in.
pub(super) const START: &str = "/v1/sign-in/{tenant}";
/// Where the provider sends browsers back to.
pub(super) const CALLBACK: &str = "/v1/sign-in/{tenant}/callback";

/// Parameters by name. None may come twice (RFC 6749 §3.1), and none be longer than any that is meant.
fn parameters<const N: usize>(query: Option<&str>, names: [&str; N]) -> Option<[Option<String>; N]> {
    let mut found = [const { None }; N];
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let Some(place) = names.iter().position(|known| *known == name) else { continue };
        let slot: &mut Option<String> = found.get_mut(place)?;
        if slot.is_some() || value.len() > CALLBACK_PARAMETER_BYTES_MAX {
            return None;
        }
        *slot = Some(value.into_owned());
    }
    Some(found)
}

/// A tenant's name in the path. One that cannot be one is nobody's.
fn tenant_of(name: &str) -> Result<TenantId, SignInRefusal> {
    name.parse().ok().filter(|tenant| *tenant != TenantId::SYSTEM).ok_or(SignInRefusal::NotConfigured)
}

pub(super) async fn start(
    State(api): State<ControlApi>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    uri: Uri,
    Extension(request): Extension<Request>,
    headers: HeaderMap,
) -> Response {
    let begun = begin(&api, &tenant, query.as_deref(), &uri, &headers).await;
    begun.unwrap_or_else(|why| {
        if let Some(reason) = why.of_nobody() {
            api.turned_away(tenant.parse().ok(), reason, &request);
        }
        refused(&api, &tenant, &why)
    })
}

async fn begin(
    api: &ControlApi,
    tenant: &str,
    query: Option<&str>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, NotSignedIn> {
    let tenant = tenant_of(tenant)?;
    if sign_in_page::is_framed(headers) {
        return Err(SignInRefusal::Framed.into());
    }
    let [return_to] = parameters(query, ["return_to"]).ok_or(SignInRefusal::ReturnRefused)?;
    let return_to = return_to.map(|path| ReturnPath::parse(&path).ok_or(SignInRefusal::ReturnRefused));
    let origin = api.own_origin().of(uri, headers).ok_or(SignInRefusal::NotConfigured)?;
    let redirect_uri = format!("{}{}", origin.as_str(), CALLBACK.replace("{tenant}", tenant.as_str()));
    let begun = api.begin_sign_in(tenant, redirect_uri, return_to.transpose()?).await?;
    let cookie = cookies::keep_sign_in(begun.cookie.reveal(), SIGN_IN_LIFETIME);
    Ok(sent_to(begun.location.as_str(), cookie))
}

pub(super) async fn come_back(
    State(api): State<ControlApi>,
    Path(tenant): Path<String>,
    RawQuery(query): RawQuery,
    Extension(request): Extension<Request>,
    headers: HeaderMap,
) -> Response {
    let attempt = Attempt { request: &request, tenant: tenant.parse().ok(), client: None, credential: None };
    let done = finish(&api, &tenant, query.as_deref(), &request, &headers);
    let done = api.identify(attempt, done, NotSignedIn::of_nobody).await;
    let mut response = done.unwrap_or_else(|why| refused(&api, &tenant, &why));
    response.headers_mut().append(header::SET_COOKIE, cookies::forget_sign_in());
    response
}

async fn finish(
    api: &ControlApi,
    tenant: &str,
    query: Option<&str>,
    request: &Request,
    headers: &HeaderMap,
) -> Result<Response, NotSignedIn> {
    let tenant = tenant_of(tenant)?;
    if sign_in_page::is_framed(headers) {
        return Err(SignInRefusal::Framed.into());
    }
    let names = ["state", "code", "error", "iss"];
    let [state, code, error, issuer] = parameters(query, names).ok_or(SignInRefusal::OtherBrowser)?;
    let callback = Callback { state, code, error, issuer };
    let cookie = cookies::value(headers, cookies::SIGN_IN).map(|value| Pii::new(value.to_owned()));
    let before = cookies::session(headers);
    let done = api.finish_sign_in(tenant, &callback, cookie.as_ref(), before.as_ref(), request).await?;
    let return_to = done.return_to.as_deref().unwrap_or(SIGNED_IN);
    Ok(sent_to(return_to, cookies::keep_session(&done.cookie)))
}

/// Sends the browser on, with a cookie.
pub(super) fn sent_to(location: &str, cookie: Option<HeaderValue>) -> Response {
    let (Ok(location), Some(cookie)) = (HeaderValue::from_str(location), cookie) else {
        return Problem::StoredValueDamaged.into_response();
    };
    let headers = [(header::LOCATION, location), (header::SET_COOKIE, cookie)];
    sign_in_page::guarded((StatusCode::SEE_OTHER, headers).into_response())
}

fn refused(api: &ControlApi, tenant: &str, why: &NotSignedIn) -> Response {
    if let NotSignedIn::Refused(refusal, _) = why {
        api.count_refused_sign_in(*refusal);
    }
    sign_in_page::refusal(tenant_of(tenant).ok(), why)
}

/// What the OpenAPI document says of both: they are for browsers, and answer with pages.
pub(super) fn path_items(problems: &Map<String, Value>) -> [(&'static str, Value); 2] {
    let text = json!({"text/html": {"schema": {"type": "string"}}});
    let refused = |why: &str| json!({"description": why, "content": text});
    let parameter = |name: &str, schema: Value| json!({"name": name, "in": "query", "schema": schema});
    let tenant = json!([{"name": "tenant", "in": "path", "required": true,
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,39}$"}}]);
    let item = |id: &str, summary: &str, parameters: Value| {
        let mut responses = problems.clone();
        let location = json!({"schema": {"type": "string"}});
        let sent = json!({"description": "Goes on there", "headers": {"Location": location}});
        responses.insert("303".into(), sent);
        responses.insert("400".into(), refused("`return_to` is no path of this server"));
        responses.insert("403".into(), refused("Not signed in; the page has a code"));
        responses.insert("404".into(), refused("Nobody signs in here"));
        let mut unavailable = refused("The provider or the database does not answer");
        if let Some(problem) =
            problems.get("503").and_then(|of| of.pointer("/content/application~1problem+json"))
        {
            unavailable["content"]["application/problem+json"] = problem.clone();
        }
        responses.insert("503".into(), unavailable);
        let get = json!({"operationId": id, "summary": summary, "security": [{}], "parameters": parameters,
            "responses": responses});
        json!({"parameters": tenant, "get": get})
    };
    let path = json!({"type": "string", "pattern": r"^/([!-.0-\[\]-~][!-\[\]-~]*)?$", "maxLength": crate::limits::RETURN_PATH_BYTES_MAX});
    let start = json!([parameter("return_to", path)]);
    let names = ["state", "code", "error", "iss"];
    let back: Vec<Value> = names.iter().map(|name| parameter(name, json!({"type": "string"}))).collect();
    [
        (START, item("startSignIn", "Sends a browser to where the tenant's people sign in", start)),
        (CALLBACK, item("finishSignIn", "Takes a browser that comes back from there", json!(back))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_parameter_is_taken_that_comes_twice_or_is_too_long() {
        let names = ["state", "code"];
        let found = parameters(Some("code=a%20b&x=1&state=s"), names).expect("both once");
        assert_eq!(found, [Some("s".to_owned()), Some("a b".to_owned())]);
        assert_eq!(parameters(None, names), Some([None, None]));
        assert_eq!(parameters(Some("code=a&code=a"), names), None);
        let long = format!("code={}", "x".repeat(CALLBACK_PARAMETER_BYTES_MAX + 1));
        assert_eq!(parameters(Some(&long), names), None);
    }
}
