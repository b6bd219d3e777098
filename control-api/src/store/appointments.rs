//! Tables `appointments` and `appointment_people`.

use media_model::{ConsultId, Role};
use sqlx::{Row as _, any::AnyRow};

use super::{StoreError, TenantTx};
use crate::{
    appointments::{Course, State, TimeRange, is_booked_exclusively},
    ids::{AppointmentId, PersonId},
};

/// The constraint on PostgreSQL and the triggers' message on SQLite.
const BOOKED_TWICE: &str = "nobody_is_booked_twice";

/// What [`appointment_of`] reads: the only text that statements share.
macro_rules! select {
    () => {
        "SELECT id, consult_id, patient, state, starts_at, ends_at, started_at, ended_at, reason, notes, prescriptions,
                follow_up, created_at
         FROM appointments"
    };
}

/// A row of `appointments`.
#[derive(Debug)]
pub(crate) struct Appointment {
    pub id: AppointmentId,
    pub consult: ConsultId,
    pub patient: PersonId,
    pub course: Course,
    /// Sealed.
    pub reason: Option<Vec<u8>>,
    pub record: SealedRecord,
    pub created_at_ms: i64,
}

/// What was put down about a visit, each sealed under the patient's key.
#[derive(Debug, Default)]
pub(crate) struct SealedRecord {
    pub notes: Option<Vec<u8>>,
    pub prescriptions: Option<Vec<u8>>,
    pub follow_up: Option<Vec<u8>>,
}

pub(crate) async fn insert(tx: &mut TenantTx, appointment: &Appointment) -> Result<(), StoreError> {
    let Course { state, time, started_at_ms, ended_at_ms } = appointment.course;
    sqlx::query(
        "INSERT INTO appointments
             (tenant, id, consult_id, patient, state, starts_at, ends_at, started_at, ended_at, reason, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(tx.tenant().as_str())
    .bind(appointment.id.to_string())
    .bind(appointment.consult.to_string())
    .bind(appointment.patient.to_string())
    .bind(state.as_str())
    .bind(time.starts_at_ms())
    .bind(time.ends_at_ms())
    .bind(started_at_ms)
    .bind(ended_at_ms)
    .bind(appointment.reason.as_deref())
    .bind(appointment.created_at_ms)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Books a person.
pub(crate) async fn book(
    tx: &mut TenantTx,
    appointment: &Appointment,
    person: PersonId,
    role: Role,
) -> Result<(), StoreError> {
    let Course { state, time, .. } = appointment.course;
    let done = sqlx::query(
        "INSERT INTO appointment_people (tenant, appointment, person, role, starts_at, ends_at, holds_time)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(tx.tenant().as_str())
    .bind(appointment.id.to_string())
    .bind(person.to_string())
    .bind(role.as_str())
    .bind(time.starts_at_ms())
    .bind(time.ends_at_ms())
    .bind(i64::from(is_booked_exclusively(role) && state.holds_time()))
    .execute(tx.connection())
    .await;
    done.map(drop).map_err(or_booked_twice)
}

/// The appointment's people, in the order of their ids.
pub(crate) async fn people(
    tx: &mut TenantTx,
    appointment: AppointmentId,
) -> Result<Vec<(PersonId, Role)>, StoreError> {
    let rows = sqlx::query(
        "SELECT person, role FROM appointment_people WHERE tenant = $1 AND appointment = $2 ORDER BY person",
    )
    .bind(tx.tenant().as_str())
    .bind(appointment.to_string())
    .fetch_all(tx.connection())
    .await?;
    let person = |row: &AnyRow| Ok((parsed(row, "person")?, parsed(row, "role")?));
    rows.iter().map(person).collect()
}

/// As what somebody is booked.
pub(crate) async fn role_of(
    tx: &mut TenantTx,
    appointment: AppointmentId,
    person: PersonId,
) -> Result<Option<Role>, StoreError> {
    let row = sqlx::query(
        "SELECT role FROM appointment_people WHERE tenant = $1 AND appointment = $2 AND person = $3",
    )
    .bind(tx.tenant().as_str())
    .bind(appointment.to_string())
    .bind(person.to_string())
    .fetch_optional(tx.connection())
    .await?;
    row.as_ref().map(|row| parsed(row, "role")).transpose()
}

/// As what somebody is or was booked in appointments of a patient's that were not called off.
pub(crate) async fn roles_with(
    tx: &mut TenantTx,
    patient: PersonId,
    person: PersonId,
) -> Result<Vec<Role>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT booked.role FROM appointment_people booked
           JOIN appointments a ON a.tenant = booked.tenant AND a.id = booked.appointment
          WHERE booked.tenant = $1 AND booked.person = $2 AND a.patient = $3 AND a.state <> 'cancelled'",
    )
    .bind(tx.tenant().as_str())
    .bind(person.to_string())
    .bind(patient.to_string())
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(|row| parsed(row, "role")).collect()
}

pub(crate) async fn find(tx: &mut TenantTx, id: AppointmentId) -> Result<Option<Appointment>, StoreError> {
    let row = sqlx::query(concat!(select!(), " WHERE tenant = $1 AND id = $2"))
        .bind(tx.tenant().as_str())
        .bind(id.to_string())
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(appointment_of).transpose()
}

/// A patient's, the latest first: those that begin before `after`.
pub(crate) async fn of_patient(
    tx: &mut TenantTx,
    patient: PersonId,
    after: Option<&Appointment>,
    rows_max: i64,
) -> Result<Vec<Appointment>, StoreError> {
    let (starts_at_ms, id) = after
        .map_or((i64::MAX, String::new()), |after| (after.course.time.starts_at_ms(), after.id.to_string()));
    let rows = sqlx::query(concat!(
        select!(),
        " WHERE tenant = $1 AND patient = $2 AND (starts_at < $3 OR (starts_at = $3 AND id < $4))
          ORDER BY starts_at DESC, id DESC LIMIT $5"
    ))
    .bind(tx.tenant().as_str())
    .bind(patient.to_string())
    .bind(starts_at_ms)
    .bind(id)
    .bind(rows_max)
    .fetch_all(tx.connection())
    .await?;
    rows.iter().map(appointment_of).collect()
}

/// The appointment that a consult is of.
pub(crate) async fn of_consult(
    tx: &mut TenantTx,
    consult: ConsultId,
) -> Result<Option<Appointment>, StoreError> {
    let row = sqlx::query(concat!(select!(), " WHERE tenant = $1 AND consult_id = $2"))
        .bind(tx.tenant().as_str())
        .bind(consult.to_string())
        .fetch_optional(tx.connection())
        .await?;
    row.as_ref().map(appointment_of).transpose()
}

/// Puts down how an appointment has gone on since it was `before`; false if somebody else was faster.
pub(crate) async fn go_on(
    tx: &mut TenantTx,
    id: AppointmentId,
    before: Course,
    after: Course,
) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE appointments SET state = $3, starts_at = $4, ends_at = $5, started_at = $6, ended_at = $7
         WHERE tenant = $1 AND id = $2 AND state = $8 AND starts_at = $9 AND ends_at = $10",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(after.state.as_str())
    .bind(after.time.starts_at_ms())
    .bind(after.time.ends_at_ms())
    .bind(after.started_at_ms)
    .bind(after.ended_at_ms)
    .bind(before.state.as_str())
    .bind(before.time.starts_at_ms())
    .bind(before.time.ends_at_ms())
    .execute(tx.connection())
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    let booked = sqlx::query(
        "UPDATE appointment_people SET starts_at = $3, ends_at = $4, holds_time = holds_time * $5
         WHERE tenant = $1 AND appointment = $2",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(after.time.starts_at_ms())
    .bind(after.time.ends_at_ms())
    .bind(i64::from(after.state.holds_time()))
    .execute(tx.connection())
    .await;
    booked.map_err(or_booked_twice)?;
    Ok(true)
}

/// Puts down what came of a visit, in place of what was there.
pub(crate) async fn set_record(
    tx: &mut TenantTx,
    id: AppointmentId,
    record: &SealedRecord,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE appointments SET notes = $3, prescriptions = $4, follow_up = $5 WHERE tenant = $1 AND id = $2",
    )
    .bind(tx.tenant().as_str())
    .bind(id.to_string())
    .bind(record.notes.as_deref())
    .bind(record.prescriptions.as_deref())
    .bind(record.follow_up.as_deref())
    .execute(tx.connection())
    .await?;
    Ok(())
}

fn or_booked_twice(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(refused) if refused.message().contains(BOOKED_TWICE) => StoreError::BookedTwice,
        _ => error.into(),
    }
}

fn appointment_of(row: &AnyRow) -> Result<Appointment, StoreError> {
    let time = TimeRange::new(row.try_get("starts_at")?, row.try_get("ends_at")?);
    let time = time.map_err(|_| StoreError::Malformed("an appointment's time"))?;
    let state: State = parsed(row, "state")?;
    Ok(Appointment {
        id: parsed(row, "id")?,
        consult: parsed(row, "consult_id")?,
        patient: parsed(row, "patient")?,
        course: Course {
            state,
            time,
            started_at_ms: row.try_get("started_at")?,
            ended_at_ms: row.try_get("ended_at")?,
        },
        reason: row.try_get("reason")?,
        record: SealedRecord {
            notes: row.try_get("notes")?,
            prescriptions: row.try_get("prescriptions")?,
            follow_up: row.try_get("follow_up")?,
        },
        created_at_ms: row.try_get("created_at")?,
    })
}

fn parsed<T: std::str::FromStr>(row: &AnyRow, column: &'static str) -> Result<T, StoreError> {
    row.try_get::<&str, _>(column)?.parse().map_err(|_| StoreError::Malformed(column))
}
