//! `/v1/docs`: the OpenAPI document as a page for people. It has no script and loads nothing from elsewhere.

use std::fmt::Write as _;

use axum::{
    http::{HeaderName, header},
    response::IntoResponse,
};
use serde_json::Value;

use super::document::DOCUMENT;

const STYLE: &str = include_str!("page.css");

/// `GET /v1/openapi.json`
pub(super) async fn openapi() -> impl IntoResponse {
    typed("application/json", DOCUMENT.as_str())
}

/// `GET /v1/docs`
pub(super) async fn docs() -> impl IntoResponse {
    typed("text/html; charset=utf-8", page(&serde_json::from_str(&DOCUMENT).unwrap_or_default()))
}

/// `GET /v1/docs/page.css`
pub(super) async fn style() -> impl IntoResponse {
    typed("text/css; charset=utf-8", STYLE)
}

fn typed<T>(media_type: &'static str, body: T) -> ([(HeaderName, &'static str); 1], T) {
    ([(header::CONTENT_TYPE, media_type)], body)
}

fn page(document: &Value) -> String {
    let title = text(&document["info"]["title"]);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <link rel=\"stylesheet\" href=\"/v1/docs/page.css\">\n<h1>{title}</h1>\n<p>{}</p>\n\
         <p>For programs: <a href=\"/v1/openapi.json\">openapi.json</a></p>\n",
        text(&document["info"]["description"]),
    );
    for (path, methods) in members(&document["paths"]) {
        for (method, operation) in members(methods).filter(|(name, _)| *name != "parameters") {
            section(&mut html, path, method, operation);
        }
    }
    html.push_str("<h2>Schemas</h2>\n");
    for (name, schema) in members(&document["components"]["schemas"]) {
        let name = escaped(name);
        let _ = writeln!(html, "<details id=\"{name}\"><summary>{name}</summary>{}</details>", block(schema));
    }
    html.push_str("</html>\n");
    html
}

fn section(html: &mut String, path: &str, method: &str, operation: &Value) {
    let (path, method) = (escaped(path), escaped(&method.to_uppercase()));
    let scope = text(&operation["security"][0]["apiKey"][0]);
    let _ = write!(
        html,
        "<section>\n<h2><b>{method}</b> <code>{path}</code></h2>\n<p>{} <small>{scope}</small></p>\n",
        text(&operation["summary"]),
    );
    if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
        let _ = write!(html, "<p>Takes</p>{}", block(schema));
    }
    html.push_str("<table>\n");
    for (status, answer) in members(&operation["responses"]) {
        let codes = answer.pointer("/content/application~1problem+json/schema/properties/code/enum");
        let codes: Vec<_> = codes.and_then(Value::as_array).into_iter().flatten().map(text).collect();
        let given = answer.pointer("/content/application~1json/schema").map(block).unwrap_or_default();
        let (status, what) = (escaped(status), text(&answer["description"]));
        let _ = writeln!(html, "<tr><td>{status}<td>{what}{given}<td><code>{}</code>", codes.join(", "));
    }
    html.push_str("</table>\n</section>\n");
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn block(schema: &Value) -> String {
    format!("<pre>{}</pre>", escaped(&serde_json::to_string_pretty(schema).unwrap_or_default()))
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_every_operation_and_loads_nothing_from_elsewhere() {
        let document: Value = serde_json::from_str(&DOCUMENT).expect("JSON");
        let html = page(&document);
        for (path, _) in members(&document["paths"]) {
            assert!(html.contains(&format!("<code>{path}</code>")), "{path}");
        }
        for word in ["<script", "src=", "//", "@import", "url("] {
            assert!(!html.contains(word) && !STYLE.contains(word), "{word}");
        }
    }

    #[test]
    fn what_is_shown_is_text() {
        assert_eq!(escaped("<b a=\"&\">"), "&lt;b a=&quot;&amp;&quot;&gt;");
    }
}
