//! How a caller stands to what they ask about: facts that the store has, looked up for this very caller. A back end on its own
//! account stands to everything alike, and nothing is looked up for it. A broken glass is the caller's own, and of no use to a
//! back end that acts for them.

use media_model::{ConsultId, Role};

use super::now_ms;
use crate::{
    StoreError,
    auth::Caller,
    ids::PersonId,
    permissions::{Act, Relation, Subject},
    store::{self, TenantTx, appointments::Appointment},
};

/// Which role opens most, where somebody has had several with a patient.
const BY_REACH: [Role; 6] =
    [Role::Provider, Role::Nurse, Role::Guardian, Role::Patient, Role::Interpreter, Role::Observer];

/// To an appointment. Whoever has no part in it is told nothing by which they could know that it is there.
pub(super) async fn to_appointment(
    tx: &mut TenantTx,
    caller: &Caller,
    act: Act,
    appointment: Option<&Appointment>,
) -> Result<Relation, StoreError> {
    let Some(appointment) = appointment else { return Ok(Relation::to_nothing(act)) };
    let role = match caller.person() {
        None => None,
        Some(person) => store::appointments::role_of(tx, appointment.id, person.id).await?,
    };
    let relation = Relation::to_visit(appointment.consult, Some(appointment.patient), role);
    under_glass(tx, caller, appointment.patient, relation).await
}

/// To a consult: to its appointment, if it has one.
pub(super) async fn to_consult(
    tx: &mut TenantTx,
    caller: &Caller,
    act: Act,
    consult: ConsultId,
) -> Result<Relation, StoreError> {
    match store::appointments::of_consult(tx, consult).await? {
        Some(appointment) => to_appointment(tx, caller, act, Some(&appointment)).await,
        None => Ok(Relation::to_visit(consult, None, None)),
    }
}

/// To the tenant as one that has consults without an appointment, or has none.
pub(super) async fn to_direct_consults(tx: &mut TenantTx) -> Result<Relation, StoreError> {
    let tenant = store::tenants::find(tx).await?;
    Ok(Relation::to_tenant().with_direct_consults(tenant.is_some_and(|tenant| tenant.direct_consults)))
}

/// To a person: by the appointments of theirs that the caller has a part in and that were not called off.
pub(super) async fn to_patient(
    tx: &mut TenantTx,
    caller: &Caller,
    patient: PersonId,
) -> Result<Relation, StoreError> {
    let roles = match caller.person() {
        None => Vec::new(),
        Some(person) => store::appointments::roles_with(tx, patient, person.id).await?,
    };
    let role = BY_REACH.into_iter().find(|role| roles.contains(role));
    under_glass(tx, caller, patient, Relation::to_patient(patient, role)).await
}

/// With what the caller has broken for this patient, if it is open.
async fn under_glass(
    tx: &mut TenantTx,
    caller: &Caller,
    patient: PersonId,
    relation: Relation,
) -> Result<Relation, StoreError> {
    let Subject::Person(person) = &caller.subject else { return Ok(relation) };
    if !person.is_clinician() {
        return Ok(relation);
    }
    let now_ms = now_ms();
    let glass = store::break_glasses::open_of(tx, person.id, patient, now_ms).await?;
    Ok(glass.map_or(relation, |glass| relation.under(&glass, now_ms)))
}
