//! `docs/signaling.md` and `docs/signaling.schema.json` say what the types say.
//!
//! `UPDATE_DOCS=1 cargo test -p signaling-protocol --test documents` writes them anew.

mod examples;
mod markdown;

use std::{fs, path::PathBuf};

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};
use signaling_protocol::{client::ClientMessage, parse_client_message, server::ServerMessage};

fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    generator.subschema_for::<ClientMessage>();
    generator.subschema_for::<ServerMessage>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Consilium signaling, version 1",
        "description": "ClientMessage is what a client says, ServerMessage what the server does.",
        "$defs": generator.take_definitions(true),
    })
}

fn check(name: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).expect("docs can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "docs/{name} is out of date: run with UPDATE_DOCS=1");
}

#[test]
fn the_schema_is_up_to_date() {
    let schema = serde_json::to_string_pretty(&schema()).expect("a schema is JSON");
    check("signaling.schema.json", &format!("{schema}\n"));
}

#[test]
fn the_page_is_up_to_date() {
    check("signaling.md", &markdown::page(&schema()));
}

#[test]
fn every_message_has_an_example_that_parses() {
    let schema = schema();
    for (name, examples) in [("ClientMessage", examples::client()), ("ServerMessage", examples::server())] {
        let types: Vec<String> = markdown::variants(&schema, name).map(|(kind, _)| kind).collect();
        let shown: Vec<&str> = examples.iter().map(|(kind, _)| kind.as_str()).collect();
        assert_eq!(types, shown, "{name}");
    }
    for (kind, example) in examples::client() {
        assert!(parse_client_message(&example).is_ok(), "{kind}");
        assert!(ClientMessage::TYPES.contains(&kind.as_str()), "{kind}");
    }
    for (kind, example) in examples::server() {
        let message: ServerMessage = serde_json::from_str(&example).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let again: Value = serde_json::to_value(&message).expect("a message is JSON");
        assert_eq!(again, serde_json::from_str::<Value>(&example).expect("an example is JSON"), "{kind}");
    }
}
