//! The OpenAPI 3.1 document, made of the operations that are routed and the types that are parsed.

use std::{collections::BTreeMap, sync::LazyLock};

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    guest_links, oauth,
    operation::Operation,
    schema::{CLIENT_PATTERN, ID_PATTERN},
    session, sign_in, tickets,
};
use crate::{
    limits::IDEMPOTENCY_KEY_BYTES_MAX,
    permissions::{self, Reason},
    problem::Problem,
};

/// What every operation may answer: who asks is looked up in the database.
const ALWAYS: [Problem; 17] = [
    Problem::TooManyRequests(0),
    Problem::Unauthorized,
    Problem::SignedOut,
    Problem::VisitOver,
    Problem::OriginRefused,
    Problem::Forbidden(Reason::NotConcerned),
    Problem::Forbidden(Reason::RoleForbids),
    Problem::Forbidden(Reason::MfaNeeded),
    Problem::Forbidden(Reason::NotOnOneself),
    Problem::Forbidden(Reason::NotForClients),
    Problem::Forbidden(Reason::ScopeMissing),
    Problem::Forbidden(Reason::PersonUnknown),
    Problem::Forbidden(Reason::PersonNeeded),
    Problem::Forbidden(Reason::OtherVisit),
    Problem::Forbidden(Reason::NotByVisit),
    Problem::StoredValueDamaged,
    Problem::StoreUnavailable,
];

/// What every operation may answer that changes something.
const OF_CHANGES: [Problem; 4] = [
    Problem::IdempotencyKeyMalformed,
    Problem::IdempotencyKeyReused,
    Problem::IdempotencyKeyInUse,
    Problem::BodyTooLarge,
];

/// How giving out tokens fails besides as OAuth 2 has it.
const OF_TOKENS: [Problem; 4] = [
    Problem::BodyTooLarge,
    Problem::TooManyRequests(0),
    Problem::StoredValueDamaged,
    Problem::StoreUnavailable,
];

/// How a page of signing in fails besides as a page.
const OF_SIGN_IN: [Problem; 3] =
    [Problem::TooManyRequests(0), Problem::StoredValueDamaged, Problem::StoreUnavailable];

/// How asking who is signed in fails.
const OF_SESSIONS: [Problem; 4] =
    [Problem::SignedOut, Problem::TooManyRequests(0), Problem::StoredValueDamaged, Problem::StoreUnavailable];

/// How signing out fails.
const OF_SIGN_OUT: [Problem; 4] = [
    Problem::OriginRefused,
    Problem::TooManyRequests(0),
    Problem::StoredValueDamaged,
    Problem::StoreUnavailable,
];

/// The document, as it is served and checked in.
pub(super) static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let mut text = serde_json::to_string_pretty(&document(&super::operations())).unwrap_or_default();
    text.push('\n');
    text
});

/// The document of these operations.
pub(super) fn document(operations: &[Operation]) -> Value {
    // OpenAPI 3.1 speaks JSON Schema 2020-12 itself. What is taken and what is given differ in which members have to be there.
    let settings = || {
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings
    };
    let mut taken = settings().for_deserialize().into_generator();
    let mut given = settings().for_serialize().into_generator();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| path_item(operation.path));
        let method = operation.method.as_str().to_lowercase();
        path.insert(method, operation_object(operation, &mut taken, &mut given));
    }
    let mut paths = json!(paths);
    paths[oauth::PATH] = oauth::path_item(answers(&OF_TOKENS));
    let schema = given.subschema_for::<session::SessionBody>().to_value();
    let redeemed = taken.subschema_for::<guest_links::RedeemBody>();
    let ticket = given.subschema_for::<tickets::TicketBody>();
    paths[guest_links::REDEEM] = guest_links::path_item(answers(&guest_links::REFUSALS), &redeemed, &ticket);
    let of_sessions = session::path_items(&answers(&OF_SESSIONS), &answers(&OF_SIGN_OUT), schema);
    for (path, item) in sign_in::path_items(&answers(&OF_SIGN_IN)).into_iter().chain(of_sessions) {
        paths[path] = item;
    }
    let mut schemas = given.take_definitions(true);
    schemas.extend(taken.take_definitions(true));
    schemas.insert("Problem".into(), problem_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Consilium control API",
            "version": "1",
            "description": "For the back end of an EHR or portal. docs/control-api.md says more.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": oauth::security_schemes(),
        },
    })
}

/// The path's parameters, which all are ids of ours.
fn path_item(path: &str) -> Map<String, Value> {
    let names = path.split(['{', '}']).skip(1).step_by(2);
    let parameters: Vec<Value> = names
        .map(|name| {
            let pattern = if name == "client" { CLIENT_PATTERN } else { ID_PATTERN };
            let schema = json!({"type": "string", "pattern": pattern});
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    let mut item = Map::new();
    if !parameters.is_empty() {
        item.insert("parameters".into(), parameters.into());
    }
    item
}

fn operation_object(
    operation: &Operation,
    taken: &mut SchemaGenerator,
    given: &mut SchemaGenerator,
) -> Value {
    let (status, body) = &operation.gives;
    let mut done = json!({"description": "Done"});
    if let Some(body) = body {
        done["content"] = json!({"application/json": {"schema": body(given)}});
    }
    if let Some(media_type) = operation.text {
        done["content"] = json!({media_type: {"schema": {"type": "string"}}});
    }
    let mut responses = refusals(operation);
    responses.insert(status.as_str().to_owned(), done);
    let mut object = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "security": ways_in(operation),
        "responses": responses,
    });
    let mut parameters = Vec::new();
    let on_behalf_of = json!({
        "name": "On-Behalf-Of",
        "in": "header",
        "description": "The person for whom the back end acts, by our id; it may then do what both may",
        "schema": {"type": "string", "pattern": ID_PATTERN},
    });
    if permissions::scope_for(operation.act).is_some() {
        parameters.push(on_behalf_of);
    }
    if operation.changes_something() {
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "description": "With the same key again nothing is done and the same is answered, for 24 hours",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": IDEMPOTENCY_KEY_BYTES_MAX,
                "pattern": "^[!-~]+$",
            },
        }));
    }
    parameters.extend(operation.query.iter().map(|parameter| {
        let (name, description, schema) = (parameter.name, parameter.description, &parameter.schema);
        json!({"name": name, "in": "query", "description": description, "schema": schema})
    }));
    object["parameters"] = parameters.into();
    if let Some(body) = operation.takes {
        let content = json!({"application/json": {"schema": body(taken)}});
        object["requestBody"] = json!({"required": !operation.takes_nothing, "content": content});
    }
    object
}

/// How whoever asks may say who they are: what no API client may is for people alone.
fn ways_in(operation: &Operation) -> Value {
    let mut ways = Vec::new();
    if let Some(scope) = permissions::scope_for(operation.act) {
        ways.extend([json!({"apiKey": [scope.as_str()]}), json!({"accessToken": [scope.as_str()]})]);
    }
    ways.push(json!({"session": []}));
    if permissions::is_for_visitors(operation.act) {
        ways.push(json!({"visitToken": []}));
    }
    ways.into()
}

fn refusals(operation: &Operation) -> Map<String, Value> {
    let of_changes = if operation.changes_something() { OF_CHANGES.as_slice() } else { &[] };
    answers(ALWAYS.iter().chain(of_changes).chain(&operation.refusals))
}

/// One answer for each status, with the codes that it may have.
fn answers<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Map<String, Value> {
    let mut by_status: BTreeMap<String, Vec<Problem>> = BTreeMap::new();
    for problem in problems {
        by_status.entry(problem.status().as_str().to_owned()).or_default().push(*problem);
    }
    by_status
        .into_iter()
        .map(|(status, problems)| {
            let mut codes: Vec<_> = problems.iter().map(|problem| problem.code()).collect();
            codes.sort_unstable();
            codes.dedup();
            let titles: Vec<_> = problems.iter().map(|problem| problem.title()).collect();
            let mut titles: Vec<&str> = titles;
            titles.dedup();
            let schema = json!({
                "$ref": "#/components/schemas/Problem",
                "properties": {"code": {"enum": codes}},
            });
            let content = json!({"application/problem+json": {"schema": schema}});
            (status, json!({"description": titles.join("; "), "content": content}))
        })
        .collect()
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "Why it was not done (RFC 9457)",
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string", "description": "For people"},
            "status": {"type": "integer"},
            "code": {"type": "string", "description": "For programs; never changes its meaning"},
            "field": {"type": "string", "description": "Which field is out of bounds"},
        },
        "required": ["type", "title", "status", "code"],
    })
}
