//! The document that is checked in says what the code does.

use std::{fs, path::Path};

use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(control_api::openapi()).expect("JSON")
}

#[test]
fn the_document_that_is_checked_in_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let kept = fs::read_to_string(path).unwrap_or_default();
    assert!(kept == control_api::openapi(), "run `consilium openapi > docs/openapi.json`");
}

#[test]
fn every_operation_says_what_it_takes_and_how_it_answers() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            if method == "parameters" {
                continue;
            }
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            assert!(!id.is_empty() && !ids.contains(&id), "{method} {path}");
            ids.push(id);
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            let answers = operation["responses"].as_object().expect("answers");
            let is_done = |status: &&String| status.starts_with(['2', '3']);
            assert!(answers.keys().any(|status| is_done(&status)), "{method} {path}");
            for status in ["429", "500", "503"] {
                assert!(answers.contains_key(status), "{method} {path} {status}");
            }
            // What lets people and programs in fails in ways of its own.
            if ["/v1/oauth2/", "/v1/sign-", "/v1/session", "/v1/guest-links/redeem"]
                .iter()
                .any(|way_in| path.starts_with(way_in))
            {
                continue;
            }
            let ways = operation["security"].as_array().expect("ways in");
            let is_for_people_alone = ways.len() == 1 && ways[0]["session"].is_array();
            assert!(is_for_people_alone || ways[0]["apiKey"][0].is_string(), "{method} {path} takes a scope");
            assert_eq!(answers.keys().filter(is_done).count(), 1, "{method} {path}");
            assert!(answers.contains_key("401") && answers.contains_key("403"), "{method} {path}");
        }
    }
    assert!(ids.len() >= 16, "{ids:?}");
}
