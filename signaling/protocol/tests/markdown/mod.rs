//! The page, from the schema, the examples and the template.

use std::fmt::Write as _;

use serde_json::Value;
use signaling_protocol::{
    SUBPROTOCOL,
    error::ErrorCode,
    limits::{self, SLOTS_INITIAL, SLOTS_MAX},
    ticket::{LEEWAY_S, Ticket, Token},
};

use super::examples;

const TEMPLATE: &str = include_str!("../signaling.template.md");

pub fn page(schema: &Value) -> String {
    let fills = [
        ("subprotocol", SUBPROTOCOL.to_owned()),
        ("hello_timeout", limits::HELLO_TIMEOUT.as_secs().to_string()),
        ("client", messages(schema, "ClientMessage", &examples::client())),
        ("server", messages(schema, "ServerMessage", &examples::server())),
        ("types", types(schema)),
        ("errors", errors(schema)),
        ("limits", limits_table()),
        ("ticket_typ", Ticket::TYP.to_owned()),
        ("ticket_aud", Ticket::AUDIENCE.to_owned()),
        ("person_bytes", limits::PERSON_ID_BYTES_MAX.to_string()),
        ("chat_waiting", limits::CHAT_LINES_WAITING_MAX.to_string()),
        ("name_chars", limits::DISPLAY_NAME_CHARS_MAX.to_string()),
        ("leeway", LEEWAY_S.to_string()),
    ];
    let mut page = TEMPLATE.to_owned();
    for (name, text) in fills {
        page = page.replace(&format!("{{{{{name}}}}}"), text.trim_end());
    }
    assert!(!page.contains("{{"), "a place in the template was not filled");
    page
}

/// Each variant's `type` and schema.
pub fn variants<'a>(schema: &'a Value, name: &str) -> impl Iterator<Item = (String, &'a Value)> {
    let all = schema["$defs"][name]["oneOf"].as_array().expect("a message is one of several");
    all.iter().map(|variant| {
        let kind = variant["properties"]["type"]["const"].as_str().expect("a message has a type");
        (kind.to_owned(), variant)
    })
}

fn messages(schema: &Value, name: &str, examples: &[(String, String)]) -> String {
    let mut text = String::new();
    for (kind, variant) in variants(schema, name) {
        let example = &examples.iter().find(|(of, _)| *of == kind).expect("every message has an example").1;
        let described = one_line(variant);
        let _ = write!(text, "### `{kind}`\n\n{described}\n\n");
        let target = variant.get("$ref").map_or(variant, |_| resolve(schema, variant));
        fields(target, &mut text);
        let _ = write!(text, "```json\n{example}\n```\n\n");
    }
    text
}

/// A table of an object's members, `type` left out.
fn fields(object: &Value, text: &mut String) {
    let Some(properties) = object["properties"].as_object() else { return };
    let required =
        |name: &str| object["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let shown: Vec<_> = properties.iter().filter(|(name, _)| *name != "type").collect();
    if shown.is_empty() {
        return;
    }
    text.push_str("| member | type | | meaning |\n|---|---|---|---|\n");
    for (name, schema) in shown {
        let presence = if required(name) { "" } else { "optional" };
        let _ = writeln!(text, "| `{name}` | {} | {presence} | {} |", type_name(schema), one_line(schema));
    }
    text.push('\n');
}

fn types(schema: &Value) -> String {
    let mut text = String::new();
    let messages = ["ClientMessage", "ServerMessage", "ErrorCode"];
    // A struct that is a whole message has its table there.
    let is_message = |name: &str| {
        ["ClientMessage", "ServerMessage"].iter().flat_map(|of| variants(schema, of)).any(|(_, variant)| {
            variant["$ref"].as_str().is_some_and(|reference| reference.ends_with(&format!("/{name}")))
        })
    };
    let all = schema["$defs"].as_object().expect("a schema has definitions");
    for (name, one) in all.iter().filter(|(name, _)| !messages.contains(&name.as_str()) && !is_message(name))
    {
        let _ = write!(text, "### {name}\n\n{}\n\n", one_line(one));
        for value in one["oneOf"].as_array().into_iter().flatten() {
            let _ =
                writeln!(text, "- `{}`: {}", value["const"].as_str().unwrap_or_default(), one_line(value));
        }
        if one["oneOf"].is_array() {
            text.push('\n');
        }
        fields(one, &mut text);
    }
    text
}

fn errors(schema: &Value) -> String {
    let all = schema["$defs"]["ErrorCode"]["oneOf"].as_array().expect("every error code is described");
    let mut text = "| code | close code | meaning |\n|---|---|---|\n".to_owned();
    for code in ErrorCode::ALL {
        let described =
            all.iter().find(|one| one["const"] == code.as_str()).expect("every error code is described");
        let _ = writeln!(text, "| `{}` | {} | {} |", code.as_str(), code.close_code(), one_line(described));
    }
    assert_eq!(all.len(), ErrorCode::ALL.len(), "every error code is listed");
    text
}

fn limits_table() -> String {
    let counts = |counts: signaling_protocol::server::SlotCounts| {
        format!("{} of camera, {} of screen", counts.camera, counts.screen)
    };
    let rows = [
        ("a WebSocket message", format!("{} bytes", limits::MESSAGE_BYTES_MAX)),
        ("an SDP offer", format!("{} bytes", limits::SDP_BYTES_MAX)),
        ("its m= lines", media_model::limits::TRANSPORT_MEDIA_MAX.to_string()),
        ("a `mid`", format!("{} bytes", media_model::Mid::BYTES_MAX)),
        (
            "a line of chat",
            format!("{} characters; of control characters tab and line feed", limits::CHAT_CHARS_MAX),
        ),
        ("a ticket or resume token", format!("{} bytes", limits::TOKEN_BYTES_MAX)),
        ("`hello` after the connection", format!("{} s", limits::HELLO_TIMEOUT.as_secs())),
        ("messages at once", limits::MESSAGES_BURST_MAX.to_string()),
        ("messages in the long run", format!("{} a second", limits::MESSAGES_PER_SECOND_MAX)),
        ("slot pairs first asked for", counts(SLOTS_INITIAL)),
        ("slot pairs", counts(SLOTS_MAX)),
        ("transports of a consult", media_model::limits::CONSULT_TRANSPORTS_MAX.to_string()),
    ];
    let rows = rows.iter().map(|(what, limit)| format!("| {what} | {limit} |\n"));
    format!("| what | at most |\n|---|---|\n{}", rows.collect::<String>())
}

fn type_name(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(type_name).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("array of {}", type_name(&schema["items"])),
        Value::String(name) => name.clone(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "value".to_owned(),
    }
}

fn resolve<'a>(schema: &'a Value, reference: &Value) -> &'a Value {
    let path = reference["$ref"].as_str().unwrap_or_default().trim_start_matches('#');
    schema.pointer(path).unwrap_or(&Value::Null)
}

fn one_line(schema: &Value) -> String {
    schema["description"]
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
