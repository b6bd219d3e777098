//! One operation: its route, and what the OpenAPI document says of it. Both are made of this, so that they agree.

use axum::{
    handler::Handler,
    http::{Method, StatusCode},
    routing::{MethodFilter, MethodRouter, on},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::{ControlApi, permissions::Act, problem::Problem};

/// Gives a body's schema to a generator.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What may stand in the query.
pub(super) struct Parameter {
    pub name: &'static str,
    pub description: &'static str,
    pub schema: Value,
}

/// A method of a path.
pub(super) struct Operation {
    pub method: Method,
    pub path: &'static str,
    /// Its name for programs.
    pub id: &'static str,
    /// Which permission it takes.
    pub act: Act,
    pub summary: &'static str,
    pub handler: MethodRouter<ControlApi>,
    /// The body that it takes, if it does.
    pub takes: Option<SchemaOf>,
    /// Whether it does without it.
    pub takes_nothing: bool,
    /// What it takes in the query.
    pub query: Vec<Parameter>,
    /// How it answers when it was done.
    pub gives: (StatusCode, Option<SchemaOf>),
    /// Of the answer, where that is text and not JSON.
    pub text: Option<&'static str>,
    /// What else it may answer, besides what every operation may.
    pub refusals: Vec<Problem>,
}

impl Operation {
    pub fn get<H: Handler<T, ControlApi>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::GET, path, on(MethodFilter::GET, handler))
    }

    pub fn post<H: Handler<T, ControlApi>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::POST, path, on(MethodFilter::POST, handler))
    }

    pub fn put<H: Handler<T, ControlApi>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::PUT, path, on(MethodFilter::PUT, handler))
    }

    pub fn delete<H: Handler<T, ControlApi>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::DELETE, path, on(MethodFilter::DELETE, handler))
    }

    fn new(method: Method, path: &'static str, handler: MethodRouter<ControlApi>) -> Self {
        let (id, act, summary) = ("", Act::ReadAppointment, "");
        let gives = (StatusCode::NO_CONTENT, None);
        // An id that does not look like one names nothing.
        let refusals = if path.contains('{') { vec![Problem::NotFound] } else { Vec::new() };
        Self {
            method,
            path,
            id,
            act,
            summary,
            handler,
            takes: None,
            takes_nothing: false,
            query: Vec::new(),
            gives,
            text: None,
            refusals,
        }
    }

    /// Whether it may have an idempotency key.
    pub fn changes_something(&self) -> bool {
        self.method != Method::GET
    }

    /// Its name for programs, the permission it takes, and one line for people.
    pub fn is(self, id: &'static str, act: Act, summary: &'static str) -> Self {
        Self { id, act, summary, ..self }
    }

    /// Takes a JSON body.
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.refusals.extend([Problem::BodyMalformed, Problem::BodyTooLarge, Problem::FieldInvalid("")]);
        Self { takes: Some(|generator| generator.subschema_for::<T>()), ..self }
    }

    /// Takes a JSON body, or none.
    pub fn may_take<T: JsonSchema>(self) -> Self {
        Self { takes_nothing: true, ..self.takes::<T>() }
    }

    /// Answers with a JSON body.
    pub fn gives<T: JsonSchema>(self, status: StatusCode) -> Self {
        Self { gives: (status, Some(|generator| generator.subschema_for::<T>())), ..self }
    }

    /// Takes these in the query.
    pub fn with(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.query.extend(parameters);
        self.refuses([Problem::FieldInvalid("")])
    }

    /// Answers with text of this media type.
    pub fn gives_text(self, media_type: &'static str) -> Self {
        Self { gives: (StatusCode::OK, None), text: Some(media_type), ..self }
    }

    /// Answers with these problems, too.
    pub fn refuses(mut self, problems: impl IntoIterator<Item = Problem>) -> Self {
        self.refusals.extend(problems);
        self
    }
}
