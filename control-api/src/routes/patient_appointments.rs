//! `GET /v1/people/{person}/appointments`

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Path,
    appointments::AppointmentBody,
    operation::{Operation, Parameter},
    query::limit,
    schema,
};
use crate::{
    ControlApi, app::patient_appointments::Which, auth::Caller, ids::AppointmentId, ids::PersonId,
    limits::APPOINTMENTS_LISTED_MAX, permissions::Act, problem::Problem,
};

/// Some of a patient's appointments, the latest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Appointments")]
struct AppointmentsBody {
    appointments: Vec<AppointmentBody>,
    /// The last of them, to go on after; null where there was none.
    #[schemars(schema_with = "schema::id_if_any")]
    last: Option<AppointmentId>,
}

/// As it comes in the query.
#[derive(Deserialize)]
struct WhichQuery {
    after: Option<String>,
    limit: Option<String>,
}

/// How many there are in an answer by default.
const LISTED: i64 = 50;

impl WhichQuery {
    fn which(&self) -> Result<Which, Problem> {
        let after = self.after.as_deref().map(str::parse).transpose();
        Ok(Which {
            after: after.map_err(|_| Problem::FieldInvalid("after"))?,
            rows_max: limit(self.limit.as_deref(), LISTED, APPOINTMENTS_LISTED_MAX)?,
        })
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let after = Parameter {
        name: "after",
        description: "The appointment to go on after",
        schema: json!({"type": "string", "pattern": schema::ID_PATTERN}),
    };
    let how_many = Parameter {
        name: "limit",
        description: "How many at most",
        schema: json!({"type": "integer", "minimum": 1, "maximum": APPOINTMENTS_LISTED_MAX}),
    };
    vec![
        Operation::get("/v1/people/{person}/appointments", list)
            .is("listAppointments", Act::ListAppointments, "Lists a patient's appointments, the latest first")
            .with([after, how_many])
            .gives::<AppointmentsBody>(StatusCode::OK),
    ]
}

async fn list(
    State(api): State<ControlApi>,
    caller: Caller,
    Path(patient): Path<PersonId>,
    query: Result<Query<WhichQuery>, QueryRejection>,
) -> Result<axum::Json<AppointmentsBody>, Problem> {
    let Query(query) = query.map_err(|_| Problem::FieldInvalid("query"))?;
    let listed = api.appointments_of(caller, patient, query.which()?).await?;
    let last = listed.last().map(|booked| booked.id);
    let appointments = listed.into_iter().map(AppointmentBody::from).collect();
    Ok(axum::Json(AppointmentsBody { appointments, last }))
}
